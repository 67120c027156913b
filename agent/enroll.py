"""`agent enroll`: its arguments, and where its token comes from."""

import argparse
import os
import socket
import sys
from pathlib import Path

_JOIN_VARIABLE = "JETFLEET_JOIN_TOKEN"


def add_arguments(enroll: argparse.ArgumentParser, *, state_help: str, exit_codes: str) -> None:
    enroll.epilog = (
        "`controller enroll new` prints the whole line. The controller's fingerprint is compared before anything is "
        "sent. Where `agent install` made the agent a service, root enrols the service, which starts then. Run again, "
        f"it says that all is done. {exit_codes}"
    )
    enroll.add_argument("address", metavar="HOST:PORT", help="where the controller listens for boards that enrol")
    enroll.add_argument("--ca", required=True, metavar="sha256:HEX", help="fingerprint of the controller's authority")
    enroll.add_argument(
        "--token",
        metavar="TOKEN",
        help="single-use token, or - for standard input; every user of a machine can read a command line "
        f"[default: ${_JOIN_VARIABLE}]",
    )
    enroll.add_argument("--name", default="", help="name of this device in the fleet [default: its host name]")
    enroll.add_argument("--state", type=Path, metavar="DIR", help=state_help)


def run(options: argparse.Namespace, *, state_dir: Path) -> int:
    from agent.daemon.enrolment import enroll
    from agent.device import identity
    from agent.install.join import enroll_service, is_service_here

    given = os.environ.pop(_JOIN_VARIABLE, "") if options.token is None else options.token
    from_stdin = given in ("-",)
    secret = sys.stdin.readline().strip() if from_stdin else given
    if options.state is None and is_service_here():
        named = ("--name", options.name) if options.name else ()
        words = (options.address, "--ca", options.ca, *named)
        return enroll_service(words, secret_variable=_JOIN_VARIABLE, secret=secret)
    done = enroll(
        options.address,
        ca=options.ca,
        secret=secret,
        state_dir=state_dir,
        name=options.name or socket.gethostname(),
        serial=identity.hardware_serial(),
    )
    print(done.message)
    if done.clock:
        print(done.clock, file=sys.stderr)
    return 0
