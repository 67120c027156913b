"""Job specifications for the store's tests: no files behind them, because the store never opens one."""

from dataclasses import replace

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

EVERY = Target(Quantifier.EVERY)
ANY = Target(Quantifier.ANY)


def labelled(value: str, quantifier: Quantifier = Quantifier.EVERY) -> Target:
    return Target(quantifier, (Condition("label.rack", Op.EQUALS, (value,)),))


def variant(batch: int = 1, *, model: str = "11" * 32) -> Variant:
    return Variant(
        key=f"onnxruntime-fp32-b{batch}-cpu",
        runtime="onnxruntime",
        precision=Precision.FP32,
        batch=batch,
        placement="cpu",
        inputs=(TensorSpec("x", "float32", (batch, 3)),),
        artifacts=(
            Artifact(Role.MODEL_FP32, "model.onnx", model, 100),
            Artifact(Role.REFERENCE_INPUT, "x", "22" * 32, 9),
        ),
        check=OutputCheck(CheckRule.CLOSE),
    )


def spec(*batches: int, targets: tuple[Target, ...] = (EVERY,), priority: int = 0, model: str = "11" * 32) -> JobSpec:
    return JobSpec(
        name="job",
        model_name="net",
        variants=tuple(variant(batch, model=model) for batch in batches or (1,)),
        targets=targets,
        priority=priority,
        source="name: job\n",
    )


def on_tensorrt(placement: str = "gpu", *, model: str = "11" * 32, options: dict[str, str] | None = None) -> JobSpec:
    """A job of one FP16 variant for TensorRT."""
    wanted = Variant(
        key=f"tensorrt-fp16-b1-{placement}",
        runtime="tensorrt",
        precision=Precision.FP16,
        batch=1,
        placement=placement,
        inputs=(TensorSpec("x", "float32", (1, 3)),),
        artifacts=(
            Artifact(Role.MODEL_FP32, "model.onnx", model, 100),
            Artifact(Role.MODEL_FP16, "model-fp16.onnx", "33" * 32, 50),
            Artifact(Role.REFERENCE_INPUT, "x", "22" * 32, 9),
        ),
        check=OutputCheck(CheckRule.COSINE),
        options=options or {},
    )
    return replace(spec(), variants=(wanted,))
