"""What argparse finds wrong in a command line, raised as the project's own errors."""

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from jetfleet.errors import BadInput
from jetfleet.options import MOST_THREADS
from jetfleet.usage import finite_number, missing, unknown_option, unknown_verb, wrong_usage

# How argparse, of any version, begins to say what is wrong.
_CHOICE = re.compile(r"invalid choice: '(.*?)' \(")
_ABSENT = re.compile(r"the following arguments are required: ([^,]+)")
_ARGUMENT = re.compile(r"argument ([^:]+): (.+)", re.DOTALL)
_LONGEST_S = 31_536_000.0  # a year


class Parser(argparse.ArgumentParser):
    """Raises BadInput where argparse prints and exits."""

    def error(self, message: str) -> NoReturn:
        if (found := _CHOICE.search(message)) and (verbs := self._verbs()):
            raise unknown_verb(found[1], verbs, command=self.prog)
        if found := _ABSENT.search(message):
            raise missing(found[1], usage=self._usage(), command=self.prog)
        if found := _ARGUMENT.fullmatch(message):
            raise wrong_usage(found[2], where=found[1], command=self.prog)
        raise wrong_usage(message, expected=self._usage(), command=self.prog)

    def unknown(self, words: Sequence[str]) -> BadInput:
        """For the words that no option and no argument has taken."""
        if words[0].startswith("-"):
            return unknown_option(words[0].partition("=")[0], long_options(self), command=self.prog)
        extra = f"unexpected extra argument ({words[0]})"
        return wrong_usage(extra, expected=self._usage(), command=self.prog)

    def _verbs(self) -> list[str]:
        return [verb for item in self._actions if isinstance(item.choices, dict) for verb in item.choices]

    def _usage(self) -> str:
        return " ".join(self.format_usage().removeprefix("usage: ").split())


def long_options(parser: argparse.ArgumentParser) -> list[str]:
    return [word for item in parser._actions for word in item.option_strings if word.startswith("--")]


def threads(text: str) -> int:
    digits = text if text.isascii() and text.isdigit() and len(text) < 9 else "0"
    if not 1 <= int(digits) <= MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid number of threads: 1 to {MOST_THREADS}")
    return int(text)


def seconds(text: str) -> float:
    try:
        number = finite_number(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= _LONGEST_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid number of seconds: 0 to {_LONGEST_S:.0f}")
    return number
