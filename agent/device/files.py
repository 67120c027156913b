"""Reading what the kernel and the vendor leave in small files: absent, unreadable or empty all mean unknown."""

from pathlib import Path


def text_of(path: Path) -> str | None:
    """The text of a file without NULs and surrounding space; None if there is none."""
    try:
        raw = path.read_bytes()
    except OSError:
        return None
    return raw.decode("utf-8", "replace").replace("\0", " ").strip() or None


def words_of(path: Path) -> tuple[str, ...]:
    """The NUL-separated strings of a device-tree property."""
    try:
        raw = path.read_bytes()
    except OSError:
        return ()
    return tuple(word for word in raw.decode("utf-8", "replace").split("\0") if word)
