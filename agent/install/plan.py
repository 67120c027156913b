"""What `agent install` and `agent uninstall` do on a board, decided from what is known of it: pure.

The state folder, and the identity in it, is nobody's business here: an install finds it as it is, an uninstall leaves
it, for root alone, unless it is to go too.
"""

from dataclasses import dataclass
from pathlib import Path

from agent.install.container import container_unit
from agent.install.host import USER, BoardHost
from jetfleet.installation import RemoveEmptyFolder, RemovePath, RunCommand, Step, WriteFile
from jetfleet.service_unit import render, restart_steps

STATE_DIR = "/var/lib/jetfleet"
SETTINGS_DIR = "/etc/jetfleet"
AGENT_UNIT, HELPER_UNIT, HELPER_SOCKET = "jetfleet-agent.service", "jetfleet-helper.service", "jetfleet-helper.socket"
UNIT_DIR = "/etc/systemd/system"
SYSUSERS = "/usr/lib/sysusers.d/jetfleet.conf"
_TEMPLATES = Path(__file__).with_name("units")
_AGENT_ENV, _BOARD_ENV = f"{SETTINGS_DIR}/agent.env", f"{SETTINGS_DIR}/board.env"
_MADE_BY_US = ("JETFLEET_MODULE", "JETFLEET_L4T", "JETFLEET_GROUPS")

_AGENT_ENV_TEXT = """\
# Read by jetfleet-agent.service, and yours: an upgrade leaves it alone. Then: systemctl restart jetfleet-agent
# No secret belongs here: what this board is known by lies in /var/lib/jetfleet.
# Options of `agent run`, such as: --label rack=a --threads 4 --drain-seconds 60
JETFLEET_AGENT_OPTIONS=
"""


@dataclass(frozen=True)
class Wanted:
    """`image` is that of a container; None installs natively."""

    image: str | None = None


def install_steps(host: BoardHost, wanted: Wanted) -> list[Step]:
    """Run twice, the second changes nothing and disturbs nothing."""
    return [
        WriteFile(SYSUSERS, _sysusers(host)),
        RunCommand(("systemd-sysusers", SYSUSERS)),
        RunCommand(("install", "--directory", "--mode=0700", f"--owner={USER}", f"--group={USER}", STATE_DIR)),
        RunCommand(("chown", "--recursive", f"{USER}:{USER}", STATE_DIR)),
        WriteFile(_BOARD_ENV, board_file(host)),
        WriteFile(_AGENT_ENV, _AGENT_ENV_TEXT, mode=0o600, keep=True),
        WriteFile(f"{UNIT_DIR}/{AGENT_UNIT}", agent_unit(host, wanted)),
        WriteFile(f"{UNIT_DIR}/{HELPER_UNIT}", helper_unit(host)),
        WriteFile(f"{UNIT_DIR}/{HELPER_SOCKET}", render(_TEMPLATES / HELPER_SOCKET)),
        RunCommand(("systemctl", "daemon-reload")),
        RunCommand(("systemctl", "enable", AGENT_UNIT, HELPER_SOCKET)),
        RunCommand(("systemctl", "stop", HELPER_UNIT), if_changed=True),
        RunCommand(("systemctl", "start", HELPER_SOCKET)),
        RunCommand(("systemctl", "restart", AGENT_UNIT), if_changed=True),
        RunCommand(("systemctl", "start", AGENT_UNIT)),
    ]


def uninstall_steps(*, purge: bool) -> list[Step]:
    """A user's number may be given to another one later: what is left of the state is root's, with the key in it."""
    state: Step = (
        RemovePath(STATE_DIR) if purge else RunCommand(("chown", "--recursive", "root:root", STATE_DIR), may_fail=True)
    )
    return [
        RunCommand(("systemctl", "disable", "--now", AGENT_UNIT, HELPER_SOCKET, HELPER_UNIT), may_fail=True),
        RunCommand(("systemctl", "reset-failed", AGENT_UNIT, HELPER_UNIT), may_fail=True),
        *(RemovePath(f"{UNIT_DIR}/{name}{more}") for name in _UNITS for more in ("", ".d")),
        RunCommand(("systemctl", "daemon-reload")),
        RemovePath(SYSUSERS),
        RemovePath(_AGENT_ENV),
        RemovePath(_BOARD_ENV),
        RemoveEmptyFolder(SETTINGS_DIR),
        RemovePath("/run/jetfleet"),
        RemovePath("/var/lib/jetfleet-helper"),
        state,
        RunCommand(("userdel", USER), may_fail=True),
    ]


_UNITS = (AGENT_UNIT, HELPER_UNIT, HELPER_SOCKET)


def agent_unit(host: BoardHost, wanted: Wanted) -> str:
    if wanted.image is not None:
        return container_unit(host, wanted.image)
    numbers = " ".join(str(number) for number, _ in host.groups)
    return render(
        _TEMPLATES / AGENT_UNIT,
        python=host.python,
        groups=f"SupplementaryGroups={numbers}" if numbers else "",
        devices="\n".join(f"DeviceAllow={node} rw" for node in host.nodes),
        restart=restart_steps(host.systemd),
    )


def helper_unit(host: BoardHost) -> str:
    """A discrete GPU's clocks are set through its driver, which wants its nodes open and an administrator: whoever has
    CAP_SYS_ADMIN. What else that would allow, the unit's other lines forbid."""
    nodes = host.driver_nodes
    opened = "\n".join(["PrivateDevices=no", *(f"DeviceAllow={node} rw" for node in nodes)])
    return render(
        _TEMPLATES / HELPER_UNIT,
        python=host.python,
        capabilities="CAP_SYS_ADMIN" if nodes else "",
        devices=opened if nodes else "PrivateDevices=yes",
    )


def board_file(host: BoardHost) -> str:
    """What the hardware says beats what is written there; lines of other names, and what nobody knows now, stay."""
    known = {
        "JETFLEET_MODULE": host.module or "",
        "JETFLEET_L4T": host.l4t or "",
        "JETFLEET_GROUPS": ",".join(str(number) for number, _ in host.groups),
    }
    made = [f"{name}={known[name]}" for name in _MADE_BY_US if known[name]]
    replaced = {line.partition("=")[0] for line in made}
    kept = [line for line in host.board_file.splitlines() if line.partition("=")[0].strip() not in replaced]
    head = "# What this board is, found by `agent install`; add JETFLEET_DLA_COMPILER and the like below."
    return "\n".join([head, *made, *(line for line in kept if line != head)]) + "\n"


def _sysusers(host: BoardHost) -> str:
    """The name is in the groups too, for `sudo -u jetfleet agent doctor`; the unit goes by their numbers."""
    user = f'u {USER} {host.uid}:{host.gid} "jetfleet agent" {STATE_DIR} /usr/sbin/nologin'
    group = f"g {USER} {host.gid}"
    return "\n".join([group, user, *(f"m {USER} {name}" for _, name in host.groups if name)]) + "\n"
