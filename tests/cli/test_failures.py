"""What went wrong, once, with its exit code; and what a bug in jetfleet looks like."""

import json
from pathlib import Path

import pytest

from controller.api.spawn import parse_error
from controller.cli.failures import print_bug, print_error
from controller.cli.main import main
from jetfleet.errors import BadInput, JetfleetError, kinds


def test_an_error_says_where_what_and_how(capsys: pytest.CaptureFixture[str]) -> None:
    error = BadInput("unknown key 'modle'\x1b[31m", where="job.yaml:3", expected="model", hint="rename it")
    assert print_error(error, as_json=False) == 2
    assert capsys.readouterr().err == ("error: job.yaml:3: unknown key 'modle'\n  expected: model\n  fix: rename it\n")


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_an_error_survives_json(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = kinds()[kind]("what", where="place", expected="that", hint="so")
    assert print_error(error, as_json=True) == error.exit_code
    line = capsys.readouterr().err
    assert json.loads(line)["error"]["exit_code"] == error.exit_code
    back = parse_error(line)
    assert type(back) is type(error)
    assert str(back) == str(error)


@pytest.mark.parametrize("line", ["", "plain words", "{}", "[]", '{"error": {}}', '{"error": {"kind": "Nonsense"}}'])
def test_other_lines_are_no_errors(line: str) -> None:
    assert parse_error(line) is None


def test_a_bug_is_one_line_and_a_saved_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_bug(ValueError("odd\nthing"), state_dir=tmp_path, verbose=False) == 70
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "error: a bug in jetfleet: ValueError: odd"
    (saved,) = (tmp_path / "logs").iterdir()
    assert said[1:] == [f"  traceback: {saved}"]
    assert "ValueError: odd" in saved.read_text()


def test_a_bug_is_told_even_where_nothing_can_be_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("a file, not a folder")
    assert print_bug(ValueError("odd"), state_dir=tmp_path, verbose=False) == 70
    saved = Path(capsys.readouterr().err.splitlines()[1].removeprefix("  traceback: "))
    assert saved.is_file()


@pytest.mark.parametrize(("flags", "told"), [((), "a bug in jetfleet"), (("-v",), "Traceback (most recent call last)")])
def test_main_turns_a_bug_into_70(
    flags: tuple[str, ...],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("controller.api.discovery.connect", broken)
    with pytest.raises(SystemExit) as caught:
        main(["--state", str(tmp_path), *flags, "jobs"])
    assert caught.value.code == 70
    assert told in capsys.readouterr().err


def test_main_exits_with_the_errors_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise JetfleetError("no")

    monkeypatch.setattr("controller.api.discovery.connect", refused)
    with pytest.raises(SystemExit) as caught:
        main(["jobs", "--state", str(tmp_path)])
    assert caught.value.code == 1
