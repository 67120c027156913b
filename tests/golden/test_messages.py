"""The wording of errors that people read, pinned once: better words change `messages.txt` and nothing else.

After a change of words: JETFLEET_GOLDEN=write pytest tests/golden, and read the difference before it is committed.
"""

import os
from pathlib import Path

import pytest

from controller.cli.database import run_sql
from controller.intake.jobfile.spec import load_spec
from jetfleet.errors import JetfleetError
from jetfleet.rpc import check_protocol

GOLDEN = Path(__file__).with_name("messages.txt")
HEAD = "apiVersion: jetfleet/v1\nname: test\n"
MODEL = "model: {onnx: m.onnx}\n"


def job(text):
    def attempt(folder):
        (folder / "job.yaml").write_text(text)
        load_spec(folder / "job.yaml")

    return attempt


CASES = {
    "job: not YAML": job("name: [1,"),
    "job: no apiVersion": job("name: test\n" + MODEL),
    "job: no model": job(HEAD),
    "job: an unknown key": job(HEAD + MODEL + "variant: {}\n"),
    "job: a key twice": job(HEAD + MODEL + "name: again\n"),
    "job: an alias": job(HEAD + "model: &m {onnx: m.onnx}\nother: *m\n"),
    "job: an unknown runtime": job(HEAD + MODEL + "variants: {runtime: [tensorflow]}\n"),
    "job: an unknown precision": job(HEAD + MODEL + "variants: {precision: [fp12]}\n"),
    "job: a batch of nothing": job(HEAD + MODEL + "variants: {batch: [0]}\n"),
    "job: a time that is text": job(HEAD + MODEL + "measure: {seconds: long}\n"),
    "job: no such file": lambda folder: load_spec(folder / "absent.yaml"),
    "query: no database": lambda folder: run_sql(folder / "fleet.db", "SELECT 1"),
    "wire: a peer without a version": lambda _: check_protocol(()),
}


def said(attempt, folder):
    with pytest.raises(JetfleetError) as caught:
        attempt(folder)
    return f"{caught.value}\n  exit code: {caught.value.exit_code}".replace(str(folder), "FOLDER")


def test_errors_are_worded_as_agreed(tmp_path):
    found = "\n\n".join(f"# {case}\n{said(attempt, tmp_path)}" for case, attempt in CASES.items()) + "\n"
    if os.environ.get("JETFLEET_GOLDEN") == "write":
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()
