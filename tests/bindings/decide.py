"""What the runtime concludes from an imported TensorRT, as JSON on stdout: `python decide.py MODULE`."""

import importlib
import json
import sys

from agent.runtime.tensorrt.ability import ability, creation_flags
from agent.runtime.tensorrt.calibrate import make_calibrator
from agent.runtime.tensorrt.inspect import Times
from agent.runtime.tensorrt.log import BuilderLog, implement, listen, make_recorder
from agent.runtime.tensorrt.progress import BuildProgress, make_monitor


class NoData:
    """A calibrator's methods, for one that is made and never asked."""

    def get_batch_size(self) -> int:
        return 1

    get_batch = read_calibration_cache = write_calibration_cache = get_batch_size


def callbacks(trt):
    """An object each of the interfaces that TensorRT calls back, which the bindings really take for one."""
    builder_log = BuilderLog()
    made = {
        "ILogger": listen(trt, builder_log),
        "IErrorRecorder": make_recorder(trt, builder_log),
        "IProfiler": implement(trt.IProfiler, Times(), ("report_layer_time",)),
        "IProgressMonitor": make_monitor(trt, BuildProgress(lambda *_: None, bool)),
        "IInt8EntropyCalibrator2": make_calibrator(trt, NoData()),
    }
    return sorted(name for name, item in made.items() if item is not None and isinstance(item, getattr(trt, name)))


if __name__ == "__main__":
    trt = importlib.import_module(sys.argv[1])
    able = ability(trt, workstation=trt.__name__ == "tensorrt_rtx")
    flags = [creation_flags(trt, typed=typed) for typed in (True, False)]
    told = {"weak": able.weak, "typed": able.typed, "dla": able.dla, "flags": flags, "callbacks": callbacks(trt)}
    # What the bindings say by name beside what the table of releases says of their version.
    told["probed"] = {
        "weak": able.weak,
        "typed": able.typed,
        "progress_monitor": able.progress_monitor,
        "same_compute_capability": hasattr(trt.HardwareCompatibilityLevel, "SAME_COMPUTE_CAPABILITY"),
    }
    told["table"] = {name: getattr(able.line, name) for name in told["probed"]}
    json.dump(told, sys.stdout)
