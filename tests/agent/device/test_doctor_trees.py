"""`agent doctor` on constructed boards: healthy ones, and each of the ways in which boards are known to be broken."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.doctor.check import CheckContext, CheckResult, Interpreter, read_context
from agent.doctor.checks import CHECKS, exit_code, run_checks
from agent.doctor.table import as_json, row, verdict
from testing.boards.documented import COMBINATIONS
from testing.boards.jetson import dpkg_status, host_bind, jetson
from testing.boards.tree import Tree

NVIDIA = "usr/lib/aarch64-linux-gnu/nvidia/"
everywhere = pytest.mark.parametrize(("board", "jetpack"), COMBINATIONS)


def context(root: Path, **env: str) -> CheckContext:
    return read_context(root, env=env, state_dir=root / "state")


def examined(tree: Tree, root: Path, **env: str) -> dict[str, CheckResult]:
    return {check.name: check for check in run_checks(context(tree.write(root), **env))}


@everywhere
def test_a_healthy_board_fails_nothing_but_what_is_unsupported(tmp_path: Path, board: str, jetpack: str) -> None:
    checks = examined(jetson(board, jetpack), tmp_path)
    assert list(checks) == list(CHECKS)
    failed = [name for name, check in checks.items() if check.state == "fail"]
    assert failed == (["JetPack"] if jetpack == "5" else [])
    assert exit_code(checks.values()) == (4 if failed else 0)
    for name in ("board", "device nodes", "CUDA driver", "DLA compiler", "power rails", "throttling", "over-current"):
        assert checks[name].state == "ok", checks[name]
    for name in ("GPU clock", "CPU clocks"):
        assert (checks[name].state, "jetson_clocks" in checks[name].fix) == ("warn", True)


@everywhere
def test_in_a_container_only_the_module_is_missing(tmp_path: Path, board: str, jetpack: str) -> None:
    checks = examined(jetson(board, jetpack, container=True), tmp_path / "masked")
    failed = {name for name, check in checks.items() if check.state == "fail"}
    is_told = jetpack == "7.1"  # L4T 38 is a Thor's
    assert failed == ({"board"} if not is_told else set()) | ({"JetPack"} if jetpack == "5" else set())
    assert is_told or "-v /sys/firmware:/host/sys/firmware:ro" in checks["board"].fix
    assert checks["container"].found == "docker with the NVIDIA runtime"
    assert "/var/lib/nvpmodel" in checks["power mode"].fix
    bound = examined(jetson(board, jetpack, container=True).put(host_bind(board)), tmp_path / "bound")
    assert (bound["board"].state, "host-device-tree" in bound["board"].found) == ("ok", True)


def test_what_a_jetpack_5_board_is_told(tmp_path: Path) -> None:
    for board, fix in (("xavier-nx-8gb", "the last one for Xavier"), ("agx-orin-64gb", "can upgrade to JetPack 6")):
        check = examined(jetson(board, "5"), tmp_path / board)["JetPack"]
        assert check.found == "JetPack 5.1.2 (L4T 35.4.1)"
        assert "unsupported: its TensorRT needs Python 3.8" in check.why
        assert fix in check.fix


def _container_without_runtime() -> Tree:
    tree = jetson("orin-nano-8gb", "6.2", container=True).put(host_bind("orin-nano-8gb"))
    tree.drop("dev/", "etc/nv_tegra_release").put({"proc/self/mountinfo": "1 0 8:1 / / rw - ext4 x rw\n"})
    return tree.put({f"{NVIDIA}libcuda.so.1": b"", f"{NVIDIA}libnvdla_compiler.so": b""})


def _locked(tree: Tree) -> Tree:
    tree.put({name: "1728000\n" for name in tree.files if name.endswith("scaling_min_freq")})
    return tree.put({"sys/class/devfreq/17000000.gpu/min_freq": "1020000000\n"})


def _orin(jetpack: str = "6.2") -> Tree:
    return jetson("orin-nx-16gb", jetpack)


THERMAL = "sys/class/thermal/"
RAIL = "sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040/hwmon/hwmon1/"
L4T = "36.4.3-20250107174145"
# How a board is broken, the check that must see it, its state, and what it must say (in found, why or fix).
BROKEN: dict[str, tuple[Callable[[], Tree], str, str, str]] = {
    "empty DLA compiler": (
        lambda: _orin().put({f"{NVIDIA}libnvdla_compiler.so": b""}),
        "DLA compiler",
        "fail",
        "sudo apt install --reinstall nvidia-l4t-dla-compiler",
    ),
    "empty DLA compiler in a container": (
        lambda: jetson("orin-nx-16gb", "6.2", container=True).put({f"{NVIDIA}libnvdla_compiler.so": b""}),
        "DLA compiler",
        "fail",
        "--runtime nvidia",
    ),
    "JetPack 6.1 without its DLA compiler": (
        lambda: (
            _orin()
            .drop(f"{NVIDIA}libnvdla_compiler.so")
            .put({"etc/nv_tegra_release": "# R36 (release), REVISION: 4.2, GCID: 1\n"})
        ),
        "DLA compiler",
        "fail",
        "L4T 36.4.2 was released without it",
    ),
    "a patch that is not listed": (
        lambda: _orin().put({"etc/nv_tegra_release": "# R36 (release), REVISION: 5.9, GCID: 1\n"}),
        "JetPack",
        "warn",
        "targets take it for JetPack 6.2.3 (L4T 36.5.2)",
    ),
    "an early access": (
        lambda: _orin("7.2").put({"etc/nv_tegra_release": "# R39 (release), REVISION: 0.0, GCID: 1\n"}),
        "JetPack",
        "ok",
        "JetPack 7.2 preview (L4T 39.0.0)",
    ),
    "L4T 39.2 names what it removed": (lambda: _orin("7.2"), "DLA compiler", "ok", "drivers.csv still names it"),
    "a DLA that came back without its compiler": (
        lambda: jetson("agx-orin-64gb", "7.2").put(
            {"etc/nv_tegra_release": "# R39 (release), REVISION: 2.2, GCID: 1\n"}
        ),
        "DLA compiler",
        "warn",
        "sudo apt install nvidia-l4t-dla-compiler",
    ),
    "a DLA that came back with its compiler": (
        lambda: jetson("agx-orin-64gb", "7.2").put(
            {
                "etc/nv_tegra_release": "# R39 (release), REVISION: 2.2, GCID: 1\n",
                f"{NVIDIA}libnvdla_compiler.so": b"\x7fELF",
                "var/lib/dpkg/status": dpkg_status({"nvidia-l4t-dla-compiler": "39.2.2-1"}),
            }
        ),
        "DLA compiler",
        "ok",
        "39.2.2-1",
    ),
    "a DLA that comes back on AGX Orin only": (
        lambda: _orin("7.2").put({"etc/nv_tegra_release": "# R39 (release), REVISION: 2.2, GCID: 1\n"}),
        "DLA compiler",
        "ok",
        "drivers.csv still names it",
    ),
    "a DLA that TensorRT left": (lambda: _orin("7.2"), "DLA", "warn", "TensorRT 10.16.2 has no DLA"),
    "a DLA of unknown compiler": (
        lambda: _orin().put({"var/lib/dpkg/status": dpkg_status({"bash": "5"})}),
        "DLA compiler",
        "warn",
        "its version is unknown",
    ),
    "no rails": (lambda: _orin().drop("sys/bus/i2c"), "power rails", "warn", "no INA3221 or INA238"),
    "a rail that cannot be read": (
        lambda: _orin().put({f"{RAIL}in2_input": ""}),
        "power rails",
        "warn",
        "VDD_CPU_GPU_CV cannot be read",
    ),
    "throttled": (
        lambda: _orin().put({f"{THERMAL}cooling_device3/cur_state": "1\n"}),
        "throttling",
        "fail",
        "gpu-throttle-alert",
    ),
    "hot": (
        lambda: _orin().put({f"{THERMAL}thermal_zone1/temp": "91500\n"}),
        "temperatures",
        "warn",
        "gpu-thermal 91.5 °C",
    ),
    "weak supply": (
        lambda: _orin().put({"sys/class/hwmon/hwmon9/oc1_event_cnt": "4\n"}),
        "over-current",
        "warn",
        "under-voltage 4",
    ),
    "missing release file and package": (
        lambda: _orin().drop("etc/nv_tegra_release", "var/lib/dpkg"),
        "JetPack",
        "fail",
        "sudo apt install --reinstall nvidia-l4t-core",
    ),
    "unknown release": (
        lambda: _orin().put({"etc/nv_tegra_release": "# R40 (release), REVISION: 1.0, GCID: 1\n"}),
        "JetPack",
        "warn",
        "L4T 40.1.0",
    ),
    "device tree of NULs": (
        lambda: (
            _orin().drop("etc/nv_boot_control.conf").put({"sys/firmware/devicetree/base/compatible": b"\0\0\xff\xfe\0"})
        ),
        "board",
        "fail",
        "JETFLEET_MODULE",
    ),
    "unknown module": (
        lambda: _orin().put({"sys/firmware/devicetree/base/compatible": "nvidia,p3767-0042\0nvidia,tegra234\0"}),
        "board",
        "warn",
        "table does not know the module",
    ),
    "no GPU node": (lambda: _orin().drop("dev/nvgpu"), "device nodes", "fail", "no node of the GPU"),
    "no nvmap": (lambda: _orin().drop("dev/nvmap"), "device nodes", "fail", "no /dev/nvmap"),
    "no driver library": (lambda: _orin().drop(f"{NVIDIA}libcuda"), "CUDA driver", "fail", "nvidia-l4t-cuda"),
    "container without its runtime": (_container_without_runtime, "container", "fail", "--runtime nvidia"),
    "placeholder of libcuda": (_container_without_runtime, "CUDA driver", "fail", "file too short"),
    "slow power mode": (
        lambda: jetson("orin-nano-8gb-super", "6.2"),
        "power mode",
        "warn",
        "sudo nvpmodel -m 2   # MAXN_SUPER",
    ),
    "fastest power mode": (
        lambda: jetson("orin-nano-8gb-super", "6.2").put({"var/lib/nvpmodel/status": "pmode:0002\n"}),
        "power mode",
        "ok",
        "MAXN_SUPER",
    ),
    "power mode that nobody set": (
        lambda: _orin().drop("var/lib/nvpmodel"),
        "power mode",
        "warn",
        "restart nvpmodel.service",
    ),
    "locked GPU": (lambda: _locked(_orin()), "GPU clock", "ok", "locked"),
    "locked CPUs": (lambda: _locked(_orin()), "CPU clocks", "ok", "locked"),
    "no GPU to watch": (
        lambda: _orin().drop("sys/class/devfreq/17000000.gpu"),
        "GPU clock",
        "warn",
        "/sys/class/devfreq",
    ),
    "little memory": (
        lambda: _orin().put({"proc/meminfo": "MemTotal: 7802880 kB\nMemAvailable: 300000 kB\n"}),
        "memory",
        "fail",
        "stops the desktop",
    ),
    "zram on a small board": (lambda: jetson("orin-nano-8gb", "6.2"), "swap", "warn", "nvzramconfig"),
    "two releases at once": (
        lambda: _orin().put(
            {
                "var/lib/dpkg/status": dpkg_status(
                    {"nvidia-l4t-core": L4T, "nvidia-l4t-x": L4T, "nvidia-l4t-y": "36.4.7-1"}
                )
            }
        ),
        "L4T packages",
        "warn",
        "nvidia-l4t-y 36.4.7",
    ),
    "no TensorRT for Python": (lambda: _orin().drop("usr/lib/python3.10"), "TensorRT", "warn", "python3-libnvinfer"),
    "clock that nobody sets": (lambda: _orin().drop("run/systemd"), "clock", "warn", "set-ntp true"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_seen_and_told(tmp_path: Path, name: str) -> None:
    make, check, state, said = BROKEN[name]
    found = examined(make(), tmp_path)[check]
    assert found.state == state, found
    assert said in f"{found.found}\n{found.why}\n{found.fix}"
    if state == "fail":
        assert found.why
        assert found.fix


def test_a_variable_that_contradicts_the_board_is_told(tmp_path: Path) -> None:
    check = examined(_orin(), tmp_path, JETFLEET_MODULE="p3701-0005")["board"]
    assert (check.state, check.why) == ("warn", "JETFLEET_MODULE says p3701-0005, the board says otherwise")
    assert "p3767-0000" in check.found


def test_a_claim_that_is_not_the_id_of_a_module_is_told(tmp_path: Path) -> None:
    tree = jetson("agx-orin-64gb", "6.2", container=True)
    check = examined(tree, tmp_path, JETFLEET_MODULE="agx-orin")["board"]
    assert check.state == "fail"
    assert "JETFLEET_MODULE=agx-orin is not the id of a module" in check.why
    assert "p3767-0003" in check.fix


@everywhere
def test_in_a_container_no_command_of_the_hosts_is_given_as_its_own(tmp_path: Path, board: str, jetpack: str) -> None:
    """jetson_clocks, nvpmodel and systemctl are not there, or reach nothing."""
    tree = jetson(board, jetpack, container=True).put(host_bind(board))
    bound = {name: text for name, text in jetson(board, jetpack).files.items() if "nvpmodel" in name}
    tree.put(bound).put({"proc/meminfo": "MemTotal: 7802880 kB\nMemAvailable: 300000 kB\n"})
    tree.put({"sys/class/thermal/cooling_device2/cur_state": "1\n"})
    checks = examined(tree, tmp_path)
    for name in ("GPU clock", "CPU clocks", "memory", "swap", "throttling", "power mode"):
        fix = checks[name].fix
        assert fix == "" or fix.startswith("on the host: "), (name, fix)
    assert checks["GPU clock"].fix.startswith("on the host: sudo jetson_clocks")
    assert checks["memory"].fix.startswith("on the host: sudo systemctl")


def test_a_thor_that_hides_its_chip_is_not_asked_for_an_orins_nodes(tmp_path: Path) -> None:
    tree = jetson("thor-t5000", "7.1", container=True)
    check = examined(tree, tmp_path / "whole")["device nodes"]
    assert (check.state, check.fix) == ("ok", ""), check
    check = examined(tree.drop("dev/nvmap"), tmp_path / "without nvmap")["device nodes"]
    assert check.state == "ok", check


def test_an_orin_of_jetpack_7_2_in_a_container_still_misses_its_render_node(tmp_path: Path) -> None:
    tree = jetson("orin-nx-16gb", "7.2", container=True).drop("dev/dri")
    check = examined(tree, tmp_path)["device nodes"]
    assert (check.state, "renderD128" in check.fix) == ("warn", True), check


def test_a_board_whose_kernel_alone_shows_it(tmp_path: Path) -> None:
    """A container that was started with nothing: still told that it is on a Jetson, and what is missing."""
    tree = _container_without_runtime().drop("host/")
    checks = examined(tree, tmp_path)
    assert {name for name, check in checks.items() if check.state == "fail"} >= {"board", "JetPack", "container"}


def test_a_plain_server_skips_what_only_boards_have(tmp_path: Path) -> None:
    tree = Tree().put({"proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 9000000 kB\n", "proc/cpuinfo": ""})
    checks = examined(tree, tmp_path)
    assert exit_code(checks.values()) == 0
    assert checks["board"] == CheckResult("skip", "", "this machine is not a Jetson", name="board")
    others = ("memory", "swap", "clock", "telemetry")
    assert {check.state for name, check in checks.items() if name not in others} == {"skip"}
    assert checks["telemetry"].found == "memory 1"
    assert "power rails: no INA3221 or INA238 monitor" in checks["telemetry"].why


def test_a_board_lists_what_can_be_sampled_and_what_its_power_covers(tmp_path: Path) -> None:
    found = examined(jetson("orin-nano-8gb", "6.2"), tmp_path)["telemetry"]
    assert found.found.startswith("power 3 (VDD_IN, the module's input), temperature 6, alert 9, events 3, clock 7, ")
    assert found.why.startswith("not here: clock.emc: only root may read the memory's clock on this board; ")


def test_an_empty_tree_is_no_reason_to_crash(tmp_path: Path) -> None:
    assert list(examined(Tree(), tmp_path)) == list(CHECKS)


def test_rows_are_aligned_and_coloured_for_people_only() -> None:
    check = CheckResult("fail", "what was seen", "what it means", "what to do", name="swap")
    assert row(check, width=6, colour=False).splitlines() == [
        "fail  swap    what was seen",
        "              why: what it means",
        "              fix: what to do",
    ]
    assert row(check, width=6, colour=True).startswith("\x1b[31;1mfail\x1b[0m  swap")
    assert row(CheckResult("skip", "", "no reason", name="swap"), width=4, colour=False) == "skip  swap  no reason"
    assert verdict([check, check]) == "0 ok, 0 to look at, 2 failed, 0 skipped"
    assert list(json.loads(as_json([check]))[0]) == ["name", "state", "found", "why", "fix"]


def test_the_interpreter_is_part_of_the_place(tmp_path: Path) -> None:
    assert context(tmp_path).interpreter.version[0] == 3
    assert Interpreter((3, 8), None, True).text == "3.8"


def test_a_server_with_a_gpu_in_a_container(tmp_path: Path) -> None:
    """Its driver may lie anywhere: whether CUDA works is told by the check that runs it."""
    checks = examined(Tree({".dockerenv": "", "dev/nvidiactl": "", "proc/cpuinfo": ""}), tmp_path)
    assert (checks["container"].state, checks["device nodes"].state) == ("ok", "ok")
    assert checks["board"].state == "skip"
    assert exit_code(checks.values()) == 0
