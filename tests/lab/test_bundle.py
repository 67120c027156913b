"""A bundle of the ONNX Runtime as whoever deploys it in a container uses it: built, started by compose, fed a wrong
engine and a flipped bit, accepted or not. Each test begins where the one before it ended.
"""

import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.image.recipe import CPU, plain_recipe
from jetfleet.bundle_manifest import read_manifest
from testing.processes import wait_for
from tests.bundle.altered import flip, other_network, put_engine
from tests.lab.engines import BASE, DockerDaemon, Podman, install_tools
from tests.lab.network import LabNetwork, run
from tests.lab.shipping import (
    NAME,
    PYTHON,
    QUESTION,
    Answer,
    Shipment,
    answer_of,
    asked,
    difference_of,
    note,
    undisturb,
    wait_ready,
)

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

AGENT = plain_recipe(CPU, base=BASE, python=PYTHON, arch=platform.machine()).tag
IMAGE = f"localhost/{NAME}"
CONFINED = "--rm --pull=never --network=none --user=10001:10001 --read-only --cap-drop=ALL --tmpfs=/tmp"
CONFINED += " --security-opt=no-new-privileges"
FOREIGN = {"device": {"cpu_model": "another one"}}


@pytest.fixture(scope="module")
def podman() -> Podman:
    if os.geteuid():
        pytest.skip("only root may build images and boot machines")
    install_tools()
    found = Podman()
    found.make_base()
    run("podman", "rmi", "--force", IMAGE, AGENT, env=found.env, check=False)
    return found


@pytest.fixture(scope="module")
def network(podman: Podman) -> Iterator[LabNetwork]:
    with LabNetwork(["board"], prefix="jfb", net="10.235.71") as found:
        yield found


@pytest.fixture(scope="module")
def docker(network: LabNetwork) -> Iterator[DockerDaemon]:
    with DockerDaemon(network.namespace("board")) as found:
        yield found


def test_the_winner_of_a_job_is_packaged_and_signed(shipment: Shipment) -> None:
    megabytes = sum(path.stat().st_size for path in shipment.bundle.rglob("*") if path.is_file()) / 1e6
    note(
        "job, submitted until it was VALID; then `controller package --sign --wheelhouse`",
        f"{shipment.tries} job, {shipment.seconds:.0f} s, {megabytes:.0f} MB",
    )
    said = run(sys.executable, "-m", "agent.cli", "bundle", "verify", str(shipment.bundle), "--key", str(shipment.key))
    assert "files are what the manifest says; signed by that key" in said
    note("`agent bundle verify --key`", "whole and signed")


def build(shipment: Shipment, **env: str) -> Answer:
    return answer_of(shipment.bundle / "image/build.sh", env=env)


def test_its_image_is_built_without_network_on_a_base_that_is_named(podman: Podman, shipment: Shipment) -> None:
    refused = build(shipment, ENGINE="podman", **podman.env)
    assert (refused.code, "which image is built on?" in refused.err) == (2, True)
    # As by somebody whose files are closed to others: the image's user is another one.
    run("chmod", "-R", "go=", str(shipment.bundle))
    start = time.monotonic()
    made = build(shipment, ENGINE="podman", BASE_IMAGE=BASE, **podman.env)
    assert made.code == 0, made.err
    note(
        "`image/build.sh` by podman: the agent's image from the wheelhouse, and the bundle's",
        f"{time.monotonic() - start:.0f} s",
    )
    sizes = [podman.megabytes(image) for image in (IMAGE, AGENT, BASE)]
    assert sizes[0] - sizes[1] < 1
    note(
        "the bundle's image",
        f"{sizes[0]:.0f} MB, of which the agent's {sizes[1]:.0f}, of which the base {sizes[2]:.0f}",
    )
    said = answer_of("podman", "run", *CONFINED.split(), IMAGE, "check", "/bundle", env=podman.env)
    assert (said.code, "computes the right thing" in said.out) == (0, True), said.err
    note("podman, confined and without network: `check /bundle`", "runs here and computes the right thing")


def test_docker_builds_the_same(podman: Podman, docker: DockerDaemon, shipment: Shipment) -> None:
    archive = shipment.folder / "base.tar"
    podman.run("save", "--quiet", "--format", "docker-archive", "--output", str(archive), BASE)
    docker.run("load", "--quiet", "--input", str(archive))
    archive.unlink()
    start = time.monotonic()
    made = build(shipment, BASE_IMAGE=BASE, PATH=f"/usr/bin:{os.environ['PATH']}", **docker.env)
    assert made.code == 0, made.err
    note("the same by docker", f"{time.monotonic() - start:.0f} s")


@pytest.fixture(scope="module")
def compose(docker: DockerDaemon, shipment: Shipment) -> Iterator[Callable[..., str]]:
    command = ["docker-compose", "--file", str(shipment.bundle / "deploy/compose.yaml")]

    def call(*words: str) -> str:
        return run(*command, *words, env=docker.env)

    yield call
    call("down", "--volumes", "--timeout", "1")


@pytest.fixture(scope="module")
def on_board(network: LabNetwork) -> tuple[str, ...]:
    return ("ip", "netns", "exec", network.namespace("board"))


