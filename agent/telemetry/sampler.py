"""The process that reads a machine's channels while another one measures: `python -m agent.telemetry.sampler`.

It is a process of its own because a thread takes Python's lock from the timed loop. It says when it is ready, keeps all
values in memory, and writes them as one JSON object when its input is closed. Its input is closed when its parent dies,
too: then nobody reads the answer, and it ends.

The thread that samples steps back behind everything else; the one that starts and answers does not, because on a
crowded machine that would take many seconds, and its work lies before and after the timed rounds.
"""

import argparse
import contextlib
import json
import math
import os
import sys
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agent.device.cudadriver import first_pci_address
from agent.telemetry.channels.channel import Sensor
from agent.telemetry.channels.found import find_channels

FIRST_GPU = "first"  # instead of an address: the one that CUDA would use
_IDLE_MATTERS = ("power.", "energy.", "load.")  # of these the value before all work is worth waiting for
_SOON_S = 0.01  # sensors that are due within so short a time are read in one go: fewer wake-ups
_NICE = 10


@dataclass
class _Readings:
    """What one sensor told: when, and a value of each of its channels."""

    sensor: Sensor
    due_s: float = 0.0
    times_ns: "array[int]" = field(default_factory=lambda: array("q"))
    values: "list[array[float]]" = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = [array("d") for _ in self.sensor.channels]
        self.every_s = min(channel.every_s for channel in self.sensor.channels)

    def take_if_due(self, now_s: float) -> None:
        if self.due_s <= now_s + _SOON_S:
            self.take()
            # What was missed on a crowded machine is not made up for.
            self.due_s = max(self.due_s + self.every_s, now_s + _SOON_S) if self.due_s else now_s + self.every_s

    def take(self) -> None:
        """The moment of a value is the middle of its reading, which may take milliseconds on a slow bus."""
        began_ns = time.monotonic_ns()
        values = self.sensor.read()
        self.times_ns.append((began_ns + time.monotonic_ns()) // 2)
        for column, value in zip(self.values, values, strict=True):
            column.append(value)

    def told(self) -> dict[str, Any]:
        """For JSON, which has no NaN."""
        return {
            "channels": [asdict(channel) for channel in self.sensor.channels],
            "times_ns": self.times_ns.tolist(),
            "values": [[None if math.isnan(value) else value for value in column] for column in self.values],
        }


def sample(sensors: Sequence[Sensor], wait: Callable[[float], bool]) -> list[_Readings]:
    """Reads each sensor as often as its channels want, once at the beginning and once at the end. `wait` sleeps for so
    many seconds, or less where it is to end: then it is True."""
    readings = [_Readings(sensor) for sensor in sensors]
    is_over = False
    while not is_over:
        now_s = time.monotonic()
        for item in readings:
            item.take_if_due(now_s)
        nearest_s = min((item.due_s for item in readings), default=now_s + 1.0)
        is_over = wait(max(0.0, nearest_s - time.monotonic()))
    for item in readings:
        item.take()
    return readings


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m agent.telemetry.sampler", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--pci-address", default="")
    options = parser.parse_args(arguments)
    address = first_pci_address() if options.pci_address == FIRST_GPU else options.pci_address
    found = find_channels(options.root, pci_address=address)
    ready = {"idle_matters": any(channel.name.startswith(_IDLE_MATTERS) for channel in found.channels)}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    ended = threading.Event()
    with ThreadPoolExecutor(1, initializer=_step_back) as thread:
        sampling = thread.submit(sample, found.sensors, ended.wait)
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        sys.stdin.read()
        ended.set()
        readings = sampling.result()
    elapsed_s, cpu_s = time.monotonic() - began_s, time.process_time() - began_cpu_s
    found.close()
    told = {
        "cpu_s": cpu_s,
        "elapsed_s": elapsed_s,
        "absent": [asdict(item) for item in found.absent],
        "sensors": [item.told() for item in readings],
    }
    json.dump(told, sys.stdout)
    return 0


def _step_back() -> None:
    """This thread behind others, and never in the place of one that is running (sched(7): SCHED_BATCH)."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    with contextlib.suppress(OSError):  # a container's filter: being nice will do
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
