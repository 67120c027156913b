"""`from controller import ...`: what is public, what it costs to import, and how it reads in a notebook."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import controller
from controller.api.control_client import ControlClient
from controller.api.job import Job
from controller.api.listing import Devices, Jobs
from controller.api.results import Results
from controller.model.result import Estimate, Provenance
from controller.model.task import TaskKind
from controller.model.view import PlannedTask
from testing.measurements import row
from testing.views import device


def test_every_public_name_is_what_type_checkers_think_it_is() -> None:
    tree = ast.parse(Path(controller.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.col_offset]
    declared = {alias.name: node.module for node in imports for alias in node.names}
    assert sorted(declared) == sorted(controller.__all__)
    for name, module in declared.items():
        assert getattr(controller, name) is vars(sys.modules[str(module)])[name]
    assert set(controller.__all__) <= set(dir(controller))
    with pytest.raises(AttributeError, match="conect"):
        controller.__getattr__("conect")


def test_importing_the_package_imports_no_other_package() -> None:
    script = "import sys; before = set(sys.modules); import controller; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {module for module in done.stdout.split() if module.partition(".")[0] not in sys.stdlib_module_names}
    assert loaded == {"controller"}


def test_results_read_as_a_table() -> None:
    first = row()
    second = replace(row(p50_ms=Estimate(None, reason="few")), job_id=8)
    lines = repr(Results([first, second])).splitlines()
    assert lines[0].split() == ["job", "variant", "device", "p50", "ms", "95", "%", "interval", "per", "s", "verdict"]
    assert "14.72" in lines[1]
    assert " ?  " in lines[2]
    assert lines[0].index("device") == lines[1].index(first.device) == lines[2].index(first.device)
    simulated = replace(first, measurement=replace(first.measurement, provenance=Provenance.SIMULATED))
    assert "SIMULATED" in repr(Results([simulated]))
    assert repr(Results()) == "no results"
    assert repr(Results([first] * 60)).splitlines()[-1] == "... and 10 more"


def test_a_notebook_gets_html_that_no_device_can_write() -> None:
    html = Devices([device(name="<script>\x1b[31m", online=True)])._repr_html_()
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html
    assert html.startswith("<table><thead><tr><th>device</th>")
    assert "\x1b" not in repr(Devices([device(name="a\x1b[31m")]))
    assert repr(Devices([device(name="board", online=True)])).splitlines()[1].split()[:2] == ["board", "online"]
    assert Jobs()._repr_html_() == "<p>no jobs</p>"


def test_a_job_and_a_client_say_what_they_are(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/nowhere.sock"
    tasks = [PlannedTask(kind, "v", "", "", False) for kind in (TaskKind.BUILD, TaskKind.BENCH, TaskKind.BENCH)]
    with ControlClient(address) as client:
        assert repr(client) == f"ControlClient({address!r})"
        assert repr(Job(12, tuple(tasks), False, ("a note",), client)) == "Job 12: 1 BUILD, 2 BENCH\n  note: a note"
        assert repr(Job(0, tuple(tasks[:1]), False, (), client)) == "Dry run: 1 BUILD"
