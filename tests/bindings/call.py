"""Calls every callback once through its base class, as TensorRT would: `python call.py MODULE`.

JSON on stdout: what each returned, what the bindings printed meanwhile (an error in a callback is only ever printed),
and the names that the bindings' base classes have but nobody called.
"""

import importlib
import inspect
import json
import logging
import os
import sys
import tempfile
from types import ModuleType
from typing import Any

from agent.runtime.tensorrt.calibrate import make_calibrator
from agent.runtime.tensorrt.inspect import Times
from agent.runtime.tensorrt.log import BuilderLog, implement, listen, make_recorder
from agent.runtime.tensorrt.progress import BuildProgress, make_monitor


class OneBatch:
    """A calibrator's methods, with answers that can be told apart."""

    def get_batch_size(self) -> int:
        return 7

    get_batch = read_calibration_cache = write_calibration_cache = get_batch_size


def calls(trt: ModuleType) -> list[tuple[str, Any, str, tuple[Any, ...]]]:
    """Interface, object, the name that Python calls it by, arguments. The number of errors comes after one was told."""
    log = BuilderLog()
    recorder = make_recorder(trt, log)
    made = [
        ("ILogger", listen(trt, log), "log", (trt.ILogger.Severity.INFO, "words")),
        ("IProfiler", implement(trt.IProfiler, Times(), ("report_layer_time",)), "report_layer_time", ("conv", 0.5)),
        ("IErrorRecorder", recorder, "report_error", (trt.ErrorCodeTRT.INTERNAL_ERROR, "words")),
        ("IErrorRecorder", recorder, "num_errors", ()),
        ("IErrorRecorder", recorder, "get_error_code", (0,)),
        ("IErrorRecorder", recorder, "get_error_desc", (0,)),
        ("IErrorRecorder", recorder, "has_overflowed", ()),
        ("IErrorRecorder", recorder, "clear", ()),
    ]
    if monitor := make_monitor(trt, BuildProgress(lambda *_: None, lambda: False)):
        made += [
            ("IProgressMonitor", monitor, "phase_start", ("phase", None, 2)),
            ("IProgressMonitor", monitor, "step_complete", ("phase", 1)),
            ("IProgressMonitor", monitor, "phase_finish", ("phase",)),
        ]
    if calibrator := make_calibrator(trt, OneBatch()):
        made.append(("IInt8EntropyCalibrator2", calibrator, "get_batch_size", ()))
    return made


def through_base(trt: ModuleType, interface: str, made: Any, name: str, arguments: tuple[Any, ...]) -> object:
    """A property of the base is read, a method called."""
    member = getattr(getattr(trt, interface), name)
    answer = member.fget(made) if isinstance(member, property) else member(made, *arguments)
    return getattr(answer, "name", answer)


def overridable(trt: ModuleType, interface: str) -> set[str]:
    """What the bindings offer of an interface, but for constants (in capitals) and nested classes."""
    members = {
        name: value for name, value in vars(getattr(trt, interface)).items() if name[0] != "_" and not name.isupper()
    }
    return {
        name for name, value in members.items() if isinstance(value, property) or inspect.isroutine(value)
    } - PLACEHOLDERS


# What the bindings' base class only has for its docstring: it reaches no C++, and the first of them returns nothing.
PLACEHOLDERS = {"get_algorithm", "get_batch", "read_calibration_cache", "write_calibration_cache"}


def main(trt: ModuleType) -> dict[str, object]:
    told: dict[str, object] = {}
    made = calls(trt)
    with tempfile.TemporaryFile() as noise:
        stderr = os.dup(2)
        os.dup2(noise.fileno(), 2)
        for interface, item, name, arguments in made:
            told[f"{interface}.{name}"] = through_base(trt, interface, item, name, arguments)
        sys.stderr.flush()
        os.dup2(stderr, 2)
        noise.seek(0)
        printed = noise.read().decode(errors="replace")
    called = {(interface, name) for interface, _, name, _ in made}
    interfaces = {interface for interface, _ in called}
    uncalled = sorted(
        f"{interface}.{name}"
        for interface in interfaces
        for name in overridable(trt, interface)
        if (interface, name) not in called
    )
    return {"told": told, "printed": printed, "uncalled": uncalled}


if __name__ == "__main__":
    logging.basicConfig(handlers=[logging.NullHandler()])
    json.dump(main(importlib.import_module(sys.argv[1])), sys.stdout)
