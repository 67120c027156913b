"""Height and width of a JPEG or PNG file, from its header alone."""

import struct
from pathlib import Path
from typing import BinaryIO

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # start of a frame, by every way of coding it
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_LONGEST = 1000  # markers before the size


def image_size(path: Path) -> tuple[int, int] | None:
    """None for a file that is neither, or that ends too early."""
    with path.open("rb") as file:
        begin = file.read(len(PNG))
        try:
            if begin == PNG:
                return _size_of_png(file)
            if begin.startswith(JPEG):
                file.seek(len(JPEG))
                return _size_of_jpeg(file)
        except struct.error:
            return None
    return None


def _size_of_png(file: BinaryIO) -> tuple[int, int] | None:
    _, kind, width, height = struct.unpack(">I4sII", file.read(16))
    return (height, width) if kind == b"IHDR" and height and width else None


def _size_of_jpeg(file: BinaryIO) -> tuple[int, int] | None:
    for _ in range(_LONGEST):
        marker = _next_marker(file)
        if marker in ALONE:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker in _SIZES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return (height, width) if height and width else None
        file.seek(length - 2, 1)
    return None


def _next_marker(file: BinaryIO) -> int:
    """The next byte that is none of 0xFF after one that is."""
    begin, marker = struct.unpack(">BB", file.read(2))
    if begin != 0xFF:
        raise struct.error("not a marker")
    while marker == 0xFF:
        (marker,) = struct.unpack(">B", file.read(1))
    return int(marker)
