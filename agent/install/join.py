"""Enrolment where the agent is a service: in its state folder, as its user, and started afterwards."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from agent.install.command import as_service_user
from agent.install.host import read_host
from agent.install.plan import AGENT_UNIT, STATE_DIR, UNIT_DIR

_STATE_LOCKED = 4  # the agent runs; what else ends with 4 does so again


def is_service_here() -> bool:
    """Whether whoever enrols is root, on a board whose agent is a service."""
    return os.geteuid() == 0 and Path(UNIT_DIR, AGENT_UNIT).exists()


def enroll_service(words: Sequence[str], *, secret_variable: str, secret: str) -> int:
    """`agent enroll` in a process of the service's user, which gets the token in its environment; then the start.

    An agent that runs holds its state folder: it is stopped where the enrolment needs that, and only there.
    """
    command = as_service_user(read_host(Path("/")), "enroll", *words, "--state", STATE_DIR)
    env = {**os.environ, "HOME": STATE_DIR, "USER": "jetfleet", secret_variable: secret}

    def once() -> int:
        return subprocess.run(command, env=env, cwd="/", stdin=subprocess.DEVNULL, check=False).returncode

    code = once()
    if code == _STATE_LOCKED and _is_active():
        _systemctl("stop")
        code = once()
    _systemctl("start")
    return code


def _is_active() -> bool:
    return _systemctl("is-active", "--quiet") == 0


def _systemctl(*words: str) -> int:
    return subprocess.run(["systemctl", *words, AGENT_UNIT], stdin=subprocess.DEVNULL, check=False).returncode
