"""Counts with their nouns, as people read them: `1 row`, `2 rows`; and the verb that goes with them."""

_IRREGULAR = {"entry": "entries", "process": "processes", "axis": "axes", "class": "classes", "index": "indices"}


def counted(count: int, noun: str) -> str:
    """`noun` is one of them, with what stands before it: `more task`, `fresh process`."""
    return f"{count} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    before, space, last = noun.rpartition(" ")
    return f"{before}{space}{_IRREGULAR.get(last, f'{last}s')}"


def are(count: int) -> str:
    """`1 of 3 rows is SIMULATED`."""
    return "is" if count == 1 else "are"
