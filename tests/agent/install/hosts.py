"""Boards as an installation sees them: constructed trees, and the machine that runs the tests."""

from dataclasses import replace
from pathlib import Path

from agent.install.host import BoardHost, read_host
from testing.boards.jetson import jetson


def board_host(root: Path, board: str, jetpack: str) -> BoardHost:
    """`root` must be empty. A constructed node is an ordinary file: its group says nothing, /etc/group does."""
    jetson(board, jetpack).write(root)
    return replace(read_host(root), python="/opt/jetfleet/bin/python", python_problem="")
