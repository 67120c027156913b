"""What the doctor says of device nodes to a user who is not root, and of CUDA's refusals, natively and contained."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.doctor import engine
from agent.doctor.check import CheckContext, CheckResult, Interpreter, read_context
from agent.doctor.engine import judge_cuda, judge_engine
from agent.doctor.nodes import device_nodes
from agent.doctor.trial_process import TrialResult, read
from testing.boards.documented import COMBINATIONS
from testing.boards.jetson import host_bind, jetson
from testing.boards.nodes import OrdinaryUser, user_in
from testing.boards.tree import Tree

WORKS = TrialResult({"device": "Orin", "context": "memory written and read back"})
REFUSED = TrialResult({}, "cuInit failed: CUDA_ERROR_NOT_SUPPORTED (801)")
UNKNOWN = TrialResult(
    {}, "cuInit failed: CUDA_ERROR_UNKNOWN (999)", log="NvRmMemInitNvmap failed with Permission denied"
)
BOARD = "orin-nx-16gb"
current = pytest.mark.parametrize(("board", "jetpack"), [pair for pair in COMBINATIONS if pair[1] != "5"])


def context(root: Path, user: OrdinaryUser, trial: TrialResult | None = None, **env: str) -> CheckContext:
    found = read_context(root, env={"USER": "ada", **env}, state_dir=root / "state")
    return replace(found, may_access=user.may_access, owner_of=user.owner_of, run_cuda=lambda _: trial)


def confined(jetpack: str = "6.2") -> Tree:
    return jetson(BOARD, jetpack, container=True).put(host_bind(BOARD))


def text(check: CheckResult) -> str:
    return f"{check.found}\n{check.why}\n{check.fix}"


@current
def test_a_user_in_video_and_render_is_well_off(tmp_path: Path, board: str, jetpack: str) -> None:
    """Nodes of debuggers, profilers and the scheduler, which such a user may not open, are nobody's affair."""
    root = jetson(board, jetpack).write(tmp_path)
    check = device_nodes(context(root, user_in(root, ["video", "render"])))
    assert check.state == "ok", check
    assert not re.search(r"\b(dbg|prof|sched|ctxsw)\b", check.found)


def test_a_user_in_no_group_is_told_both(tmp_path: Path) -> None:
    root = jetson(BOARD, "6.2").write(tmp_path)
    check = device_nodes(context(root, user_in(root, [])))
    assert check.state == "fail"
    assert check.fix.startswith("sudo usermod -aG video,render ada ")
    assert "group video (44) and group render (104)" in check.why
    assert "dbg" not in text(check)


@pytest.mark.parametrize(("has", "lacks"), [("video", "render"), ("render", "video")])
def test_the_group_that_is_missing_is_named(tmp_path: Path, has: str, lacks: str) -> None:
    root = jetson(BOARD, "6.2").write(tmp_path)
    check = device_nodes(context(root, user_in(root, [has])))
    assert (check.state, f"usermod -aG {lacks} ada" in check.fix) == ("fail", True)


def test_a_user_who_was_added_has_to_log_in_again(tmp_path: Path) -> None:
    root = jetson(BOARD, "6.2").put({"etc/group": "video:x:44:ada\nrender:x:104:eve,ada\n"}).write(tmp_path)
    check = device_nodes(context(root, user_in(root, [])))
    assert (check.state, "log in again" in check.fix, "usermod" in check.fix) == ("fail", True, False)


def test_in_a_container_groups_are_numbers(tmp_path: Path) -> None:
    root = confined().put({"etc/group": "video:x:44:\nsgx:x:104:\n"}).write(tmp_path)
    check = device_nodes(context(root, user_in(root, [])))
    assert (check.state, "`--group-add 44 --group-add 104`" in check.fix) == ("fail", True)
    assert "sgx" not in text(check)
    assert device_nodes(context(root, user_in(root, ["video", "render"]))).state == "ok"


