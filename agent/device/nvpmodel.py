"""Power modes by name, from the board's own nvpmodel.conf. Ids mean other modes on other boards and releases."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.device.files import own_or_host

_MODE = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>")
_PARAMETER = re.compile(r"<\s*PARAM\b")
_IN_FORCE = re.compile(r"NV Power Mode:\s*(\S+)")
_WATTS = re.compile(r"(\d+)W")
_CORES = re.compile(r"(\d+)CORE")
_GATING = "PG_MASK"  # of GPU parts that are powered off: TPC_PG_MASK, on newer releases others beside it
_TABLES = "FREQ_TABLE"  # read by nvpmodel, never written

Gates = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PowerModes:
    """`modes` maps ids to names, in the order of the ids; `current` is a name, None where it cannot be known.

    `gates` are the masks of powered-off GPU parts of each mode, by id; `files` is what modes set, as paths from the
    root.
    """

    modes: dict[int, str]
    current: str | None = None
    gates: Mapping[int, Gates] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.modes.values())

    def id_of(self, name: str) -> int | None:
        return next((number for number, known in self.modes.items() if known == name), None)

    def needs_reboot(self, number: int) -> bool:
        """Whether another set of GPU parts is powered in that mode, which only a boot changes."""
        now = self.id_of(self.current or "")
        return now is None or self.gates.get(number) != self.gates.get(now)


def read_power_modes(root: Path) -> PowerModes:
    text = own_or_host(root, "etc/nvpmodel.conf") or ""
    modes = dict(sorted((int(number), name) for number, name in _MODE.findall(text)))
    status = re.search(r"pmode:(\d+)", own_or_host(root, "var/lib/nvpmodel/status") or "")
    current = modes.get(int(status.group(1))) if status else None
    return PowerModes(modes, current, _gates(text), tuple(dict.fromkeys(_files(text))))


def mode_in_force(said: str) -> str | None:
    """The name in what `nvpmodel -q` prints."""
    found = _IN_FORCE.search(said)
    return found.group(1) if found else None


def fastest(names: tuple[str, ...]) -> str | None:
    """The mode without a cap: MAXN_SUPER, else MAXN, else the most watts, and of those the most cores."""
    return max(names, key=_rank, default=None)


def _gates(text: str) -> dict[int, Gates]:
    """A line of a mode is: parameter, argument, value."""
    found: dict[int, list[tuple[str, str]]] = {}
    for mode, words in _lines(text):
        if mode is not None and len(words) > 2 and _GATING in words[1]:
            found.setdefault(mode, []).append((words[1], words[2]))
    return {mode: tuple(sorted(masks)) for mode, masks in found.items()}


def _files(text: str) -> Iterator[str]:
    """A line of a parameter is: argument, file. What only a boot changes, and tables, are left out."""
    for mode, words in _lines(text):
        if mode is not None or len(words) != 2 or _GATING in words[0] or words[0].startswith(_TABLES):
            continue
        if words[1].startswith("/sys/") and ".." not in words[1].split("/"):
            yield words[1].lstrip("/")


def _lines(text: str) -> Iterator[tuple[int | None, list[str]]]:
    """Words of each line, with the mode that it belongs to; None for a line of a parameter."""
    mode: int | None = None
    for line in text.splitlines():
        content = line.partition("#")[0].strip()
        if header := _MODE.search(content):
            mode = int(header.group(1))
        elif _PARAMETER.search(content):
            mode = None
        elif content and not content.startswith("<"):
            yield mode, content.split()


def _rank(name: str) -> tuple[int, int, int]:
    unlimited = {"MAXN_SUPER": 2, "MAXN": 1}.get(name, 0)
    watts, cores = _WATTS.search(name), _CORES.search(name)
    return unlimited, int(watts.group(1)) if watts else 0, int(cores.group(1)) if cores else 0
