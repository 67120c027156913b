"""What an installation must know of the board: read once, from files and from two commands that only tell."""

import re
from dataclasses import dataclass
from pathlib import Path

from agent.device.board import read_board
from agent.device.files import text_of
from agent.device.nodes import groups_of, read_owner
from agent.device.release import major, read_l4t
from agent.install.nodes import allowed_nodes
from jetfleet.interpreter import PYTHON
from jetfleet.service_unit import OLDEST_SYSTEMD, python_problem, said, systemd_version

USER = "jetfleet"
_LEAST_SYSTEM_ID, _MOST_SYSTEM_ID = 100, 999
# Groups that give a board's devices to services, by the names that L4T and Ubuntu give them.
_GROUP_NAMES = ("video", "render", "i2c")
_CONTROL_NODE = "/dev/nvidiactl"
_DRIVER_NODE = re.compile(r"/dev/nvidia(ctl|\d+)")


@dataclass(frozen=True)
class BoardHost:
    """`nodes` are device nodes under /dev that CUDA and the DLA open; `groups` are (number, name) pairs of groups that
    may open such nodes. `uid` is the service user's: its own if it is there, else the one it will get.
    """

    python: str
    python_problem: str = ""
    module: str | None = None
    l4t: str | None = None
    is_jetson: bool = False
    nodes: tuple[str, ...] = ()
    groups: tuple[tuple[int, str], ...] = ()
    uid: int = _MOST_SYSTEM_ID
    gid: int = _MOST_SYSTEM_ID
    systemd: int = OLDEST_SYSTEMD
    board_file: str = ""
    engine: str = ""  # docker or podman, where a container was asked for
    has_nvidia_runtime: bool = False
    present: frozenset[str] = frozenset()  # of the files that a container is given

    @property
    def driver_nodes(self) -> tuple[str, ...]:
        """By which NVIDIA's management library sets the clocks of a discrete GPU; a Jetson's are files."""
        found = tuple(node for node in self.nodes if _DRIVER_NODE.fullmatch(node))
        return () if self.is_jetson or _CONTROL_NODE not in found else found


# What a container is given of its host, where it is there (docs/devices.md has why).
SHARED_FILES = ("/sys/firmware", "/etc/nvpmodel.conf", "/etc/nvpmodel", "/var/lib/nvpmodel", "/var/lib/dpkg/status")


def read_host(root: Path, *, engine: str = "") -> BoardHost:
    """`root` is where the board's files are looked at; what runs is asked only of the machine itself."""
    board, l4t = read_board(root, {}), read_l4t(root)
    chip, live = board.chip, root == Path("/")
    nodes = allowed_nodes(root, chip=chip, release=major(l4t))
    uid, gid = _service_ids(root)
    return BoardHost(
        python=PYTHON,
        python_problem=python_problem(Path(PYTHON)),
        module=board.module,
        l4t=l4t,
        is_jetson=chip is not None or l4t is not None,
        nodes=nodes,
        groups=_groups(root, nodes),
        uid=uid,
        gid=gid,
        systemd=systemd_version() if live else OLDEST_SYSTEMD,
        board_file=text_of(root / "etc/jetfleet/board.env") or "",
        engine=engine,
        has_nvidia_runtime=bool(engine) and live and _has_nvidia_runtime(engine),
        present=frozenset(name for name in SHARED_FILES if (root / name.lstrip("/")).exists()),
    )


def _groups(root: Path, nodes: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """By number, because the same name has another number on another board: those of the names above, and whatever
    group a node of the GPU really belongs to, but never root's."""
    known = {number: name for number, (name, _) in groups_of(root).items()}
    wanted = {number for number, name in known.items() if name in _GROUP_NAMES}
    for node in nodes:
        path = root / node.lstrip("/")
        if path.exists() and (owner := read_owner(path)).gid and owner.group_may and owner.mode & 0o006 != 0o006:
            wanted.add(owner.gid)
    return tuple((number, known.get(number, "")) for number in sorted(wanted - {0}))


def _service_ids(root: Path) -> tuple[int, int]:
    """The user's and group's number: those it has, else the highest that both lists leave free, as useradd does."""
    users, groups = (_numbers(root / name) for name in ("etc/passwd", "etc/group"))
    if USER in users:
        return users[USER], groups.get(USER, users[USER])
    taken = {*users.values(), *groups.values()}
    free = next(number for number in range(_MOST_SYSTEM_ID, _LEAST_SYSTEM_ID, -1) if number not in taken)
    return free, groups.get(USER, free)


def _numbers(path: Path) -> dict[str, int]:
    fields = (line.split(":") for line in (text_of(path) or "").splitlines())
    return {item[0]: int(item[2]) for item in fields if len(item) > 2 and item[2].isdigit()}


def _has_nvidia_runtime(engine: str) -> bool:
    """Podman lists none: its runtimes are configured by name, and tried when a container starts."""
    return "nvidia" in said(engine, "info", "--format", "{{json .Runtimes}}")
