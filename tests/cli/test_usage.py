"""Wrong usage, in one form for all verbs of both commands."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from agent import cli as agent
from controller.cli.main import main
from controller.cli.numbers import FiniteRange
from jetfleet.arguments import long_options
from tests.cli.tree import command_of, verbs_of_agent, verbs_of_controller

CONTROLLER, AGENT = verbs_of_controller(), verbs_of_agent()


def options_of(name: str, path: tuple[str, ...]) -> list[str]:
    if name == "controller":
        return [word for item in command_of(path).params for word in item.opts if word.startswith("--")]
    parser = next(item.choices[path[0]] for item in agent._parser()._actions if isinstance(item.choices, dict))
    return long_options(parser)


def needed(path: tuple[str, ...]) -> list[click.Parameter]:
    return [item for item in command_of(path).params if isinstance(item, click.Argument) and item.required]


def arguments_of(name: str, path: tuple[str, ...]) -> list[str]:
    """Some that parse: a number is a valid name of anything, too."""
    if name == "agent":
        return {
            "once": ["task.json"],
            "enroll": ["127.0.0.1:1", "--ca", "sha256:0"],
            "install": ["--native"],
            "completion": ["bash"],
            "bundle": ["verify", "."],
        }.get(path[0], [])
    return ["bash" if path == ("completion",) else "1" for _ in needed(path)]


def numbers_of(path: tuple[str, ...]) -> list[str]:
    numeric = (click.types.IntParamType, click.types.FloatParamType)
    return [
        item.opts[0] for item in command_of(path).params if isinstance(item.type, numeric) and item.opts[0][0] == "-"
    ]


@pytest.fixture(autouse=True)
def _far_from_the_users_state(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[None]:
    monkeypatch.setenv("JETFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    yield
    assert not (tmp_path / "state").exists(), "wrong usage does nothing"


def refused(run, words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as caught:
        run(words)
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (2, ""), err
    lines = err.splitlines()
    if "--json" not in words:
        assert lines[0].startswith("error: ")
        assert all(line.startswith(("  expected: ", "  fix: ")) for line in lines[1:]), err
        assert lines[-1].endswith("--help")
    assert "\x1b" not in err
    return lines


@pytest.mark.parametrize(("run", "name", "path"), [
    *((main, "controller", path) for path in CONTROLLER), *((agent.main, "agent", path) for path in AGENT)
])  # fmt: skip
def test_an_unknown_option(run, name: str, path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    lines = refused(run, [*path, *arguments_of(name, path), "--zzz"], capsys)
    verb = " ".join((name, *path))
    assert lines == [f"error: '--zzz' is not a valid option of `{verb}`", f"  fix: {verb} --help"]


@pytest.mark.parametrize(("run", "name", "path"), [
    *((main, "controller", path) for path in CONTROLLER), *((agent.main, "agent", path) for path in AGENT)
])  # fmt: skip
def test_an_option_that_is_nearly_one(run, name: str, path: tuple[str, ...], capsys) -> None:
    known = [item for item in options_of(name, path) if item != "--help"]
    for option in known[:1]:
        words = [*path, *arguments_of(name, path), f"{option}x"]
        if not any(item.startswith(f"{option}x") for item in known):
            assert option in refused(run, words, capsys)[1]


@pytest.mark.parametrize("path", [path for path in CONTROLLER if needed(path)])
def test_a_missing_argument(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    lines = refused(main, [*path], capsys)
    assert lines[0].endswith(" is missing")
    assert lines[1].startswith(f"  expected: controller {' '.join(path)} ")


@pytest.mark.parametrize(("run", "words", "meant"), [
    (main, ["jbos"], "jobs"),
    (main, ["job", "shw", "1"], "show"),
    (main, ["devices", "shwo"], "show"),
    (main, ["zzz"], "submit"),
    (agent.main, ["prob"], "probe"),
    (agent.main, ["zzz"], "probe"),
])  # fmt: skip
def test_an_unknown_verb_names_the_one_that_is_meant(run, words: list[str], meant: str, capsys) -> None:
    lines = refused(run, words, capsys)
    assert "is not a valid verb of" in lines[0]
    assert meant in lines[1]


@pytest.mark.parametrize("path", [path for path in CONTROLLER if "--json" in options_of("controller", path)])
def test_with_json_wrong_usage_is_a_line_of_json(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = refused(main, [*path, *arguments_of("controller", path), "--json", "--zzz"], capsys)
    assert json.loads(line)["error"]["kind"] == "BadInput"


@pytest.mark.parametrize("path", [path for path in CONTROLLER if numbers_of(path)])
@pytest.mark.parametrize("number", ["9" * 5000, "-1", "1e400", "nan", "", "0x10", "99999999999999999999"])
def test_numbers_have_a_range(path: tuple[str, ...], number: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in numbers_of(path):
        refused(main, [*path, *arguments_of("controller", path), f"{name}={number}"], capsys)


@pytest.mark.parametrize("path", [path for path in CONTROLLER if numbers_of(path)])
def test_numbers_with_a_point_are_finite_by_their_type(path: tuple[str, ...]) -> None:
    points = [item for item in command_of(path).params if isinstance(item.type, click.types.FloatParamType)]
    assert all(isinstance(item.type, FiniteRange) for item in points)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999", "NaN", "few"])
@pytest.mark.parametrize(
    "words",
    ["recommend 1 --require p99_ms=@", "report 1 -o r.html --require power=@", "package 1 -o d --require p99_ms<=@",
     "package 1 -o d --budget p50_ms=@", "compare 1 --margin @", "compare 1 --false-alarms @", "query x --timeout @",
     "serve --min-free @", "serve --idle-exit @", "submit job.yaml --timeout @",
     "gate 1 --baseline 2 --max-regression p50=@%"],
)  # fmt: skip
def test_a_number_that_is_not_finite(words: str, number: str, monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main([word.replace("@", number) for word in words.split()])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "a finite number" in said or "is not a valid limit" in said


@pytest.mark.parametrize("number", ["nan", "inf", "1e999"])
@pytest.mark.parametrize("option", ["--idle-exit", "--drain-seconds"])
def test_seconds_of_an_agent_are_finite(option: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(agent.main, ["run", option, number], capsys)


@pytest.mark.parametrize(("run", "words", "option"), [
    (main, "gate 1 --baseline 2 --junit @", "--junit"), (main, "gate 1 --baseline 2 --markdown @", "--markdown"),
    (main, "report 1 -o @", "--output"), (main, "report 1 --markdown @", "--markdown"),
    (main, "report 1 --pack @", "--pack"), (main, "query x --parquet @", "--parquet"),
    (main, "results --samples @", "--samples"), (main, "results --times @", "--times"),
    (main, "engines show 1 --layers @", "--layers"), (main, "engines show 1 --profile @", "--profile"),
    (main, "engines download 1 -o @", "--output"), (main, "export 1 --format parquet --output @", "--output"),
    (main, "image --cpu --archive @", "--archive"), (main, "backup @", "FILE"),
    (main, "package --new-key @", "--new-key"), (agent.main, "bundle infer . --output @", "--output"),
])  # fmt: skip
@pytest.mark.parametrize("place", [".", "absent/file"])
def test_a_place_where_no_file_can_be_written(run, words: str, option: str, place: str, tmp_path, capsys) -> None:
    """Before any work, and no failure of the disk."""
    with pytest.raises(SystemExit) as caught:
        run([word.replace("@", str(tmp_path / place)) for word in words.split()])
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (2, ""), err
    assert err.startswith(f"error: {option}: ")
    assert "  expected: a file in a folder" in err


@pytest.mark.parametrize("place", ["there", "there/in/it"])
@pytest.mark.parametrize(
    ("words", "option"), [("package 1 -o @", "--output"), ("image --cpu --wheelhouse @", "--wheelhouse")]
)
def test_a_place_where_no_folder_can_be(words: str, option: str, place: str, tmp_path, capsys) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(SystemExit) as caught:
        main([word.replace("@", str(tmp_path / place)) for word in words.split()])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {option}: {tmp_path / 'there'} is not a folder")


@pytest.mark.parametrize(("option", "told"), [("--where", ""), ("--timeot", "--timeout"), ("--labels", "--label")])
def test_an_option_that_nothing_is_like_is_not_told_others(option: str, told: str, capsys) -> None:
    lines = refused(main, ["submit", option, "x"], capsys)
    expected = [f"  expected: {told}"] if told else []
    assert lines[1:] == [*expected, "  fix: controller submit --help"]


def test_a_word_without_its_name_is_refused_alike(capsys: pytest.CaptureFixture[str]) -> None:
    for run, words in ((main, "submit job.yaml --label =x"), (main, "recommend 1 --require =3"),
                       (agent.main, "bundle infer . --input =x.npy"), (agent.main, "probe --label =x")):  # fmt: skip
        with pytest.raises(SystemExit) as caught:
            run(words.split())
        assert caught.value.code == 2
        assert "=" in capsys.readouterr().err


def test_a_quantity_is_limited_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["recommend", "1", "--require", "p99=3", "--require", "p99_ms=5"])
    assert (caught.value.code, "p99_ms is limited twice" in capsys.readouterr().err) == (2, True)


def test_colour_only_where_it_is_wanted() -> None:
    words = [sys.executable, "-m", "agent.cli", "nonsense"]
    for module in ("agent.cli", "controller.cli.main"):
        words[2] = module
        done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "FORCE_COLOR": "1"})
        assert (done.returncode, "\x1b" in done.stderr) == (2, False)


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize(("run", "words"), [
    (main, "jobs --state @"), (main, "--state=@ serve"), (main, "submit job.yaml --idempotency-key @"),
    (main, "job retry 1 --idempotency-key=@"), (main, "submit @"), (main, "jobs --address @"), (main, "export @"),
    (main, "engines download 1 -o @"), (main, "devices rename a @"), (main, "jobs --columns @"),
    (main, "serve --listen @"), (main, "compare 1 --baseline @"), (main, "backup @"),
    (agent.main, "run --state @"), (agent.main, "run --name=@"), (agent.main, "doctor --address @"),
    (agent.main, "once @"),
])  # fmt: skip
def test_a_value_of_nothing(run, words: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As a script's variable that is not set leaves it; the folder "" would be the working directory."""
    lines = refused(run, [word.replace("@", value) for word in words.split()], capsys)
    option = next((word.rstrip("=@") for word in words.split() if word[0] == "-"), "")
    assert lines[0] == f"error: {option + ': ' if option else ''}an empty value"


