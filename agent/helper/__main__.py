"""`python -m agent.helper`: started by systemd when the agent first asks. Imports nothing but Python's own and ours."""

import argparse
import logging
import pwd
import sys

from agent.helper.server import serve, socket_from_systemd
from jetfleet.service_manager import ServiceManager


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agent.helper")
    parser.add_argument("--user", required=True, help="who may ask, beside root")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    listener = socket_from_systemd()
    if listener is None:
        sys.stderr.write("error: started by jetfleet-helper.socket only\n")
        return 2
    ServiceManager().ready("waits for the agent to ask")
    serve(listener, allowed=frozenset({0, pwd.getpwnam(options.user).pw_uid}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
