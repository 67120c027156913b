"""The shipped images built and run for real: an agent in a container works for a controller on another host, is
confined and survives being killed; a compose file brings up a fleet. Each test begins where the one before it ended.
"""

import json
import os
import platform
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.api.client import Client
from controller.image.recipe import CONTROLLER, CPU, plain_recipe
from jetfleet.address import socket_address
from testing.processes import BrokenRun, Process, wait_for
from tests.house.source import ROOT
from tests.lab.engines import BASE, FOLDER, DockerDaemon, Podman, install_tools, timed
from tests.lab.network import LabNetwork, run

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

PYTHON = "3.11"
AGENT, CONTROLLER_TAG = (
    plain_recipe(kind, base=BASE, python=PYTHON, arch=platform.machine()).tag for kind in (CPU, CONTROLLER)
)
NAME = "jetfleet-agent"
JOB = ROOT / "examples/onnx/job.yaml"
SEEN: list[tuple[str, str]] = []
IMAGE_BAR_MB = 250


def note(what: str, seen: object) -> None:
    SEEN.append((what, str(seen)))


@pytest.fixture(scope="module", autouse=True)
def written_record() -> Iterator[None]:
    """Written where all of it was seen."""
    yield
    if os.environ.get("JETFLEET_RECORD") != "1" or not SEEN or SEEN[-1][0] != "end":
        return
    engines = f"{run('podman', '--version').strip()}, {run('/usr/bin/docker', '--version').strip()}"
    lines = [
        "# Agents and controller in containers",
        "",
        f"Written by `make lab-containers`, {time.strftime('%Y-%m-%d')}, revision",
        f"{run('git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD').strip()}: {engines}, {os.cpu_count()} cores,",
        f"kernel {platform.release()}. The base is a lean Debian 12, made here. Not a Jetson: no GPU,",
        "no NVIDIA runtime, no image of NVIDIA's; the Jetson image was not built.",
        "",
        "| what | seen |",
        "|---|---|",
        *(f"| {what} | {seen} |" for what, seen in SEEN[:-1]),
    ]
    (ROOT / "docs/measured/lab-containers.md").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def podman() -> Podman:
    if os.geteuid():
        pytest.skip("only root may make namespaces and start dockerd")
    install_tools()
    found = Podman()
    found.make_base()
    return found


@pytest.fixture(scope="module")
def network(podman: Podman) -> Iterator[LabNetwork]:
    with LabNetwork(["workstation", "board"], prefix="jfd", net="10.234.71") as found:
        yield found


@pytest.fixture(scope="module")
def docker(network: LabNetwork) -> Iterator[DockerDaemon]:
    with DockerDaemon(network.namespace("board")) as found:
        yield found


