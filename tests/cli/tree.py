"""Every verb of both commands, read from what parses them."""

import argparse
from collections.abc import Iterator

import click
import typer

from agent import cli as agent
from controller.cli.app import app


def verbs_of_controller() -> list[tuple[str, ...]]:
    """`("job", "show")` and the like; `serve` too."""
    return [path for path, _ in _walk(typer.main.get_command(app), ())]


def command_of(path: tuple[str, ...]) -> click.Command:
    return dict(_walk(typer.main.get_command(app), ()))[path]


def verbs_of_agent() -> list[tuple[str, ...]]:
    actions = agent._parser()._actions
    return [(verb,) for item in actions if isinstance(item, argparse._SubParsersAction) for verb in item.choices]


def _walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name, item in command.commands.items():
        if not item.hidden:
            yield from _walk(item, (*path, name))
