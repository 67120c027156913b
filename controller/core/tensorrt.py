"""Whether a board's TensorRT can do what a variant asks, by the table of releases and the board's facts. Pure.

A job that asks for more is told so here, with what would work instead, before anything is built.
"""

from collections.abc import Callable, Collection

from packaging.version import InvalidVersion, Version

from controller.model.facts import Facts
from controller.model.job import Lowering, Precision, Role, Variant
from jetfleet.modules import MODULES, XAVIER
from jetfleet.option_kinds import Choice
from jetfleet.options import FLAGS, LOWERING, TYPED, options_of
from jetfleet.placement import Placement, core_names
from jetfleet.tensorrt import (
    DLA_PRECISIONS,
    NO_DLA_GRAPH,
    NO_FALLBACK_INT8,
    NO_FALLBACK_TYPED,
    SUPPORTED,
    WORKSTATION,
    WORKSTATION_CAPABILITIES,
    ReleaseLine,
    dla_refusal,
    line_of,
    since_which,
)

RUNTIMES = ("tensorrt", "tensorrt_rtx")


# Where a precision has instructions of its own.
_PRECISION_SINCE = {Precision.TF32: Version("8.0"), Precision.FP16: Version("5.3"), Precision.INT8: Version("6.1")}
_ELSEWHERE = "place it on gpu"
_KNOWN_TO_FAIL = (
    "is known to fail on this GPU (NVIDIA/TensorRT#4832); options: {tensorrt: {lowering: flags}} is the way around it"
)


def lowering(facts: Facts, variant: Variant, placement: str) -> Lowering:
    """How the precision reaches an engine on `placement`; total, but only `refusal` tells whether it can."""
    line, asked = _line(facts, variant.runtime), variant.options.get(LOWERING, "")
    if line.supported and line.weak and (not line.typed or asked == FLAGS or Placement(placement).is_dla):
        return Lowering.BUILDER_FLAGS
    return Lowering.TYPED_GRAPH


def refusal(facts: Facts, runtime: str, placement: str, variant: Variant | None) -> str:
    """Why this TensorRT cannot, and what can; empty if nothing speaks against it. `placement` is one part.

    Without a variant only what holds for each of them.
    """
    rules = (_version_refusal, _gpu_refusal, _dla_refusal)
    reason = next((found for rule in rules if (found := rule(facts, runtime, placement))), "")
    if reason or variant is None:
        return reason
    return next((found for check in _VARIANT_RULES if (found := check(facts, variant, placement))), "")


def warning(facts: Facts, variant: Variant, placement: str) -> str:
    """What is known to go wrong with a build that nothing forbids; empty if nothing is. `placement` is one part."""
    line, capability = _line(facts, variant.runtime), str(facts.get("compute_capability", ""))
    called = _called(facts, variant.runtime)
    if capability in line.sbsa_without:
        return (
            f"the SBSA build of {called} has no code for this GPU: if it is that one, nothing can be built; "
            "10.16.1 (JetPack 7.2) and images for integrated GPUs (-igpu) have it"
        )
    if variant.precision is Precision.INT8 and capability in line.qdq_fails_on:
        is_graph = lowering(facts, variant, placement) is Lowering.TYPED_GRAPH
        return f"building an INT8 Q/DQ graph with {called} {_KNOWN_TO_FAIL}" if is_graph else ""
    return ""


def no_tensorrt(facts: Facts) -> str:
    """Why a board has none that could be used, where that is known."""
    if str(facts.get("jetpack", "")).split(".")[0] != "5" and str(facts.get("l4t", "")).split(".")[0] != "35":
        return ""
    module = MODULES.get(str(facts.get("module", "")))
    is_xavier = module is not None and module.chip is XAVIER
    way_out = "it is the last one for Xavier boards" if is_xavier else "Orin boards can upgrade to JetPack 6"
    return f"JetPack 5 is not supported: its TensorRT needs Python 3.8; {way_out}"


def _version(facts: Facts, fact: str) -> Version | None:
    try:
        return Version(str(facts.get(fact, "")))
    except InvalidVersion:
        return None


def _line(facts: Facts, runtime: str) -> ReleaseLine:
    return line_of(str(facts.get("runtime.tensorrt", ""))) if runtime == "tensorrt" else WORKSTATION


def _called(facts: Facts, runtime: str) -> str:
    name = "TensorRT" if runtime == "tensorrt" else "TensorRT for RTX"
    return f"{name} {facts.get(f'runtime.{runtime}', '')}"


def _version_refusal(facts: Facts, runtime: str, placement: str) -> str:
    if not _line(facts, runtime).supported:
        return f"{_called(facts, runtime)} is not supported: {SUPPORTED} are"
    return ""


def _gpu_refusal(facts: Facts, runtime: str, placement: str) -> str:
    if Placement(placement).is_cpu or (runtime == "tensorrt_rtx" and Placement(placement).is_dla):
        return f"{runtime} runs on a GPU{'' if runtime == 'tensorrt_rtx' else ' or a DLA'}, not on {placement}"
    if Placement(placement).is_gpu and "gpu" not in facts:
        return "it has no GPU that its agent can see"
    capability = str(facts.get("compute_capability", ""))
    if runtime == "tensorrt_rtx" and capability and capability not in WORKSTATION_CAPABILITIES:
        known = ", ".join(WORKSTATION_CAPABILITIES)
        return f"tensorrt_rtx builds for desktop GPUs (compute capability {known}), not for {capability}: use tensorrt"
    return ""


