"""Texts of systemd units from templates, and what they must know of a machine: its systemd, the Python they run."""

import re
import stat
import subprocess
from pathlib import Path

from jetfleet.version import VERSION

OLDEST_SYSTEMD = 249  # Ubuntu 22.04; where none can be asked, the oldest is written for
_PLACE = re.compile(r"@([A-Z_]+)@")
_STEPPED_RESTART = 254  # systemd's first release that waits longer after every failure
_STEPS = "RestartSteps=6\nRestartMaxDelaySec=60"
# ProtectHome and PrivateTmp hide them.
_UNSEEN = ("root", "home", "run/user", "tmp", "var/tmp")


def render(template: Path, **values: str) -> str:
    """A line that is nothing but an empty value is left out. Raises KeyError for a place without its value."""
    known = {"VERSION": VERSION, **{name.upper(): value for name, value in values.items()}}
    lines = []
    for line in template.read_text().splitlines():
        filled = _PLACE.sub(lambda found: known[found.group(1)], line)
        if filled or not line:
            lines.append(filled)
    return "\n".join(lines) + "\n"


def restart_steps(systemd: int) -> str:
    """Ubuntu 22.04's systemd, 249, warns of keys that it does not know: they are not written for it."""
    return _STEPS if systemd >= _STEPPED_RESTART else ""


def systemd_version() -> int:
    found = re.match(r"systemd (\d+)", said("systemctl", "--version"))
    return int(found.group(1)) if found else OLDEST_SYSTEMD


def said(*command: str) -> str:
    """What a command that only tells prints; empty where it cannot."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def python_problem(python: Path) -> str:
    """Why a service of another user cannot run this Python, or should not; empty where all is well."""
    for home in _UNSEEN:
        if str(python).startswith(f"/{home}/"):
            return f"{python} lies below /{home}, which the service does not see"
    for folder in (python.parent, *python.parent.parents):
        found = folder.stat()
        if not found.st_mode & 0o001:
            return f"{folder} is closed to other users"
        if found.st_uid or (found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX):
            return f"{folder} can be changed by others than root, who would change the service with it"
    return ""
