"""Checks that run something: CUDA's context, and by each runtime a tiny engine, built, run and its output checked."""

import re
from pathlib import Path

from agent.child_env import child_env
from agent.device.files import entries
from agent.doctor.check import CheckContext, CheckResult, fail, ok, skip, warn
from agent.doctor.host import NOT_LIVE
from agent.doctor.nodes import NO_GPU, RUN_NVIDIA, explain_denied
from agent.doctor.trial_process import TrialResult, run_trial
from jetfleet.releases import place_of

_ENGINE_S = 900.0  # a build that times kernels on a small board
_OLD_IMAGE = "an image for another L4T, or a container without the driver's files"


def cuda_context(context: CheckContext) -> CheckResult:
    if context.kind == "cpu":
        return skip(NO_GPU)
    return skip(NOT_LIVE) if context.cuda is None else judge_cuda(context.cuda, context)


def judge_cuda(trial: TrialResult, context: CheckContext) -> CheckResult:
    if not trial.error:
        return ok(f"{trial.steps['device']}; {trial.steps['context']}")
    if "libcuda.so.1" in trial.error or "file too short" in trial.error:
        fix = RUN_NVIDIA if context.confined else "sudo ldconfig && ldconfig -p | grep libcuda"
        return fail(trial.error, why="the driver's library does not load", fix=fix)
    if denied := explain_denied(trial, context):
        return fail(trial.error, why=denied[0], fix=denied[1])
    if "OUT_OF_MEMORY" in trial.error:
        return fail(trial.error, why="the GPU has no memory left", fix="free -m; stop the desktop or reboot")
    if "sees no device" in trial.error:
        return fail(trial.error, why="CUDA_VISIBLE_DEVICES may hide it", fix="unset CUDA_VISIBLE_DEVICES")
    fix = (
        RUN_NVIDIA
        if context.confined
        else "`sudo dmesg | tail -50` and a reboot; a service must start after the GPU's driver"
    )
    return fail(trial.error, why="the driver is there, and cannot use the GPU", fix=fix)


def tensorrt(context: CheckContext) -> CheckResult:
    if context.kind == "cpu":
        return skip(NO_GPU)
    if not context.live:
        return _in_a_tree(context)
    trial = _try(context, "tensorrt", "gpu")
    if context.kind == "gpu" and "No module named 'tensorrt'" in trial.error:
        return skip("not installed; on a server ONNX Runtime's CUDA provider serves too (`pip install tensorrt`)")
    return judge_engine(trial, context)


def judge_engine(trial: TrialResult, context: CheckContext) -> CheckResult:
    """What a trial of TensorRT means: an engine's whole life, or where it ended."""
    if not trial.error:
        return ok(f"{trial.steps['import']}: engine of {trial.steps['build']}, {trial.steps['run']}")
    if "import" not in trial.steps:
        why, fix = explain_import(trial.error, context)
        return fail(_short(trial.error), why=why, fix=fix)
    version, where = trial.steps["import"], next((s for s in ("build", "load", "run") if s not in trial.steps), "run")
    found = f"{version}: {_short(trial.error)}"
    if "memory" in trial.error.lower() or "SIGKILL" in trial.error:
        return fail(
            found, why=f"out of memory at: {where}", fix="stop the desktop (sudo systemctl isolate multi-user.target)"
        )
    why = f"it ended at: {where}" + (", without a word of its own" if trial.crashed else "")
    return fail(
        found, why=why, fix="run `agent -v doctor` again after a reboot; `sudo dmesg | tail -50` shows GPU faults"
    )


# As constraints.txt has them; a test holds the two together.
NUMPY_OF_OLD_PYTHON, NUMPY = "2.2.6", "2.4.6"


def explain_import(error: str, context: CheckContext) -> tuple[str, str]:
    """Why TensorRT's import fails, from the loader's words, and what to do."""
    if "libnvdla_compiler" in error:
        return "the DLA compiler's library is missing or empty", "see the check `DLA compiler` above"
    if "file too short" in error or "libnvcudla" in error or "libcuda.so" in error:
        return _OLD_IMAGE, RUN_NVIDIA + ", from an image of this L4T" if context.confined else "sudo ldconfig"
    if "No module named 'tensorrt'" in error:
        return _no_module(context)
    if "No module named 'pycuda" in error:
        return "pycuda is not installed beside TensorRT", "PATH=/usr/local/cuda/bin:$PATH python -m pip install pycuda"
    if found := re.search(r"lib(?:nvinfer|nvonnxparser|cudnn|cublas|cudart)\S*\.so\S*", error):
        fix = "sudo apt install --reinstall python3-libnvinfer && sudo ldconfig   # see: dpkg -l | grep nvinfer"
        return f"TensorRT's library {found.group().rstrip(':')} is missing", fix
    if "numpy" in error.lower():
        return "a compiled module beside TensorRT, mostly pycuda, was made for another numpy", _rebuild(context)
    return "TensorRT does not import", "python -c 'import tensorrt' shows the whole error"


