"""`agent once`: one task from a file, without a controller."""

import argparse
from pathlib import Path

from agent.callable_options import add_callables, allowed_callables


def add_arguments(once: argparse.ArgumentParser, *, exit_codes: str) -> None:
    once.epilog = exit_codes
    once.add_argument("task", type=Path, metavar="TASK", help="JSON file of a TaskSpec message")
    once.add_argument(
        "--blobs",
        type=Path,
        metavar="DIR",
        help="folder of the input files, named by their SHA-256 [default: blobs/ beside the task]",
    )
    once.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="folder for the output files [default: out/]"
    )
    add_callables(once)


def run(options: argparse.Namespace) -> int:
    from google.protobuf import json_format

    from agent.daemon.run_once import run_once

    blobs = options.blobs or options.task.parent / "blobs"
    outcome = run_once(options.task, blobs=blobs, out=options.out, callables=allowed_callables(options))
    print(json_format.MessageToJson(outcome, preserving_proto_field_name=True))
    return 1 if outcome.HasField("failure") else 0
