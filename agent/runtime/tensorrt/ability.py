"""What an imported TensorRT can do: its bindings asked by name, and where no name tells, the table of releases."""

from dataclasses import dataclass
from types import ModuleType

from jetfleet.errors import BadInput
from jetfleet.tensorrt import SUPPORTED, WORKSTATION, ReleaseLine, line_of, version_number


@dataclass(frozen=True)
class Ability:
    """`label` is its name for people; `line` what is documented of its release.

    `weak`, `typed` and `progress_monitor` are what the bindings say, whatever the line does.
    """

    label: str
    version: tuple[int, ...]
    line: ReleaseLine
    weak: bool
    typed: bool
    progress_monitor: bool
    caches: bool  # timings: its sibling takes such a cache, and puts nothing into it

    @property
    def dla(self) -> bool:
        return self.line.dla is not None

    @property
    def opset(self) -> int | None:
        """The newest one documented; None: not known here."""
        return self.line.opset


def ability(trt: ModuleType, *, workstation: bool) -> Ability:
    """Of TensorRT, or of its workstation sibling, which counts its versions anew and knows no DLA.

    Raises BadInput for a TensorRT that is not supported.
    """
    text = str(trt.__version__)
    line = WORKSTATION if workstation else line_of(text)
    if not line.supported:
        raise BadInput(
            f"TensorRT {text} is not supported",
            where="tensorrt",
            expected=SUPPORTED,
            hint="upgrade the board to JetPack 6 or 7",
        )
    calibrates = hasattr(trt.IBuilderConfig, "int8_calibrator")
    weak = hasattr(trt.BuilderFlag, "FP16") and calibrates and hasattr(trt.IBuilderConfig, "set_calibration_profile")
    return Ability(
        label=f"{'TensorRT for RTX' if workstation else 'TensorRT'} {text}",
        version=version_number(text),
        line=line,
        weak=weak,
        typed=not weak or hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"),
        progress_monitor=hasattr(trt, "IProgressMonitor"),
        caches=not workstation,
    )


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
