"""The answers as one block of plain text to send back, and as JSON. Nothing personal is in either."""

import hashlib
import json
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.doctor.check import CheckContext
from agent.doctor.settle.ask import settle
from agent.doctor.settle.private import redact
from agent.doctor.settle.question import SettledAnswer
from jetfleet.releases import jetpack_of
from jetfleet.version import VERSION

FORM = 1  # of the block: raised when a program that reads it would have to change
_WIDTH = 116
_INDENT = "    "


@dataclass(frozen=True)
class Header:
    """What a reader must know before any answer."""

    agent: str
    board: str
    l4t: str
    jetpack: str
    container: str
    kind: str
    took_s: int


def settled(context: CheckContext, *, as_json: bool, say: Callable[[str], None]) -> str:
    """Asks everything, and says meanwhile what was asked. A question without an answer is no failure."""
    begin = time.monotonic()

    def report(answer: SettledAnswer) -> None:
        say(f"{'answered' if answer.asked else 'could not ask'}: {answer.question.name}")

    answers = settle(context, report=report)
    head = header(context, took_s=time.monotonic() - begin)
    return block_json(head, answers, context) + "\n" if as_json else block(head, answers, context)


def header(context: CheckContext, *, took_s: float) -> Header:
    board = f"{context.board.module or 'unknown'} (from {context.board.source or 'nothing'})"
    jetpack = (jetpack_of(context.l4t) if context.l4t else None) or "unknown"
    l4t, container = context.l4t or "none", context.container or "unknown"
    return Header(VERSION, board, l4t, jetpack, container, context.kind, round(took_s))


def block(head: Header, answers: Sequence[SettledAnswer], context: CheckContext) -> str:
    """Ends with the SHA-256 of all lines before it, so that a block that was cut short shows."""
    lines = [
        f"jetfleet doctor --settle, form {FORM}, agent {head.agent}",
        f"board {head.board}, L4T {head.l4t}, JetPack {head.jetpack}, container {head.container}, {head.kind}",
        f"{sum(answer.asked for answer in answers)} of {len(answers)} questions answered in {head.took_s} s",
    ]
    for answer in answers:
        lines.append(f"{answer.question.name}: {answer.question.asks} (by: {answer.question.how})")
        said = redact(answer.text, context) if answer.asked else f"could not ask: {redact(answer.text, context)}"
        lines += textwrap.wrap(said, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
    text = "\n".join(lines) + "\n"
    return f"{text}digest sha256:{hashlib.sha256(text.encode()).hexdigest()}\n"


def block_json(head: Header, answers: Sequence[SettledAnswer], context: CheckContext) -> str:
    told = [
        {
            "name": answer.question.name,
            "asks": answer.question.asks,
            "asked": answer.asked,
            "text": redact(answer.text, context),
        }
        for answer in answers
    ]
    return json.dumps({"form": FORM, **vars(head), "answers": told}, indent=1, ensure_ascii=False)
