"""A link over this network namespace's TCP between two Unix sockets: an agent's side, and the controller's.

Plain text is spoken on sockets only, and a namespace has no wires: so the bytes go from a socket for the agent over the
namespace's loopback, which tests slow down or cut, to the socket of the controller.
"""

import os
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        sink.close()


def serve(server: socket.socket, connect: Callable[[], socket.socket]) -> None:
    while True:
        near, _ = server.accept()
        far = connect()
        for pair in ((near, far), (far, near)):
            threading.Thread(target=pump, args=pair, daemon=True).start()


def to_controller() -> socket.socket:
    far = socket.socket(socket.AF_UNIX)
    far.connect(sys.argv[1])
    return far


def slow_side(address: tuple[str, int]) -> socket.socket:
    """With a small buffer: the link between the sockets adds no queue of its own to what the agent has sent."""
    far = socket.create_connection(address)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 << 10)
    return far


def main() -> None:
    wire = socket.create_server(("127.0.0.1", 0))
    near = socket.socket(socket.AF_UNIX)
    os.umask(0o177)
    near.bind(sys.argv[2])
    near.listen()
    threading.Thread(target=serve, args=(wire, to_controller), daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    serve(near, partial(slow_side, wire.getsockname()))


if __name__ == "__main__":
    main()
