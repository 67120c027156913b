"""One list of metrics: what it says of them, and that one more line in it is found wherever numbers are shown."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jetfleet.metrics import COLUMNS as METRIC_COLUMNS
from jetfleet.metrics import METRICS, NAMES, STAGES, STATISTICS, percentile
from tests.report.document import DOCUMENT, written

ROOT = Path(__file__).resolve().parents[2]
ADDED = '    MetricSpec("made_up_w", "W", Better.LOWER, "made up, for a test", has_interval=True),\n'
# What a name ends with, by the unit; a count or a share says what it is.
ENDS = {
    "ms": "_ms",
    "s": "_s",
    "1/s": "_per_s",
    "GFLOP/s": "_gflop_per_s",
    "GOP/s": "_gop_per_s",
    "GB/s": "_gb_per_s",
    "mJ": "_mj",
    "W": "_w",
    "MHz": "_mhz",
    "°C": "_c",
    **dict.fromkeys(("share", "1", "count"), ""),
}
PROBE = Path(__file__).with_name("probe_metric.py")


def test_names_are_unique_and_say_their_units() -> None:
    assert len(NAMES) == len(METRICS)
    assert len(set(METRIC_COLUMNS)) == len(METRIC_COLUMNS)
    for metric in METRICS:
        ends = ENDS[metric.unit]
        assert re.fullmatch(rf"[a-z][a-z0-9_]*{ends}", metric.name)


def test_every_stage_has_every_statistic() -> None:
    assert {f"{stage}_{statistic}_ms" for stage in STAGES for statistic in STATISTICS} <= NAMES
    assert {*("h2d", "compute", "d2h", "enqueue", "latency", "e2e")} <= set(STAGES)
    assert STATISTICS == ("min", "mean", "p50", "p90", "p95", "p99", "max")


@pytest.mark.parametrize(("statistic", "share"), [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("mean", None)])
def test_percentiles_are_read_from_their_names(statistic: str, share: float | None) -> None:
    assert percentile(statistic) == share


def test_the_document_lists_them_all() -> None:
    """Another line in the list needs `make docs`."""
    assert DOCUMENT.read_text() == written(DOCUMENT.read_text()), "run `make docs`"


def test_one_more_line_is_found_everywhere(tmp_path: Path) -> None:
    """In the view of a real database, in JSON, in CSV, in a frame, and in the document; no other file is touched."""
    shutil.copytree(ROOT / "proto" / "jetfleet", tmp_path / "jetfleet")
    declared = tmp_path / "jetfleet" / "metrics.py"
    text = declared.read_text()
    assert "    *_stages(),\n)" in text
    declared.write_text(text.replace("    *_stages(),\n)", f"    *_stages(),\n{ADDED})"))
    done = subprocess.run(
        [sys.executable, str(PROBE), "made_up_w", str(tmp_path / "state")],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["view", "json", "csv", "pandas", "document"]
