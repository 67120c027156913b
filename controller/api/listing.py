"""Lists that a notebook or a prompt shows as a small table: devices, jobs, and (in `results`) measured rows."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, ClassVar, TypeVar

from controller.model.engine import EngineView
from controller.model.facts import shown
from controller.model.view import DeviceView, JobView, unreadable_lines

Item = TypeVar("Item")

_MAX_ROWS = 50


class Listing(list[Item]):
    """A list whose `repr` is a table of its first rows. Subclasses say what stands in the columns."""

    COLUMNS: ClassVar[tuple[str, ...]] = ()
    EMPTY: ClassVar[str] = "nothing"
    unreadable: int = 0  # damaged rows of the database, which are left out

    def note(self, answer: Any) -> None:
        """What an answer says beside its items."""
        self.unreadable += answer.unreadable

    def cells(self, item: Item) -> tuple[str, ...]:
        raise NotImplementedError

    def __repr__(self) -> str:
        if not self:
            return self.EMPTY
        return "\n".join([*_aligned([self.COLUMNS, *self._shown()]), *self._rest()])

    def _repr_html_(self) -> str:
        if not self:
            return f"<p>{escape(self.EMPTY)}</p>"
        head = _html_row("th", self.COLUMNS)
        body = "".join(_html_row("td", row) for row in self._shown())
        rest = "".join(f"<p>{escape(line)}</p>" for line in self._rest())
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{rest}"

    def _shown(self) -> list[tuple[str, ...]]:
        return [tuple(_one_line(cell) for cell in self.cells(item)) for item in self[:_MAX_ROWS]]

    def _rest(self) -> list[str]:
        more = [f"... and {len(self) - _MAX_ROWS} more"] if len(self) > _MAX_ROWS else []
        return [*more, *unreadable_lines(self.unreadable)]


class Devices(Listing[DeviceView]):
    COLUMNS = ("device", "state", "sku", "jetpack", "busy with")
    EMPTY = "no devices"

    def cells(self, item: DeviceView) -> tuple[str, ...]:
        state = "cordoned" if item.cordoned else "online" if item.online else "offline"
        return item.name, state, shown(item.facts.get("sku")), shown(item.facts.get("jetpack")), item.busy_with


class Jobs(Listing[JobView]):
    COLUMNS = ("job", "name", "state", "tasks ended")
    EMPTY = "no jobs"

    def cells(self, item: JobView) -> tuple[str, ...]:
        return str(item.id), item.name, item.state.value, f"{item.done} of {item.total}"


class Engines(Listing[EngineView]):
    COLUMNS = ("engine", "runtime", "precision", "placement", "built on")
    EMPTY = "no engines"

    def cells(self, item: EngineView) -> tuple[str, ...]:
        recipe = item.recipe
        runtime = f"{recipe.runtime} {recipe.runtime_version}"
        return item.key[:12], runtime, recipe.precision.value, recipe.placement, item.built_on


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _html_row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _one_line(text: str) -> str:
    """Without what could steer a terminal: devices choose some of these texts."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
