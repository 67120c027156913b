"""Which tensor on the way to a wrong output is the first that is wrong, asking after as few as it takes. Pure."""

from collections.abc import Callable, Mapping, Sequence

from controller.model.divergence import Suspect


def first_wrong(suspects: Sequence[Suspect], output: str, is_right: Callable[[str], bool]) -> str:
    """A wrong tensor whose layer reads none that is: `output`, which is wrong, or one of those that lead to it.

    `suspects` are in the order of computation. By halves among what leads to a wrong one: about log2 of their number.
    What is wrong need not stay so, and branches stand between one another in that order; so the layers that a find
    reads from are asked after too, and a wrong one among them is followed.
    """
    known = {item.tensor: item.reads for item in suspects}
    if output not in known:  # one of integers, or a set of outputs: it reads what no other one does
        read = {name for item in suspects for name in item.reads}
        known[output] = tuple(item.tensor for item in suspects if item.tensor not in read)
    answers: dict[str, bool] = {output: False}

    def right(tensor: str) -> bool:
        if tensor not in answers:
            answers[tensor] = is_right(tensor)
        return answers[tensor]

    wrong = output
    while True:
        before = _leading_to(wrong, known)
        wrong = _by_halves([item.tensor for item in suspects if item.tensor in before], wrong, right)
        followed = next((tensor for tensor in known[wrong] if not right(tensor)), None)
        if followed is None:
            return wrong
        wrong = followed


def _by_halves(before: Sequence[str], wrong: str, right: Callable[[str], bool]) -> str:
    """One that is wrong while its neighbour before it is right, or the very first."""
    row = [*before, wrong]
    low, high = -1, len(row) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if right(row[middle]) else (low, middle)
    return row[high]


def _leading_to(tensor: str, known: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    left = list(known[tensor])
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += known[name]
    return found
