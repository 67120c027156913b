"""Options of the command line that say which users' code an agent runs: none, unless its owner says so."""

import argparse

from jetfleet.pipeline.callables import ANY, is_digest


def add_callables(group: "argparse._ActionsContainer") -> None:
    group.add_argument(
        "--allow-callables",
        action="store_true",
        help="run Python functions that jobs bring, as this user: only where everybody who may submit is trusted",
    )
    group.add_argument(
        "--allow-callable",
        type=_digest,
        action="append",
        default=[],
        metavar="SHA256",
        help="run those of this one file, by its digest (sha256sum FILE.py); may be repeated",
    )


def allowed_callables(options: argparse.Namespace) -> tuple[str, ...]:
    return (ANY,) if options.allow_callables else tuple(options.allow_callable)


def _digest(text: str) -> str:
    if not is_digest(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a SHA-256, 64 hexadecimal digits as `sha256sum` prints them")
    return text
