"""What an imported TensorRT can do: probed by name where its bindings tell, from its version where only NVIDIA does."""

import re
from dataclasses import dataclass
from types import ModuleType

from jetfleet.errors import BadInput

_OLDEST = (8, 6)
# NVIDIA's documents: 10.7 is the last 10.x with DLA; it came back on Jetson AGX Orin with 11.4.1.
_DLA_LAST, _DLA_AGAIN = (10, 7), (11, 4, 1)
# The newest opset that each release documents for its ONNX parser; the newest one of all.
_OPSETS = (((8, 6), 17), ((9, 0), 19), ((10, 0), 20), ((10, 15), 24))
NEWEST_OPSET = 24


@dataclass(frozen=True)
class Ability:
    """`label` is its name for people. `weak`: precision flags and calibrators; `typed`: strongly typed networks."""

    label: str
    version: tuple[int, ...]
    weak: bool
    typed: bool
    dla: bool
    caches: bool  # timings: its sibling takes such a cache, and puts nothing into it
    opset: int | None  # the newest one documented; None: not known here


def ability(trt: ModuleType, *, workstation: bool) -> Ability:
    """Of TensorRT, or of its workstation sibling, which counts its versions anew and knows no DLA.

    Raises BadInput for a TensorRT that is too old.
    """
    version = tuple(int(part) for part in re.findall(r"\d+", str(trt.__version__))[:4])
    if not workstation and version[:2] < _OLDEST:
        raise BadInput(
            f"TensorRT {trt.__version__} is not supported",
            where="tensorrt",
            expected="8.6, 10 or 11",
            hint="upgrade the board to JetPack 6 or 7",
        )
    calibrates = hasattr(trt.IBuilderConfig, "int8_calibrator")
    weak = hasattr(trt.BuilderFlag, "FP16") and calibrates and hasattr(trt.IBuilderConfig, "set_calibration_profile")
    return Ability(
        label=f"{'TensorRT for RTX' if workstation else 'TensorRT'} {trt.__version__}",
        version=version,
        weak=weak,
        typed=not weak or hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"),
        dla=not workstation and knows_dla(version),
        caches=not workstation,
        opset=NEWEST_OPSET if workstation else documented_opset(version),
    )


def knows_dla(version: tuple[int, ...]) -> bool:
    return version[:2] <= _DLA_LAST or version[:3] >= _DLA_AGAIN


def documented_opset(version: tuple[int, ...]) -> int | None:
    """None beyond the last major version that was known when this was written."""
    known = [opset for since, opset in _OPSETS if version[:2] >= since]
    return known[-1] if known and version[0] <= 11 else None


def creation_flags(trt: ModuleType, *, typed: bool) -> int:
    """For create_network. 8.x wants to hear EXPLICIT_BATCH, 10.x STRONGLY_TYPED; 11.x is always both, and wants 0."""
    flags = trt.NetworkDefinitionCreationFlag
    explicit = getattr(flags, "EXPLICIT_BATCH", None)
    strongly = getattr(flags, "STRONGLY_TYPED", None)
    if explicit is None:
        return 0
    if strongly is None:
        return 1 << int(explicit)
    return 1 << int(strongly) if typed else 0
