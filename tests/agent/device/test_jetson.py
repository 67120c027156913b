"""Facts of every board on every JetPack that it has, natively and in a container, from constructed trees."""

from pathlib import Path

import pytest

from agent.device.board import read_board
from agent.device.facts import read_facts
from agent.device.gpu import Gpu
from agent.device.identity import hardware_serial
from agent.device.nvpmodel import fastest
from agent.device.release import refusal
from controller.core.keys import class_fields
from controller.wire.facts import facts_from_pb
from jetfleet.v1.task_pb2 import Facts
from testing.boards.documented import BOARDS, COMBINATIONS, JETPACKS
from testing.boards.jetson import device_tree, dpkg_status, host_bind, jetson
from testing.boards.tree import Tree

# module, sku, compute capability, SMs where a source confirms them, DLA cores, power mode after a boot
KNOWN = {
    "orin-nano-8gb": ("p3767-0005", "orin-nano-8gb", "8.7", 8, 0, "15W"),
    "orin-nano-8gb-super": ("p3767-0005", "orin-nano-8gb", "8.7", 8, 0, "25W"),
    "orin-nx-16gb": ("p3767-0000", "orin-nx-16gb", "8.7", 8, 2, "MAXN"),
    "agx-orin-64gb": ("p3701-0005", "agx-orin-64gb", "8.7", 16, 2, "MODE_30W"),
    "thor-t5000": ("p3834-0008", "thor-t5000", "11.0", None, 0, "120W"),
    "xavier-nx-8gb": ("p3668-0000", "xavier-nx-8gb", "7.2", None, 2, "MODE_15W_6CORE"),
}
everywhere = pytest.mark.parametrize(("board", "jetpack"), COMBINATIONS)
GPU = Gpu(name="Orin", compute_capability="8.7", sm_count=6, integrated=True, cuda="12.6", memory_bytes=8 << 30)


def facts(root: Path, gpu: Gpu | None = None, **env: str) -> Facts:
    return read_facts(root, env=env, runtimes={}, labels={}, gpu=gpu)


def unless_unknown(found: Facts, name: str) -> object:
    return getattr(found, name) if found.HasField(name) else None


@everywhere
def test_a_board_on_a_jetpack(tmp_path: Path, board: str, jetpack: str) -> None:
    software, (module, sku, capability, sms, dla, mode) = JETPACKS[jetpack], KNOWN[board]
    found = facts(jetson(board, jetpack).write(tmp_path))
    assert (found.module, found.module_source, found.sku) == (module, "device-tree", sku)
    assert (found.l4t, found.jetpack, found.os) == (software.l4t, software.jetpack, software.os_name)
    assert (found.cuda, found.cudnn) == (software.cuda, software.cudnn)
    assert (found.compute_capability, unless_unknown(found, "sm_count"), found.dla_cores) == (capability, sms, dla)
    assert found.HasField("dla_cores")
    assert (found.power_mode, tuple(found.power_modes)) == (mode, tuple(BOARDS[board].modes))
    assert found.gpu_integrated
    assert not found.HasField("gpu_memory_bytes")
    assert found.memory_bytes == BOARDS[board].memory_kb * 1024
    assert (found.container, found.HasField("nvidia_runtime")) == ("none", False)
    expected = f"{software.l4t}-20250107174145" if software.dla_compiler else None
    assert unless_unknown(found, "dla_compiler") == expected
    rails = [label for names in BOARDS[board].rails.values() for label in names if label != "NC"]
    inputs = {"thor-t5000": "VIN, the board's input", "agx-orin-64gb": f"the sum of {' + '.join(rails)}"}
    assert found.power_rails == inputs.get(board, "VDD_IN, the module's input")


@everywhere
def test_a_container_that_masks_the_device_tree_knows_no_module(tmp_path: Path, board: str, jetpack: str) -> None:
    found = facts(jetson(board, jetpack, container=True).write(tmp_path))
    told_by_l4t_38 = ("module", "module_source", "sku", "dla_cores", "compute_capability", "gpu")
    for name in told_by_l4t_38:
        assert found.HasField(name) == (jetpack == "7.1"), name
    assert not found.HasField("power_mode")
    assert (found.container, found.nvidia_runtime) == ("docker", True)
    assert found.l4t == JETPACKS[jetpack].l4t  # the NVIDIA runtime brings the release file in
    assert hardware_serial(tmp_path) == ""


