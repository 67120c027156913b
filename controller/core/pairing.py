"""Which variants of a job may be timed in turns, and what is known beforehand to keep two of them apart. Pure."""

from collections.abc import Iterator, Sequence

from controller.core.board_settings import check_alike
from controller.model.job import JobSpec, Measure, Mode, Variant
from jetfleet.circumstances import INFLIGHT, PIPELINE, ZERO_COPY
from jetfleet.errors import BadInput
from jetfleet.options import SIMULATED_RUNTIME
from jetfleet.placement import Placement
from jetfleet.stats.interleaved import FEWEST

_SWITCHES = {ZERO_COPY: "off", INFLIGHT: "1"}  # options under whose values a stage means another thing


def groups(spec: JobSpec) -> Sequence[tuple[Variant, ...]]:
    """What a BENCH is made of: each variant by itself, or of a job of pairs the base and the candidate of each.

    Raises BadInput for pairs that have no turns, or that nobody could compare.
    """
    if not spec.pairs:
        return [(variant,) for variant in spec.variants]
    check_measure(spec.measure)
    for variant in spec.variants:
        _check_placement(variant)
    known = {variant.key: variant for variant in spec.variants}
    found = [(known[pair.base], known[pair.candidate]) for pair in spec.pairs]
    for group in found:
        check_alike(group)
        _check_provenance(*group)
    return found


def check_measure(measure: Measure) -> None:
    """Raises BadInput for a way to measure that has no turns."""
    if measure.mode is not Mode.LATENCY:
        raise BadInput(
            f"subjects in turns have one inference in flight, and the mode is {measure.mode.value}",
            where="measure.mode",
            expected="mode: latency; or two jobs, and `controller compare`",
        )
    if 0 < measure.runs < FEWEST:
        raise BadInput(
            f"two in turns are compared by the ratio of each process, and runs: {measure.runs} is one ratio",
            where="measure.runs",
            expected=f"runs: auto, or at least {FEWEST}",
        )


def unlike(base: Variant, candidate: Variant) -> str:
    """What makes `compare` answer INCOMPARABLE unless it is told that it may differ; empty if nothing is known."""
    names = ", ".join(_differing(base, candidate))
    return f"they differ in {names}: INCOMPARABLE without `compare --across {names.replace(' ', '')}`" if names else ""


def _differing(base: Variant, candidate: Variant) -> Iterator[str]:
    for name, usual in _SWITCHES.items():
        if base.options.get(name, usual) != candidate.options.get(name, usual):
            yield name
    if base.pipeline != candidate.pipeline:
        yield PIPELINE


def _check_placement(variant: Variant) -> None:
    if len(Placement(variant.placement).parts) > 1:
        raise BadInput(
            f"{variant.placement} is several parts, which cannot be timed in turns with another variant",
            where=variant.key,
            expected="one part for each variant of a pair: gpu, dla0, cpu",
        )


def _check_provenance(base: Variant, candidate: Variant) -> None:
    """Numbers that are made up say nothing of those that are measured, whatever may differ."""
    made_up, measured = sorted((base, candidate), key=lambda variant: variant.runtime != SIMULATED_RUNTIME)
    if (made_up.runtime == SIMULATED_RUNTIME) != (measured.runtime == SIMULATED_RUNTIME):
        raise BadInput(
            f"{made_up.key} is simulated and {measured.key} is measured: nothing could be said of the two",
            where="--ab",
            expected="both simulated, or neither",
        )
