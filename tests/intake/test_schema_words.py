"""What an error says that is expected is what the schema takes, and what is wrong is told once, where it is."""

from pathlib import Path

import pytest

from controller.intake.jobfile.schema_words import expected_at
from controller.intake.jobfile.spec import load_text
from jetfleet.errors import BadInput

HEAD = "apiVersion: jetfleet/v1\nname: test\nmodel: {onnx: m.onnx}\n"
SOAK_S = "a number above 0 and of at most 7200"


def told(text: str) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as caught:
        load_text(HEAD + text, Path("job.yaml"))
    return [(item.message, item.expected) for item in (caught.value, *caught.value.others)]


@pytest.mark.parametrize(
    ("text", "message", "expected"),
    [
        ("measure: {soak: 5}", "5 is not allowed here", "true or false or a mapping"),
        ("measure: {soak: {max_s: 9000}}", "9000 is not allowed here", SOAK_S),
        ("measure: {soak: {max_s: a}}", "'a' is not allowed here", SOAK_S),
        ("measure: {power_mode: 15}", "15 is not allowed here", "the name of a power mode, like 15W or MAXN"),
        ("measure: {runs: 0}", "0 is not allowed here", "'auto' or a whole number from 1 to 100"),
        ("check: {rule: x}", "'x' is not allowed here", "'close', 'cosine', 'set' or 'off'"),
        ("check: {outputs: {y: {rtol: -1}}}", "-1 is not allowed here", "a number of at least 0"),
        ("pipeline: {input: [a, 5], pre: [decode]}", "5 is not allowed here", "text"),
        ("pipeline: {input: a, pre: []}", "a list is not allowed here", "a list of 1 to 32"),
        ("variants: {include: [{batch: 0}]}", "0 is not allowed here", "a whole number from 1 to 65536 or a list"),
        ("measure: {confidence: 1}", "1 is not allowed here", "a number of at least 0.5 and below 1"),
        ("limits: {deadline_s: 0}", "0 is not allowed here", "a whole number from 1 to 31536000"),
        (
            "labels: {'a b': x}",
            "unknown key 'a b'",
            "letters, digits, '.', '_', '/' and '-', beginning with a letter or digit",
        ),
    ],
)
def test_one_mistake_is_told_once_with_all_that_may_stand_there(text: str, message: str, expected: str) -> None:
    assert told(text) == [(message, expected)]


def test_an_unknown_measure_of_accuracy_is_one_mistake() -> None:
    text = HEAD.replace("m.onnx", "m.onnx, data: {evaluation: e.npz, metrics: [{f1: a.py:f}]}")
    with pytest.raises(BadInput, match="unknown key 'f1'") as caught:
        load_text(text, Path("job.yaml"))
    assert caught.value.others == ()


def test_a_place_that_the_schema_does_not_know_has_no_words() -> None:
    assert expected_at(("measure", "nothing")) == ""
    assert expected_at(("variants", "precision", 0)) == "'fp32', 'tf32', 'fp16' or 'int8'"
