"""The rule for a DLA: only where the operators are compatible, and something improves under the constraints. Pure."""

from collections.abc import Mapping, Sequence

from controller.analysis.recommendation.bounds import behind, hold, is_worse
from controller.analysis.recommendation.configurations import BuiltEngine
from controller.model.engine import DlaPlacement
from controller.model.natural import natural
from controller.model.quantities import QUANTITIES
from controller.model.recommendation import Bound, Compatibility, Configuration, DlaFinding, Goals
from controller.model.result import Estimate
from jetfleet.metrics import Better
from jetfleet.placement import DLA, GPU, Placement
from jetfleet.plural import counted

_TOLD_LAYERS = 3
_BESIDE = "throughput_per_s"


def dla_findings(
    configurations: Sequence[Configuration],
    goals: Goals,
    *,
    engines: Mapping[str, BuiltEngine],
    refusals: Mapping[str, str],
) -> tuple[DlaFinding, ...]:
    """One for each variant that asks for a DLA, measured or refused."""
    gpu = [item for item in configurations if Placement(item.placement).kinds == {GPU}]
    found = [_measured(item, gpu, goals, engines) for item in configurations if DLA in Placement(item.placement).kinds]
    known = {item.variant_key for item in found}
    impossible = [
        DlaFinding(key, Compatibility.IMPOSSIBLE, False, (f"it was not measured: {reason}",))
        for key, reason in refusals.items()
        if DLA in key and key not in known
    ]
    return tuple(sorted([*found, *impossible], key=lambda item: natural(item.variant_key)))


def _measured(
    item: Configuration, gpu: Sequence[Configuration], goals: Goals, engines: Mapping[str, BuiltEngine]
) -> DlaFinding:
    compatibility, told = _compatible([engines[key].dla for key in item.engine_keys if key in engines])
    evidence = [told]
    failed = [
        held.reason for constraint in goals.constraints if (held := hold(item, constraint)).bound is not Bound.MET
    ]
    evidence += failed
    twin = _twin(item, gpu, goals)
    if twin is None:
        return DlaFinding(item.variant_key, compatibility, False if failed else None, (*evidence, _NO_GPU))
    quantity = _BESIDE if _is_beside(item) else goals.objective
    use, words = _held_against(item, twin, quantity)
    evidence.append(words)
    if compatibility is Compatibility.PARTLY:
        evidence.append(f"fallback to the GPU is in that figure: {_changes(item, engines)}")
    return DlaFinding(item.variant_key, compatibility, False if failed else use, tuple(evidence))


_NO_GPU = "no variant on the GPU alone was measured in this class: nothing to be better than"


def _compatible(placements: Sequence[DlaPlacement | None]) -> tuple[Compatibility, str]:
    known = [item for item in placements if item is not None]
    if not known:
        return Compatibility.UNKNOWN, "the builder told nothing of where layers run"
    worst = max(known, key=lambda item: item.layers_on_gpu)
    total = worst.layers_on_dla + worst.layers_on_gpu
    if not worst.layers_on_gpu:
        return Compatibility.FULL, f"all {counted(total, 'layer')} run on the DLA"
    if not worst.layers_on_dla:
        return Compatibility.IMPOSSIBLE, f"none of {counted(total, 'layer')} runs on the DLA"
    names = [f"{item.layer} ({item.type}: {item.reason})" for item in worst.fallbacks[:_TOLD_LAYERS]]
    more = len(worst.fallbacks) - len(names)
    told = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    return Compatibility.PARTLY, f"{worst.layers_on_gpu} of {counted(total, 'layer')} fall back to the GPU: {told}"


def _twin(item: Configuration, gpu: Sequence[Configuration], goals: Goals) -> Configuration | None:
    """The best on the GPU alone, of the same model under the same power mode and clocks, that keeps the constraints if
    any does: a DLA must beat what would be shipped without it.
    """
    same = [
        other
        for other in gpu
        if (other.model_name, other.power_mode, other.clocks) == (item.model_name, item.power_mode, item.clocks)
        and other.estimate(goals.objective).value is not None
    ]
    keeping = [other for other in same if all(hold(other, held).bound is Bound.MET for held in goals.constraints)]
    sign = 1.0 if QUANTITIES[goals.objective].better is Better.LOWER else -1.0
    return min(
        keeping or same,
        key=lambda other: (sign * (other.estimate(goals.objective).value or 0.0), natural(other.label)),
        default=None,
    )


def _held_against(item: Configuration, twin: Configuration, quantity: str) -> tuple[bool | None, str]:
    mine, theirs = item.estimate(quantity), twin.estimate(quantity)
    where = "beside the GPU" if _is_beside(item) else "alone"
    words = f"{where}: {quantity} {_told(mine)}, {_told(theirs)} on the GPU alone ({twin.label})"
    if mine.value is None or theirs.value is None:
        return None, words
    ratio = behind(quantity, mine, theirs).value
    times = f", {ratio:.3g} times the GPU's, above 1 is worse" if ratio is not None else ""
    if is_worse(quantity, theirs, mine):
        return True, f"{words}: better{times}"
    if is_worse(quantity, mine, theirs):
        return False, f"{words}: worse{times}"
    return None, f"{words}: the intervals do not tell them apart"


def _is_beside(item: Configuration) -> bool:
    return len(Placement(item.placement).parts) > 1


def _told(item: Estimate) -> str:
    if item.value is None:
        return "unknown"
    interval = "" if item.low is None or item.high is None else f" ({item.low:.4g} to {item.high:.4g})"
    return f"{item.value:.4g}{interval}"


def _changes(item: Configuration, engines: Mapping[str, BuiltEngine]) -> str:
    subgraphs = [placed.subgraphs for key in item.engine_keys if key in engines and (placed := engines[key].dla)]
    count = max(subgraphs, default=0)
    return f"the engine enters the DLA {counted(count, 'time')} in one inference"
