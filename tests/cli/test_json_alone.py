"""`--json` of every verb: one JSON document on stdout, alone; or nothing there, and a line of it on stderr."""

import json

import pytest

from tests.cli.conftest import Command
from tests.cli.tree import command_of, verbs_of_controller

VERBS = [path for path in verbs_of_controller() if any("--json" in item.opts for item in command_of(path).params)]
EMPTY = [("jobs",), ("devices",), ("devices", "list"), ("engines",), ("engines", "list"), ("results",), ("gc",)]
BY_NUMBER = ("job", "devices", "engines", "results", "compare")
# What makes each fail; of the others those above are given the number of a job that there is not.
FAILING: dict[tuple[str, ...], list[str]] = {
    ("jobs",): ["--limit", "0"],
    ("devices", "list"): ["extra"],
    ("engines", "list"): ["--limit", "0"],
    ("query",): ["select nothing from nowhere"],
    ("fsck",): ["extra"],
    ("gc",): ["--kinds", "nothing"],
    ("export",): ["absent.yaml", "--check"],
    ("submit",): ["absent.yaml"],
    ("backup",): ["/nowhere/backup.tar"],
    ("restore",): ["absent.tar"],
    ("serve",): ["--listen", "192.0.2.1:1"],
}


def test_an_empty_answer_is_a_document(fleet: Command) -> None:
    for words in (*EMPTY, ("query", "select 1 where 0"), ("fsck",)):
        done = fleet(*words, "--json")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert document["schema_version"] == 1, words


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_a_failure_is_a_line_of_json_on_stderr_alone(path: tuple[str, ...], fleet: Command) -> None:
    absent = ["99999"] if path[0] in BY_NUMBER else ["--nonsense"]
    done = fleet(*path, *FAILING.get(path, absent), "--json")
    assert done.returncode in (2, 4), done.stderr
    assert done.stdout == ""
    errors = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert len(errors) == 1
    assert errors[0]["error"]["exit_code"] == done.returncode
