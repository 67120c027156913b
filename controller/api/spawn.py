"""Processes that outlive the command that starts them: an embedded controller, local agents.

Their output goes to a log in the state folder; what one said before it died is read from there.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from controller.client.credentials import BEARER_VARIABLE
from jetfleet.errors import Infrastructure, JetfleetError, kinds
from jetfleet.interpreter import PYTHON

_TAIL_BYTES = 64 << 10
# A Popen that is dropped while its process lives warns that nobody waits for it. Nobody has to: these are detached.
_STARTED: list["subprocess.Popen[bytes]"] = []


class DetachedProcess:
    """A detached `python -m MODULE`, and the part of its log that is its own."""

    def __init__(self, module: str, arguments: Sequence[str], *, log: Path, cwd: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("ab") as sink:
            self._from = sink.tell()
            self._process = subprocess.Popen(
                [PYTHON, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={name: value for name, value in os.environ.items() if name != BEARER_VARIABLE},
                cwd=cwd,  # -m puts the working folder on the path: let it be one of ours
                start_new_session=True,  # Ctrl-C is for the command, not for what it leaves running
            )
        _STARTED.append(self._process)

    def exit_code(self) -> int | None:
        return self._process.poll()

    def terminate(self, *, grace_s: float) -> None:
        """For a process that ends with its starter after all."""
        self._process.terminate()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def error(self, what: str) -> JetfleetError:
        """Why the process stopped: the project's error if it printed one as JSON, else its last line."""
        lines = self._said()
        for line in reversed(lines):
            if found := parse_error(line):
                return found
        told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        last = f": {(told or lines)[-1]}" if lines else ""
        return Infrastructure(f"{what} stopped with exit code {self.exit_code()}{last}", hint=f"see {self.log}")

    def _said(self) -> list[str]:
        with self.log.open("rb") as file:
            end = file.seek(0, 2)
            file.seek(max(self._from, end - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()]


def parse_error(line: str) -> JetfleetError | None:
    """The error that a line of `--json` output holds, if it holds one."""
    try:
        record = json.loads(line)["error"]
        kind = kinds()[record["kind"]]
        return kind(record["message"], where=record["where"], expected=record["expected"], hint=record["fix"])
    except (ValueError, KeyError, TypeError):
        return None
