"""Whether a JPEG or PNG file is whole: its structure by the standard library, its pixels where Pillow is installed.

What a board would refuse is refused before the job is sent. Only small images are decoded here: the structure of a file
tells that it was cut off, and the decoder on the board tells the rest.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from controller.intake.jobfile.image_sizes import ALONE, JPEG, PNG
from jetfleet.pipeline.shapes import MOST_PIXELS

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG, by its type of colour
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7
_PIECE = 1 << 16
_DECODED_PIXELS = 16_000_000  # of one image, that is decoded here
_SCAN = 0xDA
_END_OF_IMAGE = b"\xff\xd9"


def content_fault(path: Path, size: tuple[int, int]) -> str:
    """What is wrong with the file whose header says this height and width; empty: nothing was found. Raises OSError."""
    height, width = size
    if height * width > MOST_PIXELS:
        return f"has {height} x {width} pixels, more than {MOST_PIXELS}"
    content = path.read_bytes()
    fault = _png_fault(content) if content.startswith(PNG) else _jpeg_fault(content)
    return fault or (_pixel_fault(path) if height * width <= _DECODED_PIXELS else "")


def _jpeg_fault(content: bytes) -> str:
    """An end within a segment, such as a thumbnail's, is not the image's; behind the image there may be anything."""
    scan = _scan_begin(content)
    return "" if scan and content.find(_END_OF_IMAGE, scan) > 0 else "ends before its image does"


def _scan_begin(content: bytes) -> int:
    """Where the coded pixels begin; 0 where there are none."""
    at = len(JPEG)
    while at + 4 <= len(content):
        marker = content[at + 1]
        if marker == _SCAN:
            return at
        alone = marker == 0xFF or marker in ALONE
        at += (1 if marker == 0xFF else 2) if alone else 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return 0


def _png_fault(content: bytes) -> str:
    header, unpacked, ended = b"", 0, False
    inflating = zlib.decompressobj()
    try:
        for kind, data in _chunks(content):
            if kind == b"IHDR":
                header = data
            elif kind == b"IDAT":
                unpacked += sum(_unpacked(inflating, data, most=_png_bytes(header) - unpacked))
            ended = ended or kind == b"IEND"
    except (struct.error, zlib.error, KeyError) as error:
        return f"is damaged ({error})" if isinstance(error, zlib.error) else "is damaged"
    if not ended or unpacked < _png_bytes(header):
        return "ends before its image does"
    return ""


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Those that are whole. Raises zlib.error where a checksum is wrong."""
    at = len(PNG)
    while at + 12 <= len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        data = content[at + 8 : at + 8 + length]
        checksum = content[at + 8 + length : at + 12 + length]
        if len(checksum) < 4:
            return
        if zlib.crc32(kind + data) != int.from_bytes(checksum, "big"):
            raise zlib.error(f"the checksum of {kind.decode('latin-1')} is wrong")
        yield kind, data
        if kind == b"IEND":
            return
        at += 12 + length


def _unpacked(inflating: "zlib._Decompress", data: bytes, *, most: int) -> Iterator[int]:
    """The sizes of pieces, up to the pixels that the header promises: what is behind them is not looked at."""
    while data and most > 0 and not inflating.eof:
        size = len(inflating.decompress(data, min(_PIECE, most)))
        data, most = inflating.unconsumed_tail, most - size
        yield size


def _png_bytes(header: bytes) -> int:
    """Of all rows, each with the byte of its filter. Raises struct.error and KeyError for a header that cannot be."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * _CHANNELS[colour]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // across), -(-(height - y) // down)) for x, y, across, down in passes]
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if rows > 0 and columns > 0)


def _pixel_fault(path: Path) -> str:
    """Empty where nobody can look: no Pillow on this machine."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        return ""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            image.load()
    except (OSError, SyntaxError, ValueError) as error:
        return f"cannot be decoded: {error}"
    return ""
