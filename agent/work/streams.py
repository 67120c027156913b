"""Several inferences of one engine in flight: a session for each, in a thread of its own, and their samples as one.

On a GPU each has its context and stream, so that the copies of one lie beside the work of another; on a CPU they share
a graph and its threads. Nothing here is timed.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.attempt import AttemptDir
from agent.work.subject import LoadedSubject, check_stream
from agent.work.summary import Recording
from agent.work.together import GroupRecording, Lane
from jetfleet.v1.task_pb2 import Flag

_Number = TypeVar("_Number", np.float64, np.int64)


def open_stream(first: LoadedSubject, attempt: AttemptDir, stack: ExitStack) -> tuple[Lane, list[Flag]]:
    """One more session of a subject, with its inputs bound; closed with the stack, before the first. The flags say
    that it answers wrongly."""
    thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="stream"))
    session = thread.submit(first.session.another).result()
    stack.callback(lambda: thread.submit(session.close).result())
    return Lane(session, thread), thread.submit(check_stream, session, first.subject, attempt).result()


def by_subject(seen: GroupRecording, counts: Sequence[int]) -> GroupRecording:
    """What was seen of lanes as what was seen of subjects, of which each has so many lanes, one after another."""
    found = replace(seen, recordings=[], lost=[])
    begin = 0
    for count in counts:
        found.recordings.append(_as_one(seen.recordings[begin : begin + count]))
        found.lost.append(max(seen.lost[begin : begin + count]))
        begin += count
    return found


def _as_one(parts: Sequence[Recording]) -> Recording:
    if len(parts) == 1:
        return parts[0]
    found = Recording(warmup_s=parts[0].warmup_s, warmup_n=sum(part.warmup_n for part in parts))
    found.rounds = [_woven(blocks) for blocks in zip(*(part.rounds for part in parts), strict=True)]
    found.begins_ns = [_woven(blocks) for blocks in zip(*(part.begins_ns for part in parts), strict=True)]
    numbers = [np.full(len(block), number) for number, part in enumerate(parts) for block in part.rounds]
    per_stream = [numbers[begin :: len(parts[0].rounds)] for begin in range(len(parts[0].rounds))]
    found.streams = [_woven(blocks) for blocks in per_stream]
    for stage in parts[0].stages:
        found.stages[stage] = [_woven(blocks) for blocks in zip(*(part.stages[stage] for part in parts), strict=True)]
    # Each has a wall clock of its own, shorter than the window by what its edges cut off: rates add up, times do not.
    rate_per_s = sum(part.n / part.window_s for part in parts if part.window_s > 0)
    found.window_s = found.n / rate_per_s if rate_per_s else 0.0
    return found


def _woven(blocks: Sequence[NDArray[_Number]]) -> NDArray[_Number]:
    """The samples of one window in about the order in which they were taken."""
    places = np.concatenate([(np.arange(len(block)) + 0.5) / len(block) for block in blocks])
    woven: NDArray[_Number] = np.concatenate(blocks)[np.argsort(places, kind="stable")]
    return woven
