"""A process with a GPU session over the chain of products: `-m benchmarks.gpuload LIBRARY load`, or `watch SECONDS`.

With `load` it keeps the GPU busy until it is ended. With `watch` it times the chain as the agent's child does, with all
that the child watches, and prints what raised INTERFERED, as one JSON text.
"""

import ctypes
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from agent.work.measure import MeasureLimits, measure
from agent.work.surroundings import Surroundings
from agent.work.together import CallerThread, Lane
from benchmarks.gpu import opened_chain
from jetfleet.v1.task_pb2 import FLAG_KIND_INTERFERED, BenchTask, Subject


def main(arguments: Sequence[str]) -> None:
    library = ctypes.CDLL(arguments[0])
    print_line = sys.stdout.write
    if arguments[1] == "load":
        with opened_chain(library) as session:
            session.infer()
            print_line("ready\n")
            sys.stdout.flush()
            while True:
                session.infer()
    print_line(json.dumps(_watch(library, float(arguments[2]))) + "\n")


def _watch(library: ctypes.CDLL, seconds: float) -> str:
    task = BenchTask(subjects=[Subject(placement="gpu")])
    with closing(Surroundings(task, {}, root=Path("/"), simulated=False)) as surroundings:
        surroundings.start(wait_at_rest=True)
        with opened_chain(library) as session:
            session.infer()
            limits = MeasureLimits(0.3, seconds, seconds)
            lanes = [Lane(session, CallerThread())]
            _, observed = surroundings.watch(lambda: measure(lanes, limits, lambda phase, fraction, detail: None))
    return "; ".join(flag.evidence for flag in observed.flags if flag.kind == FLAG_KIND_INTERFERED)


if __name__ == "__main__":
    main(sys.argv[1:])
