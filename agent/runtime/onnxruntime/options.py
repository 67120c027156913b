"""ONNX Runtime's session options from a task's, and what its exceptions mean."""

import os
from collections.abc import Mapping

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from jetfleet.option_kinds import Audience
from jetfleet.options import ONNXRUNTIME, read_options

SPINNING = "session.intra_op.allow_spinning"
# Each of these is an exception class of its own, with no common base.
UNREADABLE = (ort_errors.InvalidProtobuf, ort_errors.InvalidArgument, ort_errors.NoSuchFile, ort_errors.NoModel)
REFUSED = (ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.NotImplemented, ort_errors.RuntimeException)
# ONNX Runtime has no exception for it, only these words; the last two are CUDA's and cuDNN's.
_OUT_OF_MEMORY = ("Failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "ALLOC_FAILED")


def session_options(options: Mapping[str, str], *, on_gpu: bool = False) -> onnxruntime.SessionOptions:
    """One pool of as many threads as this process may use CPUs. Raises BadInput for options unknown or unusable."""
    audiences = (Audience.BUILDER, Audience.GPU_RUN) if on_gpu else (Audience.BUILDER,)
    threads = os.environ.get("JETFLEET_THREADS") or str(len(os.sched_getaffinity(0)))
    values = read_options({"threads": threads, **options}, ONNXRUNTIME, *audiences)
    made = onnxruntime.SessionOptions()
    made.intra_op_num_threads = values.number("threads") or 1
    made.inter_op_num_threads = 1
    made.add_session_config_entry(SPINNING, "1" if values.is_on("spinning") else "0")
    return made


def describe_options(options: onnxruntime.SessionOptions) -> dict[str, str]:
    """What of them decides speed, for the environment record."""
    return {
        "intra_op_threads": str(options.intra_op_num_threads),
        "inter_op_threads": str(options.inter_op_num_threads),
        "intra_op_spinning": options.get_session_config_entry(SPINNING),
        "graph_optimization": "ORT_DISABLE_ALL (the engine was optimised at build)",
    }


def raise_if_out_of_memory(error: Exception) -> None:
    """Raises MemoryError where that is what happened."""
    if any(words in str(error) for words in _OUT_OF_MEMORY):
        raise MemoryError(f"ONNX Runtime ran out of memory: {error}") from error
