"""`agent doctor`: its arguments, and its checks printed one by one as they end."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from jetfleet.address import ADDRESS_VARIABLE, check_address
from jetfleet.errors import BadInput


def add_arguments(doctor: argparse.ArgumentParser, *, state_help: str) -> None:
    doctor.add_argument("--json", action="store_true", help="print the checks as JSON, for programs")
    doctor.add_argument(
        "--address",
        help=f"a controller to reach as well, HOST:PORT or unix:PATH [default: ${ADDRESS_VARIABLE}, else where this "
        "board enrolled]",
    )
    doctor.add_argument("--state", type=Path, metavar="DIR", help=state_help)
    doctor.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="read the system's files below another folder than /, and run nothing",
    )
    doctor.add_argument("--settle", action="store_true", help="ask what only a board can answer; print it as one block")


def run(options: argparse.Namespace, *, state_dir: Path, address: str | None) -> int:
    from agent.doctor.check import read_context

    if not options.root.is_dir():
        raise BadInput("there is no such folder", where=f"--root {options.root}")
    if address:
        check_address(address)
    context = read_context(options.root.resolve(), env=os.environ, state_dir=state_dir, address=address)
    if options.settle:
        from agent.doctor.settle.block import settled

        print(settled(context, as_json=options.json, say=partial(print, file=sys.stderr, flush=True)), end="")
        return 0
    from agent.doctor.checks import CHECKS, exit_code, run_checks
    from agent.doctor.table import as_json, row, verdict

    width, checks = max(map(len, CHECKS)), []
    for check in run_checks(context):
        checks.append(check)
        if not options.json:
            print(row(check, width=width, colour=sys.stdout.isatty()), flush=True)
    print(as_json(checks) if options.json else verdict(checks))
    return exit_code(checks)
