"""Small makers of model objects for the tests of the pure rooms: a test names only what it is about."""

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
from controller.model.task import AttemptEnd, AttemptState, Candidate, Device, FailureKind, Lowering, Recipe, TaskKind

CPU_FACTS = {
    "arch": "x86_64",
    "cpu_model": "Xeon",
    "cpu_isa": ("avx2", "avx512f"),
    "runtime.onnxruntime": "1.23.2",
}
ORIN_FACTS = {
    "arch": "aarch64",
    "module": "p3767-0000",
    "sku": "orin-nx-16gb",
    "cpu_model": "Cortex-A78AE",
    "cpu_isa": ("asimd", "fp"),
    "gpu": "Orin",
    "compute_capability": "8.7",
    "sm_count": 8,
    "l4t": "36.4.3",
    "jetpack": "6.2",
    "dla_cores": 2,
    "dla_compiler": "3.14.1",
    "cuda": "12.6",
    "runtime.tensorrt": "10.3.0",
}

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


def device(name="box", /, *, online=True, cordoned="", domain="", drop=(), **facts):
    """A CPU device called and identified by `name`; facts with a dot are spelled with two underscores."""
    merged = CPU_FACTS | {key.replace("__", "."): value for key, value in facts.items()}
    kept = {key: value for key, value in merged.items() if key not in drop}
    return Device(name, name, kept, bench_domain=domain or f"domain-of-{name}", online=online, cordoned=cordoned)


def orin(name="orin", /, *, online=True, cordoned="", drop=(), **facts):
    merged = ORIN_FACTS | {key.replace("__", "."): value for key, value in facts.items()}
    kept = {key: value for key, value in merged.items() if key not in drop}
    return Device(name, name, kept, bench_domain=f"domain-of-{name}", online=online, cordoned=cordoned)


def variant(key="onnxruntime-fp32-b1-cpu", /, **changes):
    values = {
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


def tensorrt(precision=Precision.FP32, placement="gpu", *, key="", without=(), **changes):
    """A variant with every file that a TensorRT could ask for, less the roles in `without`."""
    files = (MODEL, *LOWERED[precision])
    values = {
        "runtime": "tensorrt",
        "precision": precision,
        "placement": placement,
        "artifacts": tuple(item for item in files if item.role not in without),
    }
    return variant(key or f"tensorrt-{precision.value}-b1-{placement}", **(values | changes))


def recipe(**changes):
    values = {
        "runtime": "onnxruntime",
        "runtime_version": "1.23.2",
        "precision": Precision.FP32,
        "lowering": Lowering.TYPED_GRAPH,
        "placement": "cpu",
        "inputs": (TensorSpec("image", "float32", (1, 3)), TensorSpec("mask", "int64", (1,))),
        "artifacts": (MODEL, Artifact(Role.MODEL_DATA, "weights.bin", "b" * 64, 5)),
        "options": {"threads": "2"},
    }
    return Recipe(**(values | changes))


def where(fact, value):
    return Condition(fact, Op.EQUALS, (value,))


def versions(fact, specifiers):
    return Condition(fact, Op.VERSION, (specifiers,))


def every(*conditions):
    return Target(Quantifier.EVERY, conditions)


def any_of(*conditions):
    return Target(Quantifier.ANY, conditions)


def job(*variants, targets=()):
    """Without targets: every device."""
    return JobSpec(name="job", model_name="model", variants=variants or (variant(),), targets=targets)


def bench(task_id=1, /, **changes):
    values = {
        "kind": TaskKind.BENCH,
        "job_id": 1,
        "priority": 0,
        "runtime": "onnxruntime",
        "runtime_version": "",
        "placement": "cpu",
        "class_key": "",
        "device_id": None,
    }
    return Candidate(task_id=task_id, **(values | changes))


def ended(state=AttemptState.FAILED, failure=None, on="box"):
    return AttemptEnd(state, on, failure)


def failed(kind: FailureKind, on="box"):
    return AttemptEnd(AttemptState.FAILED, on, kind)
