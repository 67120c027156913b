"""Engines for people: what there is at a glance, and what one is made from, what its build told, who found what."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from controller.model.engine import Built, DlaPlacement, EngineView
from controller.model.job import TensorSpec
from controller.report.text.table import Table
from controller.report.text.words import UNKNOWN, duration, moment, number, one_line
from jetfleet.plural import counted

_KEY_DIGITS = 12
_NOT_BUILT = "not built"

Pairs: TypeAlias = Iterator[tuple[str, str]]


def engines_table(engines: Sequence[EngineView]) -> Table:
    return Table(
        columns=("engine", "runtime", "precision", "placement", "lowering", "built on", "build", "size", "remarks"),
        rows=[
            (
                item.key[:_KEY_DIGITS],
                f"{item.recipe.runtime} {item.recipe.runtime_version}",
                item.recipe.precision.value,
                item.recipe.placement,
                item.recipe.lowering.value,
                item.built_on if item.built else _NOT_BUILT,
                duration(item.built.build_s) if item.built else "",
                _bytes(item.built.engine.size_bytes) if item.built else "",
                _remarks(item.built) if item.built else "",
            )
            for item in engines
        ],
        right=frozenset({"build", "size"}),
        folding=frozenset({"runtime", "remarks"}),
        empty="no engines yet: they are built for jobs",
    )


def engine_table(view: EngineView) -> Table:
    """Everything that fits a line; `notes` tells the rest."""
    built = _of_the_build(view, view.built) if view.built else iter([("built", _NOT_BUILT)])
    rows = [*_of_the_recipe(view), *built, ("precision audit", _audit(view))]
    files = [
        (f"file {item.role.value}", f"{item.name}, {_bytes(item.size_bytes)}, {item.sha256}") for item in view.files
    ]
    return Table(columns=("engine", "value"), rows=[*rows, *files], folding=frozenset({"value"}))


def fallback_table(dla: DlaPlacement) -> Table:
    """Why each layer is not on the DLA."""
    return Table(
        columns=("layer", "type", "why it is on the GPU"),
        rows=[(item.layer, item.type, item.reason) for item in dla.fallbacks],
        folding=frozenset({"layer", "why it is on the GPU"}),
        empty="no layer fell back to the GPU",
    )


def warnings(view: EngineView) -> Iterator[str]:
    """Below the tables: the builder's own words, and what they mean for every number of this engine."""
    if view.built is None:
        return
    for flag in view.built.report.flags():
        yield f"{flag.kind.value}: {flag.evidence}"
    for text in view.built.report.warnings:
        yield f"builder: {one_line(text)}"


def _of_the_recipe(view: EngineView) -> Pairs:
    recipe = view.recipe
    yield "key", view.key
    yield "variants", ", ".join(view.variants) or "none"
    yield "runtime", f"{recipe.runtime} {recipe.runtime_version}"
    yield "precision", recipe.precision.value
    yield "lowering", recipe.lowering.value
    yield "placement", recipe.placement
    for spec in recipe.inputs:
        yield f"input {spec.name}", _shapes(spec)
    for item in recipe.artifacts:
        yield f"from {item.role.value}", f"{item.name}, {_bytes(item.size_bytes)}, {item.sha256[:_KEY_DIGITS]}"
    yield "options", ", ".join(f"{name}={value}" for name, value in sorted(recipe.options.items())) or "none"
    for name, value in view.device_class.fields:
        yield f"class {name}", value


def _of_the_build(view: EngineView, built: Built) -> Pairs:
    report = built.report
    yield "built on", f"{view.built_on or UNKNOWN}{f', {moment(view.built_at)}' if view.built_at else ''}"
    yield "build time", duration(built.build_s)
    yield "engine file", f"{_bytes(built.engine.size_bytes)}, {built.engine.sha256}"
    yield "power mode", built.power_mode or UNKNOWN
    yield "peak memory", _bytes(report.peak_rss_bytes)
    yield "peak device memory", _bytes(report.peak_device_bytes)
    yield "activation memory", _bytes(report.device_memory_bytes)
    yield "tactics skipped", _count(report.tactics_skipped)
    if use := report.timing_cache:
        handed = f"from {len(use.handed)} earlier {'one' if len(use.handed) == 1 else 'ones'}" if use.handed else "cold"
        yield "timing cache", f"{handed}, hits {_count(use.hits)}, misses {_count(use.misses)}"
    if dla := report.dla:
        yield (
            "DLA",
            f"{counted(dla.layers_on_dla, 'layer')} on DLA, {dla.layers_on_gpu} on GPU, "
            f"{counted(dla.subgraphs, 'subgraph')}",
        )


def _audit(view: EngineView) -> str:
    if view.audit is None:
        return "never measured"
    found = one_line(view.audit.precision) or "nothing found"
    where = f"measurement {view.audit.measurement_id} of job {view.audit.job_id} on {view.audit.device}"
    return f"{found}: {where}, {view.audit.verdict}"


def _remarks(built: Built) -> str:
    report = built.report
    said = [f"{counted(report.tactics_skipped, 'tactic')} skipped"] if report.tactics_skipped else []
    if dla := report.dla:
        said.append(f"{dla.layers_on_dla} of {counted(dla.layers_on_dla + dla.layers_on_gpu, 'layer')} on DLA")
    return ", ".join(said)


def _shapes(spec: TensorSpec) -> str:
    if spec.range is None:
        return f"{spec.dtype} {list(spec.shape)}"
    return f"{spec.dtype} min {list(spec.range.min)} opt {list(spec.range.opt)} max {list(spec.range.max)}"


def _count(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)


def _bytes(value: int | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value / 1e6:.1f} MB" if value >= 100_000 else f"{value / 1e3:.1f} kB"


def layers_table(layers: Sequence[tuple[str, float, float]]) -> Table:
    """Name, mean milliseconds of an inference and share of their sum; from a run of its own."""
    rows = [(name, number(ms), f"{share:.1%}") for name, ms, share in layers]
    return Table(("layer", "ms", "share"), rows, right=frozenset({"ms", "share"}), folding=frozenset({"layer"}))
