"""What the outputs of a set are called together: `boxes+scores`."""

from collections.abc import Sequence


def set_label(names: Sequence[str]) -> str:
    return "+".join(names)


def names_in(label: str) -> list[str]:
    return label.split("+")
