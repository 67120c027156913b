"""A bundle where it is deployed: verified, checked, rebuilt, refused, asked, accepted; real engines, real processes."""

import http.client
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.bundle.model import open_bundle
from jetfleet.bundle_manifest import read_manifest
from jetfleet.errors import BadInput, Corrupt
from tests.bundle.altered import change, change_bench, flip, other_network, put_engine, put_in

IMAGE = np.zeros((1, 3, 32, 32), dtype=np.float32)
NCHW = {"name": "to", "text": "nchw"}


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (10, 200, 30)).save(buffer, "PNG")
    return buffer.getvalue()


FRAME = png()


def agent(*words: object, code: int = 0, lines: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli", "bundle", *map(str, words)],
        input=lines,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code in (0, 3) else done.stderr


def test_a_bundle_is_whole_and_signed(bundle: Path, shipped: Path) -> None:
    said = agent("verify", bundle, "--key", shipped / "key.pub")
    assert "files are what the manifest says; signed by that key" in said


def test_a_flipped_bit_is_refused_and_named(bundle: Path, engine_file: Path) -> None:
    flip(engine_file)
    assert f"files/{engine_file.name} is damaged" in agent("check", bundle, code=4)


def test_a_manifest_that_was_changed_is_not_signed_any_more(bundle: Path, shipped: Path) -> None:
    change(bundle, budget={"p50_ms": 1e9})
    assert "not of this manifest and this key" in agent("verify", bundle, "--key", shipped / "key.pub", code=4)
    (bundle / "manifest.sig").unlink()
    assert "is not signed" in agent("serve", bundle, "--stdin", "--key", shipped / "key.pub", code=4)


def test_an_engine_of_another_runtime_is_built_again_and_kept(bundle: Path, tmp_path: Path) -> None:
    change(bundle, runtime_version="0.1")
    with open_bundle(bundle, state=tmp_path / "state") as model:
        assert model.rebuilt[0].endswith("the engine is of 0.1")
        first = model.infer({"image": IMAGE})
    (record,) = (tmp_path / "state" / "bundles").glob("*/rebuilt.json")
    made = record.stat().st_mtime_ns
    with open_bundle(bundle, state=tmp_path / "state") as model:
        again = model.infer({"image": IMAGE})
    assert record.stat().st_mtime_ns == made
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_an_engine_of_another_machine_is_refused_where_that_is_the_policy(bundle: Path) -> None:
    change(bundle, device={"cpu_model": "another one"})
    with pytest.raises(BadInput, match=r"cpu_model is .*, the engine is for another one"):
        open_bundle(bundle, on_mismatch="refuse")


def test_an_engine_that_does_not_load_is_built_again(bundle: Path, tmp_path: Path) -> None:
    put_engine(bundle, b"of a machine that nobody knows")
    with open_bundle(bundle, state=tmp_path / "state") as model:
        assert "does not load" in model.rebuilt[0]
        assert model.infer({"image": IMAGE})


def test_an_engine_that_computes_something_else_is_built_again(bundle: Path, engine_file: Path, tmp_path: Path) -> None:
    with open_bundle(bundle) as model:
        right = model.infer({"image": IMAGE})
    put_engine(bundle, other_network(engine_file))
    with open_bundle(bundle, state=tmp_path / "state") as model:
        assert "computes something else here" in model.rebuilt[0]
        again = model.infer({"image": IMAGE})
    assert all(np.allclose(right[name], again[name]) for name in right)
    with pytest.raises(BadInput, match="computes something else here"):
        open_bundle(bundle, state=tmp_path / "state", on_mismatch="refuse")


def test_what_is_accepted_is_the_engine_that_is_served(bundle: Path, tmp_path: Path) -> None:
    put_engine(bundle, b"of a machine that nobody knows")
    change(bundle, budget={"p50_ms": 1e-9})
    assert "its engine was built again here: it does not load" in agent(
        "accept", bundle, "--state", tmp_path / "state", code=3
    )


def test_of_several_that_start_at_once_one_builds(bundle: Path, tmp_path: Path) -> None:
    change(bundle, device={"cpu_model": "another one"})
    words = [sys.executable, "-m", "agent.cli", "bundle", "check", str(bundle), "--state", str(tmp_path / "state")]
    started = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=100) for process in started]
    assert ["its engine was built again" in out for out, _ in said] == [True, True], said
    assert sum("building the engine" in log for _, log in said) == 1


def test_a_job_with_steps_and_functions_of_its_own_is_served_without_them(bundle: Path) -> None:
    own = b"def post(outputs):\n    return 1\n"
    frame, code = put_in(bundle, FRAME), put_in(bundle, own)
    bench = json.loads((bundle / "bench.json").read_text())["bench"]["subjects"][0]
    change_bench(
        bundle,
        artifacts=[
            *bench["artifacts"],
            {**frame, "name": "000-frame.png", "role": "ARTIFACT_ROLE_FRAME"},
            {**code, "name": "own.py", "role": "ARTIFACT_ROLE_CALLABLE"},
        ],
        pipeline={
            "tensor": "image",
            "pre": [{"step": "decode"}, {"step": "normalise"}, {"step": "layout", "arguments": [NCHW]}],
            "post": [{"step": "callable", "arguments": [{"name": "function", "text": "own.py:post"}]}],
        },
        accuracy_metrics=[{"name": "score", "function": "own.py:score"}],
    )
    with open_bundle(bundle, on_mismatch="refuse") as model:
        assert sorted(model.infer({"image": IMAGE})) == ["scores"]
    change(bundle, budget={"p50_ms": 1e-9})
    assert "this agent does not run own.py" in agent("accept", bundle, code=1)
    assert "MISSED" in agent("accept", bundle, "--allow-callable", code["sha256"], code=3)


