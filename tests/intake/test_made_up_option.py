"""An option is declared in one place: one that is added to the declaration is found wherever options are."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ADDED = """
import json
import jetfleet.options as declared

number = dict(runtimes=("tensorrt",), help="made up", least=2, most=64)
build = declared.Number(name="made_up_size", audience=declared.Audience.BUILDER, **number)
dla = declared.Number(name="made_up_dla", audience=declared.Audience.DLA_BUILDER, **number)
run = declared.Choice(
    name="made_up_run", audience=declared.Audience.GPU_RUN, runtimes=("tensorrt",), help="so is this", default="off",
    choices=("off", "on"),
)
declared.OPTIONS = (*declared.OPTIONS, build, dla, run)

from pathlib import Path
from agent.runtime.tensorrt.options import read_build_options
from controller.intake.jobfile.spec import json_schema, load_text
from jetfleet.errors import BadInput
from tests.intake.option_tables import tables

HEAD = "apiVersion: jetfleet/v1\\nname: test\\nmodel: {onnx: m.onnx}\\n"

def refusal(act):
    try:
        act()
    except BadInput as error:
        return error.message
    return ""

def job(text, placement="gpu"):
    variants = f"variants: {{runtime: [tensorrt], precision: [fp16], placement: [{placement}]}}\\n"
    return load_text(HEAD + variants + "options: {tensorrt: {" + text + "}}", Path("job.yaml")).job

carried = job("made_up_size: 8, made_up_run: true").options.text("tensorrt")
given = {"made_up_size": "8", "made_up_dla": "4", "made_up_run": "on"}
gpu = dict(runtime="tensorrt", placement="gpu")
print(json.dumps({
    "carried": carried,
    "schema": json_schema()["$defs"]["TensorRt"]["properties"]["made_up_size"]["description"],
    "too big": refusal(lambda: job("made_up_size: 65")),
    "without a DLA": refusal(lambda: job("made_up_dla: 4")),
    "docs": [line for line in tables().splitlines() if "made_up" in line],
    "agent": read_build_options({"made_up_size": "8"}, "tensorrt").number("made_up_size"),
    "agent refuses": refusal(lambda: read_build_options({"made_up_size": "1"}, "tensorrt")),
    "recipe": sorted(declared.build_options(given, **gpu)),
    "recipe of a DLA": sorted(declared.build_options(given, runtime="tensorrt", placement="dla")),
    "run": sorted(declared.run_options(given, **gpu)),
}))
"""


def test_a_made_up_option_is_found_everywhere() -> None:
    done = subprocess.run([sys.executable, "-c", ADDED], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "carried": {"made_up_size": "8", "made_up_run": "on"},
        "schema": "made up",
        "too big": "65 is not allowed here",
        "without a DLA": "made_up_dla is for a DLA, and no variant of tensorrt is placed on one",
        "docs": [
            "| `made_up_size` | `tensorrt` | a whole number, 2 to 64; default: the runtime's own | made up |",
            "| `made_up_dla` | `tensorrt` | a whole number, 2 to 64; default: the runtime's own | made up |",
            "| `made_up_run` | `tensorrt` | off, on | so is this |",
        ],
        "agent": 8,
        "agent refuses": "'1' is not a valid made_up_size",
        "recipe": ["made_up_size"],
        "recipe of a DLA": ["made_up_dla", "made_up_size"],
        "run": ["made_up_dla", "made_up_run", "made_up_size"],
    }
