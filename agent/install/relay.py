"""What a container says of itself, handed on to systemd: ready, alive, what it does.

The processes of Docker's containers are not their unit's, and systemd believes nobody else. So the unit runs this,
which starts the engine's client, listens on a socket that the container is given, and repeats what it may say: nothing
else of what runs in there reaches systemd. It sleeps between the signs of life: no measurement is disturbed.
"""

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from jetfleet.service_manager import SOCKET_VARIABLE, send

FOLDER = "/run/jetfleet-agent"  # RuntimeDirectory of the unit
SOCKET = f"{FOLDER}/notify"
_LONGEST = 4096
_MAY_SAY = re.compile(r"READY=1|WATCHDOG=1|STOPPING=1|STATUS=[^\n]{0,300}")


def sayable(message: bytes) -> str:
    """What of a container's message is repeated."""
    lines = message.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if _MAY_SAY.fullmatch(line))


def relay(command: Sequence[str], *, path: Path, gid: int, environment: MutableMapping[str, str]) -> int:
    """Runs the engine's client until it ends, whose exit code it returns; `gid` may speak."""
    address = environment.pop(SOCKET_VARIABLE, "")
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(path))
        os.chown(path, -1, gid)
        path.chmod(0o660)
        client = _start(command, environment)
        with selectors.DefaultSelector() as selector:
            ended = os.pidfd_open(client.pid)
            try:
                selector.register(ear, selectors.EVENT_READ)
                selector.register(ended, selectors.EVENT_READ)
                while ended not in {key.fd for key, _ in selector.select()}:
                    if said := sayable(ear.recv(_LONGEST)):
                        send(address, said)
            finally:
                os.close(ended)
    return client.wait()


def _start(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """A stop of the unit asks the container to end, by ExecStop, and its client follows; a signal is handed on."""
    clients: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def hand_on(number: int, _frame: object) -> None:
        early.append(number)
        for client in clients:
            client.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, hand_on)
    client = subprocess.Popen(command, env=dict(environment), stdin=subprocess.DEVNULL)
    clients.append(client)
    for missed in list(early):  # while it was started
        client.send_signal(missed)
    return client


def main(arguments: Sequence[str]) -> int:
    """GID COMMAND..."""
    code = relay(arguments[1:], path=Path(SOCKET), gid=int(arguments[0]), environment=os.environ)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
