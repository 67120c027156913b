"""A board's own open call, watched: registers, claims work that never comes, and says when and why that ended.

    python -m tests.lab.long_poll STATE_FOLDER

Prints `open`, and then the monotonic clock, which all processes of a machine share, and the kind of the error.
"""

import sys
import time
import uuid
from pathlib import Path

from agent.daemon.credentials import enrolled_at, read_credentials
from agent.daemon.identity import device_id
from jetfleet.errors import JetfleetError
from jetfleet.rpc import raising
from jetfleet.transport import open_channel
from jetfleet.v1 import fleet_pb2, fleet_pb2_grpc, task_pb2

_WAIT_S = 60


def main(state_dir: Path) -> None:
    at, credentials = enrolled_at(state_dir), read_credentials(state_dir)
    assert at is not None
    session_id = uuid.uuid4().hex
    with open_channel(at.address, credentials) as channel:
        stub = fleet_pb2_grpc.FleetStub(channel)
        register = fleet_pb2.RegisterRequest(
            device_id=device_id(state_dir),
            session_id=session_id,
            boot_id="boot",
            bench_domain="long poll",
            agent_version="lab",
            facts=task_pb2.Facts(arch="x86_64", simulated=True),
        )
        raising(stub.Register, address=at.address)(register, timeout=30)
        claim = fleet_pb2.ClaimRequest(session_id=session_id, request_id=uuid.uuid4().hex)
        claim.wait.FromSeconds(_WAIT_S)
        sys.stdout.write("open\n")
        sys.stdout.flush()
        try:
            raising(stub.Claim, address=at.address)(claim, timeout=_WAIT_S)
        except JetfleetError as error:
            sys.stdout.write(f"{time.monotonic()} {type(error).__name__}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
