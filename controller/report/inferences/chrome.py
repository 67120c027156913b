"""A run as a trace that chrome://tracing and ui.perfetto.dev open: phases, rounds, inferences, stages, sensors.

The format: "Trace Event Format", Google, 2016. Each process of a BENCH is one of the trace, one after another.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from controller.record.arrays import Numbers
from controller.report.inferences.process import ProcessRecord, Span

Event: TypeAlias = dict[str, Any]

_PHASES, _ROUNDS, _FIRST_STREAM = 0, 1, 10
_STREAMS = 100  # numbers of threads that a subject may have
_IN_TURN = ("pre", "h2d", "compute", "d2h", "post")  # stages that follow one another within an inference


def chrome_trace(runs: Sequence[tuple[str, ProcessRecord]], *, about: Mapping[str, str]) -> Event:
    """`runs` are processes with what they are called."""
    events: list[Event] = []
    begin_s = 0.0
    for number, (name, process) in enumerate(runs, start=1):
        spans = (*process.phases, *process.rounds)
        shift_s = begin_s - min((span.begin_s for span in spans), default=0.0)
        events += _named(number, name, process)
        events += _events(number, process, shift_s)
        begin_s = shift_s + max((span.end_s for span in spans), default=0.0)
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": dict(about)}


def _named(pid: int, name: str, process: ProcessRecord) -> Iterator[Event]:
    yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}
    threads = {_PHASES: "phases", _ROUNDS: "rounds"}
    for subject, columns in process.subjects.items():
        for stream in sorted({int(value) for value in columns.get("stream", ())}):
            threads[_thread(subject, stream)] = f"subject {subject}, stream {stream}"
    for tid, text in threads.items():
        yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": text}}


def _events(pid: int, process: ProcessRecord, shift_s: float) -> Iterator[Event]:
    for tid, spans in ((_PHASES, process.phases), (_ROUNDS, process.rounds)):
        for span in spans:
            yield _slice(pid, tid, span, shift_s)
    for subject, columns in process.subjects.items():
        yield from _inferences(pid, subject, columns, shift_s)
    for channel in process.channels:
        for at_s, value in zip(channel.times_s, channel.values, strict=False):
            counter = {"ph": "C", "name": channel.name, "pid": pid, "tid": 0, "ts": _us(at_s + shift_s)}
            yield {**counter, "args": {channel.unit or "value": value}}


def _inferences(pid: int, subject: int, columns: Mapping[str, Numbers], shift_s: float) -> Iterator[Event]:
    for index, begin_ms in enumerate(columns.get("begin_ms", ())):
        tid = _thread(subject, int(columns["stream"][index]))
        begin_s, took_s = begin_ms / 1e3, columns["e2e_ms"][index] / 1e3
        yield _slice(pid, tid, Span("inference", begin_s, begin_s + took_s), shift_s, index=index)
        if "queue_ms" in columns:
            yield from _queued(pid, f"{subject}.{index}", begin_s, columns["queue_ms"][index] / 1e3, shift_s)
        for stage in _IN_TURN:
            if f"{stage}_ms" in columns:
                end_s = begin_s + columns[f"{stage}_ms"][index] / 1e3
                yield _slice(pid, tid, Span(stage, begin_s, end_s), shift_s)
                begin_s = end_s


def _queued(pid: int, identity: str, begin_s: float, waited_s: float, shift_s: float) -> Iterator[Event]:
    """From an arrival to its begin: such spans overlap, which slices of a thread may not."""
    both = {"name": "queue", "cat": "queue", "id": identity, "pid": pid, "tid": 0}
    yield {**both, "ph": "b", "ts": _us(begin_s - waited_s + shift_s)}
    yield {**both, "ph": "e", "ts": _us(begin_s + shift_s)}


def _slice(pid: int, tid: int, span: Span, shift_s: float, **args: int) -> Event:
    begin_us, end_us = _us(span.begin_s + shift_s), _us(span.end_s + shift_s)
    event = {"ph": "X", "name": span.name, "pid": pid, "tid": tid, "ts": begin_us, "dur": max(0.0, end_us - begin_us)}
    return {**event, "args": args} if args else event


def _thread(subject: int, stream: int) -> int:
    return _FIRST_STREAM + _STREAMS * subject + stream


def _us(seconds: float) -> float:
    return round(seconds * 1e6, 3)
