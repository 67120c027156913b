"""A user's own code runs only where the agent's owner allows it, and only as the bytes that were allowed."""

import hashlib

import numpy as np
import pytest

from agent.pipeline.callables import UserFunctions
from agent.pipeline.functions import before
from jetfleet.errors import BadInput
from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_CALLABLE
from tests.agent.builders import Blobs
from tests.agent.pipeline.frames import pipeline, step

SOURCE = b"import numpy as np\n\ndef ones(content):\n    return np.ones((2, 2), np.float32) * len(content)\n"
DIGEST = hashlib.sha256(SOURCE).hexdigest()


def users(tmp_path, allowed, source=SOURCE):
    blobs = Blobs(tmp_path / "blobs")
    artifact = blobs.put(source, ARTIFACT_ROLE_CALLABLE, "mine/pre.py")
    return UserFunctions([artifact], lambda item: blobs.path(item.sha256), env={"JETFLEET_CALLABLES": allowed})


@pytest.mark.parametrize("allowed", ["any", DIGEST, f"{'0' * 64},{DIGEST}"])
def test_an_allowed_function_is_a_step(tmp_path, allowed):
    made = before(pipeline(step("callable", function="mine/pre.py:ones")), users(tmp_path, allowed))
    assert np.array_equal(made(b"abc"), np.full((2, 2), 3, np.float32))


@pytest.mark.parametrize("allowed", ["", "0" * 64, "ANY", "true", DIGEST[:12]])
def test_without_a_word_of_the_owner_it_does_not_run(tmp_path, allowed):
    trap = b"raise SystemExit('it ran')\n"
    with pytest.raises(BadInput, match=r"does not run mine/pre\.py") as refused:
        users(tmp_path, allowed, trap).find("mine/pre.py:ones")
    assert hashlib.sha256(trap).hexdigest() in refused.value.hint


def test_other_bytes_than_those_allowed_do_not_run(tmp_path):
    found = users(tmp_path, "any")
    (tmp_path / "blobs" / DIGEST).write_bytes(b"raise SystemExit('it ran')\n")
    with pytest.raises(BadInput, match="does not run"):
        found.find("mine/pre.py:ones")


@pytest.mark.parametrize(
    ("reference", "message"), [("mine/pre.py:twos", "no function 'twos'"), ("other.py:ones", "brings no file")]
)
def test_what_is_not_there_is_named(tmp_path, reference, message):
    with pytest.raises(BadInput, match=message):
        users(tmp_path, "any").find(reference)


def test_what_it_raises_is_told_with_its_place(tmp_path):
    source = b"def ones(content):\n    return 1 / 0\n"
    with pytest.raises(BadInput, match="ZeroDivisionError") as failed:
        users(tmp_path, "any", source).find("mine/pre.py:ones")(b"")
    assert failed.value.where == "mine/pre.py:ones"
