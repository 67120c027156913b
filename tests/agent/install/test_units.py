"""The units: accepted by systemd without a word, old enough for JetPack 6's systemd, and closed where they can be."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.install.host import read_host
from agent.install.plan import AGENT_UNIT, HELPER_SOCKET, HELPER_UNIT, UNIT_DIR, Wanted, install_steps
from jetfleet.installation import WriteFile
from tests.agent.install.hosts import board_host

EXPOSURE = 2.0
BOARDS = [("orin-nano-8gb", "6.2"), ("orin-nx-16gb", "6.2"), ("agx-orin-64gb", "7.2"), ("thor-t5000", "7.1")]
# Keys of about Ubuntu 22.04's systemd 249 and younger: an older one warns of them, and they mean nothing there.
YOUNGER = {
    "RestartSteps": 254,
    "RestartMaxDelaySec": 254,
    "RestartMode": 254,
    "PrivatePIDs": 257,
    "ProtectControlGroupsEx": 257,
    "PrivateUsersEx": 257,
    "MemoryZSwapMax": 253,
    "OpenFile": 253,
    "ExtensionDirectories": 251,
    "RestrictFileSystems": 250,
    "StateDirectorySymlink": 250,
    "LoadCredentialEncrypted": 250,
    "DelegateSubgroup": 254,
    "MemoryKSM": 254,
    "SetLoginEnvironment": 255,
    "Upholds": 249,
}


def units(host, image=None):
    steps = install_steps(host, Wanted(image))
    return {
        Path(step.path).name: step.content for step in steps if isinstance(step, WriteFile) and UNIT_DIR in step.path
    }


def keys(text):
    return dict(re.findall(r"^([A-Za-z]+)=(.*)$", text, re.MULTILINE))


def values(text, key):
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


@pytest.fixture(params=BOARDS, ids="-".join)
def host(request, tmp_path):
    return board_host(tmp_path, *request.param)


def test_a_unit_has_no_place_that_nobody_filled(host):
    for text in (*units(host).values(), *units(replace(host, engine="docker"), "localhost/agent:1").values()):
        assert re.findall(r"@[A-Z_]+@", text) == []


def test_systemd_249_knows_every_key(host):
    for name, text in units(host).items():
        assert {key: YOUNGER[key] for key in keys(text) if YOUNGER.get(key, 0) > 249} == {}, name


def test_from_systemd_254_on_a_restart_waits_longer_each_time(host):
    old, new = (units(replace(host, systemd=number))[AGENT_UNIT] for number in (253, 254))
    assert "RestartSteps" not in keys(old)
    assert (keys(new)["RestartSteps"], keys(new)["RestartMaxDelaySec"]) == ("6", "60")


def test_the_agent_is_told_to_leave_in_an_orderly_way_and_has_time_for_it(host):
    found = keys(units(host)[AGENT_UNIT])
    assert (found["Type"], found["NotifyAccess"], found["Restart"]) == ("notify", "main", "always")
    assert found["KillMode"] == "mixed"  # a SIGTERM to a child would end the measurement that drains
    assert int(found["TimeoutStopSec"]) > 30 + 10  # --drain-seconds, and a call
    assert int(found["WatchdogSec"]) > 0
    assert found["OOMPolicy"] == "continue"


def test_a_container_that_is_a_child_of_its_unit_is_not_limited_as_the_client_of_a_daemon_is(host):
    """Under ProtectHostname crun cannot make a container, and under ProtectClock none of its devices can be opened."""
    docker, podman = (
        keys(units(replace(host, engine=engine), "localhost/agent:1")[AGENT_UNIT]) for engine in ("docker", "podman")
    )
    limits = {"ProtectClock", "ProtectHostname", "NoNewPrivileges", "SystemCallArchitectures"}
    assert limits <= set(docker)
    assert not limits & set(podman)
    assert docker["Type"] == podman["Type"] == "notify"
    assert not {"StateDirectory"} & {*docker, *podman}  # systemd would give it to root before every command


def test_what_may_be_late_is_never_required(host):
    text = units(host)[AGENT_UNIT]
    after = " ".join(values(text, "After")).split()
    assert {"network-online.target", "time-sync.target", "nvpmodel.service"} <= set(after)
    assert values(text, "Requires") == values(text, "BindsTo") == []


@pytest.mark.parametrize(
    ("board", "jetpack", "there", "not_there"),
    [
        (
            "orin-nx-16gb",
            "6.2",
            ("/dev/nvmap", "/dev/dri/renderD128", "/dev/nvgpu/igpu0/ctrl", "/dev/nvhost-ctrl-nvdla0"),
            ("/dev/nvgpu/igpu0/dbg", "/dev/nvgpu/igpu0/prof", "/dev/nvgpu/igpu0/sched", "/dev/nvidia0"),
        ),
        (
            "agx-orin-64gb",
            "7.2",
            ("/dev/nvmap", "/dev/dri/renderD128", "/dev/nvidia-uvm"),
            ("/dev/nvgpu/igpu0/prof-ctx",),
        ),
        (
            "thor-t5000",
            "7.1",
            ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvmap"),
            ("/dev/nvgpu/igpu0/as",),
        ),
    ],
)
def test_the_devices_are_those_of_the_board_and_its_release(tmp_path, board, jetpack, there, not_there):
    text = units(board_host(tmp_path, board, jetpack))[AGENT_UNIT]
    allowed = {value.removesuffix(" rw") for value in values(text, "DeviceAllow")}
    assert set(there) <= allowed
    assert not set(not_there) & allowed
    assert values(text, "DevicePolicy") == ["closed"]


def test_groups_are_numbers_of_this_board(tmp_path):
    jetson_host = board_host(tmp_path, "orin-nano-8gb", "6.2")
    assert keys(units(jetson_host)[AGENT_UNIT])["SupplementaryGroups"] == "44 104"
    (tmp_path / "etc/group").write_text("root:x:0:\nvideo:x:39:\nrender:x:990:\ni2c:x:991:\nsudo:x:27:\n")
    assert read_host(tmp_path).groups == ((39, "video"), (990, "render"), (991, "i2c"))


def test_a_machine_without_a_gpu_opens_no_device(tmp_path):
    text = units(replace(read_host(tmp_path), python="/opt/jetfleet/bin/python"))[AGENT_UNIT]
    assert values(text, "DeviceAllow") == values(text, "SupplementaryGroups") == []


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")


@needs_systemd
@pytest.mark.parametrize("image", [None, "localhost/agent:1"])
def test_systemd_accepts_them_without_a_word(host, image, tmp_path):
    """It ends with 0 even where a key is unknown: what counts is that it says nothing."""
    folder = tmp_path / "units"
    folder.mkdir()
    texts = units(replace(host, python=sys.executable, engine="docker" if image else ""), image)
    for name, text in texts.items():
        (folder / name).write_text(re.sub(r"(?<==)(-?)/usr/bin/docker", r"\1/bin/true", text))
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(folder / name) for name in texts)], capture_output=True, text=True
    )
    assert done.stderr == ""


@needs_systemd
def test_a_key_that_is_wrong_would_be_seen(tmp_path):
    bad = tmp_path / "bad.service"
    bad.write_text("[Service]\nExecStart=/bin/true\nProtectEverything=yes\n")
    assert (
        "ProtectEverything" in subprocess.run(["systemd-analyze", "verify", bad], capture_output=True, text=True).stderr
    )


@needs_systemd
@pytest.mark.parametrize("name", [AGENT_UNIT, HELPER_UNIT])
def test_a_unit_is_exposed_no_more_than_it_must(host, name, tmp_path):
    path = tmp_path / name
    path.write_text(units(host)[name])
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(path)]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    assert float(re.findall(r"exposure level for \S+: ([\d.]+)", said)[0]) <= EXPOSURE


def test_the_socket_of_the_helper_is_for_the_agents_group_alone(host):
    found = keys(units(host)[HELPER_SOCKET])
    assert (found["SocketUser"], found["SocketGroup"], found["SocketMode"]) == ("root", "jetfleet", "0660")
