"""Asked versus got: in which type the kernels that do the work really ran. Pure; runtimes say what ran.

A runtime may take a graph of half floats and run it in float32 between casts, as most CPUs do: such a row would carry
the name of a precision that nobody measured.
"""

from collections import Counter
from collections.abc import Sequence

from agent.runtime.base import Kernel
from jetfleet.v1.task_pb2 import FLAG_KIND_PRECISION_NOT_HONOURED, PRECISION_FP16, PRECISION_INT8, Flag, Precision

# A few kernels in a wider type (an operator that has no narrow one) do not make another precision of it.
HONOURED_SHARE = 0.9
AUDITED = (PRECISION_FP16, PRECISION_INT8)
_WANTED = {PRECISION_FP16: frozenset({"float16"}), PRECISION_INT8: frozenset({"int8", "uint8"})}
# Multiply-accumulate operators, under every name that ONNX Runtime's optimiser gives them.
_COMPUTE = frozenset(
    (
        *("Conv", "ConvTranspose", "FusedConv", "NhwcConv", "NhwcFusedConv", "ConvInteger"),
        *("Gemm", "FusedGemm", "MatMul", "FusedMatMul", "Einsum", "MatMulInteger", "MatMulIntegerToFloat"),
        *("QLinearConv", "QLinearConvTranspose", "QLinearMatMul", "QGemm"),
        *("Attention", "MultiHeadAttention", "QAttention", "LSTM", "GRU", "RNN"),
    )
)


def compute(kernels: Sequence[Kernel]) -> list[Kernel]:
    """Those that multiply and accumulate."""
    return [kernel for kernel in kernels if kernel.op in _COMPUTE]


def evidence(kernels: Sequence[Kernel]) -> str:
    """What the compute kernels ran in, for people: `12 of 12 compute nodes ran in float32`."""
    found = compute(kernels)
    if not found:
        return "no compute nodes (no convolution or matrix product)"
    types = Counter(_type(kernel) for kernel in found)
    parts = [f"{count} of {len(found)} compute nodes ran in {name}" for name, count in types.most_common()]
    operators = ", ".join(f"{count} {op}" for op, count in Counter(kernel.op for kernel in found).most_common())
    return f"{', '.join(parts)} ({operators})"


def precision_flags(asked: "Precision.ValueType", kernels: Sequence[Kernel]) -> list[Flag]:
    """PRECISION_NOT_HONOURED where too few of the compute kernels ran in the type that was asked for."""
    found = compute(kernels)
    if asked not in _WANTED or not found:
        return []
    right = sum(kernel.type in _WANTED[asked] for kernel in found)
    if right >= HONOURED_SHARE * len(found):
        return []
    asked_name = Precision.Name(asked).removeprefix("PRECISION_").lower()
    return [Flag(kind=FLAG_KIND_PRECISION_NOT_HONOURED, evidence=f"asked {asked_name}: {evidence(kernels)}")]


def _type(kernel: Kernel) -> str:
    """Signed and unsigned are one precision: on x86, ONNX Runtime turns int8 activations into uint8."""
    return "int8" if kernel.type in _WANTED[PRECISION_INT8] else kernel.type or "an unknown type"
