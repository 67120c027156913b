"""What an installation writes and runs, decided without a board; and done below a folder, twice."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.install.command import problems
from agent.install.container import run_options
from agent.install.host import BoardHost, read_host
from agent.install.plan import STATE_DIR, Wanted, board_file, install_steps, uninstall_steps
from jetfleet.errors import Infrastructure
from jetfleet.installation import RemovePath, RunCommand, WriteFile, apply, show
from tests.agent.install.hosts import board_host

HOST = BoardHost("/opt/jetfleet/bin/python", groups=((44, "video"), (104, "render")), uid=990, gid=989)


def files(steps):
    return {step.path: step for step in steps if isinstance(step, WriteFile)}


def commands(steps):
    return [" ".join(step.words) for step in steps if isinstance(step, RunCommand)]


def tree(root: Path) -> dict[str, tuple[int, str, int]]:
    """Mode, content and time of every file."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mode, path.read_text(), path.stat().st_mtime_ns) for path in found}


def agent(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "agent.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_agents_settings_are_for_root_alone_and_hold_no_secret():
    found = files(install_steps(HOST, Wanted()))["/etc/jetfleet/agent.env"]
    assert (found.mode, found.keep) == (0o600, True)
    assert [line for line in found.content.splitlines() if not line.startswith("#")] == ["JETFLEET_AGENT_OPTIONS="]


def test_the_user_has_the_numbers_and_groups_of_this_board():
    text = files(install_steps(HOST, Wanted()))["/usr/lib/sysusers.d/jetfleet.conf"].content
    assert "u jetfleet 990:989 " in text
    assert text.endswith("m jetfleet video\nm jetfleet render\n")


def test_a_user_that_is_there_keeps_its_number(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nx:x:999:999::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\ny:x:998:\n")
    assert (read_host(tmp_path).uid, read_host(tmp_path).gid) == (997, 997)
    (tmp_path / "etc/passwd").write_text("jetfleet:x:123:45::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text("jetfleet:x:45:\n")
    assert (read_host(tmp_path).uid, read_host(tmp_path).gid) == (123, 45)


def test_units_are_written_before_systemd_reads_them_and_the_user_is_there_before_its_folder():
    steps = install_steps(HOST, Wanted())
    at = {str(getattr(step, "path", "")) or " ".join(step.words): index for index, step in enumerate(steps)}
    order = [
        "/usr/lib/sysusers.d/jetfleet.conf",
        "systemd-sysusers /usr/lib/sysusers.d/jetfleet.conf",
        f"install --directory --mode=0700 --owner=jetfleet --group=jetfleet {STATE_DIR}",
        "/etc/systemd/system/jetfleet-agent.service",
        "systemctl daemon-reload",
        "systemctl enable jetfleet-agent.service jetfleet-helper.socket",
        "systemctl start jetfleet-agent.service",
    ]
    assert [at[name] for name in order] == sorted(at[name] for name in order)


def test_an_agent_that_runs_is_restarted_only_where_something_changed():
    steps = install_steps(HOST, Wanted())
    restarts = [step for step in steps if isinstance(step, RunCommand) and step.words[1] == "restart"]
    assert [step.if_changed for step in restarts] == [True]


def test_no_step_touches_what_lies_in_the_state_folder():
    for steps in (install_steps(HOST, Wanted()), uninstall_steps(purge=False)):
        assert not [step for step in steps if Path(getattr(step, "path", "")).is_relative_to(STATE_DIR)]
    assert RemovePath(STATE_DIR) in uninstall_steps(purge=True)


def test_what_is_left_of_the_state_belongs_to_no_number_that_another_user_may_get():
    found = commands(uninstall_steps(purge=False))
    assert found.index(f"chown --recursive root:root {STATE_DIR}") < found.index("userdel jetfleet")


def test_an_uninstall_removes_every_file_that_an_install_writes():
    removed = {step.path for step in uninstall_steps(purge=False) if isinstance(step, RemovePath)}
    for image in (None, "localhost/agent:1"):
        assert set(files(install_steps(replace(HOST, engine="docker"), Wanted(image)))) <= removed


def test_the_board_file_says_what_was_found_and_keeps_what_somebody_added(tmp_path):
    host = board_host(tmp_path, "orin-nx-16gb", "6.2")
    mine = "JETFLEET_DLA_COMPILER=3.14.1\nJETFLEET_MODULE=p3701-0005\n# a remark\n"
    text = board_file(replace(host, board_file=mine))
    assert "JETFLEET_MODULE=p3767-0000\n" in text
    assert "p3701" not in text
    assert "JETFLEET_L4T=36.4.3\n" in text
    assert "JETFLEET_GROUPS=44,104\n" in text
    assert "JETFLEET_DLA_COMPILER=3.14.1\n# a remark\n" in text
    assert board_file(replace(host, board_file=text)) == text
    unknown = replace(host, module=None, board_file=mine)
    assert "JETFLEET_MODULE=p3701-0005\n" in board_file(unknown)


def test_a_container_gets_the_runtime_only_where_docker_knows_it():
    assert "--runtime=nvidia" not in run_options(replace(HOST, engine="docker"))
    assert "--runtime=nvidia" in run_options(replace(HOST, engine="docker", has_nvidia_runtime=True))
    assert not [item for item in run_options(HOST) if item.startswith("--gpus")]


def test_a_container_is_closed_and_is_given_its_board():
    host = replace(HOST, engine="docker", present=frozenset({"/sys/firmware", "/etc/nvpmodel.conf"}))
    found = run_options(host)
    assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=990:989"} <= set(found)
    assert {"--group-add=44", "--group-add=104", "--pull=never"} <= set(found)
    assert "--volume=/sys/firmware:/host/sys/firmware:ro" in found
    assert "--volume=/etc/nvpmodel.conf:/etc/nvpmodel.conf:ro" in found
    assert "--volume=/run/lock:/run/lock" in found  # the lock of the hardware, shared with whoever else is there
    assert not [item for item in found if "dpkg" in item or "privileged=" in item]


def test_a_jetson_whose_docker_cannot_bring_the_gpu_is_refused():
    host = replace(HOST, engine="docker", is_jetson=True)
    assert "nvidia-ctk" in problems(host, "localhost/agent:1")[0].hint
    assert problems(replace(host, has_nvidia_runtime=True), "localhost/agent:1") == []
    assert problems(host, None) == []


def test_a_python_that_the_service_would_not_see_is_refused():
    assert "/opt/jetfleet" in problems(replace(HOST, python_problem="it lies below /home"), None)[0].hint


def test_a_dry_run_prints_every_file_and_command_and_does_nothing(tmp_path):
    before = sorted(tmp_path.rglob("*"))
    found = agent("install", "--native", "--dry-run", "--root", str(tmp_path))
    assert found.returncode == 0, found.stderr
    steps = install_steps(read_host(tmp_path), Wanted())
    lines = []
    show(steps, lines.append)
    said = found.stdout.splitlines()
    assert said[: len(lines)] == lines
    for step in steps:
        assert (f"run {' '.join(step.words)}" if isinstance(step, RunCommand) else f"write {step.path}") in found.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_an_image_is_installed_twice_as_once_and_uninstalled_to_nothing(tmp_path):
    before = sorted(tmp_path.rglob("*"))
    for step in (steps := install_steps(HOST, Wanted())):
        assert isinstance(step, WriteFile | RunCommand)
    assert apply(steps, root=tmp_path, say=lambda _: None)
    first = tree(tmp_path)
    settings = tmp_path / "etc/jetfleet/agent.env"
    assert settings.stat().st_mode & 0o777 == 0o600
    assert not apply(steps, root=tmp_path, say=lambda _: None)
    assert tree(tmp_path) == first
    settings.write_text("JETFLEET_AGENT_OPTIONS=--threads 2\n")
    apply(install_steps(replace(HOST, python="/opt/new/bin/python"), Wanted()), root=tmp_path, say=lambda _: None)
    assert settings.read_text() == "JETFLEET_AGENT_OPTIONS=--threads 2\n"
    assert "/opt/new/bin/python" in (tmp_path / "etc/systemd/system/jetfleet-agent.service").read_text()
    apply(uninstall_steps(purge=True), root=tmp_path, say=lambda _: None)
    left = [path for path in sorted(tmp_path.rglob("*")) if path not in before and not path.is_dir()]
    assert left == []
    assert not (tmp_path / "etc/jetfleet").exists()


def test_what_somebody_else_put_into_the_settings_folder_stays(tmp_path):
    apply(install_steps(HOST, Wanted()), root=tmp_path, say=lambda _: None)
    (tmp_path / "etc/jetfleet/notes").write_text("mine")
    apply(uninstall_steps(purge=True), root=tmp_path, say=lambda _: None)
    assert [path.name for path in (tmp_path / "etc/jetfleet").iterdir()] == ["notes"]


def test_a_command_that_fails_is_told_and_ends_it(tmp_path, capfd):
    said = []
    after = WriteFile(str(tmp_path / "after"), "")
    with pytest.raises(Infrastructure, match="ended with 1"):
        apply([RunCommand(("false",)), after], root=Path("/"), say=said.append)
    assert not (tmp_path / "after").exists()
    apply(
        [RunCommand(("false",), may_fail=True), RunCommand(("no-such-command",), may_fail=True), after],
        root=Path("/"),
        say=said.append,
    )
    assert (tmp_path / "after").exists()


def test_a_step_for_changes_runs_only_after_one(tmp_path):
    mark = tmp_path / "mark"
    steps = [WriteFile(str(tmp_path / "unit"), "text"), RunCommand(("touch", str(mark)), if_changed=True)]
    apply(steps, root=Path("/"), say=lambda _: None)
    assert mark.exists()
    mark.unlink()
    apply(steps, root=Path("/"), say=lambda _: None)
    assert not mark.exists()


def test_one_of_both_ways_must_be_chosen():
    assert agent("install", "--dry-run").returncode == 2
    assert agent("install", "--native", "--container", "--dry-run").returncode == 2
    assert "--container --image" in agent("install", "--native", "--image", "x", "--dry-run").stderr


def helper_unit(host):
    return files(install_steps(host, Wanted()))["/etc/systemd/system/jetfleet-helper.service"].content.splitlines()


def test_the_helper_has_a_discrete_gpus_driver_and_else_no_device():
    """On a Jetson clocks are files: there, and without a GPU, no capability and no device at all."""
    nodes = ("/dev/dri/renderD128", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidiactl")
    server = helper_unit(replace(HOST, nodes=nodes))
    assert [line for line in server if line.startswith("DeviceAllow=")] == [
        "DeviceAllow=/dev/nvidia0 rw",
        "DeviceAllow=/dev/nvidiactl rw",
    ]
    assert {"CapabilityBoundingSet=CAP_SYS_ADMIN", "PrivateDevices=no", "DevicePolicy=closed"} <= set(server)
    for host in (replace(HOST, nodes=nodes, is_jetson=True), replace(HOST, nodes=("/dev/nvidia0",)), HOST):
        unit = helper_unit(host)
        assert {"CapabilityBoundingSet=", "PrivateDevices=yes", "DevicePolicy=closed"} <= set(unit)
        assert not any(line.startswith("DeviceAllow") for line in unit)