@pytest.mark.parametrize(
    ("arguments", "said", "verb"),
    [
        (("submit", "--ab", "--dry-run"), "--ab: it takes BASE CANDIDATE, and --dry-run is an option", "submit"),
        (("submit", "--ab", "a.yaml", "--wait"), "--ab: it takes BASE CANDIDATE, and --wait is an option", "submit"),
        (("submit", "--ab"), "--ab: it takes BASE CANDIDATE", "submit"),
        (("gate", "1", "--baseline", "--stored"), "--baseline: it takes JOB|NAME, and --stored is an option", "gate"),
        (("baseline", "set", "main", "1", "--for"), "--for: it takes CLASS", "baseline set"),
    ],
)
def test_an_option_without_its_value_does_not_take_the_next_one(
    arguments: tuple[str, ...], said: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(main, list(arguments), capsys)
    assert said in told[0]
    assert told[-1].strip() == f"fix: controller {verb} --help"


def test_all_answers_that_a_gate_may_be_about_are_in_the_help() -> None:
    from controller.cli.compare import ANSWERS
    from controller.model.comparison import Answer

    assert sorted(ANSWERS.split(",")) == sorted(item.value.lower().replace("_", "-") for item in Answer)


def test_all_views_are_in_the_help() -> None:
    from controller.store.sqlite.views import VIEWS

    assert re.findall(r"v_[a-z]+", command_of(("query",)).help or "") == list(VIEWS)
