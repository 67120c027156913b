"""Another user of the controller's machine, in a real process of that user: sockets, ports, files, /proc."""

import os
import shutil
import subprocess
import textwrap
from collections.abc import Callable

import pytest

from testing.access import enrol
from testing.boards.facts import simulated_board
from testing.processes import AgentProcess, wait_online
from tests.attack.fleet import Fleet
from tests.attack.outcome import Attack, AttackSucceeded, holds

ACTOR = "local user"
NOBODY = 65534
SETPRIV = shutil.which("setpriv")
PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or SETPRIV is None or PYTHON is None,
    reason="needs root, setpriv(1) and a Python of everybody's, to become another user",
)


def as_nobody(script: str, *arguments: str) -> str:
    """What the script prints there. Raises AttackSucceeded where it did not end by itself."""
    become = [str(SETPRIV), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    command = [*become, str(PYTHON), "-I", "-c", textwrap.dedent(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/", env={"PATH": "/usr/bin:/bin"})
    if done.returncode != 0:
        raise AttackSucceeded(f"the attack itself fell over: {done.stderr[-300:]}")
    return done.stdout.strip()


def connects_to_the_owners_socket(fleet: Fleet) -> str:
    told = as_nobody(
        """
        import socket, sys
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(sys.argv[1])
                print("connected")
            except OSError as error:
                print(type(error).__name__)
        """,
        str(fleet.controller.state_dir / "controller.sock"),
    )
    return holds(told == "PermissionError", told)


def reads_the_state_folder(fleet: Fleet) -> str:
    script = """
        import os, sys
        found = []
        for top in sys.argv[1:]:
            for folder, folders, files in os.walk(top, onerror=lambda error: None):
                for name in files:
                    path = os.path.join(folder, name)
                    try:
                        open(path, "rb").read(1)
                        found.append(path)
                    except OSError:
                        pass
        print(len(found), *found[:3])
        """
    tops = [str(fleet.controller.state_dir), *(str(fleet.folder / name) for name in ("honest", "rooted", "working"))]
    told = as_nobody(script, *tops, *(str(fleet.controller.state_dir / name) for name in ("authority", "blobs")))
    return holds(told == "0", "not one file can be read")


def knows_where_its_files_are_and_opens_them(fleet: Fleet) -> str:
    """A folder that cannot be listed can still be entered, where its modes are wrong."""
    tops = [fleet.controller.state_dir, fleet.folder / "honest", fleet.folder / "working"]
    paths = [str(path) for top in tops for path in top.rglob("*") if path.is_file()]
    script = """
        import sys
        for path in sys.stdin.read().split("\\0"):
            for mode in ("rb", "ab"):
                try:
                    open(path, mode).close()
                    print(path)
                except OSError:
                    pass
        """
    become = [str(SETPRIV), f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command = [*become, str(PYTHON), "-I", "-c", textwrap.dedent(script)]
    done = subprocess.run(command, input="\0".join(paths), capture_output=True, text=True, timeout=60, cwd="/")
    return holds(len(paths) > 10 and done.stdout == "" and done.returncode == 0, f"none of {len(paths)} files")


def plants_a_socket_in_a_shared_folder(fleet: Fleet) -> str:
    """Where a client looks for a controller that is not there yet: it would hand its jobs to whoever answers."""
    shared = fleet.folder / "shared"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o1777)
    planted = shared / "state"
    as_nobody(
        """
        import os, socket, sys
        os.umask(0)
        os.mkdir(sys.argv[1], 0o777)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(sys.argv[1] + "/controller.sock")
        """,
        str(planted),
    )
    told = [
        fleet.run("controller.cli.main", "--address", f"unix:{planted}/controller.sock", "jobs"),
        fleet.run("agent.cli", "run", "--address", f"unix:{planted}/controller.sock", "--state", f"{fleet.folder}/x"),
    ]
    return holds(all(code != 0 and "another user" in text for code, text in told), "neither side speaks to it")


def prepares_the_folder_of_a_controller_to_come(fleet: Fleet) -> str:
    """And keeps it open, so as to reach the socket in it."""
    shared = fleet.folder / "shared-2"
    shared.mkdir(exist_ok=True)
    shared.chmod(0o1777)
    as_nobody("import os, sys; os.umask(0); os.mkdir(sys.argv[1], 0o777)", str(shared / "state"))
    code, text = fleet.run("controller.cli.main", "--state", str(shared / "state"), "serve")
    return holds(code != 0, text.strip().splitlines()[0])


def speaks_to_the_ports_on_loopback(fleet: Fleet) -> str:
    told = as_nobody(
        """
        import socket, ssl, sys
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        for address in sys.argv[1:]:
            host, _, port = address.rpartition(":")
            for secured in (False, True):
                try:
                    s = socket.create_connection((host, int(port)), timeout=5)
                    s = context.wrap_socket(s) if secured else s
                    s.settimeout(1)
                    s.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
                    got = s.recv(4096)
                    while (more := s.recv(4096)) if b"HTTP/1.1" in got else b"":
                        got += more
                    print(b"jetfleet_" in got)
                except OSError:
                    pass
        """,
        fleet.controller.people_address,
        fleet.controller.agents_address,
        fleet.controller.metrics_address,
    )
    return holds("True" not in told, "no port answers without a token or a certificate")


def looks_for_secrets_in_proc(fleet: Fleet) -> str:
    """Of a controller, and of an agent that works with its key."""
    board = AgentProcess(
        fleet.folder / "working", fleet.controller.agents_address, name="working", facts=simulated_board()
    )
    enrol(fleet.owner, fleet.folder / "working", name="working")
    try:
        board.start()
        wait_online(fleet.owner, "working")
        pids = [str(pid) for process in (fleet.controller, board) for pid in (process.pid, *process.children())]
        told = as_nobody(
            """
            import sys
            for pid in sys.argv[1:]:
                for name in ("cmdline", "environ", "maps", "mem", "fd/3", "cwd/fleet.db"):
                    try:
                        print(pid, name, open(f"/proc/{pid}/{name}", "rb").read(1 << 16))
                    except OSError:
                        pass
            """,
            *pids,
        )
    finally:
        board.stop()
    readable = {line.split()[1] for line in told.splitlines()}
    secrets = [item.token for item in fleet.people.values()]
    secrets += [(fleet.folder / "working" / "credentials" / "key.pem").read_text().splitlines()[1]]
    found = any(secret in told for secret in secrets) or "JOIN_TOKEN" in told
    return holds(readable <= {"cmdline"} and not found, "only command lines, without a secret in them")


def looks_for_a_token_in_a_command_line(fleet: Fleet) -> str:
    """Every way to give one leaves it out of the command: a `--token SECRET` is refused where it would be seen."""
    line = fleet.command("enroll", "new")
    secret = next(word for word in line.split() if "JETFLEET_JOIN_TOKEN=" in word)
    return holds(line.split()[0] == secret, "it stands in the environment, which is its owner's")


ATTACKS: list[Attack] = [
    connects_to_the_owners_socket,
    plants_a_socket_in_a_shared_folder,
    prepares_the_folder_of_a_controller_to_come,
    speaks_to_the_ports_on_loopback,
    looks_for_secrets_in_proc,
    looks_for_a_token_in_a_command_line,
    reads_the_state_folder,
    knows_where_its_files_are_and_opens_them,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_another_user_of_the_machine_gets_nothing(attack: Attack, attacked: Callable[[str, Attack], None]) -> None:
    attacked(ACTOR, attack)
