"""What docker/ promises, held in its text: no default base, nothing fetched, nobody is root, nothing is secret."""

import re

import pytest
import yaml

from controller.image.commands import run_script
from controller.image.recipe import CPU, plain_recipe
from tests.house.source import ROOT

DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
COMPOSE = DOCKER / "compose.yaml"


def instructions(path):
    """Each with its continued lines joined, without comments."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()


def stages(path):
    """The instructions of each stage, without those before the first."""
    found = []
    for line in instructions(path):
        if line.startswith("FROM "):
            found.append([])
        if found:
            found[-1].append(line)
    return found


def test_all_files_are_looked_at():
    assert [path.name for path in DOCKERFILES] == [
        "agent-cpu.Dockerfile",
        "agent-jetson.Dockerfile",
        "controller.Dockerfile",
    ]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
class TestDockerfile:
    def test_its_bases_are_arguments_without_defaults(self, path):
        bases = [line.split()[1] for line in instructions(path) if line.startswith("FROM ")]
        assert set(bases) <= {"${BASE_IMAGE}", "${BUILD_IMAGE}"}
        for line in instructions(path):
            if line.startswith("ARG ") and "IMAGE" in line:
                assert "=" not in line

    def test_nothing_is_fetched(self, path):
        text = "\n".join(instructions(path))
        assert not re.search(r"^ADD |https?:|curl|wget|git clone|latest", text, re.MULTILINE)
        for command in re.findall(r"pip (?:install|wheel) [^;]*|\$PIP (?:install|wheel) [^;]*", text):
            assert "--no-index" in command
            assert "--no-deps" in command

    def test_what_is_installed_is_held_against_its_digest(self, path):
        text = "\n".join(instructions(path))
        assert "sha256sum --quiet -c SHA256SUMS" in text
        for command in re.findall(r"pip install [^;]*|\$PIP install [^;]*", text):
            assert "--require-hashes" in command or "/built/" in command

    def test_its_last_stage_is_nobody_s_and_keeps_no_wheel(self, path):
        last = stages(path)[-1]
        assert [line for line in last if line.startswith("USER ")] == ["USER 10001:10001"]
        assert [line for line in last if line.startswith("COPY ")] == [
            "COPY --from=packages /opt/jetfleet /opt/jetfleet"
        ]
        assert "VOLUME /var/lib/jetfleet" in last
        assert not any(line.startswith("RUN ") and "pip" in line for line in last)
        run_after_user = last[last.index("USER 10001:10001") :]
        assert not any(line.startswith("RUN ") for line in run_after_user)

    def test_it_has_a_health_check_and_starts_what_it_is_for(self, path):
        last = stages(path)[-1]
        assert any(line.startswith("HEALTHCHECK ") for line in last)
        command = "controller" if path.name.startswith("controller") else "agent"
        assert f'ENTRYPOINT ["{command}"]' in last
        assert last[-1].startswith('CMD ["serve"' if command == "controller" else 'CMD ["run"]')

    def test_no_secret_is_in_a_layer(self, path):
        assert not re.search(r"TOKEN|SECRET|PASSWORD|PRIVATE", path.read_text())

    def test_packages_of_apt_have_their_versions(self, path):
        for command in re.findall(r"apt-get install [^;]*", "\n".join(instructions(path))):
            assert command.endswith("$APT_PACKAGES")  # each NAME=VERSION, which the stage itself looks at


def test_the_health_check_of_an_agent_starts_no_python_beside_a_measurement():
    for path in DOCKERFILES:
        if path.name.startswith("agent"):
            line = next(line for line in instructions(path) if line.startswith("HEALTHCHECK "))
            assert "find /tmp/agent.pulse" in line
            assert "python" not in line
            assert "JETFLEET_PULSE=/tmp/agent.pulse" in path.read_text()


def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_compose_has_a_controller_and_three_agents_all_of_them_confined():
    found = services()
    assert sorted(found) == ["agent-1", "agent-2", "agent-3", "controller"]
    for name, service in found.items():
        assert (service["user"], service["read_only"], service["cap_drop"]) == ("10001:10001", True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]
        assert f"{name}:/var/lib/jetfleet" in service["volumes"]
        assert not {"privileged", "devices", "cap_add", "environment"} & set(service)
        assert re.fullmatch(r"\$\{\w+:\?.*\}", service["image"])  # refused where nobody chose one


def test_agents_of_one_machine_share_the_lock_of_its_hardware():
    assert all("/run/lock:/run/lock" in item["volumes"] for name, item in services().items() if name != "controller")
    assert "/run/lock:/run/lock" in run_script(plain_recipe(CPU, base="b", python="3.11", arch="x86_64"), "docker")
