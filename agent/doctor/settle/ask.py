"""Has every question asked, in children with time limits, and within two minutes whatever happens."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from agent.child_env import child_env
from agent.doctor.board import NOT_A_JETSON
from agent.doctor.check import CheckContext
from agent.doctor.host import NOT_LIVE
from agent.doctor.nodes import NO_GPU
from agent.doctor.settle.question import Question, SettledAnswer
from agent.doctor.settle.questions import QUESTIONS
from jetfleet.interpreter import PYTHON

TOTAL_S = 110.0
_CHUNK = 1 << 16
Line: TypeAlias = Mapping[str, "str | bool"]


def settle(
    context: CheckContext,
    *,
    questions: Mapping[str, Question] = QUESTIONS,
    module: str = "agent.doctor.settle.child",
    total_s: float = TOTAL_S,
    report: Callable[[SettledAnswer], None] = lambda _: None,
) -> list[SettledAnswer]:
    """An answer for every question, in their order. `module` is run as the child."""
    found: dict[str, SettledAnswer] = {}
    left: list[str] = []
    for name, question in questions.items():
        if why := not_here(question, context):
            found[name] = SettledAnswer(question, asked=False, text=why)
        else:
            left.append(name)
    deadline = time.monotonic() + total_s
    while left:
        for answer in _child(context, [questions[name] for name in left], module, deadline):
            found[answer.question.name] = answer
            left.remove(answer.question.name)
            report(answer)
    return [found[name] for name in questions]


def not_here(question: Question, context: CheckContext) -> str | None:
    """Why a question makes no sense here."""
    if question.live and not context.live:
        return NOT_LIVE
    if context.kind == "jetson" or question.needs == "machine":
        return None
    if question.needs == "jetson":
        return NOT_A_JETSON
    return NO_GPU if context.kind == "cpu" else None


def _child(context: CheckContext, left: Sequence[Question], module: str, deadline: float) -> Iterator[SettledAnswer]:
    """Answers by one child, at least one: that of the question that ended it, or of all when the time is over."""
    if time.monotonic() >= deadline:
        yield from (
            SettledAnswer(question, asked=False, text="the time for all questions was over") for question in left
        )
        return
    reading, writing = os.pipe()
    names = [question.name for question in left]
    child = subprocess.Popen(
        [PYTHON, "-m", module, str(writing), str(context.root), *names],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=child_env(context.env),
        pass_fds=(writing,),
        start_new_session=True,
    )
    os.close(writing)
    try:
        yield from _listen(child, reading, left, deadline)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        os.close(reading)


def _listen(
    child: "subprocess.Popen[bytes]", reading: int, left: Sequence[Question], deadline: float
) -> Iterator[SettledAnswer]:
    lines = _Lines(reading)
    for question in left:
        until = min(time.monotonic() + question.limit_s, deadline)
        told = lines.answer(until)
        if told is None:
            why = _end(child) if lines.closed else f"no answer within {question.limit_s:.0f} s"
            if not lines.closed and until == deadline:
                why = "the time for all questions was over"
            yield SettledAnswer(question, asked=False, text=why)
            return
        yield SettledAnswer(question, asked=bool(told["asked"]), text=str(told["text"]))


def _end(child: "subprocess.Popen[bytes]") -> str:
    code = child.wait()
    if code < 0:
        return f"the child that asked died of {signal.Signals(-code).name}"
    return f"the child that asked ended with code {code}"


class _Lines:
    """A pipe's lines, waited for until a moment."""

    def __init__(self, reading: int) -> None:
        self._reading, self._buffer = reading, b""
        self.closed = False

    def answer(self, until: float) -> Line | None:
        """The next answer; None where the pipe is closed or the time is over before."""
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                told: Line = json.loads(line)
                if "name" in told:
                    return told
            elif not self._read(until):
                return None

    def _read(self, until: float) -> bool:
        ready, _, _ = select.select([self._reading], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return False
        chunk = os.read(self._reading, _CHUNK)
        self.closed = not chunk
        self._buffer += chunk
        return bool(chunk)
