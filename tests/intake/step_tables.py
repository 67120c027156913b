"""The tables of steps in docs/jobs.md: `python -m tests.intake.step_tables` makes them from the declaration."""

from collections.abc import Mapping
from pathlib import Path

from jetfleet.pipeline.steps import POST, PRE, Parameter, StepSpec

DOCS = Path(__file__).parents[2] / "docs" / "jobs.md"
BEGIN, END = "<!-- steps: made by tests/intake/step_tables.py -->\n", "<!-- end of steps -->\n"


def tables() -> str:
    return f"{BEGIN}{_table('before the engine', PRE)}\n{_table('behind it', POST)}{END}"


def written(text: str) -> str:
    """The docs with the tables of now."""
    before, rest = text.split(BEGIN)
    return before + tables() + rest.split(END)[1]


def _table(head: str, specs: Mapping[str, StepSpec]) -> str:
    rows = "".join(f"| `{name}` | {spec.meaning} | {_takes(spec)} |\n" for name, spec in specs.items())
    return f"| {head} | | takes |\n|---|---|---|\n{rows}"


def _takes(spec: StepSpec) -> str:
    return "; ".join(_parameter(item, is_main=item.name == spec.main) for item in spec.parameters)


def _parameter(item: Parameter, *, is_main: bool) -> str:
    """The main one first: what stands where the step has a single value."""
    name = f"**`{item.name}`**" if is_main else f"`{item.name}`"
    if item.default is None:
        return f"{name}: {item.meaning or item.expected}"
    default = item.default if isinstance(item.default, str) else ", ".join(f"{number:g}" for number in item.default)
    return f"{name}: {item.expected}" + (f", default {default}" if default else "")


if __name__ == "__main__":
    DOCS.write_text(written(DOCS.read_text(encoding="utf-8")), encoding="utf-8")
