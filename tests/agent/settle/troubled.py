"""A child that asks questions of which some end it: `python -m tests.agent.settle.troubled FD ROOT NAME...`."""

import os
import sys
import time

from agent.device.cudadriver import CudaError
from agent.doctor.check import CheckContext
from agent.doctor.settle.child import main
from agent.doctor.settle.question import CouldNotAsk, Needs, Question


def crash(context: CheckContext) -> str:
    os.abort()


def leave(context: CheckContext) -> str:
    os._exit(3)


def hang(context: CheckContext) -> str:
    time.sleep(600)
    return "never"


def refused(context: CheckContext) -> str:
    raise CudaError("cuInit failed: error 801")


def absent(context: CheckContext) -> str:
    raise CouldNotAsk("it is not installed")


def broken(context: CheckContext) -> str:
    return str(int("no number"))


def question(name: str, ask: object, needs: Needs = "machine") -> Question:
    assert callable(ask)
    return Question(name, f"{name}?", "a test", ask, needs=needs, live=True, limit_s=3.0 if name == "hang" else 60.0)


QUESTIONS = {
    "first": question("first", lambda context: "1"),
    "crash": question("crash", crash),
    "second": question("second", lambda context: "2"),
    "board": question("board", lambda context: "never asked", needs="jetson"),
    "leave": question("leave", leave),
    "hang": question("hang", hang),
    "refused": question("refused", refused),
    "absent": question("absent", absent),
    "broken": question("broken", broken),
    "environment": question("environment", lambda context: os.environ.get("JETFLEET_NOT_LISTED", "without secrets")),
    "last": question("last", lambda context: "3"),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], QUESTIONS))
