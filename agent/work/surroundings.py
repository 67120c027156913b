"""What is watched around a measurement: the machine's sensors, what others did to it, and whether it stood still.

Sensors are read by a process of their own from before the engine is loaded; clocks, that process's threads and pauses
from warm-up to the last round. What never ran (a simulated runtime) is not watched.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from agent.attempt import AttemptDir
from agent.device.clocks import gpu_folder
from agent.device.cudadriver import first_pci_address
from agent.telemetry.clocks import ClockReading, ClockSensors, clock_circumstances, clock_flags, describe_clocks
from agent.telemetry.contention import Contention, interference
from agent.telemetry.disturbances import Watched, sampled_flags
from agent.telemetry.pauses import PauseWatch
from agent.telemetry.power import in_words, power_source
from agent.telemetry.series import Telemetry, Window
from agent.telemetry.summary import as_lines, telemetry_metrics
from agent.telemetry.watch import SamplerProcess, rest
from agent.work.gaps import pause_flags
from agent.work.together import GroupRecording
from jetfleet.placement import CPU, Placement
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_TELEMETRY,
    FLAG_KIND_PAUSED,
    Artifact,
    BenchTask,
    Flag,
    FlagKind,
    Measurement,
    MeasureOptions,
)

REST_S = 0.5  # at rest before the first run: some conversions of a power monitor


@dataclass
class Observed:
    """What was seen around the rounds, when they are over."""

    flags: Sequence[Flag] = ()
    circumstances: dict[str, str] = field(default_factory=dict)
    telemetry: Telemetry = field(default_factory=Telemetry)
    watched: Watched | None = None

    @property
    def pauses(self) -> list[Flag]:
        return [flag for flag in self.flags if flag.kind == FLAG_KIND_PAUSED]

    def add_metrics(self, measurement: Measurement, *, drawn_by: Sequence[Measurement]) -> None:
        """What the machine's sensors amount to; `drawn_by` are those whose inferences took all of its power, and none
        for one subject of several, which has no power of its own."""
        if self.watched is None:
            return
        # Each by its own window: what the common windows' edges cut off is neither counted nor timed.
        windows_s = [(part.n, part.window.ToNanoseconds() / 1e9) for part in drawn_by]
        rate_per_s = sum(count / window_s for count, window_s in windows_s if window_s)
        found = telemetry_metrics(self.telemetry, self.watched, inferences_per_s=rate_per_s)
        for name, estimate in found.items():
            measurement.metrics[name].CopyFrom(estimate)

    def publish(self, attempt: AttemptDir, name: str) -> list[Artifact]:
        if self.watched is None:
            return []
        part = attempt.root / "telemetry.part"
        source = power_source(self.telemetry, on_gpu=self.watched.on_gpu)
        part.write_text(as_lines(self.telemetry, self.watched, power=in_words(source, self.watched.windows)))
        return [attempt.publish(part, ARTIFACT_ROLE_TELEMETRY, name)]


class Surroundings:
    """`root` is where sensors are read; `notes` takes what belongs into the environment record."""

    def __init__(self, task: BenchTask, notes: dict[str, str], *, root: Path, simulated: bool) -> None:
        placements = [Placement(subject.placement or CPU) for subject in task.subjects]
        self._paced = task.measure.mode == MeasureOptions.MODE_PACED
        self._on_cpu = any(placement.is_cpu for placement in placements)
        self._on_gpu = not all(placement.is_cpu for placement in placements)
        self._notes, self._root, self._simulated = notes, root, simulated
        # A board is asked by its files alone: CUDA's driver might wake its GPU, and it is to be seen at rest.
        by_nvml = self._on_gpu and not simulated and gpu_folder(root) is None
        self._address = first_pci_address() if by_nvml else ""
        self._sampler = SamplerProcess(root, pci_address=self._address)
        self._rest: Window | None = None

    def start(self, *, wait_at_rest: bool) -> None:
        """Begins to sample, where the machine tells what it draws at rest after some rest. To be closed."""
        if self._simulated:
            return
        self._sampler.start()
        if wait_at_rest and self._sampler.wait_ready():
            self._rest = rest(REST_S)

    def close(self) -> None:
        self._sampler.stop()

    def watch(self, measure: Callable[[], GroupRecording]) -> tuple[GroupRecording, Observed]:
        """What `measure` gives, and what was seen meanwhile; raises what it raises."""
        pauses = PauseWatch(pulse=not self._simulated)
        with ExitStack() as stack:
            clocks = None if self._simulated else self._clock_sensors(stack)
            contention = Contention()
            before = clocks.read() if clocks else None
            pauses.start()
            try:
                seen = measure()
            finally:
                paused = pauses.stop()
            flags = list(pause_flags(seen, paused))
            if clocks is None or before is None:
                return seen, Observed(flags)
            waiting, readings = contention.waiting(), (before, clocks.read())
        self._notes["waited_for_cpu"] = str(waiting or "unknown")
        self._notes.update(describe_clocks(readings))
        found = self._observed(seen, readings[-1])
        sampled = sampled_flags(found.telemetry, found.watched) if found.watched else []
        found.flags = merged([*interference(waiting), *flags, *clock_flags(readings), *sampled])
        return seen, found

    def _clock_sensors(self, stack: ExitStack) -> ClockSensors:
        self._sampler.wait_ready()
        return stack.enter_context(closing(ClockSensors(self._root, pci_address=self._address)))

    def _observed(self, seen: GroupRecording, after: ClockReading) -> Observed:
        watched = Watched(
            windows=[(begin / 1e9, end / 1e9) for begin, end in seen.windows_ns],
            rest=self._rest,
            cpus=os.cpu_count() or 1,
            on_cpu=self._on_cpu,
            on_gpu=self._on_gpu,
            paced=self._paced,
        )
        telemetry = self._sampler.stop()
        self._notes["sampler_cpu_share"] = telemetry.lost or f"{telemetry.cpu_share:.2%}"
        return Observed(
            circumstances=clock_circumstances(after, on_gpu=self._on_gpu), telemetry=telemetry, watched=watched
        )


def merged(flags: Iterable[Flag]) -> list[Flag]:
    """One flag of each kind, with all that was seen of it."""
    evidence: dict[FlagKind.ValueType, list[str]] = {}
    for flag in flags:
        evidence.setdefault(flag.kind, []).append(flag.evidence)
    return [Flag(kind=kind, evidence="; ".join(parts)) for kind, parts in evidence.items()]
