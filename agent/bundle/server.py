"""A bundle behind HTTP, or behind standard input: the smallest server that a container needs.

GET  /ready     200 once it is warm, 503 before
GET  /health    200 while the process answers
GET  /manifest  the manifest
POST /infer     {"inputs": {"x": [[...]]}} as JSON, or an .npz of arrays; the answer comes in the same form

Whoever is slow, sends too much or what is no request is answered or left within a minute, and nobody else waits for it.
"""

import io
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TextIO

from agent.bundle.bodies import JSON, most_bytes, read_inputs, written
from agent.bundle.connections import ASKED_WITHIN_S, Slots, TimedReader, linger
from agent.bundle.model import BundleModel
from jetfleet.bundle import MANIFEST
from jetfleet.errors import BadInput, JetfleetError
from jetfleet.service_manager import ServiceManager

_log = logging.getLogger(__name__)

_DRAIN_S = 20.0  # for the answers that are being computed, when it is told to stop
_LOOK_EVERY_S = 0.2
_DIGITS = 12
_GET, _POST = "/ready /health /manifest", "POST /infer"


class ModelServer(ThreadingHTTPServer):
    """Listens at once; answers inferences when `model` is set."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str, port: int, folder: Path) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)
        self.folder = folder
        self.model: BundleModel | None = None
        self.connections, self.requests = Slots(), Slots()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self.connections.take():
            with request:
                request.settimeout(1.0)
                request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread: whoever is served goes on being served
            self.connections.give_back()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.give_back()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that has gone is no error of the server's."""
        found = sys.exc_info()[1]
        if not isinstance(found, OSError):
            _log.error("a request from %s was not answered", client_address, exc_info=found)


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"
    timeout = ASKED_WITHIN_S

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._timed = TimedReader(self.connection)
        self.rfile = io.BufferedReader(self._timed)

    def handle_one_request(self) -> None:
        self._timed.start()
        super().handle_one_request()

    def do_GET(self) -> None:
        if self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            self.close_connection = True  # its body would be taken for the next request
        path = self.path.partition("?")[0]
        if path == "/ready":
            ready = self.server.model is not None
            self._say(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, {"ready": ready})
        elif path == "/health":
            self._say(HTTPStatus.OK, {"healthy": True})
        elif path == "/manifest":
            self._send(HTTPStatus.OK, JSON, (self.server.folder / MANIFEST).read_bytes())
        else:
            self._say(HTTPStatus.NOT_FOUND, {"error": "there is no such page", "expected": f"{_GET}, {_POST}"})

    def do_POST(self) -> None:
        if self.path.partition("?")[0] != "/infer":
            self._leave_body(HTTPStatus.NOT_FOUND, {"error": "there is no such page", "expected": _POST})
            return
        if not self.server.requests.take():
            self._leave_body(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "too many inferences at a time"})
            return
        try:
            self._infer()
        finally:
            self.server.requests.give_back()

    def _infer(self) -> None:
        model = self.server.model
        if model is None:
            self._leave_body(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "not ready yet"})
            return
        kind = self.headers.get("Content-Type", JSON).partition(";")[0].strip().lower()
        try:
            length = self._length(most_bytes(model.inputs))
        except BadInput as error:
            self._leave_body(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        self._send(*answered(model, self.rfile.read(length), kind))

    def _length(self, most: int) -> int:
        """Raises BadInput for a body that is not read."""
        text = self.headers.get("Content-Length", "")
        is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
        lengths = self.headers.get_all("Content-Length", [])
        if self.headers.get("Transfer-Encoding") or len(set(lengths)) > 1 or not is_number or int(text) > most:
            said = text if is_number else "unknown"
            raise BadInput(f"a body of {said} bytes", expected=f"one Content-Length, at most {most}")
        return int(text)

    def _leave_body(self, status: HTTPStatus, content: Mapping[str, object]) -> None:
        """The connection ends with the answer: the rest of the body is not waited for."""
        self.close_connection = True
        self._say(status, content)
        self.wfile.flush()
        linger(self.connection)

    def handle_expect_100(self) -> bool:
        """Who asks whether the body is wanted hears of it before it is sent."""
        model = self.server.model
        if self.path.partition("?")[0] == "/infer" and model is not None:
            try:
                self._length(most_bytes(model.inputs))
            except BadInput as error:
                self.close_connection = True
                self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": str(error)})
                return False
        return super().handle_expect_100()

    def _say(self, status: HTTPStatus, content: Mapping[str, object]) -> None:
        self._send(status, JSON, json.dumps(content).encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        _log.debug(format, *args)


def answered(model: BundleModel, body: bytes, kind: str) -> tuple[HTTPStatus, str, bytes]:
    """Whatever the body is: a mistake of the caller is told, and a failure of the runtime is not the server's end."""
    try:
        return HTTPStatus.OK, kind, written(model.infer(read_inputs(body, kind, model.inputs)), kind)
    except BadInput as error:
        return HTTPStatus.BAD_REQUEST, JSON, _error(error)
    except JetfleetError as error:
        return HTTPStatus.INTERNAL_SERVER_ERROR, JSON, _error(error)


def _error(said: object) -> bytes:
    return json.dumps({"error": str(said)}).encode()


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
                where = f"http://{f'[{host}]' if ':' in host else host}:{server.server_address[1]}"
                service.ready(f"{model.manifest.name} at {where}")
                tell(f"ready: {model.manifest.name} at {where}")
                try:
                    while thread.is_alive():  # a signal that another thread was given is heard of between two waits
                        time.sleep(_LOOK_EVERY_S)
                finally:
                    service.stopping()
                    server.model = None  # whoever asks from now on is told to ask another one
                    server.requests.wait_all_free(_DRAIN_S)
        finally:
            service.stopping()
            server.shutdown()


def serve_lines(model: BundleModel, source: TextIO, sink: TextIO) -> None:
    """One JSON object per line in, one out; a line that cannot be answered gets its error, and the next one is read."""
    for line in source:
        if not line.strip():
            continue
        _, _, answer = answered(model, line.encode(errors="replace"), JSON)
        sink.write(f"{answer.decode()}\n")
        sink.flush()


def standard_streams() -> tuple[TextIO, TextIO]:
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")  # what is no text is no JSON either, and one line's own mistake
    return sys.stdin, sys.stdout
