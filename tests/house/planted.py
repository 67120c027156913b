"""Run in a copy of the tree: plants each violation in turn and prints which contracts the linter calls broken.

python -m tests.house.planted < [["MODULE FILE", "LINE OF CODE"], ...]
"""

import importlib
import json
import sys
import tempfile
from pathlib import Path

from importlinter import api
from importlinter.application import use_cases


def broken_contracts(cache: str) -> list[str]:
    options = use_cases.read_user_options()
    use_cases._register_contract_types(options)
    report = use_cases.create_report(options, cache_dir=cache)
    return [contract.name for contract, check in report.get_contracts_and_checks() if not check.kept]


def with_planted(path: Path, code: str, *, cache: str) -> list[str]:
    """What is broken while a file, new or not, ends with this code."""
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    package = path.parent / "__init__.py"
    if made := not package.exists():
        package.touch()
    path.write_text((before or '"""Planted."""\n') + f"\n{code}\n")
    try:
        return broken_contracts(cache)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)
        if made:
            package.unlink()
            path.parent.rmdir()


def main() -> None:
    assert api  # configures the linter
    importlib.invalidate_caches()
    # What the linter read of a file is read again where its time changed.
    with tempfile.TemporaryDirectory() as cache:
        sound = broken_contracts(cache)
        found = [with_planted(Path(name), code, cache=cache) for name, code in json.load(sys.stdin)]
    sys.stdout.write(json.dumps([sound, *found]) + "\n")


if __name__ == "__main__":
    main()
