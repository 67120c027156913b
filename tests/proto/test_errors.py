"""Exceptions: what a user reads, which exit code, which status."""

import grpc
import pytest

from jetfleet import errors
from jetfleet.errors import BadInput, JetfleetError, kinds

KINDS = sorted(kinds().items())


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({}, "it broke"),
        ({"where": "job.yaml:3:5"}, "job.yaml:3:5: it broke"),
        ({"expected": "a number"}, "it broke\n  expected: a number"),
        ({"hint": "do this"}, "it broke\n  fix: do this"),
        (
            {"where": "job.yaml:3:5", "expected": "a number", "hint": "do this"},
            "job.yaml:3:5: it broke\n  expected: a number\n  fix: do this",
        ),
    ],
)
def test_what_a_user_reads(details, text):
    assert str(BadInput("it broke", **details)) == text


EXIT_CODES = {
    "JetfleetError": 1,
    "TaskFailed": 1,
    "BadInput": 2,
    "UnknownValue": 2,
    "NotFound": 2,
    "Infrastructure": 4,
    "NoDevice": 4,
    "Unreachable": 4,
    "PortTaken": 4,
    "StateGone": 4,
    "StateLocked": 4,
    "DatabaseTooNew": 4,
    "DiskFull": 4,
    "NeedsUpgrade": 4,
    "Conflict": 4,
    "StaleSession": 4,
    "Unauthenticated": 4,
    "Denied": 4,
    "WrongClock": 4,
    "StaleAttempt": 4,
    "Corrupt": 4,
    "WrongOffset": 4,
    "Cancelled": 6,
    "TimeLimit": 7,
}


def test_exit_codes_are_a_promise_to_scripts():
    assert {name: kind.exit_code for name, kind in KINDS if kind.__module__ == "jetfleet.errors"} == EXIT_CODES


def test_kinds_finds_every_exception_of_the_module():
    in_module = {
        name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, JetfleetError)
    }
    assert in_module <= set(kinds())
    assert len(in_module) == len(EXIT_CODES)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_every_status_is_one_of_grpcs(name, kind):
    assert grpc.StatusCode[kind.status] is not grpc.StatusCode.OK
    assert kind.__name__ == name
