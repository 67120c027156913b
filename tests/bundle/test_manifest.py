"""A manifest may be anybody's: it is read, or refused in words, and nothing of it steers a terminal."""

import json
import shutil
from pathlib import Path

import pytest

from agent.bundle.model import open_bundle
from controller import connect
from controller.bundle.deploy import recipe_for
from controller.bundle.write import BundleOptions, write_bundle
from controller.model.view import ResultQuery
from jetfleet.blobs import sha256_file
from jetfleet.bundle_manifest import read_manifest
from jetfleet.errors import BadInput
from tests.bundle.altered import change, change_bench
from tests.bundle.conftest import believed
from tests.bundle.test_bundle import agent

GARBLED: dict[str, dict[str, object]] = {
    "a name that leaves": {"name": "../../x"},
    "a name that steers": {"name": "a\x1b[2Jb"},
    "a name of two lines": {"name": "a\nb"},
    "no engine": {"engine": ""},
    "an engine of another type": {"engine": 5},
    "an engine that is not there": {"engine": "0" * 64},
    "no files": {"files": {}},
    "files that are numbers": {"files": {"build.json": 1}},
    "a file of no name": {"files": {"": "0" * 64}},
    "a file with a null in its name": {"files": {"a\0b": "0" * 64}},
    "a file that is called twice": {"files": {"./build.json": "0" * 64}},
    "a batch below one": {"batch": -1},
    "a batch that is true": {"batch": True},
    "a huge batch": {"batch": 10**400},
    "a budget in words": {"budget": {"p50_ms": "fast"}},
    "a budget of nothing": {"budget": {"p50_ms": 0}},
    "a budget that is true": {"budget": {"p50_ms": True}},
    "a huge budget": {"budget": {"p50_ms": 10**400}},
    "a budget that is no number": {"budget": {"p50_ms": float("nan")}},
    "a budget without end": {"budget": {"p50_ms": float("inf")}},
    "a device of numbers": {"device": {"sku": 7}},
    "facts in a list": {"facts": []},
    "a measurement that is null": {"measurement": None},
    "half a character": {"model": "\ud800"},
    "another version": {"schema_version": 2},
    "a version that is true": {"schema_version": True},
    "a version in a list": {"schema_version": [1]},
}


@pytest.mark.parametrize("what", GARBLED)
def test_a_garbled_manifest_is_refused_in_words(bundle: Path, what: str) -> None:
    change(bundle, **GARBLED[what])
    with pytest.raises(BadInput) as found:
        read_manifest(bundle)
    assert found.value.where.endswith("manifest.json") or "SHA-256" in found.value.message


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "", "null", "5", "[]", "{}", "\xff", '{"batch": ' + "9" * 10_000 + "}"]
)
def test_what_is_not_a_manifest_at_all_is_refused_in_words(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"manifest|version"):
        read_manifest(bundle)


@pytest.mark.parametrize("name", ["build.json", "bench.json"])
def test_a_manifest_without_its_tasks_is_refused(bundle: Path, name: str) -> None:
    files = dict(read_manifest(bundle).files)
    del files[name]
    change(bundle, files=files)
    with pytest.raises(BadInput, match=f"does not list {name}"):
        read_manifest(bundle)


def test_a_key_that_stands_twice_is_refused(bundle: Path) -> None:
    path = bundle / "manifest.json"
    path.write_text(path.read_text().replace('"batch": 1,', '"batch": 1, "batch": 2,'))
    with pytest.raises(BadInput, match="stands there twice"):
        read_manifest(bundle)


@pytest.mark.parametrize("action", ["verify", "check", "infer", "serve", "accept"])
def test_every_action_reads_it_so(bundle: Path, action: str) -> None:
    change(bundle, files={})
    said = agent(action, bundle, code=2)
    assert "does not list bench.json, build.json, files/" in said


@pytest.mark.parametrize(
    "fields",
    [
        {"engine": {"name": "engine", "role": "ARTIFACT_ROLE_ENGINE", "sha256": "0" * 64}},
        {"artifacts": [{"name": "x", "role": "ARTIFACT_ROLE_REFERENCE_INPUT", "sha256": "../../../x"}]},
    ],
)
def test_a_bench_of_something_else_is_refused(bundle: Path, fields: dict[str, object]) -> None:
    change_bench(bundle, **fields)
    with pytest.raises(BadInput, match=r"not the bench of|not a file of the bundle"):
        open_bundle(bundle)


def test_a_bench_of_nothing_is_refused(bundle: Path) -> None:
    path = bundle / "bench.json"
    path.write_text(json.dumps({"bench": {}}))
    change(bundle, files={**read_manifest(bundle).files, "bench.json": sha256_file(path)})
    with pytest.raises(BadInput, match="not the bench of"):
        open_bundle(bundle)


def test_nothing_that_is_printed_steers_the_terminal(bundle: Path, tmp_path: Path) -> None:
    change(bundle, device={"cpu_model": "a\x1b[2J\u202eb\nmine: all is well"})
    said = agent("check", bundle, "--state", tmp_path / "state")
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("path", ["nothere.npy", "."])
def test_an_input_that_is_not_a_file_is_the_callers_mistake(bundle: Path, path: str) -> None:
    assert f"--input image: {path} cannot be read" in agent("infer", bundle, "--input", f"image={path}", code=2)


BODIES = {"{}": "it has no inputs", "5": "the body is not an object", '{"inputs": 5}': "its inputs are not an object"}


def test_lines_that_ask_nothing_are_told_what_is_missing(bundle: Path) -> None:
    answers = agent("serve", bundle, "--stdin", lines="".join(f"{line}\n" for line in BODIES)).splitlines()
    for answer, expected in zip(answers, BODIES.values(), strict=True):
        assert json.loads(answer)["error"].startswith(expected)


@pytest.mark.parametrize("there", [False, True])
def test_a_package_that_fails_half_way_leaves_what_was_there(shipped: Path, tmp_path: Path, there: bool) -> None:
    (tmp_path / "not-a-key").write_text("?")
    if there:
        shutil.copytree(shipped / "bundle", tmp_path / "made")
    before = {path: path.stat().st_size for path in tmp_path.rglob("*")}
    with connect(state_dir=shipped / "state") as client:
        (row,) = client.results(ResultQuery())
        options = BundleOptions({"p50_ms": 1e4}, recipe_for(row, base="local"), key=tmp_path / "not-a-key")
        with pytest.raises(BadInput, match="not an Ed25519 private key"):
            write_bundle(client, believed(row), tmp_path / "made", options, lambda _: None)
        assert {path: path.stat().st_size for path in tmp_path.rglob("*")} == before
        options = BundleOptions({"p50_ms": 1e4}, recipe_for(row, base="local"))
        write_bundle(client, believed(row), tmp_path / "made", options, lambda _: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "not-a-key"]
    assert "files are what the manifest says" in agent("verify", tmp_path / "made")
