"""`agent install` and `agent uninstall`: read the board, decide what to do, show it or do it, and look at the end."""

import argparse
import os
import subprocess
from pathlib import Path

from agent.install.host import USER, BoardHost, read_host
from agent.install.plan import STATE_DIR, Wanted, install_steps, uninstall_steps
from jetfleet.errors import BadInput, Infrastructure
from jetfleet.installation import apply, show
from jetfleet.releases import agent_image
from jetfleet.version import VERSION

_ENROLLED = f"{STATE_DIR}/credentials/certificate.pem"


def add_install_arguments(install: argparse.ArgumentParser, *, exit_codes: str) -> None:
    install.epilog = (
        "Run again, it changes what differs and disturbs nothing else; after an upgrade the agent is restarted and is "
        f"the same board as before. Ends with what `agent doctor` says, and with its exit code. {exit_codes}"
    )
    how = install.add_mutually_exclusive_group(required=True)
    how.add_argument("--native", action="store_true", help="the service runs this Python's agent")
    how.add_argument("--container", action="store_true", help="the service runs a container; needs docker or podman")
    install.add_argument("--image", metavar="REF", help="image of --container [default: this board's, by its L4T]")
    _add_common(install)


def add_uninstall_arguments(uninstall: argparse.ArgumentParser, *, exit_codes: str) -> None:
    uninstall.epilog = f"The package itself is removed by what installed it. {exit_codes}"
    uninstall.add_argument(
        "--purge", action="store_true", help=f"remove {STATE_DIR} too: the board's key, and results not sent yet"
    )
    _add_common(uninstall)


def _add_common(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dry-run", action="store_true", help="print every file and command, and do nothing")
    verb.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="write below another folder than /, an image's for instance, and run no command",
    )


def install(options: argparse.Namespace) -> int:
    root = _root(options)
    _check_image(options)
    host = read_host(root, engine=_engine(root) if options.container else "")
    image = (options.image or agent_image(VERSION, host.l4t)) if options.container else None
    steps, refusals = install_steps(host, Wanted(image)), problems(host, image)
    if options.dry_run:
        show(steps, print)
        for refusal in refusals:
            print(f"it would be refused: {refusal.message}")
        return 0
    _need_root(root)
    if refusals:
        raise refusals[0]
    if not apply(steps, root=root, say=print):
        print("nothing had to be changed")
    return _look(host, image) if root == Path("/") else 0


def _check_image(options: argparse.Namespace) -> None:
    if options.image and not options.container:
        raise BadInput("an image is of use in a container only", where="--image", expected="--container --image REF")


def _look(host: BoardHost, image: str | None) -> int:
    """What became of it. A container's doctor is inside of it: `docker exec jetfleet-agent agent doctor`."""
    if not Path(_ENROLLED).exists():
        print("not enrolled yet: as root, run here the line that `controller enroll new` prints; it starts the agent")
    return 0 if image is not None else _doctor(host)


def uninstall(options: argparse.Namespace) -> int:
    root = _root(options)
    steps = uninstall_steps(purge=options.purge)
    if options.dry_run:
        show(steps, print)
        return 0
    _need_root(root)
    apply(steps, root=root, say=print)
    if not options.purge:
        print(f"{STATE_DIR} is left, with this board's key; `agent uninstall --purge` removes it too")
    return 0


def as_service_user(host: BoardHost, *words: str) -> list[str]:
    """The command line that runs this agent's verb as the service runs: its user, and its groups by number."""
    groups = ",".join(str(number) for number, _ in host.groups)
    chosen = f"--groups={groups}" if groups else "--clear-groups"
    become = ["setpriv", f"--reuid={host.uid}", f"--regid={host.gid}", chosen, "--no-new-privs"]
    return [*become, host.python, "-I", "-m", "agent.cli", *words]


def _doctor(host: BoardHost) -> int:
    print(f"agent doctor, as user {USER}:", flush=True)
    command = as_service_user(host, "doctor", "--state", STATE_DIR)
    env = {**os.environ, "HOME": STATE_DIR, "USER": USER}
    return subprocess.run(command, env=env, cwd="/", stdin=subprocess.DEVNULL, check=False).returncode


def _root(options: argparse.Namespace) -> Path:
    root: Path = options.root
    if not root.is_dir():
        raise BadInput("there is no such folder", where=f"--root {root}")
    return root.resolve()


def _need_root(root: Path) -> None:
    if root == Path("/") and os.geteuid() != 0:
        raise Infrastructure("only root may install a service", hint="sudo, or --dry-run to see what it would do")


def _engine(root: Path) -> str:
    for name in ("docker", "podman"):
        if (root / f"usr/bin/{name}").exists():
            return name
    raise Infrastructure(
        "neither /usr/bin/docker nor /usr/bin/podman is here",
        hint="sudo apt-get install docker.io nvidia-container, or agent install --native",
    )


def problems(host: BoardHost, image: str | None) -> list[Infrastructure]:
    """What would make a service that cannot work, or that others could take over."""
    found = []
    if host.python_problem:
        hint = "python3 -m venv --system-site-packages /opt/jetfleet as root; install the agent there and use that one"
        found.append(Infrastructure(f"the services could not run this Python: {host.python_problem}", hint=hint))
    if image is not None and host.is_jetson and host.engine == "docker" and not host.has_nvidia_runtime:
        what = "docker does not know the runtime nvidia, which brings the GPU into a container"
        hint = "sudo apt-get install nvidia-container; sudo nvidia-ctk runtime configure; sudo systemctl restart docker"
        found.append(Infrastructure(what, hint=hint))
    return found
