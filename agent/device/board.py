"""Which board this is: the id of its module, and where that was read. Never from CUDA's name, "Orin" on every Orin.

The first source that names a module wins, the hardware's own before what somebody said of it:

device-tree       /proc/device-tree/compatible
host-device-tree  /host/sys/firmware/devicetree/base/compatible, bound because Docker masks /sys/firmware
board-file        JETFLEET_MODULE= in /etc/jetfleet/board.env, which a unit may write on the host and bind
environment       JETFLEET_MODULE, `docker run -e JETFLEET_MODULE=p3767-0003`
boot-control      TNSPEC or COMPATIBLE_SPEC of /etc/nv_boot_control.conf
model             Thor only, as NVIDIA's own scripts go on: the name of the board,
memory            then its size (96 GB and more is a T5000, 32 GB and more a T4000)

Where the tree is masked, L4T 38 says that it is a Thor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.device.files import own_or_host, text_of, words_of
from agent.device.release import major, read_l4t
from jetfleet.modules import MODULES, THOR, Chip, Module, chip_of, claimed_module, module_id, module_of_spec

MODULE_VARIABLE = "JETFLEET_MODULE"
BOARD_FILE = "etc/jetfleet/board.env"
TREES = {"device-tree": "proc/device-tree", "host-device-tree": "host/sys/firmware/devicetree/base"}
_GB = 1000**3
_THOR_ALONE = 38  # a line of L4T


@dataclass(frozen=True)
class BoardIdentity:
    """`module` is an id, known to the table or not; `source` says where it was read; `model` is the tree's own name."""

    module: str | None = None
    source: str | None = None
    model: str | None = None
    chip: Chip | None = None

    @property
    def known(self) -> Module | None:
        return MODULES.get(self.module or "")


def read_board(root: Path, env: Mapping[str, str]) -> BoardIdentity:
    """Nothing is known of what is not a Jetson."""
    words = tuple(word for tree in TREES.values() for word in words_of(root / tree / "compatible"))
    model = next((text for tree in TREES.values() if (text := text_of(root / tree / "model"))), None)
    chip = chip_of(words) if words else _chip_by_release(root)
    for source, read in _sources(root, env, chip=chip, model=model).items():
        if module := read():
            known = MODULES.get(module)
            return BoardIdentity(module, source, model, known.chip if known else chip)
    return BoardIdentity(model=model, chip=chip)


def _chip_by_release(root: Path) -> Chip | None:
    """Where the tree is masked: L4T 38 is for Thor alone; 36 and 39 do not tell one module from another."""
    return THOR if major(read_l4t(root)) == _THOR_ALONE else None


def _sources(
    root: Path, env: Mapping[str, str], *, chip: Chip | None, model: str | None
) -> dict[str, Callable[[], str | None]]:
    """What may name the module, the most reliable first."""
    return {
        **{name: _tree_reader(root / tree) for name, tree in TREES.items()},
        "board-file": lambda: claimed_module(_board_file(root).get(MODULE_VARIABLE, "")),
        "environment": lambda: claimed_module(env.get(MODULE_VARIABLE, "")),
        "boot-control": lambda: _boot_control(root),
        "model": lambda: "p3834-0008" if chip is THOR and model and "AGX Thor" in model else None,
        "memory": lambda: _thor_by_memory(memory_bytes(root)) if chip is THOR else None,
    }


def conflicting_claim(root: Path, env: Mapping[str, str], module: str | None) -> str | None:
    """What the environment or the board file claims, where the hardware's own word won over it."""
    claims = (_board_file(root).get(MODULE_VARIABLE), env.get(MODULE_VARIABLE))
    return next((claim for claim in claims if claim and (not module or claimed_module(claim) != module)), None)


def memory_bytes(root: Path) -> int | None:
    """MemTotal: what the kernel has, a little less than the module is sold with."""
    for line in (text_of(root / "proc/meminfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal" and value.split()[:1] and value.split()[0].isdigit():
            return int(value.split()[0]) * 1024
    return None


def setting(root: Path, env: Mapping[str, str], variable: str) -> str | None:
    """A variable of the board file, else of the environment."""
    return _board_file(root).get(variable) or env.get(variable) or None


def _tree_reader(tree: Path) -> Callable[[], str | None]:
    return lambda: next(filter(None, map(module_id, words_of(tree / "compatible"))), None)


def _board_file(root: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in (text_of(root / BOARD_FILE) or "").splitlines())
    return {name.strip(): value.strip().strip("\"'") for name, equals, value in lines if equals}


def _boot_control(root: Path) -> str | None:
    lines = (own_or_host(root, "etc/nv_boot_control.conf") or "").splitlines()
    specs = (line for key in ("TNSPEC", "COMPATIBLE_SPEC") for line in lines if line.startswith(key))
    return next(filter(None, map(module_of_spec, specs)), None)


def _thor_by_memory(total: int | None) -> str | None:
    if total is None or total < 32 * _GB:
        return None
    return "p3834-0008" if total >= 96 * _GB else "p3834-0000"
