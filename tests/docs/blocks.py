"""The fenced blocks of README and docs: their kind, and whether they are run or, in a comment above, why not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Each is run as a whole, block after block in one state folder, by the test of its own.
IN_ORDER = ("docs/tutorial.md", "docs/howto.md")
_NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+) -->")
_BLOCK = re.compile(r"(?P<before>[^\n]*)\n```(?P<kind>\w*)\n(?P<text>.*?)\n```(?=\n|$)", re.DOTALL)


@dataclass(frozen=True)
class Block:
    document: str
    kind: str
    text: str
    reason: str  # why it is not run; empty: it is
    job: str = ""  # the job file above it

    @property
    def is_run(self) -> bool:
        return not self.reason

    def __str__(self) -> str:
        return f"{self.document}: {self.text.splitlines()[0]}"


def blocks() -> Iterator[Block]:
    for path in DOCUMENTS:
        job = ""
        for found in _BLOCK.finditer(path.read_text(encoding="utf-8")):
            held = _NOT_RUN.fullmatch(found["before"])
            reason = held["reason"] if held else ""
            yield Block(path.relative_to(ROOT).as_posix(), found["kind"], found["text"], reason, job)
            if found["kind"] == "yaml":
                job = found["text"]


def in_order(document: str) -> list[Block]:
    """The shell of a document that is run as a whole."""
    return [block for block in blocks() if block.document == document and block.kind == "sh" and block.is_run]
