"""What terminals lack: Unicode, width, colour."""

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import Command

VERBS = ["jobs", "job show {job}", "devices", "devices show board", "engines", "results {job}", "results", "schema"]
VERBS += ["compare {job} {job}", "job why {job}", "submit {file} --dry-run", "query 'select * from v_results'"]


@pytest.fixture(scope="module")
def done_job(fleet: Command, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A job with long names, and its file."""
    import onnx
    from onnx import TensorProto, helper

    folder = tmp_path_factory.mktemp("naïve ✓ job")
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "twice", values[:1], values[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(made, str(folder / "model.onnx"))
    file = folder / "job.yaml"
    file.write_text(
        "apiVersion: jetfleet/v1\nname: a-model-with-a-name-that-is-rather-long\nmodel: {onnx: model.onnx}\n"
        "variants: {runtime: [simulated]}\nmeasure: {warmup_s: 0.05, seconds: 0.2, max_seconds: 2}\n"
    )
    waited = fleet("submit", str(file), "--wait")
    assert waited.returncode == 0, waited.stderr
    return waited.stdout.split()[0], str(file)


def shown(fleet: Command, words: str, done_job: tuple[str, str], **env: str) -> "subprocess.CompletedProcess[bytes]":
    line = words.format(job=done_job[0], file=f"'{done_job[1]}'")
    command = f"{sys.executable} -m controller.cli.main --state {fleet.state} {line}"
    clean = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LC_ALL", "PYTHONUTF8")}
    return subprocess.run(["bash", "-c", command], capture_output=True, env={**clean, **env}, timeout=60)


@pytest.mark.parametrize("env", [
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "POSIX"},
    {"PYTHONIOENCODING": "ascii", "COLUMNS": "70"},
], ids=str)  # fmt: skip
def test_no_terminal_is_too_poor(env: dict[str, str], fleet: Command, done_job: tuple[str, str]) -> None:
    encoding = env.get("PYTHONIOENCODING", "utf-8")
    for words in VERBS:
        done = shown(fleet, words, done_job, **env)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        assert "?" not in done.stdout.decode(encoding), words


def test_an_interval_has_an_ascii_form_and_columns_stay_aligned(fleet: Command, done_job: tuple[str, str]) -> None:
    done = shown(fleet, "results {job}", done_job, PYTHONIOENCODING="ascii")
    heading, row, *_ = done.stdout.decode("ascii").splitlines()
    assert "+/-" in row
    assert row.index("SIMULATED") == heading.index("provenance")
    assert row.index("+/-") < heading.index("p50 ms") + len("p50 ms"), "p50 ends where its heading does"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_pipe_is_as_wide_as_columns_says(width: int, fleet: Command, done_job: tuple[str, str]) -> None:
    for words in (words for words in VERBS if words not in ("schema",) and "query" not in words):
        lines = shown(fleet, words, done_job, COLUMNS=str(width)).stdout.decode().splitlines()
        assert max(map(len, lines)) <= width, (words, lines)
        assert not any("\x1b" in line for line in lines)


def test_a_pipe_without_columns_gets_a_row_per_line(fleet: Command, done_job: tuple[str, str]) -> None:
    lines = shown(fleet, "results {job}", done_job).stdout.decode().splitlines()
    assert "p99 ms" in lines[0]
    assert len(lines[1].split()) > 8
    assert shown(fleet, "results {job}", done_job, COLUMNS="nonsense").stdout.decode().splitlines() == lines
