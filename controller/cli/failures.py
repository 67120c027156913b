"""Prints what went wrong, once, and picks the exit code.

0 done · 1 a task failed or its output was wrong · 2 usage or bad input · 3 a gate said no · 4 no device, no controller,
infrastructure · 5 not allowed · 6 cancelled · 7 time-out · 70 a bug in jetfleet · 130 Ctrl-C.
"""

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from jetfleet.errors import BadInput, Infrastructure, JetfleetError, error_record
from jetfleet.plain_log import printable
from jetfleet.version import VERSION

CRASHED = 70  # EX_SOFTWARE of sysexits.h
GATE = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells do


# Of several jobs the one that most wants a person decides: wrong input, a wrong result, a gate, a lock, too slow, then
# what may go away by itself, and last what somebody chose.
_WORST_FIRST = (2, 1, 3, 5, 7, 4, 6, 0)


def worst_exit_code(codes: Sequence[int]) -> int:
    """The exit code of several jobs: the first of 2, 1, 3, 5, 7, 4, 6 that any of them has, else 0."""
    return min(codes, key=_WORST_FIRST.index, default=0)


def print_error(error: JetfleetError, *, as_json: bool) -> int:
    """An error on stderr, as people read it or as one line of JSON, and each that was found beside it; returns its
    exit code.
    """
    others = error.others if isinstance(error, BadInput) else ()
    if as_json:
        for item in (error, *others):
            print(json.dumps({"error": error_record(item)}), file=sys.stderr)
    else:
        print(f"error: {printable(JetfleetError.__str__(error), indent='')}", file=sys.stderr)
        for item in others:
            print(f"error: {printable(str(item), indent='')}", file=sys.stderr)
    return error.exit_code


# Packages that an installation may lack, and the extra that brings them.
_EXTRAS = {"torch": "export", "onnxscript": "export", "onnx_ir": "export"}
_OF_CONTROLLER = frozenset(
    (
        "alembic",
        "click",
        "cryptography",
        "google",
        "grpc",
        "grpc_health",
        "grpc_reflection",
        "numpy",
        "onnx",
        "onnxconverter_common",
        "onnxruntime",
        "packaging",
        "prometheus_client",
        "pydantic",
        "rich",
        "sqlalchemy",
        "typer",
        "yaml",
    )
)


def missing_package(error: ModuleNotFoundError) -> JetfleetError | None:
    """What to install, for a package of ours that is not there; None for a module that nobody knows."""
    name = (error.name or "").partition(".")[0]
    extra = _EXTRAS.get(name) or ("controller" if name in _OF_CONTROLLER else "")
    if not extra:
        return None
    return Infrastructure(
        f"the package {name} is not installed here",
        expected=f"jetfleet with its extra {extra!r}",
        hint=f"pip install 'jetfleet[{extra}]'",
    )


def print_bug(error: BaseException, *, state_dir: Path, verbose: bool) -> int:
    """An exception that nobody foresaw: one line and where the rest is, or with -v the traceback itself."""
    import traceback

    story = "".join(traceback.format_exception(error))
    if verbose:
        print(story, file=sys.stderr, end="")
    else:
        where = _save(f"jetfleet {VERSION}\n{sys.argv}\n{story}", state_dir / "logs")
        said = printable(f"{type(error).__name__}: {error}").splitlines()[0]
        print(f"error: a bug in jetfleet: {said}\n  traceback: {where}", file=sys.stderr)
    return CRASHED


def _save(story: str, folder: Path) -> str:
    name = f"crash-{datetime.now(timezone.utc):%Y%m%dT%H%M%S.%f}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(story)
    except OSError:  # the state folder may be what is broken
        return _save_elsewhere(story, name)
    return str(folder / name)


def _save_elsewhere(story: str, name: str) -> str:
    import tempfile

    try:
        path = Path(tempfile.mkdtemp(prefix="jetfleet-")) / name
        path.write_text(story)
    except OSError as error:
        return f"could not be saved ({error.strerror}); -v shows it"
    return str(path)
