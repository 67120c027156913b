"""Gathers what is wrong with a job file, so that all of it is told at once."""

from types import TracebackType

from jetfleet.errors import BadInput


class Mistakes:
    """`with mistakes:` keeps the BadInput of a check and goes on; `refuse` raises the first with the others."""

    def __init__(self) -> None:
        self._found: list[BadInput] = []

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, BadInput):
            return False
        self.add(error)
        return True

    def add(self, error: BadInput) -> None:
        for item in (error, *error.others):
            self._found.append(BadInput(item.message, where=item.where, expected=item.expected, hint=item.hint))

    def refuse(self) -> None:
        """Raises BadInput if there was one. A place and message that was found twice is told once."""
        told = {(item.where, item.message): item for item in reversed(self._found)}
        if told:
            first, *others = reversed(told.values())
            raise BadInput(first.message, where=first.where, expected=first.expected, hint=first.hint, others=others)
