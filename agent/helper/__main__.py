"""`python -m agent.helper`: started by systemd when the agent first asks. Imports nothing but Python's own and ours."""

import argparse
import logging
import pwd
import sys

from agent.helper.board import Board
from agent.helper.gpus import NvmlClocks
from agent.helper.holder import Holder
from agent.helper.note import NoteFile
from agent.helper.server import serve_until_told, socket_from_systemd
from agent.helper.settings import HeldSettings
from agent.helper.verbs import Verbs
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
    holder = Holder()
    verbs = Verbs(HeldSettings(Board(), NoteFile(), NvmlClocks()), holder)
    ServiceManager().ready("waits for the agent to ask")
    serve_until_told(listener, verbs, holder, allowed=frozenset({0, pwd.getpwnam(options.user).pw_uid}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
