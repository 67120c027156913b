"""Which runtimes this machine has: only what really imports is listed, and nothing is imported before it is asked."""

import importlib
import logging
from typing import cast

from agent.runtime.base import Runtime
from jetfleet.errors import BadInput

_log = logging.getLogger(__name__)

# Module and class of each runtime. A module here may import its heavy library at the top.
_MODULES = {
    "onnxruntime": ("agent.runtime.onnxruntime.runtime", "OnnxRuntime"),
    "tensorrt": ("agent.runtime.tensorrt.runtime", "TensorRt"),
    "tensorrt_rtx": ("agent.runtime.tensorrt.runtime", "TensorRtRtx"),
    "simulated": ("agent.runtime.simulated", "SimulatedRuntime"),
}


def available() -> dict[str, Runtime]:
    """Every runtime that imports here, by name."""
    found: dict[str, Runtime] = {}
    for name in _MODULES:
        try:
            found[name] = _load(name)
        except (ImportError, OSError) as error:  # OSError: a shared library that is not there
            _log.debug("runtime %s is not available: %s", name, error)
    return found


def versions() -> dict[str, str]:
    """What this machine announces: each runtime's version, and that of ONNX Runtime's CUDA provider where it works."""
    found = {name: runtime.version() for name, runtime in available().items()}
    if "onnxruntime" in found:
        provider = importlib.import_module("agent.runtime.onnxruntime.cuda").cuda_provider_version()
        if provider is not None:
            found["onnxruntime_cuda"] = provider
    return found


def open_runtime(name: str) -> Runtime:
    """One runtime by name, importing no other. Raises BadInput if this machine does not have it."""
    if name not in _MODULES:
        raise BadInput(f"there is no runtime {name!r}", expected=", ".join(_MODULES))
    try:
        return _load(name)
    except (ImportError, OSError) as error:
        raise BadInput(
            f"runtime {name} does not import here: {error}", expected=", ".join(available()) or "an installed runtime"
        ) from error


def _load(name: str) -> Runtime:
    module, attribute = _MODULES[name]
    return cast(Runtime, getattr(importlib.import_module(module), attribute)())