@pytest.fixture(scope="module")
def workstation(network: LabNetwork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A controller as people run it, on the other host."""
    state, address = tmp_path_factory.mktemp("controller") / "state", network.address("workstation")
    arguments = ["-m", "controller.cli.main", "--state", str(state), "serve", "--host", address]
    arguments += ["--listen", f"{address}:50051", "--agents", f"{address}:50052"]
    process = Process(arguments, state.parent / "controller.log", prefix=inside(network, "workstation"))
    process.start()
    wait_for(lambda: (state / "controller.agents").exists(), what=f"the controller, {process.log}")
    yield process
    process.stop()


@pytest.fixture
def owner(workstation: Process) -> Iterator[Client]:
    with Client(socket_address(state_of(workstation))) as client:
        yield client


def inside(network: LabNetwork, host: str) -> tuple[str, ...]:
    """What a command begins with that runs on a host."""
    return ("ip", "netns", "exec", network.namespace(host))


def state_of(workstation: Process) -> Path:
    return workstation.log.parent / "state"


def online(owner: Client, name: str) -> bool:
    return any(device.name == name and device.online for device in owner.devices())


def run_job(workstation: Process) -> None:
    """A real network through every online agent. Raises BrokenRun unless it succeeded."""
    verb = [sys.executable, "-m", "controller.cli.main", "--state", str(state_of(workstation)), "submit"]
    run(*verb, str(JOB), "--wait")


def build(podman: Podman, kind: str, archive: Path) -> tuple[float, float]:
    """Seconds for the wheelhouse and for the image with its archive."""
    house = FOLDER / f"wheelhouse{kind}"
    shutil.rmtree(house, ignore_errors=True)
    image = [sys.executable, "-m", "controller.cli.main", "image", kind, "--base", BASE, "--python", PYTHON]
    image += ["--engine", "podman", "--wheelhouse", str(house)]
    _, fetching = timed(image)
    _, building = timed([*image, "--archive", str(archive)], env=podman.env)
    return fetching, building


@pytest.mark.parametrize(
    ("kind", "tag", "what"), [("--cpu", AGENT, "agent"), ("--controller", CONTROLLER_TAG, "controller")]
)
def test_an_image_is_built_without_network_from_a_wheelhouse(podman: Podman, kind: str, tag: str, what: str) -> None:
    fetching, building = build(podman, kind, FOLDER / f"{what}.tar")
    note(f"{what} image: wheelhouse, then build and archive", f"{fetching:.0f} s, {building:.0f} s")
    history = podman.run("history", "--no-trunc", "--format", "{{.CreatedBy}}", tag)
    assert "TOKEN" not in history


def test_the_images_are_small(podman: Podman) -> None:
    base = podman.megabytes(BASE)
    agent, controller = podman.megabytes(AGENT), podman.megabytes(CONTROLLER_TAG)
    note("agent image", f"{agent:.0f} MB, of which the base {base:.0f} MB (bar: {IMAGE_BAR_MB} MB)")
    note("controller image", f"{controller:.0f} MB, of which the base {base:.0f} MB")
    assert agent <= IMAGE_BAR_MB


def test_the_archive_of_one_engine_is_loaded_by_the_other(docker: DockerDaemon) -> None:
    for what, tag in (("agent", AGENT), ("controller", CONTROLLER_TAG)):
        docker.run("load", "--input", str(FOLDER / f"{what}.tar"))
        assert docker.run("images", "--quiet", tag)


def confined(image: str) -> list[str]:
    """The options that `controller image` prints for the container that stays."""
    printed = run(
        sys.executable, "-m", "controller.cli.main", "image", "--cpu", "--base", BASE, "--python", PYTHON
    ).splitlines()
    words = shlex.split(re.sub(r"\$\w+", "", printed[-1]))
    assert words[:3] == ["docker", "run", "--detach"]
    return words[3:]


def test_the_printed_line_enrols_a_container_and_it_works(
    docker: DockerDaemon, workstation: Process, owner: Client
) -> None:
    new = [sys.executable, "-m", "controller.cli.main", "--state", str(state_of(workstation)), "enroll", "new"]
    line = run(*new, "--name", "boxed").strip()
    token, words = line.partition(" ")[0], shlex.split(line.partition(" agent ")[2])
    options = confined(AGENT)
    once = [item for item in options[: options.index(AGENT)] if item not in ("--restart", "unless-stopped")]
    once = ["--rm" if item == "--name" else item for item in once if item != NAME]
    start = time.monotonic()
    variable, _, secret = token.partition("=")
    run("/usr/bin/docker", "run", "-e", variable, *once, AGENT, *words, env={**docker.env, variable: secret})
    docker.run("run", "--detach", *options)
    wait_for(lambda: online(owner, "boxed"), what="the container to be online")
    note("enrolment line to first heartbeat, two containers started", f"{time.monotonic() - start:.1f} s")
    assert secret not in docker.run("inspect", NAME)
    run_job(workstation)
    note("a job through it", "SUCCEEDED")


def test_it_is_confined(docker: DockerDaemon) -> None:
    status = docker.execute(NAME, "cat", "/proc/self/status")
    found = {line.partition(":")[0]: line.partition(":")[2].split() for line in status.splitlines()}
    sets = {name: found[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    assert set(map(tuple, sets.values())) == {("0000000000000000",)}
    assert (found["Uid"], found["NoNewPrivs"]) == (["10001"] * 4, ["1"])
    note("capabilities, in all five sets", "0")
    note("user, no new privileges", "10001:10001, yes")
    for place in ("/", "/opt/jetfleet", "/etc", "/usr/bin"):
        with pytest.raises(BrokenRun, match="Read-only file system"):
            docker.execute(NAME, "touch", f"{place}/x")
    note("root file system", "read-only")


def test_its_health_is_that_of_its_heartbeats(docker: DockerDaemon) -> None:
    wait_for(lambda: docker.inspect(NAME, ".State.Health.Status") == "healthy", what="health", timeout_s=180)
    note("health", "healthy")


def test_killed_it_comes_back_as_the_same_board(docker: DockerDaemon, workstation: Process, owner: Client) -> None:
    before = next(device for device in owner.devices() if device.name == "boxed")
    pid = int(docker.inspect(NAME, ".State.Pid"))
    start = time.monotonic()
    os.kill(pid, 9)
    wait_for(lambda: docker.inspect(NAME, ".RestartCount") == "1", what="a restart")
    wait_for(
        lambda: any(item.online and item.last_seen_at > before.last_seen_at for item in owner.devices()),
        what="the container to be back",
    )
    note("kill -9 to online again", f"{time.monotonic() - start:.1f} s")
    assert [item.id for item in owner.devices()] == [before.id]
    run_job(workstation)
    note("a job after it", "SUCCEEDED")
    docker.run("rm", "--force", NAME)


@pytest.fixture
def compose(docker: DockerDaemon) -> Iterator[Callable[..., str]]:
    env = {**docker.env, "CONTROLLER_IMAGE": CONTROLLER_TAG, "AGENT_IMAGE": AGENT}
    command = ["docker-compose", "--project-name", "lab", "--file", str(ROOT / "docker/compose.yaml")]

    def call(*words: str) -> str:
        if words[0].endswith("enroll.sh"):
            return run(*words, env={**env, "COMPOSE": " ".join(command)})
        return run(*command, *words, env=env)

    yield call
    call("down", "--volumes", "--timeout", "1")


def test_compose_brings_up_a_controller_and_three_agents(
    docker: DockerDaemon, network: LabNetwork, compose: Callable[..., str]
) -> None:
    agents = ["agent-1", "agent-2", "agent-3"]

    def devices() -> list[dict[str, object]]:
        printed = compose("exec", "-T", "controller", "controller", "devices", "list", "--json")
        found: list[dict[str, object]] = json.loads(printed)["devices"]
        return found

    start = time.monotonic()
    compose("up", "-d", "controller")
    ready = ("exec", "-T", "controller", "test", "-s", "/var/lib/jetfleet/controller.agents")
    wait_for(lambda: _works(compose, *ready), what="the controller")
    compose(str(ROOT / "docker/enroll.sh"), *agents)
    compose("up", "-d")
    wait_for(lambda: sorted(str(item["name"]) for item in devices() if item["online"]) == agents, what="three")
    note("compose: a controller and three agents enrolled and online", f"{time.monotonic() - start:.0f} s")
    for service in (*agents, "controller"):
        container = compose("ps", "-q", service).strip()
        status = docker.execute(container, "cat", "/proc/1/status")
        assert "CapBnd:\t0000000000000000" in status
        assert docker.inspect(container, ".HostConfig.ReadonlyRootfs") == "true"
    seconds = submit_to_compose(network, compose)
    note("compose: a job from outside, through the published port, on its three agents", f"SUCCEEDED, {seconds:.0f} s")
    victim = compose("ps", "-q", "agent-2").strip()
    os.kill(int(docker.inspect(victim, ".State.Pid")), 9)
    wait_for(lambda: docker.inspect(victim, ".RestartCount") == "1", what="a restart")
    controller = compose("ps", "-q", "controller").strip()
    os.kill(int(docker.inspect(controller, ".State.Pid")), 9)
    wait_for(lambda: docker.inspect(controller, ".RestartCount") == "1", what="a restart")
    wait_for(
        lambda: _works(compose, "exec", "-T", "controller", "controller", "devices", "list"), what="the controller"
    )
    wait_for(lambda: sum(bool(item["online"]) for item in devices()) == 3, what="three again")
    note("compose: an agent and then the controller killed with kill -9", "all online again, the same three devices")
    assert len(devices()) == 3
    note("end", "")


def submit_to_compose(network: LabNetwork, compose: Callable[..., str]) -> float:
    """Seconds; with a token, as somebody of another machine does. Raises BrokenRun unless it succeeded."""
    inside_of_it = ("exec", "-T", "controller", "controller")
    token = compose(*inside_of_it, "token", "create", "ci", "--scope", "submitter").strip()
    line = shlex.split(compose(*inside_of_it, "enroll", "new", "--host", "controller"))
    env = {"JETFLEET_TOKEN": token, "JETFLEET_CA": line[line.index("--ca") + 1]}
    words = [sys.executable, "-m", "controller.cli.main", "--address", "127.0.0.1:50051", "submit", str(JOB), "--wait"]
    start = time.monotonic()
    run(*inside(network, "board"), *words, env=env)
    return time.monotonic() - start


def _works(compose: Callable[..., str], *words: str) -> bool:
    try:
        compose(*words)
    except BrokenRun:
        return False
    return True
