"""Asked versus got: in which type the kernels that do the work really ran. Pure; runtimes say what ran.

A runtime may take a graph of half floats and run it in float32 between casts, as most CPUs do: such a row would carry
the name of a precision that nobody measured. TensorRT's builder, weakly typed, takes the fastest of the types that it
may: there a mix is what was asked for, and only none at all is something else.
"""

import re
from collections import Counter
from collections.abc import Sequence

from agent.runtime.base import Kernel
from jetfleet.v1.task_pb2 import (
    FLAG_KIND_PRECISION_NOT_HONOURED,
    PRECISION_FP16,
    PRECISION_INT8,
    Flag,
    Measurement,
    Precision,
)

# A few kernels in a wider type (an operator that has no narrow one) do not make another precision of it.
HONOURED_SHARE = 0.9
_WANTED = {PRECISION_FP16: frozenset({"float16"}), PRECISION_INT8: frozenset({"int8", "uint8"})}
_FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
# Multiply-accumulate operators, under every name that ONNX Runtime's optimiser gives them.
_COMPUTE = frozenset(
    (
        *("Conv", "ConvTranspose", "FusedConv", "NhwcConv", "NhwcFusedConv", "ConvInteger"),
        *("Gemm", "FusedGemm", "MatMul", "FusedMatMul", "Einsum", "MatMulInteger", "MatMulIntegerToFloat"),
        *("QLinearConv", "QLinearConvTranspose", "QLinearMatMul", "QGemm"),
        *("Attention", "MultiHeadAttention", "QAttention", "LSTM", "GRU", "RNN"),
    )
)
# TensorRT's words for such layers: CaskConvolution, CaskConvActPool, CaskDeconvolution, CaskGemmMatrixMultiply, its
# compiler Myelin's gemm, correlation and kernels that hold a matrix product, and regions that hide what is inside.
_TENSORRT = re.compile(
    r"\w*(Convolution|ConvActPool|MatrixMultiply|FullyConnected)\w*|Cask\w*Gemm\w*"
    r"|gemm|conv|conv_act_pool|deconv|correlation|\w+ \((gemm|mha)\)|Myelin|DLA"
)


def compute_kernels(kernels: Sequence[Kernel]) -> list[Kernel]:
    """Those that multiply and accumulate, or may: a region that hides what is inside counts as one."""
    return [kernel for kernel in kernels if kernel.op in _COMPUTE or _is_tensorrts(kernel)]


def describe_types(kernels: Sequence[Kernel]) -> str:
    """What the compute kernels ran in, for people: `12 of 12 compute nodes ran in float32`."""
    found = compute_kernels(kernels)
    if not found:
        return _describe_none(kernels)
    types = Counter(_type(kernel) for kernel in found)
    parts = [f"{count} of {len(found)} compute nodes ran in {name}" for name, count in types.most_common()]
    operators = ", ".join(f"{count} {op}" for op, count in Counter(kernel.op for kernel in found).most_common())
    return f"{', '.join(parts)} ({operators})"


def precision_flags(asked: "Precision.ValueType", kernels: Sequence[Kernel]) -> list[Flag]:
    """PRECISION_NOT_HONOURED where too few of the compute kernels ran in the type that was asked for.

    A graph without one that multiplies and accumulates is judged by its kernels on floats: any in the type will do.
    """
    found, floats = compute_kernels(kernels), _on_floats(kernels)
    if asked not in _WANTED or not (found or floats):
        return []
    if _is_honoured(_WANTED[asked], found) if found else any(kernel.type in _WANTED[asked] for kernel in floats):
        return []
    ran = describe_types(kernels) if found else f"{len(floats)} of {len(floats)} nodes on floats ran in {_most(floats)}"
    return [Flag(kind=FLAG_KIND_PRECISION_NOT_HONOURED, evidence=f"asked {_name(asked)}: {ran}")]


def disclaim_checks(measurement: Measurement, asked: "Precision.ValueType", kernels: Sequence[Kernel]) -> None:
    """Says in each check that outputs which were computed in another type vouch for nothing of the one asked for."""
    ran = _most(compute_kernels(kernels) or _on_floats(kernels))
    for check in measurement.checks:
        check.detail += f"; computed in {ran}: says nothing of {_name(asked)}"


def _on_floats(kernels: Sequence[Kernel]) -> list[Kernel]:
    return [kernel for kernel in kernels if kernel.type in _FLOATS]


def _most(kernels: Sequence[Kernel]) -> str:
    return Counter(_type(kernel) for kernel in kernels).most_common(1)[0][0]


def _name(precision: "Precision.ValueType") -> str:
    return Precision.Name(precision).removeprefix("PRECISION_").lower()


def _is_honoured(wanted: frozenset[str], found: Sequence[Kernel]) -> bool:
    right = sum(kernel.type in wanted for kernel in found)
    if not any(_is_tensorrts(kernel) for kernel in found):
        return right >= HONOURED_SHARE * len(found)
    # Opaque regions may hold what was asked for: the others must outnumber them.
    hidden = sum(not kernel.type for kernel in found)
    return right > 0 or len(found) - hidden <= hidden


def _is_tensorrts(kernel: Kernel) -> bool:
    """Whether TensorRT names it so; its words and ONNX Runtime's differ, if only by a capital."""
    return bool(_TENSORRT.fullmatch(kernel.op)) and kernel.op not in _COMPUTE


def _describe_none(kernels: Sequence[Kernel]) -> str:
    if kernels and not any(kernel.op for kernel in kernels):
        return "unknown: the engine names its layers and nothing else"
    return "no compute nodes (no convolution or matrix product)"


def _type(kernel: Kernel) -> str:
    """Signed and unsigned are one precision: on x86, ONNX Runtime turns int8 activations into uint8."""
    return "int8" if kernel.type in _WANTED[PRECISION_INT8] else kernel.type or "an unknown type"
