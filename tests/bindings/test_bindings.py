"""The names that the runtime uses, against the released bindings of every TensorRT that is supported.

The bindings are real; the libraries under them are not (shim.c): names are checked here, and what the runtime concludes
from them, never what TensorRT does.
"""

import sys

import pytest

from tests.bindings.check import CACHE, CALLBACKS, ROOT, judge, merge, table, typos
from tests.bindings.check import uncalled as without_callbacks
from tests.bindings.conftest import HERE, RTX, Ask
from tests.bindings.uses import Surface, Uses, knows_tensorrt, read_uses

pytestmark = pytest.mark.bindings
READ_AS = {"get_num_errors": "num_errors"}  # what C++ calls, and what Python reads of it
ALWAYS = ["IErrorRecorder", "ILogger", "IProfiler"]


@pytest.fixture(scope="module")
def used(surfaces: dict[str, Surface]) -> Uses:
    files = [path for path in sorted((ROOT / "agent").rglob("*.py")) if knows_tensorrt(path)]
    return read_uses(files, ROOT, merge(list(surfaces.values())))


def test_no_name_is_used_that_a_version_lacks_and_nobody_asks_for(surfaces: dict[str, Surface], used: Uses) -> None:
    every = merge(list(surfaces.values()))
    verdicts = {version: judge(used, surface, every) for version, surface in surfaces.items()}
    sys.stdout.write(table(verdicts) + "\n")
    assert [str(use) for verdict in verdicts.values() for use in verdict.missing] == []


def test_no_name_is_asked_for_that_no_version_has(surfaces: dict[str, Surface], used: Uses) -> None:
    assert [str(use) for use in typos(used, list(surfaces.values()))] == []
    assert [str(use) for use in used.unclear] == []


def test_every_callback_is_defined_by_its_name(surfaces: dict[str, Surface], used: Uses) -> None:
    assert {use.owner for use in used.derived} == set(CALLBACKS)
    assert without_callbacks(used) == []
    for owner, names in CALLBACKS.items():
        versions = [surface[owner] for surface in surfaces.values() if owner in surface]
        assert versions, f"no version has {owner}"
        read = {READ_AS.get(name, name) for name in names}
        assert all(read <= set(version) for version in versions), owner


def test_the_names_are_found_in_the_code(used: Uses) -> None:
    """A checker that follows nothing would find nothing missing."""
    owners = {use.owner for use in used.plain}
    assert {"", "Builder", "IBuilderConfig", "INetworkDefinition", "OnnxParser", "ICudaEngine", "Runtime"} <= owners
    assert {use.owner for use in used.probed} >= {"", "BuilderFlag"}


def test_known_differences_between_the_versions_are_seen(surfaces: dict[str, Surface]) -> None:
    """From NVIDIA's own notes on migration, so that a dump which went wrong does not pass for an empty one."""

    def having(owner: str, name: str) -> list[str]:
        return [version for version, surface in surfaces.items() if name in surface.get(owner, {})]

    weak = [version for version in HERE if not version.startswith("11")]
    assert having("BuilderFlag", "FP16") == having("", "IInt8EntropyCalibrator2") == weak
    assert having("IBuilderConfig", "progress_monitor") == [version for version in surfaces if version != "8.6.1"]
    assert having("ILogger.Severity", "ERROR") == having("ICudaEngine", "num_io_tensors") == list(surfaces)
    assert surfaces["10.3.0"]["Builder"]["create_network"] == "INetworkDefinition"


# Facts of the versions: what a wrong probe would take for something else.
CONCLUSIONS = {
    "8.6.1": {"weak": True, "typed": False, "dla": True, "flags": [1, 1]},
    "10.3.0": {"weak": True, "typed": True, "dla": True, "flags": [2, 0]},
    "10.13.3.9": {"weak": True, "typed": True, "dla": False, "flags": [2, 0]},
    "10.16.1.11": {"weak": True, "typed": True, "dla": False, "flags": [2, 0]},
    "11.4.0.106": {"weak": False, "typed": True, "dla": False, "flags": [0, 0]},
    RTX: {"weak": False, "typed": True, "dla": False, "flags": [0, 0]},
}


@pytest.mark.parametrize("version", [*HERE, RTX])
def test_the_runtime_concludes_what_a_version_can(ask_of: Ask, version: str) -> None:
    told = ask_of("decide.py", version)
    callbacks = set(told.pop("callbacks"))
    assert told.pop("table") == told.pop("probed")  # of a version that is listed, both say the same
    assert told == CONCLUSIONS[version]
    monitor = {"IProgressMonitor"} if version != "8.6.1" else set()
    calibrator = {"IInt8EntropyCalibrator2"} if told["weak"] else set()
    assert callbacks == {*ALWAYS, *monitor, *calibrator}


@pytest.mark.parametrize("version", [*HERE, RTX])
def test_every_callback_answers_through_its_base_class_without_noise(ask_of: Ask, version: str) -> None:
    """A callback that is spelt wrong raises, or is printed and answered with -1."""
    answers = ask_of("call.py", version)
    assert (answers["printed"], answers["uncalled"]) == ("", [])
    told = answers["told"]
    assert (told["IErrorRecorder.num_errors"], told["IErrorRecorder.get_error_desc"]) == (1, "words")
    assert told["IErrorRecorder.get_error_code"] == "INTERNAL_ERROR"
    assert told.get("IProgressMonitor.step_complete", True) is True
    assert told.get("IInt8EntropyCalibrator2.get_batch_size", 7) == 7
    assert {name.partition(".")[0] for name in told} == {name for name in CALLBACKS if present(name, version)}


def present(interface: str, version: str) -> bool:
    if interface == "IProgressMonitor":
        return version != "8.6.1"
    return interface != "IInt8EntropyCalibrator2" or version.partition(".")[0] in ("8", "10")


@pytest.mark.parametrize("version", HERE)
def test_every_callback_is_a_name_that_the_bindings_look_up(version: str) -> None:
    """The bindings' library holds each name that C++ looks for in a Python object as text of its own."""
    (library,) = (CACHE / version / "tensorrt_bindings").glob("tensorrt*.so")
    texts = set(library.read_bytes().split(b"\0"))
    looked_up = {name for interface, names in CALLBACKS.items() if present(interface, version) for name in names}
    assert [name for name in sorted(looked_up) if name.encode() not in texts] == []
