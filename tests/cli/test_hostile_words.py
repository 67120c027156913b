"""Arguments that nobody means: each is told, with exit code 2, and nothing of it reaches the terminal raw."""

import subprocess
import sys
from pathlib import Path

import pytest

from controller.cli.gc import parse_age, parse_size
from jetfleet.errors import BadInput
from tests.cli.conftest import Command

HOSTILE = [
    ["submit", "no\x1b[31msuch\nerror: file.yaml"],
    ["submit", "/"],
    ["submit", "x" * 5000],
    ["export", "\x9b31m.yaml", "--check"],
    ["restore", "a\x1b[31mb"],
    ["query", "\x1b[31m"],
    ["gc", "--kinds", "\x1b[31m"],
    ["gc", "--older-than", "9" * 400 + "d"],
    ["gc", "--max-size", "9" * 400 + "GB"],
    ["results", "--label", "\x1b[3=x"],
    ["results", "--samples", "/nowhere/\x1b[31m/x.npz"],
    ["results", "--samples", "/", "--times", "/"],
    ["engines", "show", "x", "--layers", "/nowhere/x"],
    ["compare", "1", "--fail-on", "\x1b[31m"],
    ["completion", "\x1b[31m"],
    ["\x1b[31m"],
    ["jobs", "--\x1b[31m"],
    ["jobs", "--address", "\x1b[31m"],
]


@pytest.mark.parametrize("words", HOSTILE, ids=lambda words: ascii(" ".join(words))[:40])
def test_an_argument_that_nobody_means(words: list[str], command: Command) -> None:
    done = command(*words)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("error: ")
    assert not {"\x1b", "\x9b", "\x00"} & set(done.stderr)
    assert "Traceback" not in done.stderr
    assert not any(line.startswith("error: file") for line in done.stderr.splitlines())


@pytest.mark.parametrize("name", [b"no\xffsuch.yaml", "none\u202e.yaml".encode()])
def test_a_file_name_in_another_encoding(name: bytes, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "controller.cli.main", "--state", str(tmp_path / "s"), "submit", name]
    done = subprocess.run(line, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert b"\\xff" in done.stderr or b"\\u202e" in done.stderr


@pytest.mark.parametrize("text", ["9" * 400 + "d", "101000d"])
def test_an_age_has_an_end(text: str) -> None:
    with pytest.raises(BadInput, match="at most 100 years"):
        parse_age(text, where="--older-than")


@pytest.mark.parametrize("text", ["9" * 400 + "GB", "2000000TB"])
def test_a_size_has_an_end(text: str) -> None:
    with pytest.raises(BadInput, match="at most"):
        parse_size(text, where="--max-size")
