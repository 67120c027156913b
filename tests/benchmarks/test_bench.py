"""Every benchmark program still runs, at sizes at which its figures mean nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from benchmarks import __main__ as bench
from benchmarks.__main__ import PROGRAMS, run
from benchmarks.figure import Figure, percentile
from benchmarks.gpu import Loop, gpu, part, why_above
from benchmarks.table import markdown, terminal

_OF_A_GPU = ("gpu", "energy")
_RUN_ELSEWHERE = ("newcomer",)  # its commands are the tutorial's: tests/docs/test_in_order.py
_FOR_INFORMATION = ("peers", "ceilings")  # on a CPU no limit is set


@pytest.mark.parametrize(
    "bar",
    [
        pytest.param(bar, marks=pytest.mark.gpu) if bar in _OF_A_GPU else bar
        for bar in PROGRAMS
        if bar not in _RUN_ELSEWHERE
    ],
)
def test_a_program_runs(bar: str) -> None:
    figures = run(bar, tiny=True)
    assert figures
    assert {figure["bar"] for figure in figures} == {bar}
    assert any(figure["met"] is not None for figure in figures) is (bar not in _FOR_INFORMATION)
    assert all(figure["what"] in terminal(figures) for figure in figures)


def test_without_a_gpu_its_bar_is_left_out_and_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    assert list(gpu(tiny=True)) == []
    assert "lacks a GPU with pycuda" in capsys.readouterr().err


def test_a_part_that_cannot_run_is_a_line_and_costs_no_other_part_its_figures() -> None:
    def broken() -> Iterator[Figure]:
        yield Figure("lost with its part", 1.0, "ms")
        raise ImportError("its CUDA provider\nis not there")

    found = [*part("before", lambda: [Figure("x", 1.0, "ms")]), *part("ONNX Runtime", broken), *part("after", list)]
    assert [(figure.what, figure.value) for figure in found] == [("x", 1.0), ("ONNX Runtime", None)]
    assert (found[1].note, found[1].met) == ("ImportError: its CUDA provider is not there", None)
    record = {"bar": "gpu", **asdict(found[1]), "met": found[1].met}
    assert "not measured" in terminal([record])
    assert "| gpu | ONNX Runtime | not measured |" in markdown({"date": "2026-01-01"}, [record])


@pytest.mark.parametrize(
    ("h2d_ms", "enqueue_ms", "why"),
    [
        pytest.param(0.08, 0.025, "; launches are over before the copy is", id="behind a copy that takes long"),
        pytest.param(0.003, 0.035, ", and launches", id="a copy that is over before"),
    ],
)
def test_one_in_flight_is_not_said_to_lose_to_launches_that_its_copy_hides(
    h2d_ms: float, enqueue_ms: float, why: str
) -> None:
    loop = Loop(h2d=[h2d_ms] * 3, enqueue=[enqueue_ms] * 3)
    assert why_above(loop) == f"the passage from the copy to the first kernel{why}"


def test_a_program_that_breaks_keeps_what_it_had_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = {"bar": "gpu", **asdict(Figure("x", 1.0, "ms")), "met": None}

    def broken(command: list[str], **options: Any) -> None:
        raise subprocess.CalledProcessError(-11, command, output=json.dumps(figure) + "\n")

    monkeypatch.setattr(subprocess, "run", broken)
    monkeypatch.setattr(bench, "describe", dict)
    assert bench.main(["gpu", "--tiny"]) == 1
    printed = capsys.readouterr().out
    assert "gpu  x     1 ms" in printed
    assert "gpu broke (exit code -11)" in printed


def test_a_bar_is_met_at_its_limit() -> None:
    assert Figure("x", 150.0, "ms", at_most=150).met
    assert not Figure("x", 150.1, "ms", at_most=150).met
    assert Figure("x", 300.0, "/s", at_least=300).met
    assert not Figure("x", 2.0, "", at_least=1, at_most=1).met
    assert Figure("x", 1.0, "").met is None


def test_percentiles_are_measured_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0, 2.0], 0.99) == 2.0
    assert percentile([1.0], 0.0) == 1.0


def test_the_record_says_what_was_missed() -> None:
    figure = {
        "bar": "x",
        "what": "y",
        "value": 2.0,
        "unit": "s",
        "at_most": 1.0,
        "at_least": None,
        "note": "",
        "met": False,
    }
    assert "| x | y | 2 s | <= 1 | missed |  |  |  |" in markdown({"date": "2026-01-01", "cpu": "z"}, [figure])