@everywhere
def test_a_container_with_the_hosts_firmware_bound(tmp_path: Path, board: str, jetpack: str) -> None:
    tree = jetson(board, jetpack, container=True).put(host_bind(board))
    native = jetson(board, jetpack)
    tree.put({name: native.files[name] for name in native.files if name.startswith(("etc/nvpmodel", "var/lib/nvp"))})
    found = facts(tree.write(tmp_path))
    assert (found.module, found.module_source) == (KNOWN[board][0], "host-device-tree")
    assert (found.sku, found.power_mode) == (KNOWN[board][1], KNOWN[board][5])
    assert hardware_serial(tmp_path) == BOARDS[board].serial


def test_where_a_module_is_read_in_the_order_of_trust(tmp_path: Path) -> None:
    """Each source is taken away in turn, and the next one speaks; it says something else to be told apart."""
    tree = jetson("orin-nx-16gb", "6.2")
    tree.put({f"host/{name}": text for name, text in device_tree(BOARDS["agx-orin-64gb"]).items()})
    tree.put({"etc/jetfleet/board.env": "# told by the unit\nJETFLEET_MODULE='p3767-0001'\n"})
    env = {"JETFLEET_MODULE": "p3767-0004"}
    expected = [
        ("device-tree", "p3767-0000", "sys/firmware"),
        ("host-device-tree", "p3701-0005", "host/"),
        ("board-file", "p3767-0001", "etc/jetfleet"),
        ("environment", "p3767-0004", ""),
    ]
    for number, (source, module, gone) in enumerate(expected):
        found = read_board(tree.write(tmp_path / str(number)), env)
        assert (found.source, found.module) == (source, module)
        if gone:
            tree.drop(gone)
    found = read_board(tree.write(tmp_path / "boot"), {})
    assert (found.source, found.module) == ("boot-control", "p3767-0000")
    assert read_board(tree.drop("etc/nv_boot").write(tmp_path / "none"), {"JETFLEET_MODULE": "my board"}).module is None


@pytest.mark.parametrize(
    ("model", "memory_kb", "expected"),
    [
        ("NVIDIA Jetson AGX Thor Developer Kit", 1, ("p3834-0008", "model")),
        ("Somebody's carrier", 128_810_000, ("p3834-0008", "memory")),
        ("Somebody's carrier", 64_400_000, ("p3834-0000", "memory")),
        ("Somebody's carrier", 16_000_000, (None, None)),
    ],
)
def test_a_thor_on_a_foreign_carrier(
    tmp_path: Path, model: str, memory_kb: int, expected: tuple[str | None, str | None]
) -> None:
    tree = jetson("thor-t5000", "7.1").drop("etc/nv_boot_control.conf")
    base = "sys/firmware/devicetree/base/"
    tree.put({f"{base}compatible": "acme,thor\0nvidia,tegra264\0", f"{base}model": f"{model}\0"})
    tree.put({"proc/meminfo": f"MemTotal:  {memory_kb} kB\n"})
    found = read_board(tree.write(tmp_path), {})
    assert (found.module, found.source) == expected


@pytest.mark.parametrize(
    ("jetpack", "memory_kb", "expected"),
    [
        ("7.1", 128_810_000, ("p3834-0008", "memory")),
        ("7.1", 64_400_000, ("p3834-0000", "memory")),
        ("7.1", 16_000_000, (None, None)),
        ("7.2", 128_810_000, (None, None)),  # an Orin's release, too
    ],
)
def test_a_thor_in_a_container_is_known_by_its_release(
    tmp_path: Path, jetpack: str, memory_kb: int, expected: tuple[str | None, str | None]
) -> None:
    tree = jetson("thor-t5000", jetpack, container=True).put({"proc/meminfo": f"MemTotal:  {memory_kb} kB\n"})
    found = read_board(tree.write(tmp_path), {})
    assert (found.module, found.source) == expected


def test_an_orin_that_the_table_does_not_know_still_has_its_chip(tmp_path: Path) -> None:
    tree = jetson("orin-nx-16gb", "6.2").drop("etc/nv_boot_control.conf")
    tree.put({"sys/firmware/devicetree/base/compatible": "nvidia,p3768-0000+p3767-0099\0nvidia,tegra234\0"})
    found = facts(tree.write(tmp_path))
    assert (found.module, found.gpu, found.compute_capability) == ("p3767-0099", "Orin (ga10b)", "8.7")
    assert not found.HasField("dla_cores")
    assert not found.HasField("sku")


