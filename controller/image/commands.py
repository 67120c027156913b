"""The commands that make an image, keep it in a file and run it on a board, as words and as text to paste. Pure."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from controller.image.recipe import CONTROLLER, JETSON, ImageRecipe
from jetfleet.errors import BadInput

ENGINES = ("docker", "podman")
ARCHITECTURES = ("x86_64", "aarch64")
_APT_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]+=[A-Za-z0-9.+:~-]+")

# As `agent install --container` has it, for a board on which nothing but the engine is installed.
_CONFINED = (
    "--user 10001:10001 --read-only --cap-drop=ALL --security-opt=no-new-privileges --tmpfs /tmp "
    "--volume jetfleet-agent:/var/lib/jetfleet"
)
_HOST_FILES = (
    ("/sys/firmware", "/host/sys/firmware"),
    ("/var/lib/dpkg/status", "/host/var/lib/dpkg/status"),
    ("/etc/nvpmodel.conf", "/etc/nvpmodel.conf"),
    ("/etc/nvpmodel", "/etc/nvpmodel"),
    ("/var/lib/nvpmodel", "/var/lib/nvpmodel"),
    ("/etc/jetfleet/board.env", "/etc/jetfleet/board.env"),
)


def check_choices(*, engine: str, arch: str, apt: Sequence[str]) -> None:
    """Raises BadInput."""
    if engine not in ENGINES:
        raise BadInput(f"{engine!r} is not a valid engine", where="--engine", expected=" or ".join(ENGINES))
    if arch not in ARCHITECTURES:
        raise BadInput(f"{arch!r} is not a valid machine", where="--arch", expected=" or ".join(ARCHITECTURES))
    for package in apt:
        if not _APT_PACKAGE.fullmatch(package):
            raise BadInput(
                f"{package!r} names no package with its version", where="--apt", expected="--apt g++=4:11.2.0-1ubuntu1"
            )


def build_command(
    recipe: ImageRecipe, engine: str, *, dockerfile: Path, context: Path, apt: Sequence[str] = ()
) -> list[str]:
    """Without the network, unless packages of apt are named; bases that are not there yet are pulled all the same."""
    arguments = {"BASE_IMAGE": recipe.base}
    if recipe.build_base:
        arguments["BUILD_IMAGE"] = recipe.build_base
    if apt:
        arguments["APT_PACKAGES"] = " ".join(apt)
    # The format that knows of health checks, which is not podman's own.
    words = [engine, "build", *(["--format", "docker"] if engine == "podman" else [])]
    words += [] if apt else ["--network", "none"]
    for name, value in arguments.items():
        words += ["--build-arg", f"{name}={value}"]
    return [*words, "--tag", recipe.tag, "--file", str(dockerfile), str(context)]


def save_command(recipe: ImageRecipe, engine: str, archive: Path) -> list[str]:
    """`docker load` and `podman load` both read the file."""
    form = ["--format", "docker-archive"] if engine == "podman" else []
    return [engine, "save", *form, "--output", str(archive), recipe.tag]


def run_script(recipe: ImageRecipe, engine: str) -> str:
    """To be pasted on the machine that runs it."""
    if recipe.dockerfile == CONTROLLER:
        return _controller_script(recipe, engine)
    is_jetson = recipe.dockerfile == JETSON
    lines = [f"# Where it runs; with jetfleet on the board rather: sudo agent install --container --image {recipe.tag}"]
    if is_jetson and engine == "docker":
        lines += [
            "# The NVIDIA runtime mounts the driver; --gpus is refused on a Jetson.",
            "docker info --format '{{json .Runtimes}}' | grep -q '\"nvidia\"' || "
            "echo 'no NVIDIA runtime: sudo apt-get install nvidia-container-toolkit, then "
            "sudo nvidia-ctk runtime configure --runtime=docker and restart docker'",
        ]
    runtime = " --runtime=nvidia" if is_jetson else ""
    binds = " ".join(f"{here}:{there}" for here, there in _HOST_FILES)
    lines += [
        "# Groups by number: the same name has another number in the image, and on another board.",
        "groups=$(getent group video render i2c | awk -F: '{print \"--group-add \" $3}')",
        f'binds=$(for bind in {binds}; do [ -e "${{bind%%:*}}" ] && echo "--volume $bind:ro"; done)',
        "# Once, with the line that `controller enroll new` prints: its token through the environment.",
        f"JETFLEET_JOIN_TOKEN=... {engine} run --rm --network=host {_CONFINED} -e JETFLEET_JOIN_TOKEN {recipe.tag} "
        "enroll HOST:50051 --ca sha256:...",
        f"{engine} run --detach --name jetfleet-agent --restart unless-stopped --pull=never{runtime} --network=host "
        f"{_CONFINED} --volume /run/lock:/run/lock $groups $binds {recipe.tag} run",
    ]
    return "\n".join(lines)


def _controller_script(recipe: ImageRecipe, engine: str) -> str:
    confined = _CONFINED.replace("jetfleet-agent:", "jetfleet-controller:")
    return (
        f"{engine} run --detach --name jetfleet-controller --restart unless-stopped --pull=never "
        f"--publish 50051:50051 --publish 50052:50052 {confined} {recipe.tag} "
        "serve --listen 0.0.0.0:50051 --agents 0.0.0.0:50052 --host $(hostname -f)"
    )


def shown(words: Sequence[str]) -> str:
    return " ".join(map(shlex.quote, words))
