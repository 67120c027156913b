"""Whether a device can run something there, and if not, why: the one answer for planning, scheduling and `job why`."""

from controller.core import board_settings, tensorrt
from controller.model.facts import Facts
from controller.model.job import Lowering, Precision, Variant
from jetfleet.options import SIMULATED_RUNTIME
from jetfleet.pipeline.callables import is_allowed
from jetfleet.placement import CPU, Placement

# Providers of a runtime, announced beside it under names that no variant may ask for.
_PROVIDERS = ("runtime.onnxruntime_cuda",)


def inability(runtime: str, placement: str, facts: Facts, variant: Variant | None = None) -> str:
    """Why a device with these facts cannot run this runtime there; empty if it can.

    With a variant also what its precision, shapes, files, options and settings of the board ask for.
    """
    if variant and variant.settings and (reason := board_settings.refusal(variant.settings, placement, facts)):
        return reason
    if f"runtime.{runtime}" not in facts:
        known = tensorrt.no_tensorrt(facts) if runtime == "tensorrt" else ""
        return known or _missing(runtime, facts)
    if variant is not None and (reason := _surroundings(variant, facts)):
        return reason
    if runtime == SIMULATED_RUNTIME:
        return ""
    return next((reason for part in Placement(placement).parts if (reason := _part(runtime, part, facts, variant))), "")


def _surroundings(variant: Variant, facts: Facts) -> str:
    """Why a device cannot run what a variant has around its engine, or measures of its answers."""
    if variant.pipeline is not None and "pillow" not in facts:
        return "it has no image library: pip install 'jetfleet[pipeline]' there, and start its agent again"
    allowed = facts.get("callables", ())
    refused = [
        item for item in variant.callables if not isinstance(allowed, tuple) or not is_allowed(item.sha256, allowed)
    ]
    if not refused:
        return ""
    first = refused[0]
    return (
        f"its agent does not run {first.name}: `agent run --allow-callable {first.sha256}` there, "
        "or --allow-callables for all"
    )


def warning(variant: Variant, facts: Facts) -> str:
    """What a device that can run a variant is known to fail at all the same; empty if nothing is known."""
    if variant.runtime not in tensorrt.RUNTIMES:
        return _cpu_warning(variant, facts)
    parts = Placement(variant.placement).parts
    return next((found for part in parts if (found := tensorrt.warning(facts, variant, part))), "")


def _cpu_warning(variant: Variant, facts: Facts) -> str:
    if variant.precision is not Precision.FP16 or variant.placement != CPU or variant.runtime != "onnxruntime":
        return ""
    if facts.get("arch") != "x86_64":
        return ""
    return "onnxruntime computes fp16 in float32 on this CPU: PRECISION_NOT_HONOURED, and never VALID; fp16 is for GPUs"


def lowering_for(facts: Facts, variant: Variant, placement: str) -> Lowering:
    """How a variant's precision reaches its engine on one part of its placement."""
    if variant.runtime in tensorrt.RUNTIMES:
        return tensorrt.lowering(facts, variant, placement)
    return Lowering.TYPED_GRAPH


def _missing(runtime: str, facts: Facts) -> str:
    names = sorted(key for key in facts if key.startswith("runtime.") and key not in _PROVIDERS)
    have = ", ".join(name.removeprefix("runtime.") for name in names)
    return f"it has no {runtime} (it has {have or 'no runtime'})"


def _part(runtime: str, part: str, facts: Facts, variant: Variant | None) -> str:
    if runtime in tensorrt.RUNTIMES:
        return tensorrt.refusal(facts, runtime, part, variant)
    if Placement(part).is_cpu:
        return "onnxruntime has no tf32 on a CPU" if variant and variant.precision is Precision.TF32 else ""
    if not Placement(part).is_gpu:
        return "onnxruntime runs on a CPU or a GPU; a DLA is tensorrt's"
    if "gpu" not in facts:
        return "it has no GPU that its agent can see"
    if "runtime.onnxruntime_cuda" not in facts:
        return "its onnxruntime has no CUDA provider: install onnxruntime-gpu, on a Jetson the wheel for its JetPack"
    return ""
