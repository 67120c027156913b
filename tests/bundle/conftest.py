"""A bundle of a real engine of the ONNX Runtime, made once: a real job on a real controller, then packaged."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from controller import connect
from controller.bundle.deploy import recipe_for
from controller.bundle.write import BundleOptions, write_bundle
from controller.model.result import Row
from controller.model.view import ResultQuery
from jetfleet.bundle_manifest import read_manifest
from jetfleet.bundle_signature import make_key

MODEL = Path(__file__).parents[2] / "examples" / "onnx" / "model.onnx"
JOB = """
apiVersion: jetfleet/v1
name: shipped
model: {{onnx: {model}}}
measure: {{runs: 2, warmup_s: 0, seconds: 0.05, max_seconds: 0.1}}
"""


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `bundle`, and the pair of keys `key` and `key.pub` that signed it."""
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "job.yaml").write_text(JOB.format(model=MODEL))
    make_key(folder / "key")
    with connect(state_dir=folder / "state") as client:
        job = client.submit_file(folder / "job.yaml")
        job.wait()
        (row,) = client.results(ResultQuery((job.job_id,)))
        options = BundleOptions({"p50_ms": 1e4}, recipe_for(row, base="local"), key=folder / "key")
        write_bundle(client, believed(row), folder / "bundle", options, lambda _: None)
    return folder


def believed(row: Row) -> Row:
    """As it would be on a machine that runs nothing but the benchmark."""
    return replace(row, measurement=replace(row.measurement, flags=()))


@pytest.fixture
def bundle(shipped: Path, tmp_path: Path) -> Path:
    """A copy of one's own."""
    shutil.copytree(shipped / "bundle", tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def engine_file(bundle: Path) -> Path:
    return bundle / "files" / read_manifest(bundle).engine
