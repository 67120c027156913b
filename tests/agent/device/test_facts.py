"""What is read of a device, on trees made for the test: an x86 server, a Jetson, and next to nothing."""

import os
import platform
from pathlib import Path

import pytest

from agent.device.facts import read_facts
from agent.device.identity import bench_domain, boot_id, gpu_uuids, hardware_serial
from jetfleet.v1.task_pb2 import Facts

X86 = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t\t: sse fma avx2\n\n"
    "processor\t: 1\nmodel name\t: Some CPU @ 3 GHz\nflags\t\t: sse avx2 only1\n\n",
    "proc/meminfo": "MemTotal:       16384 kB\nMemFree:  1 kB\n",
    "proc/sys/kernel/hostname": "server\n",
    "proc/sys/kernel/osrelease": "6.1.0-test\n",
    "proc/sys/kernel/random/boot_id": "b007\n",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
    "sys/class/dmi/id/product_serial": "To Be Filled By O.E.M.\n",
    "sys/class/dmi/id/board_serial": "SN-1\n",
    "proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA H100\nGPU UUID: \t GPU-1234\n",
}
JETSON = {
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd42\n\n",
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0003-super\0nvidia,p3767-0003\0nvidia,tegra234\0",
    "proc/device-tree/serial-number": "1421322\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n",
    "var/lib/nvpmodel/status": "pmode:0002",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def facts(root: Path, **env: str) -> Facts:
    return read_facts(root, env=env, runtimes={"onnxruntime": "1.2"}, labels={"rack": "3"})


def test_a_server(tmp_path: Path) -> None:
    found = facts(tree(tmp_path, X86))
    assert (found.hostname, found.kernel, found.os) == ("server", "6.1.0-test", "Debian GNU/Linux 12")
    assert found.cpu_model == "Some CPU @ 3 GHz"
    assert list(found.cpu_isa) == ["avx2", "sse"]  # what every core has
    assert found.memory_bytes == 16 << 20
    assert found.cpu_count == len(os.sched_getaffinity(0))
    assert found.python == platform.python_version()
    assert (dict(found.runtimes), dict(found.labels)) == ({"onnxruntime": "1.2"}, {"rack": "3"})
    assert found.container == "none"
    assert not found.HasField("module")


def test_a_jetson(tmp_path: Path) -> None:
    found = facts(tree(tmp_path, JETSON))
    assert (found.module, found.sku, found.l4t, found.jetpack) == ("p3767-0003", "orin-nano-8gb", "36.4.3", "6.2")
    assert found.power_mode == "MAXN_SUPER"
    assert found.cpu_model == "0x41/0xd42"
    assert list(found.cpu_isa) == ["asimd", "fp"]


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    found = facts(tmp_path)
    known = {field.name for field, _ in found.ListFields()}
    assert known == {"arch", "cpu_count", "python", "runtimes", "labels", "thermal_readable"}
    assert not found.thermal_readable


@pytest.mark.parametrize(
    "files",
    [
        {"proc/device-tree/compatible": "nvidia,something-new\0"},
        {"etc/nv_tegra_release": "no release\n"},
        {"var/lib/nvpmodel/status": "pmode:0007", "etc/nvpmodel.conf": JETSON["etc/nvpmodel.conf"]},
        {"var/lib/nvpmodel/status": "", "etc/nvpmodel.conf": JETSON["etc/nvpmodel.conf"]},
        {"proc/meminfo": "MemTotal:\n"},
        {"proc/cpuinfo": "\n\n"},
    ],
)
def test_what_makes_no_sense_is_unknown_too(tmp_path: Path, files: dict[str, str]) -> None:
    found = facts(tree(tmp_path, files))
    for name in ("module", "sku", "l4t", "jetpack", "power_mode", "memory_bytes", "cpu_model"):
        assert not found.HasField(name), name


def test_a_patch_that_is_not_known_takes_its_lines_place(tmp_path: Path) -> None:
    text = JETSON["etc/nv_tegra_release"].replace("4.3", "5.9")
    found = facts(tree(tmp_path, {"etc/nv_tegra_release": text}))
    assert (found.l4t, found.jetpack) == ("36.5.9", "6.2.3+l4t.36.5.9")


def test_a_release_that_is_not_known_has_no_jetpack(tmp_path: Path) -> None:
    text = JETSON["etc/nv_tegra_release"].replace("R36", "R40").replace("4.3", "1.0")
    found = facts(tree(tmp_path, {"etc/nv_tegra_release": text}))
    assert found.l4t == "40.1.0"
    assert not found.HasField("jetpack")


@pytest.mark.parametrize(
    ("files", "env", "container"),
    [
        ({".dockerenv": ""}, {}, "docker"),
        ({"run/.containerenv": ""}, {}, "podman"),
        ({"run/systemd/container": "systemd-nspawn\n"}, {}, "systemd-nspawn"),
        ({}, {"container": "lxc"}, "lxc"),
        ({"proc/cpuinfo": ""}, {}, "none"),
    ],
)
def test_containers(tmp_path: Path, files: dict[str, str], env: dict[str, str], container: str) -> None:
    assert facts(tree(tmp_path, files), **env).container == container


def test_cores_of_two_kinds_are_both_named(tmp_path: Path) -> None:
    other = JETSON["proc/cpuinfo"].replace("0xd42", "0xd05").replace("processor\t: 0", "processor\t: 1")
    found = facts(tree(tmp_path, {"proc/cpuinfo": JETSON["proc/cpuinfo"] + other}))
    assert found.cpu_model == "0x41/0xd05+0x41/0xd42"


def test_identity_of_a_server(tmp_path: Path) -> None:
    root = tree(tmp_path, X86)
    assert boot_id(root) == "b007"
    assert hardware_serial(root) == "SN-1"
    assert gpu_uuids(root) == ["GPU-1234"]
    assert bench_domain(root) == "b007/cpu"
    assert bench_domain(root, accelerator="GPU-1234") == "b007/GPU-1234"


def test_identity_of_a_jetson_and_of_nothing(tmp_path: Path) -> None:
    assert hardware_serial(tree(tmp_path / "jetson", JETSON)) == "1421322"
    nothing = tmp_path / "nothing"
    assert (boot_id(nothing), hardware_serial(nothing), gpu_uuids(nothing)) == ("", "", [])
    assert bench_domain(tree(nothing, {"proc/sys/kernel/hostname": "box\n"})) == "box/cpu"


def test_this_machine_has_a_boot_id() -> None:
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
