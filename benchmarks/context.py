"""Does device memory come back when the agent's CUDA context is given back? Seen from outside, as nvidia-smi tells it.

A process of its own opens the context, holds a buffer in a session, and closes it again, and waits to be looked at.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from benchmarks.figure import Figure
from testing.processes import BrokenRun

BUFFER_MIB = 1024
_CHILD = """
import sys
from agent.runtime.gpu.cuda import Cuda

def stop(word):
    print(word, flush=True)
    sys.stdin.readline()

stop("begun")
cuda = Cuda.open()
stream, event, pinned, buffer = cuda.stream(), cuda.event(), cuda.pinned((1024,), "float32"), cuda.device({size})
event.record(stream)
event.wait()
stop("open")
buffer.free()
del stream, event, pinned, buffer
cuda.close()
stop("closed")
"""


def context_figures() -> Iterator[Figure]:
    """Raises BrokenRun, CalledProcessError or OSError where it cannot be seen."""
    used: dict[str, int] = {}
    for moment in _moments():
        used[moment] = used_mib()
    held, left = used["open"] - used["begun"], used["closed"] - used["begun"]
    note = f"a context and a buffer of {BUFFER_MIB} MiB"
    yield Figure("device memory that a process holds with a session", held, "MiB", at_least=BUFFER_MIB, note=note)
    yield Figure("device memory that it holds when all was given back", left, "MiB", at_most=0, note="still running")


def used_mib() -> int:
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def _moments() -> Iterator[str]:
    """The child's moments, each held until the next is asked for."""
    with _child() as (said, go_on):
        for moment in ("begun", "open", "closed"):
            if said.readline().strip() != moment:
                raise BrokenRun(f"the process did not come to {moment!r}")
            yield moment
            go_on.write("\n")
            go_on.flush()


@contextmanager
def _child() -> Iterator[tuple[IO[str], IO[str]]]:
    """What it says, and what it listens to."""
    source, pipe = _CHILD.format(size=BUFFER_MIB << 20), subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", source], stdin=pipe, stdout=pipe, text=True) as child:
        if child.stdout is None or child.stdin is None:
            raise BrokenRun("the process has no pipes")
        try:
            yield child.stdout, child.stdin
        finally:
            child.kill()
