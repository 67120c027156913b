"""Files that a verb is to write: looked at before the work, not after."""

from pathlib import Path

from jetfleet.errors import BadInput


def check_outputs(**paths: Path | None) -> None:
    """By option. Raises BadInput for what cannot be a file, with every mistake."""
    wrong = [
        BadInput(f"{path} is a folder" if path.is_dir() else f"there is no folder {path.parent}", where=option)
        for option, path in paths.items()
        if path is not None and (path.is_dir() or not path.parent.is_dir())
    ]
    if wrong:
        raise BadInput(wrong[0].message, where=wrong[0].where, expected="a file in a folder", others=wrong[1:])
