"""Is a board as before after kill -9 at every step? Constructed boards, a real helper, a program as its nvpmodel."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.figure import Figure, main
from testing.restore_trials import (
    TrialBoard,
    asker_killed,
    changes_of_mode,
    count_steps,
    delays,
    first_of_restoring,
    killed_after,
    killed_at,
    killed_in_nvpmodel,
)

_LONGEST_S = 0.7  # about what mode, lock and the start of a helper take together


def restore(tiny: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="jetfleet-restore-") as text:
        folder = Path(text)
        steps = count_steps(folder / "count")
        all_set, restoring = first_of_restoring(folder / "restoring")
        every, count = (steps // 2, 1) if tiny else (1, 100)
        yield _share(
            "the helper, at each of its steps",
            (killed_at(folder / f"step-{step}", step) for step in range(1, steps + 1, every)),
        )
        yield _share(
            "the next one too, while it restores",
            (
                killed_at(folder / f"again-{again}", all_set, again_at=again)
                for again in range(1, 2 if tiny else restoring + 1)
            ),
        )
        yield _share(
            "the helper and nvpmodel, before each change of a mode",
            (
                killed_in_nvpmodel(folder / f"change-{change}", change)
                for change in range(1, changes_of_mode() + 1, changes_of_mode() if tiny else 1)
            ),
        )
        yield _share(
            "the helper, at any instruction",
            (
                killed_after(folder / f"any-{index}", delay)
                for index, delay in enumerate(delays(count, longest_s=_LONGEST_S))
            ),
        )
        yield _share("the agent", _repeated(lambda index: asker_killed(folder / f"agent-{index}"), 1 if tiny else 10))


def _repeated(trial: Callable[[int], TrialBoard], count: int) -> Iterator[TrialBoard]:
    return (trial(index) for index in range(count))


def _share(what: str, boards: Iterable[TrialBoard]) -> Figure:
    as_before = [not board.differs for board in boards]
    share = 100 * sum(as_before) / len(as_before)
    return Figure(f"as before after kill -9 of {what}", share, "%", at_least=100, note=f"{len(as_before)} trials")


if __name__ == "__main__":
    main("restore", restore)
