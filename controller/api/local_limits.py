"""How many agents one machine takes, and how many threads one of them: checked before a process is started."""

from collections.abc import Sequence

from jetfleet.errors import BadInput
from jetfleet.plural import counted

MOST_AGENTS = 64


def check_local(count: int, threads: Sequence[int] = ()) -> None:
    """Raises BadInput, with every mistake."""
    from jetfleet.options import MOST_THREADS

    wrong = []
    if not 0 <= count <= MOST_AGENTS:
        wrong.append(BadInput(f"{counted(count, 'local agent')}", where="--local", expected=f"1 to {MOST_AGENTS}"))
    if len(threads) > MOST_AGENTS:
        wrong.append(
            BadInput(
                f"threads of {counted(len(threads), 'local agent')}",
                where="--local-threads",
                expected=f"of {MOST_AGENTS}",
            )
        )
    wrong += [
        BadInput(f"{item} is not a valid number of threads", where="--local-threads", expected=f"1 to {MOST_THREADS}")
        for item in threads
        if not 1 <= item <= MOST_THREADS
    ]
    if wrong:
        first, *others = wrong
        raise BadInput(first.message, where=first.where, expected=first.expected, others=others)
