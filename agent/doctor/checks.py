"""Every check in the order in which one explains the next, and what they amount to."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from agent.doctor import board, controller, dla, driver, engine, helper, host, nodes, sensors, telemetry
from agent.doctor.check import CheckContext, CheckResult, fail
from jetfleet.errors import Infrastructure

CHECKS: Mapping[str, Callable[[CheckContext], CheckResult]] = {
    "board": board.identity,
    "JetPack": board.release,
    "L4T packages": board.packages,
    "container": driver.nvidia_runtime,
    "container files": driver.container_files,
    "device nodes": nodes.device_nodes,
    "CUDA driver": driver.cuda_library,
    "CUDA context": engine.cuda_context,
    "DLA compiler": dla.compiler,
    "DLA": dla.cores,
    "TensorRT": engine.tensorrt,
    "ONNX Runtime": engine.onnxruntime,
    "ONNX Runtime GPU": engine.onnxruntime_on_gpu,
    "power mode": board.power_mode,
    "power and clocks": helper.settings,
    "power rails": sensors.power_rails,
    "temperatures": sensors.temperatures,
    "throttling": sensors.throttle,
    "over-current": sensors.over_current,
    "GPU clock": sensors.gpu_clock,
    "CPU clocks": sensors.cpu_clocks,
    "telemetry": telemetry.channels,
    "memory": host.memory,
    "swap": host.swap,
    "disk": host.disk,
    "Python": host.python,
    "image library": host.image_library,
    "clock": host.clock,
    "service": host.service,
    "controller": controller.controller,
}

# What no container can run for its host, or runs in vain.
_OF_THE_HOST = re.compile(r"\b(jetson_clocks|nvpmodel|systemctl|timedatectl|dmesg|modprobe|sysctl|scaling_governor)\b")


def run_checks(context: CheckContext) -> Iterator[CheckResult]:
    """One check after the other, as they are done: some take minutes."""
    for name, check in CHECKS.items():
        try:
            yield replace(_where_it_helps(check(context), context), name=name)
        except OSError as error:
            why = "the check itself could not look"
            yield replace(fail(str(error), why=why, fix="run it as the agent's user, or report it"), name=name)


def _where_it_helps(check: CheckResult, context: CheckContext) -> CheckResult:
    """A command that is the host's is said to be, where it is read in a container."""
    if not context.confined or not _OF_THE_HOST.search(check.fix) or "docker run" in check.fix:
        return check
    return replace(check, fix=f"on the host: {check.fix}")


def exit_code(checks: Iterable[CheckResult]) -> int:
    """0 where nothing fails, else that of everything that is not the job's fault."""
    return Infrastructure.exit_code if any(check.state == "fail" for check in checks) else 0
