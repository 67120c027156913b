"""ONNX Runtime's session options from a task's, and what its exceptions mean."""

import os
from collections.abc import Mapping

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from agent.runtime.base import refuse_unknown_options
from jetfleet.errors import BadInput

CPU_OPTIONS = frozenset({"threads", "spinning"})
SPINNING = "session.intra_op.allow_spinning"
# Each of these is an exception class of its own, with no common base.
UNREADABLE = (ort_errors.InvalidProtobuf, ort_errors.InvalidArgument, ort_errors.NoSuchFile, ort_errors.NoModel)
REFUSED = (ort_errors.Fail, ort_errors.InvalidGraph, ort_errors.NotImplemented, ort_errors.RuntimeException)
# ONNX Runtime has no exception for it, only these words; the last two are CUDA's and cuDNN's.
_OUT_OF_MEMORY = ("Failed to allocate memory", "bad_alloc", "bad allocation", "out of memory", "ALLOC_FAILED")


def session_options(options: Mapping[str, str], known: frozenset[str] = CPU_OPTIONS) -> onnxruntime.SessionOptions:
    """One pool of as many threads as this process may use CPUs. Raises BadInput for options unknown or unusable."""
    refuse_unknown_options(options, known, "onnxruntime")
    threads = options.get("threads") or os.environ.get("JETFLEET_THREADS") or str(len(os.sched_getaffinity(0)))
    if not threads.isdigit() or int(threads) < 1:
        raise BadInput(f"{threads!r} is no number of threads", where="threads", expected="1 or more")
    spinning = {"on": "1", "off": "0"}.get(options.get("spinning", "on"))
    if spinning is None:
        raise BadInput(f"{options['spinning']!r} is not a choice", where="spinning", expected="on, off")
    made = onnxruntime.SessionOptions()
    made.intra_op_num_threads = int(threads)
    made.inter_op_num_threads = 1
    made.add_session_config_entry(SPINNING, spinning)
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
