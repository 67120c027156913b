"""Many tests at once: Holm's procedure, which bounds the chance of any false alarm among them all."""

from collections.abc import Sequence


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Each p-value as it stands among the others: at most alpha means rejected where all share alpha.

    Valid whatever the tests have to do with each other. Holm, A Simple Sequentially Rejective Multiple Test Procedure,
    Scandinavian Journal of Statistics 6 (1979).
    """
    found = [0.0] * len(p_values)
    highest = 0.0
    for position, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - position) * p_values[index]))
        found[index] = highest
    return found
