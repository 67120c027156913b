"""Steps before the engine, one frame at a time: arrays of height x width x channels, by Pillow where pixels are made.

The only importer of Pillow. What a step may follow was decided before: here the steps only do their work.
"""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from agent.runtime.arrays import Tensor
from jetfleet.errors import BadInput
from jetfleet.pipeline.shapes import MOST_PIXELS, resized
from jetfleet.pipeline.steps import PipelineStep, numbers_of, size_of, text_of

FrameStep: TypeAlias = Callable[[Tensor], Tensor]

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R 601, as Pillow's own conversion has it
Image.MAX_IMAGE_PIXELS = None  # the bound is this module's own, and refuses where Pillow would warn


def decoder(step: PipelineStep) -> Callable[[bytes], Tensor]:
    """Bytes of a JPEG or PNG to uint8 pixels. The file's orientation and profile are left alone."""
    mode = "L" if text_of(step, "color") == "gray" else "RGB"

    def decode(content: bytes) -> Tensor:
        try:
            with Image.open(BytesIO(content), formats=("JPEG", "PNG")) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise BadInput(
                        f"{image.height} x {image.width} pixels are too many", expected=f"at most {MOST_PIXELS} of them"
                    )
                pixels = np.asarray(_in_bytes(image).convert(mode))
        except UnidentifiedImageError:  # whose words are of a buffer in memory
            raise BadInput("not a JPEG or PNG file", expected="whole JPEG or PNG files") from None
        except (OSError, SyntaxError, ValueError) as error:
            raise BadInput(f"cannot be decoded: {error}", expected="whole JPEG or PNG files") from error
        return pixels[:, :, None] if pixels.ndim == 2 else pixels

    return decode


def _in_bytes(image: Image.Image) -> Image.Image:
    """Of gray in 16 bits the upper 8: converted as it is, all above 255 would be white."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def frame_step(step: PipelineStep, *, channels_first: bool) -> FrameStep:
    """What a step does to a frame; `channels_first`: as the steps before it have laid the frame out."""
    make = _STEPS[step.step]
    return make(step, channels_first)


def _resize(step: PipelineStep, channels_first: bool) -> FrameStep:
    size, fit, how = size_of(step), text_of(step, "fit"), _FILTERS[text_of(step, "interpolation")]

    def resize(pixels: Tensor) -> Tensor:
        height, width = resized(pixels.shape[0], pixels.shape[1], size, fit=fit)
        if (height, width) == pixels.shape[:2]:
            return pixels
        flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
        made = np.asarray(Image.fromarray(np.ascontiguousarray(flat)).resize((width, height), how))
        return made[:, :, None] if made.ndim == 2 else made

    return resize


def _crop(step: PipelineStep, channels_first: bool) -> FrameStep:
    height, width = size_of(step)

    def crop(pixels: Tensor) -> Tensor:
        top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
        if top < 0 or left < 0:
            raise BadInput(
                f"a frame has {list(pixels.shape[:2])} pixels", expected=f"{height} x {width} or more to crop"
            )
        return pixels[top : top + height, left : left + width]

    return crop


def _pad(step: PipelineStep, channels_first: bool) -> FrameStep:
    height, width = size_of(step)
    value, centred = numbers_of(step, "value")[0], text_of(step, "align") == "center"

    def pad(pixels: Tensor) -> Tensor:
        rest = (height - pixels.shape[0], width - pixels.shape[1])
        if min(rest) < 0:
            raise BadInput(
                f"a frame has {list(pixels.shape[:2])} pixels", expected=f"{height} x {width} or fewer to pad"
            )
        top, left = (rest[0] // 2, rest[1] // 2) if centred else (0, 0)
        made = np.full((height, width, pixels.shape[2]), value, dtype=pixels.dtype)
        made[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        return made

    return pad


def _color(step: PipelineStep, channels_first: bool) -> FrameStep:
    wanted = text_of(step, "to")
    if wanted == "gray":
        return lambda pixels: np.rint(pixels @ _LUMA).astype(pixels.dtype)[:, :, None]
    return (lambda pixels: pixels[:, :, ::-1]) if wanted == "bgr" else (lambda pixels: pixels)


def _normalise(step: PipelineStep, channels_first: bool) -> FrameStep:
    """One product and one sum for each element: x * (scale / std) - mean / std."""
    mean, std = (np.array(numbers_of(step, name), dtype=np.float64) for name in ("mean", "std"))
    factor = (numbers_of(step, "scale")[0] / std).astype(np.float32)
    shift = (mean / std).astype(np.float32)
    if channels_first:
        factor, shift = (item.reshape(-1, 1, 1) for item in (factor, shift))

    def normalise(pixels: Tensor) -> Tensor:
        made: Tensor = pixels.astype(np.float32)
        made *= factor
        made -= shift
        return made

    return normalise


def _layout(step: PipelineStep, channels_first: bool) -> FrameStep:
    wanted = text_of(step, "to") == "nchw"
    if wanted == channels_first:
        return lambda pixels: pixels
    axes = (2, 0, 1) if wanted else (1, 2, 0)
    return lambda pixels: pixels.transpose(axes)


def _cast(step: PipelineStep, channels_first: bool) -> FrameStep:
    """Floats to integers are rounded and kept within the type's range, as a quantiser would."""
    dtype = np.dtype(text_of(step, "to"))
    if dtype.kind == "f":
        return lambda pixels: pixels.astype(dtype)
    bounds = np.iinfo(dtype)
    return lambda pixels: np.clip(np.rint(pixels), bounds.min, bounds.max).astype(dtype)


_STEPS: Mapping[str, Callable[[PipelineStep, bool], FrameStep]] = {
    "resize": _resize,
    "crop": _crop,
    "pad": _pad,
    "color": _color,
    "normalise": _normalise,
    "layout": _layout,
    "cast": _cast,
}


def is_channels_first(steps: Sequence[PipelineStep]) -> bool:
    """How a frame is laid out after these steps."""
    said = [text_of(item, "to") for item in steps if item.step == "layout"]
    return bool(said) and said[-1] == "nchw"
