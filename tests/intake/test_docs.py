"""What docs/jobs.md shows is what the code takes."""

import re
from pathlib import Path

import pytest

from controller.intake.jobfile.options import Builder, OnnxRuntime, TensorRt
from controller.intake.jobfile.spec import load_text

TEXT = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
HEAD = "apiVersion: jetfleet/v1\nname: example\nmodel: {onnx: m.onnx}\n"


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n")[0] + str(index) for index, block in enumerate(BLOCKS)])
def test_an_example_is_a_job_file_or_a_part_of_one(block: str) -> None:
    assert load_text(block if block.startswith("apiVersion") else HEAD + block, Path("job.yaml")).job.name


def test_every_option_is_told() -> None:
    names = {*OnnxRuntime.model_fields, *Builder.model_fields, *TensorRt.model_fields}
    assert [name for name in sorted(names) if f"`{name}`" not in TEXT] == []
    assert len(BLOCKS) >= 4
