"""Where the project's own files for images are: in a clone, or beside the package that was installed."""

from pathlib import Path

from jetfleet.errors import Infrastructure

_PACKAGE = Path(__file__).resolve().parents[1]


def clone() -> Path | None:
    """The root of the clone that this runs from; None in an installation."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "docker").is_dir() else None


def docker_file(name: str) -> Path:
    root = clone()
    found = (root / "docker" if root else _PACKAGE / "docker") / name
    if not found.is_file():
        raise Infrastructure("this installation of jetfleet lacks it", where=str(found), hint="install it anew")
    return found


def constraints_text() -> str:
    """The versions that this project was tested with."""
    root = clone()
    return (root / "constraints.txt" if root else docker_file("constraints.txt")).read_text(encoding="utf-8")
