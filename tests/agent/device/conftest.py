"""The simulated drivers, compiled once."""

import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """libcuda.so.1 and libnvidia-ml.so.1 in one file, under the first name."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the simulated drivers")
    made = tmp_path_factory.mktemp("drivers") / "libcuda.so.1"
    source = Path(__file__).with_name("fakegpu.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(made), str(source)], check=True)
    return made
