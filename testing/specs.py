"""Job specifications without files behind them, for whoever never opens one: targets, variants and whole jobs."""

from dataclasses import replace
from typing import Any

from controller.model.job import (
    Artifact,
    CheckRule,
    Condition,
    JobSpec,
    Op,
    OutputCheck,
    Precision,
    Quantifier,
    Role,
    Target,
    TensorSpec,
    Variant,
)

EVERY, ANY = Target(Quantifier.EVERY), Target(Quantifier.ANY)
MODEL = Artifact(Role.MODEL_FP32, "model.onnx", "a" * 64, 10)
LOWERED = {
    Precision.FP32: (),
    Precision.TF32: (),
    Precision.FP16: (Artifact(Role.MODEL_FP16, "model-fp16.onnx", "b" * 64, 10),),
    Precision.INT8: (
        Artifact(Role.MODEL_QDQ, "model-qdq.onnx", "c" * 64, 10),
        Artifact(Role.CALIBRATION, "image", "d" * 64, 10),
    ),
}
REFERENCE = Artifact(Role.REFERENCE_INPUT, "image", "22" * 32, 9)


def where(fact: str, value: str) -> Condition:
    return Condition(fact, Op.EQUALS, (value,))


def versions(fact: str, specifiers: str) -> Condition:
    return Condition(fact, Op.VERSION, (specifiers,))


def every(*conditions: Condition) -> Target:
    return Target(Quantifier.EVERY, conditions)


def any_of(*conditions: Condition) -> Target:
    return Target(Quantifier.ANY, conditions)


def labelled(rack: str, quantifier: Quantifier = Quantifier.EVERY) -> Target:
    """The devices of one rack."""
    return Target(quantifier, (where("label.rack", rack),))


def variant(key: str = "onnxruntime-fp32-b1-cpu", /, **changes: Any) -> Variant:
    values: dict[str, Any] = {
        "runtime": "onnxruntime",
        "precision": Precision.FP32,
        "batch": 1,
        "placement": "cpu",
        "inputs": (TensorSpec("image", "float32", (1, 3)),),
        "artifacts": (MODEL,),
        "check": OutputCheck(CheckRule.CLOSE),
        "options": {},
    }
    return Variant(key=key, **(values | changes))


def tensorrt(
    precision: Precision = Precision.FP32,
    placement: str = "gpu",
    *,
    key: str = "",
    without: tuple[Role, ...] = (),
    **changes: Any,
) -> Variant:
    """A variant with every file that a TensorRT could ask for, less the roles in `without`."""
    files = (MODEL, *LOWERED[precision])
    values: dict[str, Any] = {
        "runtime": "tensorrt",
        "precision": precision,
        "placement": placement,
        "artifacts": tuple(item for item in files if item.role not in without),
    }
    return variant(key or f"tensorrt-{precision.value}-b1-{placement}", **(values | changes))


def job(*variants: Variant, targets: tuple[Target, ...] = ()) -> JobSpec:
    """Without targets: every device."""
    return JobSpec(name="job", model_name="model", variants=variants or (variant(),), targets=targets)


def batch_variant(batch: int = 1, *, model: str = MODEL.sha256) -> Variant:
    return variant(
        f"onnxruntime-fp32-b{batch}-cpu",
        batch=batch,
        inputs=(TensorSpec("image", "float32", (batch, 3)),),
        artifacts=(replace(MODEL, sha256=model), REFERENCE),
    )


def spec(
    *batches: int, targets: tuple[Target, ...] = (EVERY,), priority: int = 0, model: str = MODEL.sha256
) -> JobSpec:
    """A job of one FP32 variant per batch."""
    plain = job(*(batch_variant(batch, model=model) for batch in batches or (1,)), targets=targets)
    return replace(plain, priority=priority, source="name: job\n")


def on_tensorrt(placement: str = "gpu", *, model: str = MODEL.sha256, options: dict[str, str] | None = None) -> JobSpec:
    """A job of one FP16 variant for TensorRT."""
    files = (replace(MODEL, sha256=model), *LOWERED[Precision.FP16], REFERENCE)
    check = OutputCheck(CheckRule.COSINE)
    wanted = tensorrt(Precision.FP16, placement, artifacts=files, check=check, options=options or {})
    return replace(spec(), variants=(wanted,))
