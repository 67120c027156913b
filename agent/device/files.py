"""Reading what the kernel and the vendor leave in small files: absent, unreadable or empty all mean unknown.

What a container hides or lacks (Docker masks /sys/firmware; dpkg's list is the image's own) may be bound from the host
under /host, at the same path: `-v /sys/firmware:/host/sys/firmware:ro`.
"""

from pathlib import Path

HOST = "host"


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


def number_of(path: Path) -> int | None:
    """The integer that a file holds."""
    try:
        return int(text_of(path) or "")
    except ValueError:
        return None


def is_there(path: Path) -> bool:
    """Whether something is there that this user may find; what lies in a folder that is closed to it is not."""
    try:
        return path.exists()
    except OSError:
        return False


def own_or_host(root: Path, name: str) -> str | None:
    """The text of a file here, else of the same file bound from the host."""
    return text_of(root / name) or text_of(root / HOST / name)


def entries(folder: Path, pattern: str) -> list[Path]:
    """What matches in a folder, in natural order (zone2 before zone10); empty where it cannot be listed."""
    try:
        found = list(folder.glob(pattern))
    except OSError:
        return []
    return sorted(found, key=lambda path: [part.zfill(9) if part.isdigit() else part for part in _parts(str(path))])


def _parts(text: str) -> list[str]:
    parts, digits = [""], False
    for char in text:
        if char.isdigit() != digits:
            parts.append("")
            digits = not digits
        parts[-1] += char
    return parts
