"""Asking the helper: the agent's side of its socket."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.helper.protocol import BadFrame, frame, parse_answer
from agent.helper.server import receive
from jetfleet.errors import Infrastructure

SOCKET = Path("/run/jetfleet/helper.sock")
_VARIABLE = "JETFLEET_HELPER"
_ANSWER_S = 120.0  # nvpmodel takes seconds, and a change that is refused is put back before the answer


def helper_socket(env: Mapping[str, str]) -> Path:
    """Where the helper listens: its service's socket, unless JETFLEET_HELPER says otherwise."""
    return Path(env.get(_VARIABLE) or SOCKET)


def ask(verb: str, *, path: Path = SOCKET, **arguments: int) -> dict[str, Any]:
    """What it answers, refusals too. Raises Infrastructure where nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_S)
        try:
            connection.connect(str(path))
            connection.sendall(frame({"verb": verb, **arguments}))
            return parse_answer(receive(connection))
        except (OSError, BadFrame) as error:
            hint = "sudo systemctl start jetfleet-helper.socket"
            raise Infrastructure(f"the helper does not answer: {error}", where=str(path), hint=hint) from None
