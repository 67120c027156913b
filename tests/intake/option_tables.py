"""The tables of options in docs/jobs.md: `python -m tests.intake.option_tables` makes them from the declaration."""

from pathlib import Path

from jetfleet.option_kinds import Audience, Choice, Option
from jetfleet.options import options_of
from jetfleet.tensorrt import since_which

DOCS = Path(__file__).parents[2] / "docs" / "jobs.md"
BEGIN, END = "<!-- options: made by tests/intake/option_tables.py -->\n", "<!-- end of options -->\n"
HEADS = {
    (Audience.PLANNER, Audience.BUILDER): "what is built",
    (Audience.DLA_BUILDER,): "what is built for a DLA",
    (Audience.GPU_RUN,): "how it is run on a GPU or a DLA: no part of the engine",
}
RUNTIMES = ("tensorrt", "tensorrt_rtx", "onnxruntime")


def tables() -> str:
    """One table per group of audiences; the first value of a choice is its default, unless a default is named."""
    return BEGIN + "\n".join(_table(head, audiences) for audiences, head in HEADS.items()) + END


def written(text: str) -> str:
    """The docs with the tables of now."""
    before, rest = text.split(BEGIN)
    return before + tables() + rest.split(END)[1]


def _table(head: str, audiences: tuple[Audience, ...]) -> str:
    found = dict.fromkeys(option for runtime in RUNTIMES for option in options_of(runtime, *audiences))
    rows = "".join(_row(option) for option in found)
    return f"| {head} | of | values | |\n|---|---|---|---|\n{rows}"


def _row(option: Option) -> str:
    return f"| `{option.name}` | {_runtimes(option)} | {_values(option)} | {option.help} |\n"


def _runtimes(option: Option) -> str:
    return ", ".join(f"`{name}`" for name in option.runtimes)


def _values(option: Option) -> str:
    default = option.default_note or option.default or "the runtime's own"
    note = f"; default: {default}"
    if not isinstance(option, Choice):
        return option.expected + note
    words = [f"{word}{_since(option, word)}" for word in option.choices]
    return ", ".join(words) + (note if option.default_note else "")


def _since(option: Choice, word: str) -> str:
    return f" (from TensorRT {since_which(option.need_of(word))} on)" if option.need_of(word) else ""


if __name__ == "__main__":
    DOCS.write_text(written(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
