"""Checks of NVIDIA's driver as this process sees it: the container runtime, and libraries."""

from pathlib import Path

from agent.device.container import has_nvidia_runtime
from agent.device.files import entries
from agent.device.libraries import find_library
from agent.doctor.board import NOT_A_JETSON
from agent.doctor.check import CheckContext, CheckResult, fail, ok, skip
from agent.doctor.nodes import NO_GPU, RUN_NVIDIA

CSV_DIR = "etc/nvidia-container-runtime/host-files-for-container.d"


def nvidia_runtime(context: CheckContext) -> CheckResult:
    if context.kind == "cpu":
        return skip(NO_GPU)
    if not context.confined:
        return ok("native, no container")
    if context.kind == "gpu":
        return ok(f"{context.container} with the driver's device nodes")
    if not has_nvidia_runtime(context.root, context.container):
        why = "the container lacks the driver's device nodes or libraries, which only the NVIDIA runtime brings"
        return fail(f"{context.container} without the NVIDIA runtime", why=why, fix=RUN_NVIDIA)
    return ok(f"{context.container} with the NVIDIA runtime")


def cuda_library(context: CheckContext) -> CheckResult:
    """The file; whether it loads and CUDA starts is the next check's."""
    if context.kind == "cpu":
        return skip(NO_GPU)
    library = find_library(context.root, "libcuda.so.1")
    if library is None:
        if context.kind == "gpu":
            return skip("not in a folder known here: the CUDA check will tell")
        fix = RUN_NVIDIA if context.confined else "sudo apt install --reinstall nvidia-l4t-cuda && sudo ldconfig"
        return fail("no libcuda.so.1", why="the driver's library is not there", fix=fix)
    shown = f"/{library.path.relative_to(context.root)}"
    if not library.size_bytes:
        why = "an empty placeholder: nothing was mounted over it (`file too short` is how it shows)"
        return fail(shown, why=why, fix=RUN_NVIDIA)
    return ok(shown)


def container_files(context: CheckContext) -> CheckResult:
    """What the host will hand to containers; natively on a Jetson with NVIDIA's container runtime."""
    if context.kind != "jetson":
        return skip(NOT_A_JETSON)
    if context.confined:
        return skip("only the host can see it")
    lists = [path.name for path in entries(context.root / CSV_DIR, "*.csv")]
    if not lists:
        return skip("NVIDIA's container runtime is not installed here; a native agent needs none")
    return ok(f"{', '.join(lists)} in /{Path(CSV_DIR)}")
