"""Which of the runs of a BENCH a process is: what the daemon tells it beside the task."""

from collections.abc import Mapping
from dataclasses import dataclass

RUN, WINDOW_S = "JETFLEET_RUN", "JETFLEET_WINDOW_S"


@dataclass(frozen=True)
class RunRole:
    """The first process of an attempt takes the accuracy and looks into the engine; all check and time."""

    index: int = 0
    shortest_window_s: float = 0.0  # beyond what the task says

    @property
    def is_first(self) -> bool:
        return self.index == 0

    def name(self, stem: str, suffix: str) -> str:
        """Of a file of this run: log.txt, log-2.txt."""
        return f"{stem}{suffix}" if self.is_first else f"{stem}-{self.index + 1}{suffix}"


def environment_of(role: RunRole) -> dict[str, str]:
    return {RUN: str(role.index), WINDOW_S: f"{role.shortest_window_s:.3f}"}


def role_from(env: Mapping[str, str]) -> RunRole:
    return RunRole(int(env.get(RUN, "0")), float(env.get(WINDOW_S, "0")))
