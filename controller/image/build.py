"""Builds an image with the engine of this machine, and keeps it in a file where that was asked for."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from controller.image.commands import build_command, save_command, shown
from controller.image.recipe import ImageRecipe
from controller.image.source import docker_file
from jetfleet.errors import Infrastructure

Say = Callable[[str], None]


def build_image(
    recipe: ImageRecipe, engine: str, *, wheelhouse: Path, apt: Sequence[str], say: Callable[[str], None]
) -> None:
    """Raises Infrastructure."""
    words = build_command(recipe, engine, dockerfile=docker_file(recipe.dockerfile), context=wheelhouse, apt=apt)
    _run(words, say)


def save_image(recipe: ImageRecipe, engine: str, archive: Path, say: Say) -> None:
    """Raises Infrastructure."""
    archive.unlink(missing_ok=True)  # podman appends
    _run(save_command(recipe, engine, archive), say)


def _run(words: Sequence[str], say: Say) -> None:
    say(f"$ {shown(words)}")
    try:
        code = subprocess.run(words, stdin=subprocess.DEVNULL, check=False).returncode
    except FileNotFoundError:
        raise Infrastructure(f"{words[0]} is not installed here", hint="--engine names another one") from None
    if code:
        raise Infrastructure(f"`{shown(words[:2])}` ended with {code}", hint="its message stands above this one")