def test_without_a_render_node_jetpack_6_answers_801(tmp_path: Path) -> None:
    native = jetson(BOARD, "6.2").drop("dev/dri").write(tmp_path / "native")
    check = device_nodes(context(native, user_in(native, ["video", "render"]), REFUSED))
    assert (check.state, "801" in check.why, "tegra_drm" in check.fix) == ("fail", True, True)
    boxed = confined().drop("dev/dri").write(tmp_path / "boxed")
    check = device_nodes(context(boxed, user_in(boxed, ["video", "render"]), REFUSED))
    assert "--device /dev/dri/renderD128 --group-add" in check.fix
    assert "stat -c %g /dev/dri/renderD128" in check.fix


def test_what_is_only_expected_is_no_failure(tmp_path: Path) -> None:
    """Whether JetPack 7 opens the render node is not known; nor whether every nvgpu has the same nodes."""
    root = jetson(BOARD, "7.2").drop("dev/dri").write(tmp_path / "a")
    check = device_nodes(context(root, user_in(root, ["video"])))
    assert (check.state, "/dev/dri/renderD128" in check.found) == ("warn", True)
    root = jetson(BOARD, "6.2").drop("dev/nvgpu/igpu0/power").write(tmp_path / "b")
    check = device_nodes(context(root, user_in(root, ["video", "render"])))
    assert (check.state, "no /dev/nvgpu/igpu0/power" in check.found) == ("warn", True)


def test_a_node_that_no_group_may_open_is_mended_itself(tmp_path: Path) -> None:
    root = jetson(BOARD, "6.2").write(tmp_path)
    for wrong in (("root", 0o660), ("render", 0o600)):
        user = user_in(root, ["video", "render"], **{"dri/renderD128": wrong})
        check = device_nodes(context(root, user))
        assert check.fix.startswith("sudo chgrp video /dev/dri/renderD128 && sudo chmod g+rwX")


@pytest.mark.parametrize("drop", ["dev/dri", "dev/nvmap", "dev/nvgpu/igpu0/tsg"])
def test_a_context_that_works_overrules_everything(tmp_path: Path, drop: str) -> None:
    root = jetson(BOARD, "6.2").drop(drop).write(tmp_path)
    check = device_nodes(context(root, user_in(root, []), WORKS))
    assert (check.state, check.found.startswith("CUDA works")) == ("ok", True)


def test_cuda_is_tried_once(tmp_path: Path) -> None:
    root, tried = jetson(BOARD, "6.2").write(tmp_path), []

    def run(_: CheckContext) -> TrialResult:
        tried.append(1)
        return WORKS

    here = replace(context(root, user_in(root, [])), run_cuda=run)
    assert device_nodes(here).state == "ok"
    assert engine.cuda_context(here).state == "ok"
    assert tried == [1]


@pytest.mark.parametrize("refused", [REFUSED, UNKNOWN])
def test_cudas_refusals_are_explained_by_group(tmp_path: Path, refused: TrialResult) -> None:
    root = jetson(BOARD, "6.2").write(tmp_path / "native")
    check = judge_cuda(refused, context(root, user_in(root, ["video"])))
    assert (check.state, "group render (104)" in check.why) == ("fail", True)
    assert "usermod -aG render ada" in check.fix
    root = confined().write(tmp_path / "boxed")
    check = judge_cuda(refused, context(root, user_in(root, ["render"])))
    assert "--group-add 44" in check.fix


def test_a_refusal_that_the_nodes_do_not_explain(tmp_path: Path) -> None:
    """Access by mode is right, and CUDA was refused: a cgroup that denies the device, or a node that is not listed."""
    root, both = jetson(BOARD, "6.2").write(tmp_path / "native"), ["video", "render"]
    assert "render node" in judge_cuda(REFUSED, context(root, user_in(root, both))).why
    assert "video,render" in judge_cuda(UNKNOWN, context(root, user_in(root, both))).fix
    boxed = confined().write(tmp_path / "boxed")
    assert "--device /dev/dri/renderD128" in judge_cuda(REFUSED, context(boxed, user_in(boxed, both))).fix
    assert "--group-add" in judge_cuda(UNKNOWN, context(boxed, user_in(boxed, both))).fix
    other = judge_cuda(TrialResult({}, "cuInit failed: CUDA_ERROR_NO_DEVICE (100)"), context(root, user_in(root, both)))
    assert "render" not in text(other)


