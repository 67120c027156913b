"""Image files, networks that take images, and job files with a pipeline, for tests of the intake."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

PIPELINE = """
pipeline:
  input: frames
  pre:
    - decode
    - {resize: {size: 10, fit: cover}}
    - {crop: 8}
    - {normalise: {scale: 1/255, mean: [0.5, 0.4, 0.3], std: 0.25}}
    - {layout: nchw}
  post: [softmax, {top_k: 3}]
"""


def save_frames(folder: Path, *sizes: tuple[int, int]) -> None:
    """An image of each height and width, JPEG and PNG in turn."""
    folder.mkdir()
    for index, (height, width) in enumerate(sizes or ((12, 16), (20, 10))):
        pixels = np.random.default_rng(index).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.{'png' if index % 2 else 'jpg'}")


def image_network(*, side: int = 8, batch: int | str = "N", outputs: int = 1) -> onnx.ModelProto:
    """image[N, 3, side, side] -> scores[N, 5], and copies of it."""
    weights = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    names = ["scores", *(f"scores{index}" for index in range(1, outputs))]
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            *(helper.make_node("MatMul", ["flat", "w"], [name]) for name in names),
        ],
        "images",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 5]) for name in names],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
