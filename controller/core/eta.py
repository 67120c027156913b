"""How long the rest of a job should take, from how long the same work took before. Pure; never invents a number.

Every bench domain works through its own BENCHes one by one, and waits for the engines that they need; the job ends
with its slowest domain. Work of other jobs in between is not foreseen.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Rest:
    """An unfinished task: how long it has run, and how long its like took before, the newest few."""

    elapsed_s: float = 0.0
    before_s: Sequence[float] = ()

    def left_s(self) -> float | None:
        """None without a history, and for a task that already took longer than any before it."""
        if not self.before_s or self.elapsed_s > max(self.before_s):
            return None
        return max(0.0, median(self.before_s) - self.elapsed_s)


@dataclass(frozen=True)
class RestOfBench:
    """An unfinished BENCH. `domain` is None where it is not known which hardware will run it, or that is away."""

    domain: str | None
    rest: Rest
    builds: Collection[int] = ()  # tasks whose engines it waits for


def eta_s(benches: Sequence[RestOfBench], builds: Mapping[int, Rest]) -> float | None:
    """Expected seconds until the last BENCH has ended; None where a part of it is unknown, or nothing is left."""
    total: dict[str, float] = {}
    awaited: dict[str, set[int]] = {}
    for bench in benches:
        left = bench.rest.left_s()
        if bench.domain is None or left is None:
            return None
        total[bench.domain] = total.get(bench.domain, 0.0) + left
        awaited.setdefault(bench.domain, set()).update(bench.builds)
    for domain, build_ids in awaited.items():
        left = _builds_left_s(build_ids, builds)
        if left is None:
            return None
        total[domain] += left
    return max(total.values(), default=None)


def _builds_left_s(build_ids: Iterable[int], builds: Mapping[int, Rest]) -> float | None:
    left = [builds[build_id].left_s() if build_id in builds else None for build_id in build_ids]
    known = [each for each in left if each is not None]
    return sum(known) if len(known) == len(left) else None
