"""Image files and pipelines for tests, small and made."""

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
