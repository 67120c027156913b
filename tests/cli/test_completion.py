"""Completion scripts, in the shell that they are for."""

import shutil
import subprocess
import sys

import pytest

COMMANDS = {"controller": "controller.cli.main", "agent": "agent.cli"}


def printed(command: str, shell: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", COMMANDS[command], "completion", shell], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("command", "typed", "offered"),
    [
        ("controller", ["sub"], {"submit"}),
        ("controller", ["submit", "--req"], {"--require-valid"}),
        ("controller", ["--state", "x", "job", "re"], {"retry"}),
        ("controller", ["devices", "cordon", "--rea"], {"--reason"}),
        ("agent", ["do"], {"doctor"}),
        ("agent", ["run", "--add"], {"--address"}),
    ],
)
def test_bash_completes(command: str, typed: list[str], offered: set[str]) -> None:
    words = " ".join(f"'{word}'" for word in [command, *typed])
    ask = f"COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _{command}_words; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(
        ["bash", "-c", f"{printed(command, 'bash')}\n{ask}"], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == offered


@pytest.mark.parametrize("command", COMMANDS)
def test_the_other_shells_get_a_script(command: str) -> None:
    assert printed(command, "zsh").startswith("autoload -U +X bashcompinit")
    fish = printed(command, "fish")
    assert f"complete -c {command} -n '__fish_use_subcommand' -a completion\n" in fish
    if path := shutil.which("fish"):
        assert subprocess.run([path, "--no-execute"], input=fish, text=True).returncode == 0