def test_what_a_library_printed_before_an_error_is_kept() -> None:
    found = read(
        '{"error": "cuInit failed: error 999"}\n', 1, "NvRmMemInitNvmap failed with Permission denied\n", limit_s=1
    )
    assert (found.error, found.log) == ("cuInit failed: error 999", "NvRmMemInitNvmap failed with Permission denied")


@pytest.mark.parametrize(("version", "condition"), [((3, 10), '< "3.11"'), ((3, 12), '>= "3.11"')])
def test_the_numpy_of_the_hint_is_that_of_constraints_txt(
    tmp_path: Path, version: tuple[int, int], condition: str
) -> None:
    constraints = (Path(__file__).parents[3] / "constraints.txt").read_text()
    (pinned,) = re.findall(rf"^numpy==([\d.]+); python_version {condition}", constraints, re.MULTILINE)
    root = jetson(BOARD, "6.2").write(tmp_path)
    here = replace(context(root, user_in(root, [])), interpreter=Interpreter(version, None, True))
    check = judge_engine(TrialResult({}, "numpy.core.multiarray failed to import"), here)
    assert f"numpy=={pinned} " in check.fix
    assert "force-reinstall" in check.fix


def test_a_missing_pycuda_is_compiled_with_the_boards_nvcc(tmp_path: Path) -> None:
    root = jetson(BOARD, "6.2").write(tmp_path)
    check = judge_engine(TrialResult({}, "No module named 'pycuda'"), context(root, user_in(root, [])))
    assert check.fix == "PATH=/usr/local/cuda/bin:$PATH python -m pip install pycuda"


@pytest.mark.parametrize(("board", "said"), [("agx-orin-64gb", "(sum of rails)"), ("orin-nx-16gb", "(VDD_IN)")])
def test_a_total_is_named_by_what_it_is(tmp_path: Path, board: str, said: str) -> None:
    from agent.doctor.sensors import power_rails

    root = jetson(board, "6.2").write(tmp_path)
    assert power_rails(context(root, user_in(root, []))).found.endswith(said)


_AS_AN_ORDINARY_USER = """
import os, pathlib, sys
from agent.doctor.check import read_context
from agent.doctor.checks import run_checks
root = pathlib.Path(sys.argv[1])
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
for check in run_checks(read_context(root, env={"USER": "ada"}, state_dir=pathlib.Path(sys.argv[2]))):
    if check.state == "fail":
        print(f"{check.name}: {check.found} | {check.fix}")
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Which every user may enter, as pytest's own may not be."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.parametrize(
    ("closed", "failed"),
    [
        pytest.param(
            ["run/systemd/timesync", "var/lib/nvpmodel", "sys/kernel"], [], id="what the check can do without"
        ),
        pytest.param(
            ["dev/nvgpu", "dev/dri"],
            ["device nodes: /dev/nvgpu/igpu0/as,channel,ctrl,power,tsg, /dev/dri/renderD128 may not be opened | "],
            id="what CUDA opens",
        ),
    ],
)
def test_a_folder_that_is_closed_to_the_user_is_no_fault_of_a_check(
    open_folder: Path, closed: list[str], failed: list[str]
) -> None:
    root = jetson(BOARD, "6.2").put({"sys/kernel/debug/clk/emc": ""}).write(open_folder / "root")
    for node in (root / "dev").rglob("*"):
        node.chmod(0o755 if node.is_dir() else 0o666)
    for name in closed:
        (root / name).chmod(0)
    command = [sys.executable, "-c", _AS_AN_ORDINARY_USER, str(root), str(open_folder)]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    finally:
        for name in closed:
            (root / name).chmod(0o755)
    assert len(said) == len(failed), said
    assert all(line.startswith(wanted) for line, wanted in zip(said, failed, strict=True)), said
    assert all("/dev/nvgpu /dev/dri && sudo chmod g+rwX" in line for line in said)