def _dla_refusal(facts: Facts, runtime: str, placement: str) -> str:
    if not Placement(placement).is_dla:
        return ""
    module, l4t = str(facts.get("module", "")), str(facts.get("l4t", ""))
    known = MODULES.get(module)
    if known and not known.dla_cores:
        return f"{known.product} has no DLA: {_ELSEWHERE}"
    if reason := dla_refusal(_called(facts, runtime), _line(facts, runtime), module=module, l4t=l4t):
        return f"{reason}: {_ELSEWHERE}"
    cores = int(str(facts.get("dla_cores", 0)))
    if not cores:
        return f"it has no DLA: {_ELSEWHERE}"
    if (Placement(placement).core or 0) >= cores:
        names = " and ".join(core_names(cores))
        return f"it has no {placement}: its {cores} DLA core{'s are' if cores > 1 else ' is'} {names}"
    return ""


def _precision_refusal(facts: Facts, variant: Variant, placement: str) -> str:
    precision = variant.precision
    if Placement(placement).is_dla and precision.value not in DLA_PRECISIONS:
        return f"a DLA runs {' and '.join(DLA_PRECISIONS)}, not {precision.value}"
    capability, since = _version(facts, "compute_capability"), _PRECISION_SINCE.get(precision)
    if since and capability and capability < since:
        return f"its GPU has no {precision.value}: that needs compute capability {since}, and it has {capability}"
    return ""


def _shape_refusal(facts: Facts, variant: Variant, placement: str) -> str:
    ranged = [item.name for item in variant.inputs if item.range and item.range.min != item.range.max]
    if ranged and Placement(placement).is_dla:
        return f"a DLA takes static shapes only, and {ranged[0]} has a range: take the profile away"
    return ""


def _lowering_refusal(facts: Facts, variant: Variant, placement: str) -> str:
    called, asked = _called(facts, variant.runtime), variant.options.get(LOWERING, "")
    line = _line(facts, variant.runtime)
    if asked == FLAGS and not line.weak:
        return f"{called} has no builder flags: leave lowering out (typed graph)"
    if asked == TYPED and not line.typed:
        return f"{called} has no strongly typed networks: leave lowering out (builder flags)"
    if asked == TYPED and line.weak and Placement(placement).is_dla:
        return f"{called} places nothing on a DLA without builder flags: leave lowering out"
    return ""


def _graph_refusal(facts: Facts, variant: Variant, placement: str) -> str:
    called = _called(facts, variant.runtime)
    present = {item.role for item in variant.artifacts}
    if Placement(placement).is_dla and Role.MODEL_QDQ_DLA in present:
        present.add(Role.MODEL_QDQ)  # of its kind
    if lowering(facts, variant, placement) is Lowering.TYPED_GRAPH:
        return _typed_graph_refusal(called, variant.precision, present)
    if variant.precision is not Precision.INT8 or Role.CALIBRATION in present:
        return ""
    if Placement(placement).is_dla:
        return f"int8 on a DLA of {called} needs calibration data, not a Q/DQ graph: give model.data.calibration"
    if Role.MODEL_QDQ not in present:
        return "int8 by builder flags needs calibration data or a Q/DQ graph: give model.data.calibration"
    return ""


def _typed_graph_refusal(called: str, precision: Precision, present: Collection[Role]) -> str:
    if precision is Precision.INT8 and Role.MODEL_QDQ not in present:
        hint = "give model.data.calibration"
        return f"int8 on {called} needs a Q/DQ graph, and this variant brings none: {hint}"
    if precision is Precision.FP16 and Role.MODEL_FP16 not in present:
        return f"fp16 on {called} needs an FP16 graph, and this variant brings none"
    return ""


def _option_refusal(facts: Facts, variant: Variant, placement: str) -> str:
    line = _line(facts, variant.runtime)
    for option in options_of(variant.runtime):
        value = variant.options.get(option.name, "")
        ability = option.need_of(value) if isinstance(option, Choice) else ""
        if ability and not getattr(line, ability):
            have = facts.get(f"runtime.{variant.runtime}", "")
            return f"{option.name}: {value} came with TensorRT {since_which(ability)}, and it has {have}"
    return ""


def _dla_option_refusal(facts: Facts, variant: Variant, placement: str) -> str:
    if not Placement(placement).is_dla:
        return ""
    if variant.options.get("cuda_graph") == "on":
        return f"{NO_DLA_GRAPH}: leave it out"
    if variant.options.get("gpu_fallback") != "off":
        return ""
    if lowering(facts, variant, placement) is Lowering.TYPED_GRAPH:
        return NO_FALLBACK_TYPED if any(item.dtype == "float32" for item in variant.inputs) else ""
    return NO_FALLBACK_INT8 if variant.precision is Precision.INT8 else ""


_VARIANT_RULES: tuple[Callable[[Facts, Variant, str], str], ...] = (
    _precision_refusal,
    _shape_refusal,
    _lowering_refusal,
    _graph_refusal,
    _option_refusal,
    _dla_option_refusal,
)