def test_a_module_of_a_family_that_the_table_does_not_know_works_as_an_unknown_module(tmp_path: Path) -> None:
    tree = jetson("orin-nx-16gb", "7.2").drop("etc/nv_boot_control.conf")
    tree.put({"sys/firmware/devicetree/base/compatible": "nvidia,p4100-0000+p4101-0003\0nvidia,tegra999\0"})
    gpu = Gpu(name="GPU of tomorrow", compute_capability="12.5", sm_count=16, integrated=True, cuda="14.0")
    found = facts(tree.write(tmp_path), gpu)
    assert (found.module, found.gpu, found.compute_capability) == ("p4101-0003", "GPU of tomorrow", "12.5")
    assert (found.sm_count, found.gpu_integrated, found.jetpack) == (16, True, "7.2")
    assert not found.HasField("dla_cores")
    assert not found.HasField("sku")


def test_a_module_that_only_the_boot_control_names_need_not_be_known(tmp_path: Path) -> None:
    tree = jetson("orin-nx-16gb", "7.2").drop("sys/firmware/devicetree/base/compatible")
    tree.put({"etc/nv_boot_control.conf": "TNSPEC 4101-300-0003-A.1-1-0-jetson-tomorrow-\n"})
    found = read_board(tree.write(tmp_path), {})
    assert (found.module, found.source, found.known) == ("p4101-0003", "boot-control", None)


def test_cuda_is_asked_before_the_table(tmp_path: Path) -> None:
    """A power mode may turn SMs off, and CUDA's name is the same on every Orin."""
    found = facts(jetson("orin-nano-8gb", "6.2").write(tmp_path), GPU)
    assert (found.sm_count, found.gpu, found.cuda) == (6, "Orin (ga10b)", "12.6.11")
    assert not found.HasField("gpu_memory_bytes")


def test_every_field_of_a_jetsons_device_class_is_known(tmp_path: Path) -> None:
    known = facts_from_pb(facts(jetson("orin-nx-16gb", "6.2").write(tmp_path), GPU))
    for placement in ("gpu", "dla"):
        assert set(class_fields(known, "tensorrt", placement)) <= set(known)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so": b""}, None),
        ({"var/lib/dpkg/status": dpkg_status({"bash": "5"})}, None),
        ({"var/lib/dpkg/status": b"\0\xff not a list"}, None),
        (
            {"var/lib/dpkg/status": "Package: nvidia-l4t-dla-compiler\nStatus: deinstall ok config-files\nVersion: 1"},
            None,
        ),
        (
            {
                "var/lib/dpkg/status": dpkg_status({"bash": "5"}),
                "host/var/lib/dpkg/status": dpkg_status({"nvidia-l4t-dla-compiler": "36.4.3-1"}),
            },
            "36.4.3-1",
        ),
        (
            {
                "var/lib/dpkg/status": dpkg_status({"bash": "5"}),
                "etc/jetfleet/board.env": "JETFLEET_DLA_COMPILER=36.4.3-2\n",
            },
            "36.4.3-2",
        ),
    ],
)
def test_the_dla_compiler_is_a_library_that_is_whole_with_a_version_that_somebody_knows(
    tmp_path: Path, changes: dict[str, str | bytes], expected: str | None
) -> None:
    found = facts(jetson("orin-nx-16gb", "6.2").put(changes).write(tmp_path))
    assert unless_unknown(found, "dla_compiler") == expected


def test_without_a_release_file_the_core_package_tells_the_release(tmp_path: Path) -> None:
    found = facts(jetson("orin-nano-8gb", "6.2").drop("etc/nv_tegra_release").write(tmp_path))
    assert (found.l4t, found.jetpack) == ("36.4.3", "6.2")


def test_cuda_and_cudnn_from_file_names_and_headers(tmp_path: Path) -> None:
    tree = jetson("orin-nano-8gb", "6.2").drop("usr/local/cuda/version.json", "var/lib/dpkg")
    cudnn = "usr/lib/aarch64-linux-gnu/libcudnn.so"
    found = facts(tree.put({f"{cudnn}.9": b"x", f"{cudnn}.9.3.0": b"x"}).write(tmp_path / "names"))
    assert (found.cuda, found.cudnn) == ("12.6.68", "9.3.0")
    header = "#define CUDNN_MAJOR 9\n#define CUDNN_MINOR 3\n#define CUDNN_PATCHLEVEL 0\n"
    tree.drop(cudnn, "usr/local").put({"usr/include/cudnn_version.h": header})
    found = facts(tree.write(tmp_path / "header"))
    assert (found.HasField("cuda"), found.cudnn) == (False, "9.3.0")


