"""Runs the tree of verbs, and turns what click says of a command line into the project's own errors."""

from collections.abc import Sequence
from itertools import takewhile

import click
import typer

from controller.cli.settings import Settings
from jetfleet.errors import JetfleetError
from jetfleet.usage import missing, refuse_blank, unknown_option, unknown_verb, wrong_usage

_NAME = "controller"


def run_command(app: typer.Typer, arguments: Sequence[str], settings: Settings) -> int:
    """The verb's exit code. Raises BadInput for wrong usage.

    In place of typer's own call, which ends the process by itself: a reader that has gone, with 1.
    """
    refuse_blank(arguments, command=_NAME)
    command = typer.main.get_command(app)
    _refuse_swallowed(command, arguments)
    try:
        with command.make_context(_NAME, list(arguments), obj=settings) as context:
            command.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        raise _explained(error) from None
    return 0


def _refuse_swallowed(command: click.Command, arguments: Sequence[str]) -> None:
    """Raises BadInput where an option lacks its value, and the next option would be taken for it."""
    path = _NAME
    for index, word in enumerate(takewhile(lambda word: word != "--", arguments)):
        if isinstance(command, click.Group) and word in command.commands:
            command, path = command.commands[word], f"{path} {word}"
        elif (option := _valued(command, word)) is not None:
            _check_values(command, option, word, arguments[index + 1 : index + 1 + option.nargs], path=path)


def _check_values(command: click.Command, option: click.Option, word: str, values: Sequence[str], *, path: str) -> None:
    taken = next((value for value in values if _is_option(command, value)), "")
    if taken or len(values) < option.nargs:
        metavar = option.make_metavar(click.Context(command))
        said = f"it takes {metavar}" + (f", and {taken} is an option" if taken else "")
        raise wrong_usage(said, where=word, expected=f"{word} {metavar}", command=path)


def _valued(command: click.Command, word: str) -> click.Option | None:
    """The option of that name, if what it takes stands behind it in words of their own."""
    for item in command.params:
        if isinstance(item, click.Option) and word in item.opts:
            needs_value = not (item.is_flag or item.count or item._flag_needs_value)
            return item if needs_value else None
    return None


def _is_option(command: click.Command, word: str) -> bool:
    known = (name for item in command.params for name in (*item.opts, *item.secondary_opts))
    return word.startswith("--") and word.partition("=")[0] in {*known, "--help"}


def _explained(error: click.UsageError) -> JetfleetError:
    context = error.ctx
    command = context.command_path if context is not None else _NAME
    if isinstance(error, click.NoSuchOption):
        return unknown_option(error.option_name, _options(context), command=command)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return missing(_name(error.param), usage=_usage(context), command=command)
    if isinstance(error, click.BadParameter):
        return wrong_usage(error.message.replace(" range.", "."), where=_place(error), command=command)
    name = getattr(error, "command_name", None)  # NoSuchCommand, since click 8.4
    if name is None and error.message.startswith("No such command"):
        name = error.message.split("'")[1]
    if error.message.startswith("Missing command"):
        return missing("a verb", usage=_usage(context), command=command)
    if name is not None:
        return unknown_verb(name, _verbs(context), command=command)
    return wrong_usage(error.message, expected=_usage(context), command=command)


def _place(error: click.BadParameter) -> str:
    if error.param_hint is not None:
        return error.param_hint if isinstance(error.param_hint, str) else " / ".join(error.param_hint)
    return _name(error.param) if error.param is not None else ""


def _name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    return parameter.make_metavar(click.Context(click.Command(None))).partition(":")[0].strip("[]")


def _options(context: click.Context | None) -> list[str]:
    found: list[str] = []
    while context is not None:
        found += [word for item in context.command.params for word in item.opts if word.startswith("--")]
        context = context.parent
    return [*found, "--help"]


def _verbs(context: click.Context | None) -> list[str]:
    if context is None or not isinstance(context.command, click.Group):
        return []
    return [name for name, item in context.command.commands.items() if not item.hidden]


def _usage(context: click.Context | None) -> str:
    return "" if context is None else " ".join(context.get_usage().removeprefix("Usage: ").split())
