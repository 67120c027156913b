"""A run of MLflow of each measurement: what is in it, once for each, and what is said where MLflow is not there."""

import importlib.util
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from controller.model.result import Row
from controller.report.mlflow_runs import folder_uri, log_runs
from jetfleet.errors import BadInput, Infrastructure
from tests.report.showcase import showcase

ROOT = Path(__file__).parents[2]
ROWS = showcase().rows[-3:]  # the last is THROTTLED


@dataclass
class Store:
    """As much of MLflow's client as is called, in memory."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: list[str] = field(default_factory=list)

    def get_experiment_by_name(self, name: str) -> Any:
        return SimpleNamespace(experiment_id=name) if name in self.experiments else None

    def create_experiment(self, name: str) -> str:
        self.experiments.append(name)
        return name

    def search_runs(self, experiments: list[str], words: str) -> list[str]:
        return [run for run in self.runs.values() if f"= '{run['tags']['jetfleet.measurement_id']}' and" in words]

    def create_run(self, experiment: str, *, start_time: int, run_name: str) -> Any:
        self.runs[run_name] = {"experiment": experiment, "at_ms": start_time}
        return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

    def log_batch(self, run: str, *, metrics: list[Any], params: list[Any], tags: list[Any]) -> None:
        for kind, items in (("metrics", metrics), ("params", params), ("tags", tags)):
            self.runs[run][kind] = {item[0]: item[1] for item in items}

    def set_terminated(self, run: str, *, status: str, end_time: int) -> None:
        self.runs[run]["status"] = status


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store()
    mlflow, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    mlflow.MlflowException = ValueError  # type: ignore[attr-defined]
    mlflow.MlflowClient = lambda tracking_uri: made  # type: ignore[attr-defined]
    for name in ("Metric", "Param", "RunTag"):
        setattr(entities, name, lambda *values: values)
    monkeypatch.setitem(sys.modules, "mlflow", mlflow)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    return made


def test_a_run_says_what_was_asked_found_and_by_which_files(store: Store) -> None:
    assert log_runs(ROWS, "x") == 3
    row = ROWS[-1]
    run = store.runs[f"{row.label} on {row.device}"]
    assert (run["experiment"], run["status"]) == ("resnet50", "FINISHED")
    assert run["at_ms"] == row.measured_at.timestamp() * 1000
    assert run["params"]["variant"] == row.variant_key
    assert run["metrics"]["p50_ms"] == row.measurement.p50_ms.value
    assert run["metrics"]["p50_ms_low"] == row.measurement.p50_ms.low
    assert "accuracy_low" not in run["metrics"]
    assert "pre_mean_ms" not in run["metrics"]
    assert run["tags"]["verdict"] == "THROTTLED"
    assert run["tags"]["flag.THROTTLED"] == "seen"
    assert run["tags"]["engine_key"] == row.engine_key
    assert run["tags"]["fact.sku"] == "orin-nx-16gb"
    assert run["tags"]["label.branch"] == "main"


def test_what_is_there_is_left_alone(store: Store) -> None:
    assert log_runs(ROWS[:2], "x") == 2
    assert log_runs(ROWS, "x") == 1
    assert store.experiments == ["resnet50"]


def test_long_words_are_cut_and_a_broken_store_is_no_fault_of_the_job(store: Store, monkeypatch: Any) -> None:
    long: Row = replace(ROWS[0], model_name="m" * 9000)
    log_runs([long], "x")
    assert len(next(iter(store.runs.values()))["params"]["model"]) == 500
    monkeypatch.setattr(store, "create_run", lambda *args, **options: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(Infrastructure, match="no room"):
        log_runs(ROWS[1:], "x")


def test_without_mlflow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(BadInput) as caught:
        log_runs(ROWS, "x")
    assert (caught.value.where, caught.value.hint) == ("--format mlflow", "pip install 'jetfleet[mlflow]'")


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="make test-mlflow installs it")
def test_the_real_library_takes_and_finds_it(tmp_path: Path) -> None:
    """In a process of its own: it warns of much, and starts threads."""
    script = (
        "import mlflow, sys\n"
        "from tests.report.test_mlflow import ROWS, folder_uri, log_runs\n"
        "from pathlib import Path\n"
        "uri = folder_uri(Path(sys.argv[1]))\n"
        "print(log_runs(ROWS, uri), log_runs(ROWS, uri))\n"
        "client = mlflow.MlflowClient(tracking_uri=uri)\n"
        "there = [client.get_experiment_by_name('resnet50').experiment_id]\n"
        "found = client.search_runs(there, \"tags.verdict = 'THROTTLED'\")\n"
        "print(len(found), found[0].data.metrics['p50_ms'] == ROWS[-1].measurement.p50_ms.value)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "runs")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "0", "1", "True"]
    assert folder_uri(tmp_path).startswith("file://")
