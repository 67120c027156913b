"""The unit that runs the agent's container: what it is given of its board, and nothing else. Pure.

Type=notify and a watchdog as natively, by way of agent.install.relay.
"""

from pathlib import Path

from agent.install.host import BoardHost
from agent.install.relay import FOLDER, SOCKET
from jetfleet.service_manager import PERIOD_VARIABLE, SOCKET_VARIABLE
from jetfleet.service_unit import render, restart_steps

_TEMPLATE = Path(__file__).with_name("units") / "jetfleet-agent-container.service"
_WATCHDOG_S = 30
# Docker masks /sys/firmware, and dpkg's list is the image's own: both are read below /host (docs/devices.md).
_MOUNTED_AT = {"/sys/firmware": "/host/sys/firmware", "/var/lib/dpkg/status": "/host/var/lib/dpkg/status"}


_CLIENT_LIMITS = """\
NoNewPrivileges=yes
ProtectHome=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native"""


def container_unit(host: BoardHost, image: str) -> str:
    return render(
        _TEMPLATE,
        engine=host.engine,
        engine_path=f"/usr/bin/{host.engine}",
        wants="Wants=docker.service" if host.engine == "docker" else "",
        uid=str(host.uid),
        gid=str(host.gid),
        image=image,
        python=host.python,
        client_limits=_CLIENT_LIMITS if host.engine == "docker" else "",
        watchdog=str(_WATCHDOG_S),
        run_options=" ".join(run_options(host)),
        restart=restart_steps(host.systemd),
    )


def run_options(host: BoardHost) -> list[str]:
    """Of `docker run`, and podman's. Devices come with the NVIDIA runtime: --gpus is refused on L4T 36."""
    mounts = ["/var/lib/jetfleet", "/run/lock", "/run/jetfleet"]
    mounts.append("/etc/jetfleet/board.env:/etc/jetfleet/board.env:ro")
    mounts.append(FOLDER)
    mounts += [f"{path}:{_MOUNTED_AT.get(path, path)}:ro" for path in sorted(host.present)]
    return [
        "--rm",
        "--name=jetfleet-agent",
        "--pull=never",
        "--log-driver=none",  # the journal has what it says, and keeps it within bounds
        *(["--runtime=nvidia"] if host.has_nvidia_runtime else []),
        "--network=host",
        f"--user={host.uid}:{host.gid}",
        *(f"--group-add={number}" for number, _ in host.groups),
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--tmpfs=/tmp",
        "--env-file=/etc/jetfleet/agent.env",
        "--env=HOME=/var/lib/jetfleet",
        f"--env={SOCKET_VARIABLE}={SOCKET}",
        f"--env={PERIOD_VARIABLE}={_WATCHDOG_S * 1_000_000}",
        *(f"--volume={mount if ':' in mount else f'{mount}:{mount}'}" for mount in mounts),
    ]
