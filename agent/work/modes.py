"""In which mode a BENCH is timed, held against its subjects: what does not fit is refused before anything is loaded."""

import math

from agent.work.pace import ArrivalPattern
from jetfleet.errors import BadInput
from jetfleet.plural import counted
from jetfleet.v1.task_pb2 import BenchTask, MeasureOptions

_MODES = (MeasureOptions.MODE_LATENCY, MeasureOptions.MODE_THROUGHPUT, MeasureOptions.MODE_PACED)


def check_mode(task: BenchTask) -> ArrivalPattern | None:
    """When inputs arrive, where that is measured. Raises BadInput for a mode that does not fit the subjects."""
    mode = task.measure.mode
    if mode not in _MODES:
        name, expected = MeasureOptions.Mode.Name(mode), ", ".join(map(MeasureOptions.Mode.Name, _MODES))
        raise BadInput(f"this agent cannot measure in {name}", where="measure.mode", expected=expected)
    if task.schedule == BenchTask.SCHEDULE_INTERLEAVED and mode != MeasureOptions.MODE_LATENCY:
        raise BadInput("subjects in turns have one inference in flight", where="measure.mode", expected="MODE_LATENCY")
    most = max((subject.streams for subject in task.subjects), default=1)
    if most > 1 and mode != MeasureOptions.MODE_THROUGHPUT:
        raise BadInput(f"{counted(most, 'stream')}", where="subject.streams", expected="1, or MODE_THROUGHPUT")
    return _arrivals(task) if mode == MeasureOptions.MODE_PACED else None


def _arrivals(task: BenchTask) -> ArrivalPattern:
    options = task.measure
    if any(subject.options.get("inflight", "1") != "1" for subject in task.subjects):
        raise BadInput("a paced subject has one inference in flight", where="options.inflight", expected="1")
    if not 0 < options.rate_hz < math.inf:
        raise BadInput(f"{options.rate_hz:g} Hz is not a valid rate", where="measure.rate_hz", expected="above 0")
    deadline_s = seconds_of(options, "deadline") if options.HasField("deadline") else 1.0 / options.rate_hz
    if deadline_s <= 0:
        raise BadInput(f"{deadline_s:g} s is not a valid deadline", where="measure.deadline", expected="above 0")
    poisson = options.arrivals == MeasureOptions.ARRIVALS_POISSON
    return ArrivalPattern(options.rate_hz, deadline_s, poisson=poisson, seed=options.arrivals_seed)


def seconds_of(options: MeasureOptions, name: str) -> float:
    """A duration of the options, by its name."""
    duration = getattr(options, name)
    return float(duration.seconds + duration.nanos / 1e9)
