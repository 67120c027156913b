"""Energy per inference from sampled power against the GPU's own counter of energy, over the same seconds.

Three loads: products of matrices back to back, the same with pauses between rounds, and none at all. The counter is
NVML's, which moves ten times a second; a part that cannot run is a line that says why. Without an NVIDIA GPU there is
nothing to measure, and the program says so.
"""

import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from agent.device.cudadriver import first_pci_address
from agent.device.nvml_gpu import NvmlGpu
from agent.telemetry.power import PowerSource, in_words, mean_power, power_source
from agent.telemetry.series import Window
from agent.telemetry.watch import SamplerProcess
from benchmarks.figure import Figure, main
from benchmarks.gpu import compiled_chain, opened_chain, part
from benchmarks.processes import scratch
from testing.processes import BrokenRun

_BAR = 5.0  # percent
_COUNTER_S = 0.2  # within so long the counter has moved


def energy(tiny: bool) -> Iterator[Figure]:
    address = first_pci_address()
    gpu = NvmlGpu.open(address) if address else None
    if gpu is None or gpu.energy_j() is None:
        sys.stderr.write("energy: not measured, this machine has no GPU that counts its energy\n")
        return
    seconds = 2.0 if tiny else 20.0
    with closing(gpu):
        yield from part("energy at rest", lambda: _figures(gpu, address, "at rest", time.sleep, seconds))
        yield from part("energy under load", lambda: _loads(gpu, address, seconds))


def _loads(gpu: NvmlGpu, address: str, seconds: float) -> Iterator[Figure]:
    """Raises BrokenRun where the chain cannot be built."""
    with scratch() as folder, opened_chain(ctypes.CDLL(str(compiled_chain(folder)))) as session:

        def back_to_back(length_s: float) -> int:
            return _infer(session.infer, length_s, pause_s=0.0)

        def with_pauses(length_s: float) -> int:
            return _infer(session.infer, length_s, pause_s=0.3)

        yield from _figures(gpu, address, "back to back", back_to_back, seconds)
        yield from _figures(gpu, address, "with pauses", with_pauses, seconds)


def _infer(infer: Callable[[], None], length_s: float, *, pause_s: float) -> int:
    """Rounds of 0.3 s; how many inferences."""
    end, count = time.monotonic() + length_s, 0
    while time.monotonic() < end:
        rest = time.monotonic() + 0.3
        while time.monotonic() < rest:
            infer()
            count += 1
        time.sleep(pause_s)
    return count


def _figures(
    gpu: NvmlGpu, address: str, what: str, load: "Callable[[float], int | None]", seconds: float
) -> Iterator[Figure]:
    sampler = SamplerProcess(pci_address=address)
    sampler.start()
    sampler.wait_ready()
    load(1.0)  # the GPU's clocks and the counter's steps settle
    before_j, begin = _counter_step(gpu)
    count = load(seconds)
    after_j, end = _counter_step(gpu)
    telemetry = sampler.stop()
    source = power_source(telemetry, on_gpu=True)
    if not isinstance(source, PowerSource):
        raise BrokenRun(source)
    window: list[Window] = [(begin, end)]
    power = mean_power(source, window)
    sampled_j, counted_j = power.value * (end - begin), after_j - before_j
    if count:
        per = 1e3 / count
        yield Figure(
            f"energy of an inference from samples, {what}", sampled_j * per, "mJ", note=in_words(source, window)
        )
        yield Figure(f"energy of an inference by the counter, {what}", counted_j * per, "mJ")
    yield Figure(f"mean power, {what}", power.value, "W", note=f"{power.low:.4g} to {power.high:.4g}")
    difference = abs(sampled_j / counted_j - 1) * 100
    yield Figure(f"samples against the counter, {what}", difference, "%", at_most=_BAR, note=f"{end - begin:.1f} s")


def _counter_step(gpu: NvmlGpu) -> tuple[float, float]:
    """The counter right after it moved, and when that was."""
    first, deadline = gpu.energy_j(), time.monotonic() + _COUNTER_S
    while time.monotonic() < deadline:
        now_j, now = gpu.energy_j(), time.monotonic()
        if now_j != first:
            break
    if now_j is None:
        raise BrokenRun("the counter does not answer any more")
    return now_j, now


if __name__ == "__main__":
    main("energy", energy)
