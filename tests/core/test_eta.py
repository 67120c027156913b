"""How long the rest of a job takes: sums per bench domain, the slowest domain, and no number without a history."""

import pytest

from controller.core.eta import Rest, RestOfBench, eta_s


def bench(domain: str | None = "a", before: float | None = 10.0, elapsed_s: float = 0.0, builds: tuple[int, ...] = ()):
    return RestOfBench(domain, Rest(elapsed_s, () if before is None else (before,)), builds)


@pytest.mark.parametrize(
    ("benches", "builds", "seconds"),
    [
        ([], {}, None),
        ([bench()], {}, 10),
        ([bench(), bench(before=5.0)], {}, 15),
        ([bench("a"), bench("b", 30.0)], {}, 30),
        ([bench(elapsed_s=4.0)], {}, 6),
        ([bench(builds=(1,))], {1: Rest(0.0, (7.0,))}, 17),
        ([bench(builds=(1,)), bench(builds=(1,))], {1: Rest(2.0, (7.0,))}, 25),  # a domain waits once for an engine
        ([bench("a", builds=(1,)), bench("b", builds=(1, 2))], {1: Rest(0, (7.0,)), 2: Rest(0, (1.0,))}, 18),
        ([bench("a"), bench("a", builds=(3,))], {}, None),  # nobody builds what it waits for
        ([bench(builds=(1,))], {1: Rest()}, None),
        ([bench(before=None)], {}, None),
        ([bench(), bench("b", before=None)], {}, None),
        ([bench(None)], {}, None),
        ([bench(elapsed_s=11.0)], {}, None),  # longer than ever: nobody knows
    ],
)
def test_eta(benches, builds, seconds):
    assert eta_s(benches, builds) == seconds


def test_the_median_of_what_was_is_expected_and_its_longest_is_the_limit():
    assert Rest(0.0, (4.0, 5.0, 60.0)).left_s() == 5.0
    assert Rest(30.0, (4.0, 5.0, 60.0)).left_s() == 0.0
    assert Rest(61.0, (4.0, 5.0, 60.0)).left_s() is None
