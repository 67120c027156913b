"""What a GPU reaches at best, measured on it: copies in its own memory, and large products of matrices that the same
runtime builds and runs as it does any model. No figure comes from a data sheet.
"""

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from agent.runtime.base import Ceilings, DeviceFault, Runtime, Session
from agent.runtime.gpu.copies import copy_bytes, copy_gb_per_s
from agent.runtime.gpu.cuda import Cuda
from agent.runtime.product_graph import float_products, operations, qdq_products, values
from agent.work.audit import precision_flags
from jetfleet.errors import JetfleetError
from jetfleet.placement import GPU
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_MODEL_FP16,
    ARTIFACT_ROLE_MODEL_FP32,
    ARTIFACT_ROLE_MODEL_QDQ,
    PRECISION_FP16,
    PRECISION_FP32,
    PRECISION_INT8,
    PRECISION_TF32,
    Artifact,
    ArtifactRole,
    BuildTask,
    Precision,
    Subject,
    TensorSpec,
)

log = logging.getLogger(__name__)

_COPIES = "copy_gb_per_s"
_LARGE_GPU_SMS = 16
_BOARDS_SIDE, _LARGE_SIDE = 2048, 4096
_LOOK_S, _LEAST_ROUNDS, _ROUND = 0.3, 3, 3
# Where a runtime does not multiply in a type, its networks run in the next one.
_WIDER = {PRECISION_INT8: PRECISION_FP16, PRECISION_FP16: PRECISION_FP32, PRECISION_TF32: PRECISION_FP32}


@dataclass(frozen=True)
class _Product:
    """How the rate of one precision is found: its metric, and the graph with the type of its input."""

    metric: str
    role: "ArtifactRole.ValueType"
    given: str
    graph: Callable[[int], bytes]


def _floats(metric: str, role: "ArtifactRole.ValueType", dtype: str) -> _Product:
    return _Product(metric, role, dtype, lambda side: float_products(side, dtype))


_PRODUCTS = {
    PRECISION_FP32: _floats("matmul_gflop_per_s", ARTIFACT_ROLE_MODEL_FP32, "float32"),
    PRECISION_TF32: _floats("matmul_tf32_gflop_per_s", ARTIFACT_ROLE_MODEL_FP32, "float32"),
    PRECISION_FP16: _floats("matmul_fp16_gflop_per_s", ARTIFACT_ROLE_MODEL_FP16, "float16"),
    PRECISION_INT8: _Product("matmul_int8_gop_per_s", ARTIFACT_ROLE_MODEL_QDQ, "float32", qdq_products),
}


RATES = frozenset({_COPIES, *(product.metric for product in _PRODUCTS.values())})


class NotInThatType(Exception):
    """The runtime multiplied in another type than the one asked for; the text says in which."""


def measure_gpu(runtime: Runtime, precision: "Precision.ValueType", scratch: Path) -> Ceilings:
    """Copies, and products in that precision or the widest that this runtime has below it. Raises what CUDA raises."""
    with closing(Cuda.open()) as cuda:
        nbytes = copy_bytes(cuda)
        rates = {_COPIES: copy_gb_per_s(cuda, nbytes)}
        side = _LARGE_SIDE if cuda.sm_count > _LARGE_GPU_SMS else _BOARDS_SIDE
    told = [f"copies of {nbytes >> 20} MiB in the device's memory by CUDA events"]
    asked: Precision.ValueType | None = precision or PRECISION_FP32
    while asked is not None:
        try:
            rates[_PRODUCTS[asked].metric] = product_rate(runtime, asked, side, scratch)
        except (JetfleetError, MemoryError, NotInThatType) as error:
            log.info("no products in %s: %s", _word(asked), error)
            told.append(f"no {_word(asked)} products: {error}")
            asked = _WIDER.get(asked)
        else:
            told.append(f"{_word(asked)} products of {side} x {side} by {runtime.name} {runtime.version()}")
            break
    return Ceilings(rates, "; ".join(told))


def product_rate(runtime: Runtime, precision: "Precision.ValueType", side: int, scratch: Path) -> float:
    """Billions of operations per second, the best inference. Raises what building and running a model raises, and
    NotInThatType where the engine says that it computes in another type."""
    product = _PRODUCTS[precision]
    folder = scratch / _word(precision)
    folder.mkdir()
    try:
        inputs = [TensorSpec(name="x", dtype=product.given, shape=(side, side))]
        name, engine = "products.onnx", folder / "engine"
        (folder / name).write_bytes(product.graph(side))
        task = BuildTask(
            engine_key=f"products-{_word(precision)}",
            runtime=runtime.name,
            precision=precision,
            placement=GPU,
            inputs=inputs,
            artifacts=[Artifact(role=product.role, name=name)],
        )
        runtime.build(task, folder, engine, _nowhere, _silent)
        subject = Subject(
            variant_key=name, runtime=runtime.name, precision=precision, placement=GPU, inputs=inputs, batch=1
        )
        given = {"x": values(side, product.given)}
        (looked := folder / "inspection").mkdir()
        found = runtime.inspect(engine, subject, given, looked)
        if flags := precision_flags(precision, found.kernels):
            raise NotInThatType(flags[0].evidence)
        with closing(runtime.load(engine, subject, _nowhere)) as session:
            session.bind(given)
            return operations(side) / _best_ms(session) / 1e6
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _best_ms(session: Session) -> float:
    """Of the device's own work, without copies between host and device."""
    session.infer()
    begin, best_ms, rounds = time.monotonic(), float("inf"), 0
    while rounds < _LEAST_ROUNDS or time.monotonic() - begin < _LOOK_S:
        session.prepare(_ROUND)
        for _ in range(_ROUND):
            session.infer()
        best_ms = min(best_ms, float(session.collect().stages_ms["compute"].min()))
        rounds += 1
    if best_ms <= 0:
        raise DeviceFault("the device's own clock says that a product took no time")
    return best_ms


def _word(precision: "Precision.ValueType") -> str:
    return Precision.Name(precision).removeprefix("PRECISION_").lower()


def _nowhere(artifact: Artifact) -> Path:
    raise DeviceFault(f"the product's engine needs no file {artifact.name}")


def _silent(phase: str, fraction: float | None, detail: str) -> None:
    """Nobody waits for these builds."""
