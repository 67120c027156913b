"""Why a layer does not run on a DLA: in TensorRT's words where its log has some, by its documented rules else. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# What a DLA takes of each type of layer, in TensorRT 8.5 to 10.7 (its guide's chapter on DLA); empty: it names none.
# Static shapes, FP16 or INT8, a batch of at most 4096 and other dimensions of at most 8192 go for all.
_TAKES = {
    "ACTIVATION": "ReLU, sigmoid, tanh, clipped and leaky ReLU",
    "CONCATENATION": "the channel axis only",
    "CONVOLUTION": "2-D, kernel 1-32, stride 1-8, padding 0-31 below the kernel, dilation 1-32, up to 8192 channels",
    "FULLY_CONNECTED": "up to 8192 channels",
    "DECONVOLUTION": "2-D, no groups, no dilation, no padding",
    "ELEMENTWISE": "sum, sub, prod, max, min, div and pow; comparisons in INT8 with a cast behind them",
    "LRN": "across channels, window 3, 5, 7 or 9",
    "PARAMETRIC_RELU": "a constant slope",
    "POOLING": "2-D max and average, window 1-8, padding 0-7, stride 1-16",
    "REDUCE": "",
    "RESIZE": "nearest and linear",
    "SCALE": "",
    "SHUFFLE": "",
    "SLICE": "",
    "SOFTMAX": "on Orin only, an axis of at most 1024, or of 8192 where all others but the batch are 1",
    "UNARY": "",
}

_PREFIX = re.compile(r"^(?:\[(?:[\d/:. -]+|[A-Z]|TRT)\] ?)+")
# The layer and why, in one line.
_REASONS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(?P<why>DLA supports only \d+ subgraphs per DLA core)\. Switching to GPU for layer (?P<layer>.+)$",
        r"^(?P<why>DLA only supports FP16 and Int8 precision type)\. Switching (?P<layer>.+) device type to GPU",
        r"^DLA Layer (?P<layer>.+) (?P<why>does not support dynamic shapes.*)$",
        r"^DLA LAYER: (?P<why>.+ for layer (?P<layer>.+) exceeds .+)$",
        r"^(?:Layer )?'?(?P<layer>.+?)'? is not supported on DLA: (?P<why>.+)$",
        r"^(?P<layer>.+?): (?P<why>(?!Unsupported on).*\bDLA\b.*)$",
    )
)
# The layer alone; why, if anywhere, stands in another line.
_SWITCHES = tuple(
    re.compile(pattern)
    for pattern in (
        r"^Layer '(?P<layer>.+)' \(\w+\): Unsupported on DLA",
        r"^Default DLA is enabled but layer (?P<layer>.+) is not (?:supported|running) on DLA",
        r"^(?:Layer )?'?(?P<layer>.+?)'?(?: \(.*\))? cannot run on DLA",
    )
)
_INVALID = re.compile(r"^Validation failed for DLA layer: (?P<layer>.+?)\. Switching to GPU")


@dataclass
class DlaLog:
    """What a build's log says of DLA: one entry each for what runs where, and who was moved to the GPU."""

    on_dla: list[str] = field(default_factory=list)  # regions, each one loadable
    on_gpu: list[str] = field(default_factory=list)  # layers, often several fused into one
    switched: dict[str, str] = field(default_factory=dict)  # layer -> why; empty: not said

    @property
    def tells_placement(self) -> bool:
        """Whether the log reached the point where TensorRT lists what runs where."""
        return bool(self.on_dla or self.on_gpu)


def read_log(lines: Iterable[str]) -> DlaLog:
    """Reads a build's log, with or without the prefixes that trtexec gives its lines."""
    log = DlaLog()
    before = ""
    for line in (_PREFIX.sub("", part).strip() for message in lines for part in message.splitlines()):
        _read(line, before, log)
        before = line
    return log


def reason(type_: str, said: str) -> str:
    """Why a layer of this type is not on the DLA: what TensorRT said, else what its rules say, marked as such."""
    if said:
        return said
    if type_ not in _TAKES:
        rule = f"a DLA has no {type_ or 'such'} layer"
    elif takes := _TAKES[type_]:
        rule = f"a DLA takes of {type_}: {takes}"
    else:
        rule = f"a DLA takes {type_} within limits"
    return f"TensorRT gives no reason; by its documented rules {rule}"


def stands_in(layer: str, entry: str) -> bool:
    """conv1 is in `CONVOLUTION: conv1 + relu1`, and not in `CONVOLUTION: conv10`."""
    return layer in entry and bool(re.search(rf"(?<![\w./]){re.escape(layer)}(?![\w./])", entry))


def _read(line: str, before: str, log: DlaLog) -> None:
    if line.startswith("[DlaLayer]"):
        log.on_dla.append(line.removeprefix("[DlaLayer]").strip())
    elif line.startswith("[GpuLayer]"):
        log.on_gpu.append(line.removeprefix("[GpuLayer]").strip())
    elif found := _INVALID.search(line):
        log.switched[found["layer"]] = before if "DLA" in before and not _first(_SWITCHES, before) else ""
    elif found := _first(_SWITCHES, line):
        log.switched.setdefault(found["layer"], "")
    elif found := _first(_REASONS, line):
        log.switched[found["layer"]] = found["why"].strip()


def _first(patterns: Sequence[re.Pattern[str]], line: str) -> re.Match[str] | None:
    return next((found for pattern in patterns if (found := pattern.search(line))), None)
