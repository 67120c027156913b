"""Checks as people read them: one line each, and below it what to do; and as JSON for programs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from agent.doctor.check import CheckResult, State

_COLOURS: dict[State, str] = {"ok": "32", "warn": "33", "fail": "31;1", "skip": "90"}


def row(check: CheckResult, *, width: int, colour: bool) -> str:
    """The line of a check; `width` is that of the longest name."""
    state = f"{check.state:<4}"
    if colour:
        state = f"\x1b[{_COLOURS[check.state]}m{state}\x1b[0m"
    said = check.why if check.state == "skip" else check.found
    lines = [f"{state}  {check.name:<{width}}  {said}"]
    indent = " " * (6 + width + 2)
    if check.state != "skip" and check.why:
        lines.append(f"{indent}why: {check.why}")
    if check.fix:
        lines.append(f"{indent}fix: {check.fix}")
    return "\n".join(lines)


def verdict(checks: Sequence[CheckResult]) -> str:
    count = {state: sum(check.state == state for check in checks) for state in _COLOURS}
    parts = [f"{count['ok']} ok", f"{count['warn']} to look at", f"{count['fail']} failed", f"{count['skip']} skipped"]
    return ", ".join(parts)


def as_json(checks: Iterable[CheckResult]) -> str:
    """A list of objects: name, state, found, why, fix."""
    return json.dumps([{"name": check.name, **asdict(check)} for check in checks], indent=1, ensure_ascii=False)
