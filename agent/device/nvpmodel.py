"""Power modes by name, from the board's own nvpmodel.conf. Ids mean other modes on other boards and releases."""

import re
from dataclasses import dataclass
from pathlib import Path

from agent.device.files import own_or_host

_MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>")
_WATTS = re.compile(r"(\d+)W")
_CORES = re.compile(r"(\d+)CORE")


@dataclass(frozen=True)
class PowerModes:
    """`modes` maps ids to names, in the order of the ids; `current` is a name, None where it cannot be known."""

    modes: dict[int, str]
    current: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.modes.values())

    def id_of(self, name: str) -> int | None:
        return next((number for number, known in self.modes.items() if known == name), None)


def read_power_modes(root: Path) -> PowerModes:
    found = _MODE.findall(own_or_host(root, "etc/nvpmodel.conf") or "")
    modes = dict(sorted((int(number), name) for number, name in found))
    status = re.search(r"pmode:(\d+)", own_or_host(root, "var/lib/nvpmodel/status") or "")
    return PowerModes(modes, modes.get(int(status.group(1))) if status else None)


def fastest(names: tuple[str, ...]) -> str | None:
    """The mode without a cap: MAXN_SUPER, else MAXN, else the most watts, and of those the most cores."""
    return max(names, key=_rank, default=None)


def _rank(name: str) -> tuple[int, int, int]:
    unlimited = {"MAXN_SUPER": 2, "MAXN": 1}.get(name, 0)
    watts, cores = _WATTS.search(name), _CORES.search(name)
    return unlimited, int(watts.group(1)) if watts else 0, int(cores.group(1)) if cores else 0
