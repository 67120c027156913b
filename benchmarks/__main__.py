"""`make bench`: runs the programs, each in a process of its own, shows their figures and stores them."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, slug
from benchmarks.table import markdown, terminal

PROGRAMS = (
    "commit",
    "dispatch",
    "claim",
    "submit",
    "wake",
    "blobs",
    "tls",
    "start",
    "query",
    "decide_rows",
    "idle",
    "harness",
    "ceilings",
    "stages",
    "peers",
    "disturbance",
    "interference",
    "coverage",
    "answers",
    "gates",
    "calibration",
    "fleetbuild",
    "restore",
    "energy",
    "planted",
    "newcomer",
    "gpu",
)
_STORED = Path("docs/measured")


def run(bar: str, *, tiny: bool = False) -> list[dict[str, Any]]:
    """The figures of one program. Raises CalledProcessError if its run broke, with what it had measured before."""
    command = [sys.executable, "-m", f"benchmarks.{bar}", *(["--tiny"] if tiny else [])]
    return figures_in(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def figures_in(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("bars", nargs="*", metavar="BAR", help=f"some of: {' '.join(PROGRAMS)} (default: all)")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, and nothing is stored")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.bars) - set(PROGRAMS)):
        parser.error(f"no bar is called {', '.join(unknown)}; there are: {' '.join(PROGRAMS)}")
    figures, broken = [], []
    for bar in options.bars or PROGRAMS:
        try:
            found = run(bar, tiny=options.tiny)
        except subprocess.CalledProcessError as error:
            broken.append(f"{bar} broke (exit code {error.returncode})")
            found = figures_in(error.stdout)
        for figure in found:
            sys.stdout.write(json.dumps(figure) + "\n")
        figures += found
    machine = describe()
    sys.stdout.write("\n" + terminal(figures) + "".join(f"{line}\n" for line in broken))
    if not options.tiny:
        _store(machine, figures)
    return 1 if broken else 0


def _store(machine: dict[str, Any], figures: list[dict[str, Any]]) -> None:
    """A run of some bars replaces those of the same day and machine, and keeps the others."""
    _STORED.mkdir(parents=True, exist_ok=True)
    path = _STORED / f"{machine['date']}-{slug(machine)}.jsonl"
    before = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    again = {figure["bar"] for figure in figures}
    now = [{**figure, "machine": machine} for figure in figures]
    kept = [*(item for item in before if item["bar"] not in again), *now]
    kept.sort(key=lambda item: PROGRAMS.index(item["bar"]))
    path.write_text("".join(json.dumps(item) + "\n" for item in kept))
    path.with_suffix(".md").write_text(markdown(machine, kept))
    sys.stdout.write(f"stored: {path.with_suffix('.md')}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
