"""The text of units: templates of this package with what is true of one board filled in."""

import re
from collections.abc import Mapping
from pathlib import Path

from jetfleet.version import VERSION

_TEMPLATES = Path(__file__).with_name("units")
_PLACE = re.compile(r"@([A-Z_]+)@")
_STEPPED_RESTART = 254  # systemd's first release that waits longer after every failure
_STEPS = "RestartSteps=6\nRestartMaxDelaySec=60"


def render(template: str, **values: str) -> str:
    """A line that is nothing but an empty value is left out. Raises KeyError for a place without its value."""
    known: Mapping[str, str] = {"VERSION": VERSION, **{name.upper(): value for name, value in values.items()}}
    lines = []
    for line in (_TEMPLATES / template).read_text().splitlines():
        filled = _PLACE.sub(lambda found: known[found.group(1)], line)
        if filled or not line:
            lines.append(filled)
    return "\n".join(lines) + "\n"


def restart_steps(systemd: int) -> str:
    """Ubuntu 22.04's systemd, 249, warns of keys that it does not know: they are not written for it."""
    return _STEPS if systemd >= _STEPPED_RESTART else ""