@pytest.mark.parametrize(
    "name",
    ["sys/firmware/devicetree/base/compatible", "etc/nv_tegra_release", "etc/nvpmodel.conf", "var/lib/nvpmodel/status"],
)
def test_a_file_that_cannot_be_read_makes_nothing_up(tmp_path: Path, name: str) -> None:
    """A folder in its place: what root may not read either."""
    tree = jetson("orin-nano-8gb", "6.2").drop("etc/nv_boot_control.conf", "var/lib/dpkg").drop(name)
    found = facts(tree.put({f"{name}/in the way": ""}).write(tmp_path))
    unknown = {
        "sys/firmware/devicetree/base/compatible": ("module", "sku", "gpu"),
        "etc/nv_tegra_release": ("l4t", "jetpack"),
        "etc/nvpmodel.conf": ("power_mode",),
        "var/lib/nvpmodel/status": ("power_mode",),
    }
    assert [field for field in unknown[name] if found.HasField(field)] == []


@pytest.mark.parametrize("board", BOARDS)
def test_the_fastest_mode_is_known_by_its_name(board: str) -> None:
    expected = {"orin-nano-8gb": "15W", "orin-nano-8gb-super": "MAXN_SUPER", "xavier-nx-8gb": "MODE_20W_6CORE"}
    assert fastest(tuple(BOARDS[board].modes)) == expected.get(board, "MAXN")


def test_jetpack_5_is_refused_with_the_way_out(tmp_path: Path) -> None:
    for board, way in (("xavier-nx-8gb", "JetPack 5 is the last one"), ("orin-nano-8gb", "can upgrade to JetPack 6")):
        known = read_board(jetson(board, "5").write(tmp_path / board), {})
        why, fix = refusal("35.4.1", known.chip) or ("", "")
        assert "its TensorRT needs Python 3.8" in why
        assert way in fix
    assert refusal("32.7.1", None) is not None
    assert [refusal(l4t, None) for l4t in ("36.4.3", "39.2.0", None, "odd")] == [None] * 4


def test_a_driver_that_answers_in_a_container_was_given_to_it(tmp_path: Path) -> None:
    root = Tree({".dockerenv": "", "dev/nvidiactl": ""}).write(tmp_path)
    assert not facts(root).nvidia_runtime
    assert facts(root, Gpu("NVIDIA Simulated", "9.0", 132, False, 8 << 30, "580.1", "13.0")).nvidia_runtime


def test_a_discrete_gpu_has_memory_of_its_own_and_the_drivers_cuda(tmp_path: Path) -> None:
    root = Tree({"usr/local/cuda/version.json": '{"cuda": {"version": "12.2.0"}}'}).write(tmp_path)
    found = facts(root, Gpu("NVIDIA Simulated", "9.0", 132, False, 8 << 30, "580.1", "13.0"))
    assert (found.cuda, found.gpu_memory_bytes, found.gpu, found.gpu_driver) == (
        "13.0",
        8 << 30,
        "NVIDIA Simulated",
        "580.1",
    )
    assert (found.gpu_integrated, found.HasField("gpu_integrated")) == (False, True)
    known = facts_from_pb(found)
    decided_by_the_gpu = set(class_fields(known, "onnxruntime", "gpu")) - set(class_fields(known, "onnxruntime", "cpu"))
    assert "gpu" in decided_by_the_gpu
    assert decided_by_the_gpu <= set(known)
    assert facts(root).cuda == "12.2.0"


@pytest.mark.parametrize(
    ("said", "module"),
    [
        ("p3767-0003", "p3767-0003"),
        ("p3900-0001", "p3900-0001"),
        (" p3900-0001\n", "p3900-0001"),
        ("nvidia,p3768-0000+p3767-0005-super", "p3767-0005"),
        ("nvidia,p3999-0000+p3900-0001", "p3900-0001"),
        ("orin-nano", None),
        ("p3900", None),
    ],
)
def test_a_module_that_a_person_names_may_be_of_a_family_that_is_not_known(
    tmp_path: Path, said: str, module: str | None
) -> None:
    root = Tree({"proc/cpuinfo": ""}).write(tmp_path / "empty")
    assert read_board(root, {"JETFLEET_MODULE": said}).module == module
    root = Tree({"etc/jetfleet/board.env": f"JETFLEET_MODULE={said.strip()}\n"}).write(tmp_path / "file")
    assert read_board(root, {}).module == module
