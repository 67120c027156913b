"""A bundle behind HTTP, or behind standard input: the smallest server that a container needs.

GET  /ready     200 once it is warm, 503 before
GET  /health    200 while the process answers
GET  /manifest  the manifest
POST /infer     {"inputs": {"x": [[...]]}} as JSON, or an .npz of arrays; the answer comes in the same form
"""

import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO

import numpy as np

from agent.bundle.model import BundleModel
from agent.runtime.arrays import Tensor, write_npz
from jetfleet.bundle import MANIFEST
from jetfleet.errors import BadInput, JetfleetError
from jetfleet.service_manager import ServiceManager

_log = logging.getLogger(__name__)

MOST_BYTES = 256 << 20
_READ_S = 60.0
JSON, NPZ = "application/json", "application/x-npz"


class ModelServer(ThreadingHTTPServer):
    """Listens at once; answers inferences when `model` is set."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, folder: Path) -> None:
        super().__init__((host, port), _Handler)
        self.folder = folder
        self.model: BundleModel | None = None


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"
    timeout = _READ_S

    def do_GET(self) -> None:
        if self.path == "/ready":
            ready = self.server.model is not None
            self._say(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, {"ready": ready})
        elif self.path == "/health":
            self._say(HTTPStatus.OK, {"healthy": True})
        elif self.path == "/manifest":
            self._send(HTTPStatus.OK, JSON, (self.server.folder / MANIFEST).read_bytes())
        else:
            self._say(HTTPStatus.NOT_FOUND, {"error": "there is no such page", "expected": "/ready /health /manifest"})

    def do_POST(self) -> None:
        if self.path != "/infer":
            self.close_connection = True
            self._say(HTTPStatus.NOT_FOUND, {"error": "there is no such page", "expected": "POST /infer"})
        elif self.server.model is None:
            self.close_connection = True
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "not ready yet"})
        else:
            self._infer(self.server.model)

    def _infer(self, model: BundleModel) -> None:
        kind = self.headers.get("Content-Type", JSON).partition(";")[0].strip()
        try:
            outputs = model.infer(read_inputs(self._body(), kind, model))
        except BadInput as error:
            self._say(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        except JetfleetError as error:
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(error)})
        else:
            self._send(HTTPStatus.OK, kind, written(outputs, kind))

    def _body(self) -> bytes:
        """Raises BadInput, and then the connection ends with the answer: the rest of the body is not waited for."""
        text = self.headers.get("Content-Length", "")
        if not text.isdigit() or int(text) > MOST_BYTES:
            self.close_connection = True
            raise BadInput(f"a body of {text or 'unknown'} bytes", expected=f"Content-Length, at most {MOST_BYTES}")
        return self.rfile.read(int(text))

    def _say(self, status: HTTPStatus, content: Mapping[str, object]) -> None:
        self._send(status, JSON, json.dumps(content).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        _log.debug(format, *args)


def read_inputs(body: bytes, kind: str, model: BundleModel) -> dict[str, Tensor]:
    """Raises BadInput for a body that cannot be read."""
    if kind == NPZ:
        return _read_npz(body)
    if kind != JSON:
        raise BadInput(f"{kind!r} is not understood", where="Content-Type", expected=f"{JSON} or {NPZ}")
    try:
        found = json.loads(body)["inputs"]
        return {name: np.asarray(value, dtype=_dtype(name, model)) for name, value in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise BadInput(f"the body cannot be read: {error}", expected='{"inputs": {"NAME": [[...]]}}') from error


def _read_npz(body: bytes) -> dict[str, Tensor]:
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:  # zipfile and numpy raise many kinds for bytes that somebody made up
        raise BadInput(f"the body is not an .npz of arrays: {error}") from error


def _dtype(name: str, model: BundleModel) -> "np.dtype[np.generic] | None":
    spec = model.inputs.get(name)
    return None if spec is None else np.dtype(spec.dtype)


def written(outputs: Mapping[str, Tensor], kind: str) -> bytes:
    if kind == NPZ:
        buffer = io.BytesIO()
        write_npz(buffer, outputs)
        return buffer.getvalue()
    return json.dumps({"outputs": {name: array.tolist() for name, array in outputs.items()}}).encode()


def serve_http(
    folder: Path, *, host: str, port: int, opened: Callable[[], BundleModel], tell: Callable[[str], None]
) -> None:
    """Until it is stopped. Listens before the model is there: whoever asks hears "not ready", and not nothing."""
    service = ServiceManager()
    with ModelServer(host, port, folder) as server:
        thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
        thread.start()
        try:
            with opened() as model:
                server.model = model
                where = f"http://{host}:{server.server_address[1]}"
                service.ready(f"{model.manifest.name} at {where}")
                tell(f"ready: {model.manifest.name} at {where}")
                thread.join()
        finally:
            server.model = None
            service.stopping()
            server.shutdown()


def serve_lines(model: BundleModel, source: TextIO, sink: TextIO) -> None:
    """One JSON object per line in, one out; a line that cannot be answered gets its error, and the next one is read."""
    for line in source:
        if not line.strip():
            continue
        try:
            answer = written(model.infer(read_inputs(line.encode(), JSON, model)), JSON).decode()
        except JetfleetError as error:
            answer = json.dumps({"error": str(error)})
        sink.write(f"{answer}\n")
        sink.flush()


def standard_streams() -> tuple[TextIO, TextIO]:
    return sys.stdin, sys.stdout
