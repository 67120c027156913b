"""Image files and pipelines for tests, small and made."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from jetfleet.v1.task_pb2 import Pipeline, PipelineStep, StepArgument


def image(height: int = 12, width: int = 16, *, seed: int = 0, kind: str = "PNG") -> bytes:
    file = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def png_header(height: int, width: int) -> bytes:
    """Of a file that ends where its pixels begin."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def step(name: str, **given: Any) -> PipelineStep:
    arguments = [
        StepArgument(name=key, text=value)
        if isinstance(value, str)
        else StepArgument(name=key, numbers=value if isinstance(value, list | tuple) else [value])
        for key, value in given.items()
    ]
    return PipelineStep(step=name, arguments=arguments)


def pipeline(*pre: PipelineStep, post: tuple[PipelineStep, ...] = (), tensor: str = "image") -> Pipeline:
    return Pipeline(tensor=tensor, pre=pre, post=post)