def test_compose_starts_it_ready_confined_and_right(
    docker: DockerDaemon, compose: Callable[..., str], on_board: tuple[str, ...]
) -> None:
    start = time.monotonic()
    compose("up", "-d")
    wait_ready(on_board)
    note("compose up to ready", f"{time.monotonic() - start:.1f} s")
    difference = difference_of(asked(on_board, "/infer", QUESTION))
    assert difference < 1e-4
    note("an inference over HTTP, against the model's own by ONNX Runtime", f"largest difference {difference:.1g}")
    container = compose("ps", "-q", NAME).strip()
    # Apart from other bundles, whose compose files lie in folders of the same name.
    assert docker.inspect(container, 'index .Config.Labels "com.docker.compose.project"').startswith(NAME)
    status = docker.execute(container, "cat", "/proc/1/status")
    assert "CapBnd:\t0000000000000000" in status
    assert "Uid:\t10001\t10001" in status
    wait_for(lambda: docker.inspect(container, ".State.Health.Status") == "healthy", what="health", timeout_s=120)
    note("user, capabilities, root, health", "10001, none, read-only, healthy")
    start = time.monotonic()
    os.kill(int(docker.inspect(container, ".State.Pid")), signal.SIGKILL)
    wait_for(lambda: docker.inspect(container, ".RestartCount") == "1", what="a restart")
    wait_ready(on_board)
    note("kill -9 to ready again", f"{time.monotonic() - start:.1f} s")
    start = time.monotonic()
    docker.run("stop", container)
    assert docker.inspect(container, ".State.ExitCode") == "0"
    note("docker stop", f"{time.monotonic() - start:.1f} s, exit code 0")


def started(docker: DockerDaemon, bundle: Path, *words: str, volume: str = "") -> Answer:
    """Of the image, with another bundle in the place of its own."""
    mounts = [f"--volume={bundle}:/bundle:ro", *([f"--volume={volume}:/var/lib/jetfleet"] if volume else [])]
    return answer_of("/usr/bin/docker", "run", *CONFINED.split(), *mounts, IMAGE, *words, "/bundle", env=docker.env)


def readable(bundle: Path) -> Path:
    run("chmod", "-R", "a+rX", str(bundle))
    return bundle


def test_a_wrong_engine_is_built_again_or_refused(docker: DockerDaemon, shipment: Shipment) -> None:
    engine = shipment.bundle / "files" / read_manifest(shipment.bundle).engine
    kinds = {
        "of another machine": None,
        "that does not load": b"no engine",
        "of another network": other_network(engine),
    }
    for number, (kind, content) in enumerate(kinds.items()):
        with shipment.altered("wrong", **({} if content else FOREIGN)) as bundle:
            if content:
                put_engine(bundle, content)
            first = started(docker, readable(bundle), "check", volume=f"engines{number}")
            again = started(docker, bundle, "check", volume=f"engines{number}")
            refused = started(docker, bundle, "check", "--on-mismatch", "refuse")
        assert (first.code, "its engine was built again" in first.out) == (0, True), first.err
        assert ("building the engine" in first.err, "building the engine" in again.err, again.code) == (True, False, 0)
        assert (refused.code, "the engine is not for this machine" in refused.err) == (2, True)
        note(
            f"an engine {kind}",
            "built again from the ONNX, kept for the next start; `--on-mismatch refuse`: exit code 2",
        )


def test_a_flipped_bit_and_a_wrong_key_are_refused(docker: DockerDaemon, shipment: Shipment) -> None:
    names = [name for name in read_manifest(shipment.bundle).files if name.startswith(("files/", "bench", "build"))]
    for name in names:
        with shipment.altered("flipped") as bundle:
            flip(readable(bundle) / name)
            said = started(docker, bundle, "serve")
        assert (said.code, f"{name} is damaged" in said.err) == (4, True), said
    note(f"a bit flipped in each of {len(names)} files", "refused with the file's name, exit code 4")
    with shipment.altered("unsigned", budget={"p50_ms": 1e9}) as bundle:
        shutil.copy(shipment.key, bundle)
        said = started(docker, readable(bundle), "serve", "--key", "/bundle/ship.key.pub")
    assert (said.code, "not of this manifest and this key" in said.err) == (4, True), said
    note("a manifest that was changed, with `--key`", "refused, exit code 4")


def accepted(docker: DockerDaemon, compose: Callable[..., str], *mount: str) -> tuple[int, str]:
    """By the documented line, but in the background: what it measures is to run undisturbed."""
    container = compose("run", "-d", *mount, NAME, "accept", "/bundle").strip().splitlines()[-1]
    undisturb(docker.inspect(container, ".State.Pid"))
    code = int(docker.run("wait", container))
    said = docker.run("logs", container)
    docker.run("rm", container)
    return code, said.strip()


def test_its_acceptance_passes_and_fails_in_the_container(
    docker: DockerDaemon, compose: Callable[..., str], shipment: Shipment
) -> None:
    tried = []
    while len(tried) < 10 and (not tried or tried[-1][0]):
        tried.append(accepted(docker, compose))
    code, said = tried[-1]
    assert (code, "kept" in said) == (0, True), tried
    note("`accept` within the budget", f"{said}; exit code 0, try {len(tried)}")
    with shipment.altered("slow", budget={"p50_ms": 1e-6}) as bundle:
        code, said = accepted(docker, compose, "--volume", f"{readable(bundle)}:/bundle:ro")
    assert (code, "MISSED" in said) == (3, True), said
    note("`accept` beyond it", f"{said}; exit code 3")
