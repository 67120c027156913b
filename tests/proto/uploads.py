"""Bytes to keep by their digest, and how they are sent in pieces."""

import hashlib
import os
from pathlib import Path

DATA = bytes(range(256)) * 40


def sha(data):
    return hashlib.sha256(data).hexdigest()


SHA = sha(DATA)


def send(blobs, data, digest=None, *, size=None, step=1000, offset=0):
    upload = blobs.open_upload(digest or sha(data), size=len(data) if size is None else size, offset=offset)
    for start in range(offset, len(data), step):
        upload.write(data[start : start + step])
    return upload.close()


def with_proto():
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "proto")}