def test_a_copy_that_serves_needs_nothing_that_only_deploys(bundle: Path) -> None:
    shutil.rmtree(bundle / "image")
    shutil.rmtree(bundle / "deploy")
    said = agent("verify", bundle)
    assert re.search(r": 8 files are what the manifest says; \d+ that only deploy it are not here", said)
    flip(bundle / "README.md")
    assert "README.md is damaged" in agent("verify", bundle, code=4)
    (bundle / "build.json").unlink()
    assert "build.json is missing" in agent("verify", bundle, code=4)


def test_inputs_that_do_not_fit_are_all_told_at_once(bundle: Path) -> None:
    with open_bundle(bundle) as model, pytest.raises(BadInput) as found:
        model.infer({"picture": IMAGE})
    assert found.value.message == "image: missing; picture: not an input"
    assert found.value.expected == "image float32[1, 3, 32, 32]"


def test_lines_of_json_are_answered_one_by_one(bundle: Path) -> None:
    right, wrong = json.dumps({"inputs": {"image": IMAGE.tolist()}}), "what?"
    answers = [json.loads(line) for line in agent("serve", bundle, "--stdin", lines=f"{right}\n{wrong}\n").splitlines()]
    assert [sorted(answer) for answer in answers] == [["outputs"], ["error"]]


@pytest.fixture
def served(bundle: Path) -> Iterator[str]:
    words = [sys.executable, "-m", "agent.cli", "bundle", "serve", str(bundle), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        ready = next(line for line in process.stderr if line.startswith("ready: "))
        yield ready.split(" at http://")[1].strip()
        process.terminate()
        process.stderr.read()
    assert process.returncode == 0


def ask(place: str, path: str, body: bytes | None = None, kind: str = "application/json") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(place, timeout=60)
    connection.request("GET" if body is None else "POST", path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer.status, said


def test_the_server_answers_in_the_form_that_it_was_asked_in(served: str) -> None:
    assert ask(served, "/ready") == (200, b'{"ready": true}')
    status, said = ask(served, "/infer", json.dumps({"inputs": {"image": IMAGE.tolist()}}).encode())
    (scores,) = json.loads(said)["outputs"].values()
    buffer = io.BytesIO()
    np.savez(buffer, image=IMAGE)
    npz = ask(served, "/infer", buffer.getvalue(), "application/x-npz")
    with np.load(io.BytesIO(npz[1])) as archive:
        (array,) = archive.values()
    assert (status, npz[0]) == (200, 200)
    assert np.allclose(array, scores)


@pytest.mark.parametrize(
    ("body", "kind"), [(b"?", "application/json"), (b"PK", "application/x-npz"), (b"", "text/plain")]
)
def test_a_body_that_cannot_be_read_is_the_callers_mistake(served: str, body: bytes, kind: str) -> None:
    status, said = ask(served, "/infer", body, kind)
    assert (status, sorted(json.loads(said))) == (400, ["error"])


def test_a_budget_that_is_missed_ends_with_3(bundle: Path) -> None:
    change(bundle, budget={"p50_ms": 1e-9})
    assert "p50_ms: " in (said := agent("accept", bundle, code=3))
    assert "MISSED (above the limit)" in said


def test_a_number_that_nobody_measured_is_no_pass(bundle: Path) -> None:
    change(bundle, budget={"h2d_p50_ms": 1.0})
    assert agent("accept", bundle, code=3) == "h2d_p50_ms: unknown, limit 1: CANNOT TELL (not measured)\n"


def test_what_is_not_a_bundle_is_told(tmp_path: Path) -> None:
    assert "this is not a bundle" in agent("verify", tmp_path, code=2)


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b"])
def test_no_path_leaves_the_bundle(bundle: Path, path: str) -> None:
    change(bundle, files={path: "0" * 64})
    with pytest.raises(BadInput, match="not a path inside the bundle"):
        read_manifest(bundle)


def test_a_link_is_no_file_of_a_bundle(bundle: Path, engine_file: Path, tmp_path: Path) -> None:
    engine_file.rename(tmp_path / "elsewhere")
    engine_file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Corrupt, match="is missing"):
        open_bundle(bundle)


WHEEL = "image/wheelhouse/pip-0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("action", "path"),
    [
        ("verify", WHEEL),
        ("verify", "files/more"),
        ("verify", "a\x1b[2J"),
        ("check", WHEEL),
        ("serve", "sitecustomize.py"),
    ],
)
def test_a_file_that_nobody_signed_is_refused_and_named(bundle: Path, shipped: Path, action: str, path: str) -> None:
    (bundle / path).parent.mkdir(parents=True, exist_ok=True)
    (bundle / path).write_text("planted")
    said = agent(action, bundle, "--key", shipped / "key.pub", code=4)
    assert f"{path!r} is not in the manifest" in said


def test_a_folder_that_is_a_link_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "files").rename(tmp_path / "files")
    (bundle / "files").symlink_to(tmp_path / "files")
    assert "'files' is not in the manifest" in agent("verify", bundle, code=4)
