"""What `controller install` and `controller uninstall` do on a machine: pure. The state folder is left as found."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from jetfleet.installation import RemoveEmptyFolder, RemovePath, RunCommand, Step, WriteFile
from jetfleet.service_unit import render, restart_steps

USER = "jetfleet-controller"
STATE_DIR = "/var/lib/jetfleet-controller"
UNIT = "jetfleet-controller.service"
_UNIT_PATH = f"/etc/systemd/system/{UNIT}"
_SYSUSERS = "/usr/lib/sysusers.d/jetfleet-controller.conf"
_SETTINGS_DIR = "/etc/jetfleet"
_ENV = f"{_SETTINGS_DIR}/controller.env"
_TEMPLATE = Path(__file__).with_name("units") / UNIT
_ENV_TEXT = """\
# Read by jetfleet-controller.service, and yours: an upgrade leaves it alone. After a change:
# systemctl restart jetfleet-controller
# More options of `controller serve`, such as: --min-free 5
JETFLEET_CONTROLLER_OPTIONS=
"""


@dataclass(frozen=True)
class ControllerHost:
    """`hosts` are names and addresses by which boards reach this machine."""

    python: str
    listen: str
    agents: str
    hosts: tuple[str, ...] = ()
    systemd: int = 249


def install_steps(host: ControllerHost) -> list[Step]:
    """Run twice, the second changes nothing and disturbs nothing."""
    return [
        WriteFile(_SYSUSERS, f'u {USER} - "jetfleet controller" {STATE_DIR} /usr/sbin/nologin\n'),
        RunCommand(("systemd-sysusers", _SYSUSERS)),
        RunCommand(("install", "--directory", "--mode=0700", f"--owner={USER}", f"--group={USER}", STATE_DIR)),
        RunCommand(("chown", "--recursive", f"{USER}:{USER}", STATE_DIR)),
        WriteFile(_ENV, _ENV_TEXT, mode=0o600, keep=True),
        WriteFile(_UNIT_PATH, controller_unit(host)),
        RunCommand(("systemctl", "daemon-reload")),
        RunCommand(("systemctl", "enable", UNIT)),
        RunCommand(("systemctl", "restart", UNIT), if_changed=True),
        RunCommand(("systemctl", "start", UNIT)),
    ]


def uninstall_steps(*, purge: bool) -> list[Step]:
    """What is left of the state is root's: a user's number may be given to another one later."""
    chown = RunCommand(("chown", "--recursive", "root:root", STATE_DIR), may_fail=True)
    return [
        RunCommand(("systemctl", "disable", "--now", UNIT), may_fail=True),
        RunCommand(("systemctl", "reset-failed", UNIT), may_fail=True),
        RemovePath(_UNIT_PATH),
        RemovePath(f"{_UNIT_PATH}.d"),
        RunCommand(("systemctl", "daemon-reload")),
        RemovePath(_SYSUSERS),
        RemovePath(_ENV),
        RemoveEmptyFolder(_SETTINGS_DIR),
        RemovePath(STATE_DIR) if purge else chown,
        RunCommand(("userdel", USER), may_fail=True),
    ]


def controller_unit(host: ControllerHost) -> str:
    words = ["--listen", host.listen, "--agents", host.agents]
    words += [word for name in host.hosts for word in ("--host", name)]
    return render(_TEMPLATE, python=host.python, serve_options=shlex.join(words), restart=restart_steps(host.systemd))
