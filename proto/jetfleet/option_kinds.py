"""The kinds of options that a runtime can have: a word of several, or a whole number; and who reads one. Pure."""

from dataclasses import dataclass
from enum import Enum

from jetfleet.errors import BadInput


class Audience(Enum):
    """Who reads an option; a builder's is part of the engine's recipe."""

    PLANNER = "planner"  # never sent to an agent
    BUILDER = "builder"
    DLA_BUILDER = "builder of a DLA"
    GPU_RUN = "run on a GPU or a DLA"


@dataclass(frozen=True, kw_only=True)
class Option:
    """`default` is None where the runtime has one of its own, which `default_note` may tell to people."""

    name: str
    runtimes: tuple[str, ...]
    audience: Audience
    help: str
    default: str | int | None = None
    default_note: str = ""

    @property
    def expected(self) -> str:
        """What its values are, for people."""
        raise NotImplementedError

    def read(self, text: str) -> str | int:
        """Its value from text. Raises BadInput, with what, where and expected."""
        raise NotImplementedError

    def _bad(self, message: str) -> BadInput:
        return BadInput(message, where=f"options.{self.name}", expected=self.expected)


@dataclass(frozen=True, kw_only=True)
class Choice(Option):
    """One word of several. `needs`: the field of a TensorRT release line that a word asks for."""

    choices: tuple[str, ...]
    needs: tuple[tuple[str, str], ...] = ()

    @property
    def is_switch(self) -> bool:
        return set(self.choices) == {"on", "off"}

    @property
    def expected(self) -> str:
        return ", ".join(self.choices)

    def need_of(self, word: str) -> str:
        """The field of a release line that a word asks for; empty: every release has it."""
        return dict(self.needs).get(word, "")

    def read(self, text: str) -> str:
        if text not in self.choices:
            raise self._bad(f"{text!r} is not a choice")
        return text


@dataclass(frozen=True, kw_only=True)
class Number(Option):
    """A whole number within bounds, both included."""

    least: int
    most: int
    power_of_two: bool = False

    @property
    def expected(self) -> str:
        return f"a {'power of two' if self.power_of_two else 'whole number'}, {self.least} to {self.most}"

    def fits(self, number: int) -> bool:
        return self.least <= number <= self.most and not (self.power_of_two and number & (number - 1))

    def read(self, text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not self.fits(int(text)):
            raise self._bad(f"{text!r} is not a valid {self.name}")
        return int(text)
