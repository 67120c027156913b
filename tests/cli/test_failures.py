"""What went wrong, once, with its exit code; and what a bug in jetfleet looks like."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from controller.api.spawn import parse_error
from controller.cli.failures import missing_package, print_bug, print_error
from controller.cli.main import main
from jetfleet.errors import BadInput, JetfleetError, kinds

ROOT = Path(__file__).resolve().parents[2]


def test_an_error_says_where_what_and_how(capsys: pytest.CaptureFixture[str]) -> None:
    error = BadInput("unknown key 'modle'\x1b[31m", where="job.yaml:3", expected="model", hint="rename it")
    assert print_error(error, as_json=False) == 2
    assert capsys.readouterr().err == (
        "error: job.yaml:3: unknown key 'modle'\\x1b[31m\n  expected: model\n  fix: rename it\n"
    )
    print_error(BadInput("no", where="a\0b\nerror: c\u202e\x9b"), as_json=False)
    assert capsys.readouterr().err == "error: a\\x00b\\nerror: c\\u202e\\x9b: no\n"


def test_every_package_that_the_controller_needs_may_be_missed() -> None:
    listed = re.search(r"^controller = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE)
    assert listed is not None
    wanted = {name.lower() for name in re.findall(r'"([\w-]+)>=', listed[1])}
    modules = {
        module
        for module, packages in packages_distributions().items()
        if not module.startswith("_") and wanted & {package.lower() for package in packages}
    }
    assert {"cryptography", "grpc_reflection", "yaml"} <= modules
    for module in sorted(modules):
        told = missing_package(ModuleNotFoundError(name=f"{module}.part"))
        assert told is not None, module
        assert told.hint == "pip install 'jetfleet[controller]'"


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


def test_a_terminal_without_unicode_gets_ascii(tmp_path: Path) -> None:
    show = """
import json
from controller.cli import main
json.dumps = lambda *_, **__: chr(177) + chr(0x4e2d)
main.main(["schema"])
"""
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout) == (0, "+/-?\n")


def test_a_package_that_is_missing_is_told_with_its_extra(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['yaml'] = None; from controller.cli.main import main; main(sys.argv[1:])"
    job = tmp_path / "job.yaml"
    job.write_text("name: x\n")
    words = ["--state", str(tmp_path / "state"), "submit", str(job)]
    done = subprocess.run([sys.executable, "-c", hide, *words], capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    assert "the package yaml is not installed here" in done.stderr
    assert "pip install 'jetfleet[controller]'" in done.stderr


@pytest.mark.parametrize("package", ["typer", "click", "grpc", "google.protobuf"])
@pytest.mark.parametrize("way", ["script", "module"])
def test_a_command_line_without_its_packages_says_what_to_install(way: str, package: str, tmp_path: Path) -> None:
    """An installation of `jetfleet` alone, or of the agent: the console script is there, typer is not."""
    for command, verb in (("controller", "jobs"), ("agent", "run")):
        script = re.search(rf'^{command} = "(.+):(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        assert script is not None
        run = f"from {script[1]} import {script[2]} as run; run()"
        if way == "module":
            run = f"import runpy; runpy.run_module('{script[1]}', run_name='__main__', alter_sys=True)"
        if command == "agent" and package in ("typer", "click"):
            verb = "--help"  # which the agent answers without them, and without the others
        hide = f"import sys; sys.modules['{package}'] = None; {run}"
        words = [sys.executable, "-c", hide, verb]
        done = subprocess.run(
            words, capture_output=True, text=True, env={**os.environ, "JETFLEET_STATE": str(tmp_path)}
        )
        assert "Traceback" not in done.stderr
        if verb == "--help":
            assert done.returncode == 0, done.stderr
            continue
        assert done.returncode == 4, done.stderr
        assert f"the package {package.partition('.')[0]} is not installed here" in done.stderr
        assert f"pip install 'jetfleet[{command}]'" in done.stderr
