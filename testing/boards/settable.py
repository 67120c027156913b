"""A board whose power modes can be set: an Orin Nano's tree with a whole nvpmodel.conf, and a program as its nvpmodel.

The program does what the real one is documented to do, in files of the tree: it sets what the mode says one after the
other, keeps the mode in its status file, and asks before it reboots. `kill-at` with a number in it has it kill itself
and its caller before that change.
"""

from dataclasses import dataclass
from pathlib import Path

from testing.boards.jetson import jetson
from testing.boards.sensors import emc
from testing.boards.tree import Tree

NVPMODEL = "usr/sbin/nvpmodel"
_STATUS = "var/lib/nvpmodel/status"
_CPU, _GPU = "/sys/devices/system/cpu/cpu{}", "/sys/class/devfreq/17000000.gpu"
_CAP = "/sys/kernel/nvpmodel_clk_cap/emc"
_CPUS = 6


@dataclass(frozen=True)
class ModeSpec:
    """What a mode sets; `gates` is the mask of GPU parts that are off."""

    name: str
    cpus: int
    cpu_khz: int
    gpu_hz: int
    emc_hz: int
    gates: int = 0


# The first is in force. Changing to the last one powers another part of the GPU.
MODES = (
    ModeSpec("15W", 6, 1497600, 612000000, 2133000000),
    ModeSpec("25W", 6, 1344000, 918000000, 3199000000),
    ModeSpec("MAXN_SUPER", 6, 1728000, 1020000000, 0),
    ModeSpec("10W", 4, 1190400, 408000000, 2133000000),
    ModeSpec("7W", 4, 960000, 408000000, 2133000000, gates=252),
)


def settable_board() -> Tree:
    tree = jetson("orin-nano-8gb", "6.2").put(emc(locked=False, rate_hz=2133000000))
    tree.drop("etc/nvpmodel", "var/lib/nvpmodel")
    tree.put({_file(name): f"{value}\n" for name, value in _writes(MODES[0])})
    return tree.put(
        {
            "etc/nvpmodel.conf": _parameters() + "".join(_section(number, mode) for number, mode in enumerate(MODES)),
            _STATUS: "pmode:0000 fmode:quiet\n",
            "sys/devices/gpu.0/tpc_pg_mask": "0\n",
            NVPMODEL: _program(),
        }
    )


def write_settable_board(root: Path) -> Path:
    settable_board().write(root)
    (root / NVPMODEL).chmod(0o755)
    return root


def contents(root: Path) -> dict[str, str]:
    """Every file of the tree, to be compared with what it was."""
    return {
        str(path.relative_to(root)): path.read_text(errors="replace")
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != "kill-at"
    }


def count_changes(number: int) -> int:
    """How many changes the program makes for a mode: the numbers for `kill-at`."""
    return len(_writes(MODES[number])) + 1


def _file(name: str) -> str:
    return name.lstrip("/")


def _writes(mode: ModeSpec) -> list[tuple[str, int]]:
    online = [(f"{_CPU.format(cpu)}/online", int(cpu < mode.cpus)) for cpu in range(_CPUS)]
    cpus = [(f"{_CPU.format(cpu)}/cpufreq/scaling_max_freq", mode.cpu_khz) for cpu in range(_CPUS)]
    return [*online, *cpus, (f"{_GPU}/max_freq", mode.gpu_hz), (_CAP, mode.emc_hz)]


def _parameters() -> str:
    online = "".join(f"CORE_{cpu} {_CPU.format(cpu)}/online\n" for cpu in range(_CPUS))
    clocks = "".join(
        f"< PARAM TYPE=CLOCK NAME=CPU_{cpu} >\n"
        f"FREQ_TABLE {_CPU.format(cpu)}/cpufreq/scaling_available_frequencies\n"
        f"MAX_FREQ {_CPU.format(cpu)}/cpufreq/scaling_max_freq\n\n"
        for cpu in range(_CPUS)
    )
    return (
        f"# constructed\n< PARAM TYPE=FILE NAME=CPU_ONLINE >\n{online}\n{clocks}"
        f"< PARAM TYPE=FILE NAME=TPC_POWER_GATING >\nTPC_PG_MASK /sys/devices/gpu.0/tpc_pg_mask\n\n"
        f"< PARAM TYPE=CLOCK NAME=GPU >\nFREQ_TABLE {_GPU}/available_frequencies\nMAX_FREQ {_GPU}/max_freq\n\n"
        f"< PARAM TYPE=CLOCK NAME=EMC >\nMAX_FREQ {_CAP}\n\n"
    )


def _section(number: int, mode: ModeSpec) -> str:
    online = "".join(f"CPU_ONLINE CORE_{cpu} {int(cpu < mode.cpus)}\n" for cpu in range(_CPUS))
    clocks = "".join(f"CPU_{cpu} MAX_FREQ {mode.cpu_khz}\n" for cpu in range(_CPUS))
    return (
        f"< POWER_MODEL ID={number} NAME={mode.name} >\n{online}TPC_POWER_GATING TPC_PG_MASK {mode.gates}\n"
        f"{clocks}GPU MAX_FREQ {mode.gpu_hz}\nEMC MAX_FREQ {mode.emc_hz}\n\n"
    )


def _program() -> str:
    names = "".join(
        f'    {number:04d}*) echo "NV Power Mode: {mode.name}"; echo {number};;\n' for number, mode in _all()
    )
    settings = "".join(f"  {number})\n{_changes(number, mode)}    ;;\n" for number, mode in _all())
    return f"""#!/bin/sh
root="${{0%/{NVPMODEL}}}"
at=; [ -r "$root/kill-at" ] && read -r at < "$root/kill-at"
change() {{ [ "$at" = "$1" ] && kill -9 $PPID $$; echo "$3" > "$root$2"; }}
if [ "$1" = -q ]; then
  read -r now < "$root/{_STATUS}"
  case "${{now#pmode:}}" in
{names}  esac
  exit 0
fi
case "$2" in
{settings}  *) echo "NVPM ERROR: invalid mode"; exit 255;;
esac
"""


def _all() -> list[tuple[int, ModeSpec]]:
    return list(enumerate(MODES))


def _changes(number: int, mode: ModeSpec) -> str:
    if mode.gates != MODES[0].gates:
        return '    echo "NVPM WARN: Reboot required for changing to this power mode"; read -r yes || exit 1\n'
    lines = [f"    change {at} {name} {value}\n" for at, (name, value) in enumerate(_writes(mode), start=1)]
    last = f'    change {len(lines) + 1} /{_STATUS} "pmode:{number:04d} fmode:quiet"\n'
    return "".join(lines) + last
