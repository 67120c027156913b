"""The `check:` of job.yaml: how outputs are held against the FP32 reference, and what a variant's precision adds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from controller.intake.jobfile.strict import Strict, problem
from controller.model.job import CheckRule, FoundSet, OutputCheck, OutputSet, Precision
from jetfleet.outputs import defaults


class BoundsSection(Strict):
    """How one output is held against the FP32 reference."""

    rule: Literal["close", "cosine", "set", "off"] | None = Field(
        default=None,
        description="close: every element; cosine: direction and length of the whole and of every slice; "
        "set: rows matched in any order; default: close for fp32, cosine for the others",
    )
    rtol: float = Field(default=defaults.RTOL, ge=0)
    atol: float = Field(default=defaults.ATOL, ge=0)
    min_cosine: float | None = Field(default=None, ge=-1, le=1, description="default: 0.99 for int8, else 0.999")
    min_slice_cosine: float | None = Field(
        default=None, ge=-1, le=1, description="default: a slice may lose ten times what the whole may"
    )
    max_norm_error: float | None = Field(
        default=None, ge=0, description="of |got| / |want| - 1; default: sqrt(2 (1 - cosine)) of the cosine allowed"
    )
    min_agreement: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of equal elements, of integer outputs; of matched rows, of sets; "
        "default 1 for fp32, 0.95 for fp16 and tf32, 0.9 for int8",
    )
    tolerance: int | None = Field(
        default=None,
        ge=0,
        le=255,
        description="how far apart integers may be and still be equal; default: 1 for 8 and 16 bit values that the "
        "graph rounds from floats, 0 for indices and labels",
    )


class CheckSection(BoundsSection):
    """How outputs are held against the FP32 reference; `check: off` is short for `check: {rule: off}`."""

    outputs: dict[str, BoundsSection] = Field(default={}, description="bounds of single outputs, by name")
    sets: list[Annotated[list[str], Field(min_length=1)]] = Field(
        default=[], description="outputs whose rows belong together, as boxes, scores and classes do"
    )

    @model_validator(mode="after")
    def _each_once(self) -> "CheckSection":
        names = [name for outputs in self.sets for name in outputs]
        for name in names:
            if names.count(name) > 1:
                raise problem(f"output {name!r} stands twice in sets", expected="each output in one set")
            if name in self.outputs:
                raise problem(f"output {name!r} stands in sets and in outputs", expected="one of them")
        return self


def check_for(section: CheckSection | str, precision: Precision) -> OutputCheck:
    """The rule that a variant's outputs are held to: job.yaml's, or the precision's where it says nothing."""
    if isinstance(section, str):
        return OutputCheck(CheckRule.OFF)
    return _bounds(
        section,
        precision,
        outputs={name: _bounds(item, precision) for name, item in section.outputs.items()},
        sets=tuple(OutputSet(tuple(outputs), _min_matched(section, precision)) for outputs in section.sets),
    )


def _bounds(
    section: BoundsSection,
    precision: Precision,
    *,
    outputs: dict[str, OutputCheck] | None = None,
    sets: tuple[OutputSet, ...] = (),
) -> OutputCheck:
    rule = CheckRule(section.rule or defaults.rule_name(precision.value))
    cosine = defaults.min_cosine(precision.value) if section.min_cosine is None else section.min_cosine
    return OutputCheck(
        rule,
        rtol=section.rtol,
        atol=section.atol,
        min_cosine=cosine,
        min_agreement=_min_matched(section, precision) if rule is CheckRule.SET else _equal_share(section, precision),
        min_slice_cosine=section.min_slice_cosine,
        max_norm_error=section.max_norm_error,
        tolerance=section.tolerance,
        outputs=outputs or {},
        sets=sets,
    )


def _min_matched(section: BoundsSection, precision: Precision) -> float:
    if section.min_agreement is not None:
        return section.min_agreement
    return matched_share(precision)


def matched_share(precision: Precision) -> float:
    """The share of rows of a set that find their partner, where the job says nothing."""
    return defaults.min_matched(precision.value)


def _equal_share(section: BoundsSection, precision: Precision) -> float:
    if section.min_agreement is not None:
        return section.min_agreement
    return defaults.min_equal(precision.value)


def with_rounded(check: OutputCheck, rounded: Sequence[str]) -> OutputCheck:
    """The bounds, with outputs whose integers the graph rounds from floats, unless the job says how far they may be."""
    plain = replace(check, outputs={}, sets=())
    found = {
        name: replace(check.outputs.get(name, plain), tolerance=1)
        for name in rounded
        if check.tolerance is None and check.outputs.get(name, check).tolerance is None
    }
    return replace(check, outputs={**check.outputs, **found}) if found else check


def with_found(
    check: OutputCheck, precision: Precision, *, rounded: Sequence[str], sets: Sequence[FoundSet]
) -> OutputCheck:
    """The bounds, with what was found of the model's outputs: rounded, or alike in another order alone."""
    return with_rounded(_with_sets(check, sets, precision), rounded)


def _with_sets(check: OutputCheck, sets: Sequence[FoundSet], precision: Precision) -> OutputCheck:
    if check.rule is CheckRule.OFF:
        return check
    said = {*check.outputs, *(name for item in check.sets for name in item.outputs)}
    rounds_as = Precision.FP16 if precision is Precision.TF32 else precision  # 11 bits, both of them
    share = matched_share(precision)
    found = [
        OutputSet(item.outputs, share, ties=rounds_as in item.ties) for item in sets if said.isdisjoint(item.outputs)
    ]
    return replace(check, sets=(*check.sets, *found))
