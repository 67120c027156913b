"""The GPU that CUDA would use here, as its driver and NVML describe it. For the probe's process: a driver may crash."""

import ctypes
import logging
from collections.abc import Callable
from dataclasses import dataclass

from agent.device.cudadriver import CudaDriver, CudaError
from agent.device.nvml import read_nvml

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gpu:
    """None means unknown, or no GPU at all."""

    name: str | None = None
    compute_capability: str | None = None
    sm_count: int | None = None
    integrated: bool | None = None
    memory_bytes: int | None = None
    driver: str | None = None
    cuda: str | None = None  # the newest that the driver serves


def read_gpu(load: Callable[[str], ctypes.CDLL] = ctypes.CDLL) -> Gpu:
    """Asks the driver which device comes first, and NVML for the rest of that very one."""
    try:
        device = CudaDriver(load).first_device()
    except (OSError, AttributeError, CudaError) as error:
        _log.debug("no GPU: %s", error)
        return Gpu(driver=read_nvml(None, load).driver)
    more = read_nvml(None if device.integrated else device.uuid, load)
    return Gpu(
        name=more.name or device.name,
        compute_capability=device.compute_capability,
        sm_count=device.sm_count,
        integrated=device.integrated,
        memory_bytes=more.memory_bytes or device.memory_bytes,
        driver=more.driver,
        cuda=device.cuda,
    )
