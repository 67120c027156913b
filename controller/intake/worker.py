"""The model child's work: user code, torch, onnx and hostile files live and die here, never in the CLI's process.

Started by launch.py with a request file; answers with a file beside it, and with lines of progress on a pipe.
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from controller.intake.exchange import (
    ANSWER_NAME,
    DISK_FAILS,
    DISK_FULL,
    ModelAnswer,
    ModelRequest,
    read_request,
    write_answer,
)
from controller.intake.jobfile.model_error import ModelError
from jetfleet.errors import DiskFull
from jetfleet.os_errors import explained, of_the_disk

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    request_path, progress_fd, parent = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    _die_with(parent)
    os.set_inheritable(progress_fd, False)
    request = read_request(request_path)
    resource.setrlimit(resource.RLIMIT_DATA, (request.memory_bytes, request.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(progress_fd, "w", encoding="utf-8", buffering=1) as pipe:
        try:
            found = answer(request, lambda line: _say(pipe.write, line))
            write_answer(request_path.with_name(ANSWER_NAME), found)
        except Exception as error:
            # What is told in a file cannot be told where no file can be written.
            if (fault := of_the_disk(error)) is None:
                raise
            os._exit(DISK_FULL if isinstance(explained(fault), DiskFull) else DISK_FAILS)
    # Threads and atexit handlers of the user's code have no say in how this ends.
    sys.stdout.flush()
    os._exit(0)


def _say(write: Callable[[str], object], line: str) -> None:
    write(line.replace("\n", " ") + "\n")


def answer(request: ModelRequest, progress: Callable[[str], None]) -> ModelAnswer | ModelError:
    if request.bisect is not None:
        from controller.intake.bisect_model import bisect as make
    elif request.mark is not None:
        from controller.intake.mark_model import mark as make
    elif request.check:
        from controller.intake.check_model import check as make
    else:
        from controller.intake.prepare_model import make

    try:
        return make(request, progress)
    except ModelError as error:
        if of_the_disk(error) is not None:
            raise
        return error
    except MemoryError:
        limit = f"{request.memory_bytes / (1 << 30):.1f} GiB"
        return ModelError(f"the model needs more than {limit} of memory", expected="a smaller model, or more memory")


def _die_with(parent: int) -> None:
    """The kernel kills this process when its parent ends; the check covers an end that came before."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
