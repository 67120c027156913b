"""What the questions about CUDA and NVML say with simulated drivers, in children as they are asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.doctor.settle.cuda import QUESTIONS


def asked(library: Path, *names: str, **variables: str) -> dict[str, tuple[bool, str]]:
    nvml = library.with_name("libnvidia-ml.so.1")
    if not nvml.exists():
        nvml.symlink_to(library.name)
    env = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), **variables}
    command = [sys.executable, "-m", "agent.doctor.settle.child", "1", "/", *names]
    child = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, timeout=100, check=True)
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    return {line["name"]: (line["asked"], line["text"]) for line in lines if "name" in line}


def test_every_question_has_an_answer(library: Path) -> None:
    found = asked(library, *(question.name for question in QUESTIONS), FAKE_MOST_MIB="700")
    assert {name for name, (told, _) in found.items() if told} == {question.name for question in QUESTIONS}
    assert found["cuInit"][1].startswith("0 (success): Simulated GPU, CC 8.7, 14 SMs, 5.59 GiB, CUDA 12.6")
    assert "concurrent managed access 0" in found["cuInit"][1]
    assert "cached" in found["pinned memory"][1]
    assert "alone p50 5.0 us, in a train 0.0 us each" in found["launch gap"][1]
    assert found["CUDA graph"][1].startswith("captured, made and launched")
    assert "context released" in found["context release"][1]


def test_memory_is_taken_until_cuda_refuses(library: Path) -> None:
    told = asked(library, "allocation", FAKE_MOST_MIB="200")["allocation"][1]
    assert "got 0.19 GiB (refused: cuMemAlloc_v2 failed: error 2)" in told


@pytest.mark.parametrize(
    ("variables", "name", "said"),
    [
        ({"FAKE_CUDA_INIT": "801"}, "cuInit", (True, "cuInit failed: error 801")),
        ({"FAKE_CUDA_INIT": "801"}, "launch gap", (False, "CUDA does not start: cuInit failed: error 801")),
        ({"FAKE_NO_CAPTURE": "1"}, "CUDA graph", (True, "refused: cuStreamBeginCapture_v2 failed: error 900")),
        ({"FAKE_NVML_INIT": "9"}, "NVML", (True, "nvmlInit_v2: 9")),
    ],
)
def test_a_refusal_is_told_in_the_drivers_words(
    library: Path, variables: dict[str, str], name: str, said: tuple[bool, str]
) -> None:
    assert asked(library, name, **variables)[name] == said


def test_nvml_of_an_orin_starts_and_supports_nothing(library: Path) -> None:
    assert "power ok" in asked(library, "NVML")["NVML"][1]
    told = asked(library, "NVML", FAKE_NVML_ORIN="1")["NVML"][1]
    assert "power not supported, energy not supported, SM clock not supported" in told


def test_without_a_driver_it_is_said() -> None:
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip("this machine has a GPU")
    command = [sys.executable, "-m", "agent.doctor.settle.child", "1", "/", "cuInit", "NVML"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout
    assert "the library does not load" in told
    assert "the library is not here" in told