def _rebuild(context: CheckContext) -> str:
    """The numpy of constraints.txt, and what is compiled against it once more."""
    numpy = NUMPY_OF_OLD_PYTHON if context.interpreter.version < (3, 11) else NUMPY
    again = "PATH=/usr/local/cuda/bin:$PATH python -m pip install --force-reinstall --no-deps --no-cache-dir pycuda"
    return f"python -m pip install numpy=={numpy} && {again}"


def _no_module(context: CheckContext) -> tuple[str, str]:
    """JetPack's bindings belong to the distribution's own Python."""
    there = {path.parts[-3].removeprefix("python") for path in _bindings(context)}
    if not there:
        if context.confined:
            release = place_of(context.l4t)
            images = " or ".join(release.images) if release else ""
            return "this image has no TensorRT", f"use an image that has: {images or 'NVIDIA names none for this L4T'}"
        return "TensorRT for Python is not installed", "sudo apt install python3-libnvinfer"
    versions = " and ".join(sorted(there))
    if context.interpreter.text not in there:
        why = f"TensorRT is installed for Python {versions}, this agent runs on {context.interpreter.text}"
        return why, f"python{sorted(there)[-1]} -m venv --system-site-packages VENV, and install the agent there"
    if not context.interpreter.system_packages:
        fix = f"python3 -m venv --system-site-packages {context.interpreter.venv}   # keeps what is installed in it"
        return "this venv does not see the system's packages, where TensorRT is", fix
    return "TensorRT is installed, and this Python does not look there", "python -c 'import sys; print(sys.path)'"


def _bindings(context: CheckContext) -> list[Path]:
    return entries(context.root / "usr/lib", "python3*/dist-packages/tensorrt")


def _in_a_tree(context: CheckContext) -> CheckResult:
    if not _bindings(context):
        why, fix = _no_module(context)
        return warn("not found", why=why, fix=fix)
    return skip(NOT_LIVE)


def onnxruntime(context: CheckContext) -> CheckResult:
    if not context.live:
        return skip(NOT_LIVE)
    return judge_onnxruntime(_try(context, "onnxruntime", "cpu"), context)


def judge_onnxruntime(trial: TrialResult, context: CheckContext) -> CheckResult:
    if not trial.error:
        return ok(f"{trial.steps['import']}: engine of {trial.steps['build']}, {trial.steps['run']}")
    if "import" not in trial.steps and "No module named 'onnxruntime'" in trial.error:
        why = "without it nothing runs on the CPU" + ("" if context.kind == "cpu" else "; TensorRT does not need it")
        verdict = fail if context.kind == "cpu" else warn
        return verdict("not installed", why=why, fix="python -m pip install onnxruntime")
    return fail(
        _short(trial.error), why="ONNX Runtime cannot run a tiny network", fix="python -m pip install -U onnxruntime"
    )


def onnxruntime_on_gpu(context: CheckContext) -> CheckResult:
    if context.kind == "cpu":
        return skip(NO_GPU)
    if not context.live:
        return skip(NOT_LIVE)
    trial = _try(context, "onnxruntime", "gpu")
    if not trial.error:
        return ok(f"{trial.steps['import']}: engine of {trial.steps['build']}, {trial.steps['run']}")
    if trial.crashed:
        return fail(
            _short(trial.error), why="its CUDA provider crashes", fix="python -m pip install -U onnxruntime-gpu"
        )
    return skip(f"optional, the baseline that TensorRT has to beat: {_short(trial.error)}")


def _short(error: str) -> str:
    """The first line, as long as a line of a table may be."""
    line = error.splitlines()[0] if error else ""
    return line if len(line) <= 160 else line[:157] + "..."


def _try(context: CheckContext, *what: str) -> TrialResult:
    """A trial loads drivers and engines, as an attempt's child does, and sees no more of the environment."""
    return run_trial(*what, limit_s=_ENGINE_S, env=child_env(context.env))
