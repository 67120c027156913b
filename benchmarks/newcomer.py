"""A newcomer's way to a first report: a fresh clone, and the commands of docs/tutorial.md as they stand."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure, main
from benchmarks.processes import scratch

_ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"([^\n]*)\n```sh\n(.*?)\n```", re.DOTALL)
_REPORT_S = 300
_MOST_S = 900


class BlockFailed(Exception):
    """A command of the tutorial did not succeed."""


def newcomer(tiny: bool) -> Iterator[Figure]:
    """`--tiny`: to the report, with the commands of this environment, a simulated network, and no clone."""
    with scratch() as folder:
        clone, path, installing_s = (_ROOT, Path(sys.executable).parent, None) if tiny else _installed(folder)
        env = {name: value for name, value in os.environ.items() if not name.startswith("JETFLEET_")}
        env |= {
            "PATH": f"{path}{os.pathsep}{env['PATH']}",
            "HOME": str(folder),
            "JETFLEET_STATE": str(folder / "state"),
        }
        place = folder / "place"
        place.mkdir()
        (place / "examples").symlink_to(clone / "examples")
        try:
            reported_s, all_s, why = _follow(clone / "docs" / "tutorial.md", place, env, tiny=tiny)
        finally:
            _stop_all(str(folder))
    note = "commands of docs/tutorial.md; a real network, by ONNX Runtime on this machine"
    yield Figure("installed, to the first report", reported_s, "s", at_most=_REPORT_S, note=note)
    yield Figure("and gated, packaged, checked", all_s, "s", note=why or "the rest of the tutorial")
    yield Figure("installing before that", installing_s, "s", note="clone, venv, pip from a near index; no torch")


def _follow(document: Path, place: Path, env: dict[str, str], *, tiny: bool) -> tuple[float, float | None, str]:
    """Seconds until the report is there, and until the end, or why that was not reached."""
    begin, commands = time.monotonic(), list(_commands(document, tiny=tiny))
    until = next(index for index, block in enumerate(commands, 1) if "controller report" in block)
    for block in commands[:until]:
        _run(block, place, env)
    reported_s = time.monotonic() - begin
    if tiny:
        return reported_s, None, "not with --tiny"
    try:
        for block in commands[until:]:
            _run(block, place, env)
    except BlockFailed as error:
        return reported_s, None, str(error)  # nothing is VALID where neighbours take the CPU: nothing is shipped
    return reported_s, time.monotonic() - begin, ""


def _stop_all(folder: str) -> None:
    """The controller and the agent that were started on the way, before their folder goes."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if folder.encode() in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGTERM)
    time.sleep(2)  # they sign off


def _installed(folder: Path) -> tuple[Path, Path, float]:
    """A clone of what is committed, and the commands of its environment."""
    begin, clone = time.monotonic(), folder / "clone"
    subprocess.run(["git", "clone", "--quiet", str(_ROOT), str(clone)], check=True)
    subprocess.run([sys.executable, "-m", "venv", str(clone / ".venv")], check=True)
    pip = [str(clone / ".venv/bin/pip"), "install", "--quiet", "-c", "constraints.txt"]
    subprocess.run([*pip, ".[controller,agent,onnxruntime]"], check=True, cwd=clone)
    return clone, clone / ".venv/bin", time.monotonic() - begin


def _commands(document: Path, *, tiny: bool) -> Iterator[str]:
    for before, text in _BLOCK.findall(document.read_text(encoding="utf-8")):
        if not before.startswith("<!-- not run"):
            yield text.replace("runtime: [onnxruntime]", "runtime: [simulated]") if tiny else text


def _run(block: str, place: Path, env: dict[str, str]) -> None:
    """Its output goes to stderr, stdout is for figures; by a file, because an agent that stays would hold a pipe."""
    log = place / "log"
    with log.open("wb") as out:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=place,
            env=env,
            stdout=out,
            stderr=out,
            timeout=_MOST_S,
            check=False,
        )
    sys.stderr.write(f"$ {block}\n{log.read_text(encoding='utf-8', errors='replace')}\n")
    if done.returncode:
        raise BlockFailed(f"exit code {done.returncode}: {block.splitlines()[0]}")


if __name__ == "__main__":
    main("newcomer", newcomer)
