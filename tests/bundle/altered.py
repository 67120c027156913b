"""What somebody may do to a bundle: another manifest, another engine, a bit. The manifest agrees unless it says so."""

import hashlib
import json
from pathlib import Path

import onnx

from jetfleet.blobs import sha256_file
from jetfleet.bundle_manifest import read_manifest


def change(bundle: Path, **fields: object) -> None:
    path = bundle / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}, indent=2, sort_keys=True) + "\n")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_bench(bundle: Path, **fields: object) -> None:
    """Of its one subject; the manifest agrees."""
    path = bundle / "bench.json"
    bench = json.loads(path.read_text())
    bench["bench"]["subjects"][0] |= fields
    path.write_text(json.dumps(bench))
    change(bundle, files={**read_manifest(bundle).files, "bench.json": sha256_file(path)})


def put_in(bundle: Path, content: bytes) -> dict[str, object]:
    """A file of the bundle, as an artifact names it."""
    sha256 = hashlib.sha256(content).hexdigest()
    (bundle / "files" / sha256).write_bytes(content)
    change(bundle, files={**read_manifest(bundle).files, f"files/{sha256}": sha256})
    return {"name": "engine", "sha256": sha256, "size_bytes": len(content)}


def put_engine(bundle: Path, content: bytes) -> None:
    artifact = put_in(bundle, content)
    change_bench(bundle, engine={**artifact, "role": "ARTIFACT_ROLE_ENGINE"})
    change(bundle, engine=artifact["sha256"])


def other_network(engine: Path) -> bytes:
    """An engine with the same inputs and outputs that computes something else."""
    model = onnx.load(engine)
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT:
            weights.CopyFrom(onnx.numpy_helper.from_array(-onnx.numpy_helper.to_array(weights), weights.name))
    return bytes(model.SerializeToString())
