"""Every block of the documents is run, or held for a known reason; then its commands exist at least."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

import click
import pytest

from agent import cli as agent
from tests.cli.tree import command_of, verbs_of_controller
from tests.docs.blocks import DOCUMENTS, ROOT, Block, blocks

BLOCKS = list(blocks())
# Why a block may be held. Who adds one says here what holds it instead.
REASONS = {
    "needs a Jetson": "agent doctor --settle asks a board",
    "needs a Jetson and root": "the texts of tests/agent/install",
    "needs a Jetson and NVIDIA's images": "tests/image holds the Dockerfiles as text",
    "needs a board": "make lab-systemd and make lab-enrolment",
    "needs root": "make lab-systemd",
    "needs a controller that runs": "make lab-systemd",
    "needs a controller with boards": "tests/access, tests/operations",
    "needs docker, make lab-bundle runs it": "make lab-bundle",
    "needs root and systemd, make lab-bundle runs it": "make lab-bundle",
    "needs docker, make lab-containers runs it": "make lab-containers",
    "needs the network and a Jetson": "tests/image",
    "needs mlflow": "make test-mlflow",
    "needs a Prometheus": "tests/operations",
    "needs a head that was noted": "tests/access/test_audit.py",
    "needs a signed bundle": "tests/bundle/test_install.py runs it",
    "needs jobs that have ended": "docs/tutorial.md and docs/howto.md run the same verbs",
    "needs datasette, and stays in the foreground; the tests read the views with all three": "docs/howto.md",
    "needs the trained network; a test submits the block above": "tests/intake/test_docs.py plans it; make demo",
    "installs packages": "make venv, make bench BARS=newcomer",
    "stays in the foreground": "tests/cli/test_alone.py",
    "takes minutes": ".ci/run",
    "takes minutes; `make demo` is run by itself": "make demo",
    "it takes minutes": "tests/cli/test_noise.py",
}
# Which of the tests runs a kind of block.
RUNNERS = {
    "yaml": "tests/intake/test_docs.py",
    "sh": "tests/intake/test_docs.py, tests/docs",
    "python": "tests/client/test_python_docs.py, tests/docs/test_python.py",
    "sql": "tests/store/test_views.py",
    "json": "parsed below",
    "text": "shown, not typed: its commands are parsed below",
}
HELD = [block for block in BLOCKS if not block.is_run or block.kind == "text"]
_COMMAND = re.compile(r"(?:^|[\s/])(controller|agent)\s+(?=[a-z-])")


def test_every_kind_of_block_has_its_test() -> None:
    assert {block.kind for block in BLOCKS} <= set(RUNNERS)
    assert {block.document for block in BLOCKS if block.kind == "sql"} == {"docs/database.md"}


def test_what_is_not_run_has_a_known_reason() -> None:
    assert {block.reason for block in BLOCKS if block.reason} == set(REASONS)


def test_json_is_json() -> None:
    for block in BLOCKS:
        if block.kind == "json":
            json.loads(block.text)


@dataclass(frozen=True)
class Typed:
    """One command of a block: the program, and the words up to the next command."""

    program: str
    words: tuple[str, ...]


def typed(text: str) -> Iterator[Typed]:
    """Comments, continuation lines and alternatives (`a|b`) are taken apart; what is piped on is left out."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = re.sub(r"(?:^|\s)#.*", "", line)
        places = [found.start(1) for found in _COMMAND.finditer(plain)]
        for begin, end in zip(places, [*places, len(plain)][1:], strict=True):
            part = re.split(r"\s\|\s|[;>&](?:\s|$)|\s{3,}", plain[begin:end])[0]
            try:
                program, *words = shlex.split(part)
            except ValueError:
                continue  # a sentence, and not a command
            yield Typed(program, tuple(words))


def unknown(command: Typed) -> list[str]:
    """Options that the verb does not have; of a text that is no command nothing."""
    options = [word.partition("=")[0] for word in command.words if re.match(r"--[a-z]|-[a-z]$", word)]
    if command.program == "agent":
        known = set(re.findall(r"--?[a-z][\w-]*", _help_of_agent(command.words[0] if command.words else "")))
        return [option for option in options if known and option not in known]
    paths = verbs_of_controller()
    path = next((command.words[:n] for n in (2, 1) if command.words[:n] in paths), None)
    if path is None:
        return []
    found = command_of(path)
    known = {
        name for item in found.params if isinstance(item, click.Option) for name in (*item.opts, *item.secondary_opts)
    }
    return [option for option in options if option not in known | {"--help"}]


def _help_of_agent(verb: str) -> str:
    import argparse

    actions = [item for item in agent._parser()._actions if isinstance(item, argparse._SubParsersAction)]
    found = actions[0].choices.get(verb)
    if found is None:
        return ""
    inner = [item for item in found._actions if isinstance(item, argparse._SubParsersAction)]
    return found.format_help() + "".join(one.format_help() for item in inner for one in item.choices.values())


@pytest.mark.parametrize("block", HELD, ids=str)
def test_the_commands_of_a_held_block_exist(block: Block) -> None:
    assert [(command, found) for command in typed(block.text) if (found := unknown(command))] == []


def test_an_option_that_does_not_exist_is_found() -> None:
    (first, second, third) = typed(
        "controller report JOB -o x.html --speed 3   # --hidden\n"
        "sudo /opt/bin/agent run --no-such | controller jobs --limit 1"
    )
    assert unknown(first) == ["--speed"]
    assert unknown(second) == ["--no-such"]
    assert unknown(third) == []


def test_the_index_has_every_page_and_links_lead_somewhere() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()
    broken = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            file, _, heading = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            if not there.exists() or (heading and heading not in headings(there.read_text(encoding="utf-8"))):
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def headings(text: str) -> set[str]:
    """As GitHub names them."""
    found = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}
