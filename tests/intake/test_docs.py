"""What docs/jobs.md shows is what the code takes."""

import re
from pathlib import Path

import pytest

from controller.intake.jobfile.spec import load_text
from jetfleet.options import OPTIONS
from tests.intake.option_tables import written

TEXT = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
HEAD = "apiVersion: jetfleet/v1\nname: example\nmodel: {onnx: m.onnx}\n"


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n")[0] + str(index) for index, block in enumerate(BLOCKS)])
def test_an_example_is_a_job_file_or_a_part_of_one(block: str) -> None:
    assert load_text(block if block.startswith("apiVersion") else HEAD + block, Path("job.yaml")).job.name


def test_the_tables_of_options_are_those_of_the_declaration() -> None:
    assert written(TEXT) == TEXT, "python -m tests.intake.option_tables"
    assert [option.name for option in OPTIONS if f"| `{option.name}` |" not in TEXT] == []
    assert len(BLOCKS) >= 4
