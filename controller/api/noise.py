"""A device's noise: the same job again and again on it, and what its repeats show at each level."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from controller.analysis.effects import comparable_metric
from controller.analysis.noise_levels import device_noise
from controller.model.facts import DEVICE_NAME
from controller.model.job import Condition, Op
from controller.model.noise import DeviceNoise
from controller.model.result import Provenance, Row
from controller.model.view import DeviceView, ResultQuery
from jetfleet.errors import BadInput

if TYPE_CHECKING:
    from controller.api.control_client import ControlClient

ROWS = 400
# The first of these that a device has: what its users run on it.
_RUNTIMES = ("tensorrt", "onnxruntime", "tensorrt_rtx", "simulated")


def known_noise(
    client: "ControlClient", device: DeviceView, *, metric: str = "p50_ms", repeats: Sequence[int] = ()
) -> DeviceNoise:
    """Of the newest rows of the device, of the provenance of what `repeats`, jobs' numbers, measured there; without
    any, the device's own. Raises BadInput for a metric that cannot be compared, and jobs that measured nothing there.
    """
    metric = comparable_metric(metric)
    condition = Condition(DEVICE_NAME, Op.EQUALS, (device.name,))
    rows = client.results(ResultQuery(conditions=(condition,), limit=ROWS))
    provenance = Provenance.SIMULATED if device.facts.get("simulated") else Provenance.MEASURED
    if repeats:
        provenance = _provenance(client.results(ResultQuery(tuple(repeats), (condition,), limit=ROWS)), device, repeats)
    return device_noise(device.name, rows, metric, provenance=provenance)


def _provenance(rows: Sequence[Row], device: DeviceView, repeats: Sequence[int]) -> Provenance:
    """A simulated runtime's numbers are made up wherever it runs."""
    found = {row.measurement.provenance for row in rows}
    if not found:
        raise BadInput(
            f"job {repeats[-1]} measured nothing on {device.name}",
            where="--job",
            expected=f"targets of which {device.name} is one: {{every: {{{DEVICE_NAME}: {device.name}}}}}",
        )
    return Provenance.MEASURED if Provenance.MEASURED in found else Provenance.SIMULATED


def noise_runtime(device: DeviceView) -> str:
    """Raises BadInput where it has none that a network could be timed with."""
    for runtime in _RUNTIMES:
        if f"runtime.{runtime}" in device.facts:
            return runtime
    raise BadInput(f"{device.name} has no runtime", hint="`agent doctor` on it says what is missing")


@contextmanager
def noise_job(device: DeviceView) -> Iterator[Path]:
    """A job file that times a small network on the device, while this lasts."""
    import json

    from controller.intake.graph.noise_network import save_noise_network

    spec: dict[str, Any] = {
        "apiVersion": "jetfleet/v1",
        "name": "noise",
        "model": {"onnx": "model.onnx"},
        "variants": {"runtime": [noise_runtime(device)]},
        "targets": [{"every": {DEVICE_NAME: device.name}}],
    }
    with TemporaryDirectory(prefix="jetfleet-noise-") as folder:
        save_noise_network(Path(folder) / "model.onnx")
        path = Path(folder) / "job.yaml"
        path.write_text(json.dumps(spec))  # JSON is YAML
        yield path
