"""One process of a BENCH as it was recorded: its phases, its inferences one by one, and what the sensors told."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from controller.record.arrays import Numbers, read_npz
from jetfleet.errors import Corrupt

ABOUT = "about"


@dataclass(frozen=True)
class Span:
    name: str
    begin_s: float
    end_s: float


@dataclass(frozen=True)
class SensorSeries:
    """What one sensor told."""

    name: str
    unit: str
    times_s: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class ProcessRecord:
    """Times from the begin of the first round. `subjects` are columns of inferences: begin_ms, e2e_ms, ..."""

    number: int
    phases: tuple[Span, ...]
    rounds: tuple[Span, ...]
    subjects: Mapping[int, Mapping[str, Numbers]]
    channels: tuple[SensorSeries, ...] = field(default=())


def read_process(number: int, timeline: bytes, telemetry: bytes = b"") -> ProcessRecord:
    """From the files that the process left. Raises Corrupt."""
    arrays = dict(read_npz(timeline))
    try:
        about = json.loads(bytes(int(byte) for byte in arrays.pop(ABOUT)))
        phases = tuple(Span(str(name), float(begin), float(end)) for name, begin, end in about["phases"])
        rounds = tuple(
            Span(f"round {index + 1}", float(begin), float(end)) for index, (begin, end) in enumerate(about["rounds_s"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt(f"a timeline that does not say what it is: {error}") from error
    subjects: dict[int, dict[str, Numbers]] = {}
    for name, values in arrays.items():
        index, _, column = name.partition(".")
        subjects.setdefault(int(index), {})[column] = values
    return ProcessRecord(number, phases, rounds, subjects, tuple(_channels(telemetry)))


def stages_of(columns: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """The columns that are durations of an inference's parts, by the names of stages."""
    return {name.removesuffix("_ms"): values for name, values in columns.items() if name.endswith("_ms")}


def _channels(telemetry: bytes) -> Iterator[SensorSeries]:
    for line in telemetry.decode(errors="replace").splitlines():
        found = json.loads(line)
        if "channel" in found:
            yield SensorSeries(found["channel"], found.get("unit", ""), found["t_s"], found["values"])
