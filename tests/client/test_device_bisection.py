"""Probes on a device as jobs, on a controller that is scripted: what is sent, and what is made of engines that change.

That a real agent builds and runs them is tests/cli/test_bisect_on_device.py.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from controller.api.control_client import ControlClient
from controller.api.device_bisection import bisect_on_device
from controller.model.divergence import Bisection
from controller.model.job import (
    AccuracyMetric,
    Artifact,
    CheckRule,
    JobSpec,
    OutputCheck,
    Precision,
    Quantifier,
    Role,
    Target,
    TensorSpec,
    Variant,
)
from controller.model.result import TensorCheck
from controller.model.task import JobState
from controller.model.view import ResultQuery
from jetfleet.blobs import sha256_file
from testing.measurements import row

SHAPE = (2, 4)
Verdict = Callable[[str], bool]


def check(tensor: str, passed: bool, weakness: str = "") -> TensorCheck:
    values = dict.fromkeys(("max_abs", "max_rel", "cosine", "snr_db", "top1_agreement", "equal_share"))
    return TensorCheck(tensor=tensor, passed=passed, detail="as scripted", weakness=weakness, **values)


class Fleet:
    """A ControlClient as far as a bisection asks it. `right` judges a tensor; with one of `mended` as an output the
    engine's own output is right."""

    def __init__(self, spec: JobSpec, files: Mapping[str, Path], right: Verdict, mended: frozenset[str]) -> None:
        self._spec, self._files = spec, dict(files)
        self._right, self._mended = right, mended
        self.sent: list[JobSpec] = []
        self.cancelled: list[int] = []
        self.interrupted = False
        self.weakness = ""

    def job_spec(self, job_id: int) -> JobSpec:
        return self._spec

    def download(self, sha256: str, path: Path) -> None:
        shutil.copyfile(self._files[sha256], path)

    def submit_spec(self, spec: JobSpec, files: Mapping[str, Path]) -> Any:
        assert all(sha256_file(path) == digest for digest, path in files.items())
        known = {*self._files, *files}
        assert {item.sha256 for item in spec.variants[0].artifacts} <= known, "an engine needs all of its files"
        self.sent.append(spec)
        return SimpleNamespace(job_id=100 + len(self.sent))

    def wait(self, job_id: int) -> Any:
        if self.interrupted:
            raise KeyboardInterrupt
        return SimpleNamespace(state=JobState.SUCCEEDED, tasks=())

    def cancel(self, job_id: int) -> None:
        self.cancelled.append(job_id)

    def results(self, query: ResultQuery) -> list[Any]:
        (number,) = query.job_ids
        sent = self.sent[number - 101].variants[0]
        asked = [item.name for item in sent.artifacts if item.role is Role.REFERENCE_OUTPUT]
        inside = [name.removeprefix("bisect_") for name in asked if name.startswith("bisect_")]
        checks = [check("y", self._right("y") or bool(self._mended & set(inside)), self.weakness)]
        checks += [check(f"bisect_{name}", self._right(name)) for name in inside]
        return [row(checks=tuple(checks))]


@pytest.fixture
def fleet(tmp_path: Path) -> Callable[..., Fleet]:
    """A job whose fp16 variant carries FP32's graph alone, as where a builder chooses its types itself."""
    names = ["x", *"abcdefg", "y"]
    nodes = [helper.make_node("Tanh", [left], [right], name=f"makes {right}") for left, right in pairwise(names)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE) for name in ("x", "y")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:]), opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    )
    onnx.save(model, tmp_path / "model.onnx")
    for name in ("x", "y"):
        np.save(tmp_path / f"{name}.npy", np.ones(SHAPE, np.float32))
    files: dict[str, Path] = {}

    def put(role: Role, name: str, path: Path) -> Artifact:
        files[sha256_file(path)] = path
        return Artifact(role, name, sha256_file(path), path.stat().st_size)

    artifacts = (
        put(Role.MODEL_FP32, "model.onnx", tmp_path / "model.onnx"),
        put(Role.REFERENCE_INPUT, "x", tmp_path / "x.npy"),
        put(Role.REFERENCE_OUTPUT, "y", tmp_path / "y.npy"),
        Artifact(Role.EVALUATION_LABELS, "labels", "f" * 64, 8),
    )
    variant = Variant(
        key="tensorrt-fp16-b2-gpu",
        runtime="tensorrt",
        precision=Precision.FP16,
        batch=2,
        placement="gpu",
        inputs=(TensorSpec("x", "float32", SHAPE),),
        artifacts=artifacts,
        check=OutputCheck(CheckRule.OFF),
        accuracy_metrics=(AccuracyMetric("top1"),),
        options={"builder_optimization_level": "2"},
        settings={"power_mode": "15W"},
    )
    spec = JobSpec("net", "net", (variant,), (Target(Quantifier.ANY),), labels={"branch": "main"})

    def made(right: Verdict, *, mended: frozenset[str] = frozenset(), **changes: Any) -> Fleet:
        return Fleet(replace(spec, variants=(replace(variant, **changes),)), files, right, mended)

    return made


def bisect(fleet: Fleet, variant: str = "") -> Bisection:
    (found,) = bisect_on_device(cast(ControlClient, fleet), 12, "orin-1", variant, progress=[].append)
    return found


def test_a_probe_is_the_variant_with_one_more_output_for_that_device_alone(fleet: Callable[..., Fleet]) -> None:
    there = fleet(lambda tensor: tensor < "d")
    found = bisect(there)
    assert found.found is not None
    assert found.found.first is not None
    assert (found.found.first.tensor, found.found.first.layer) == ("d", "makes d")
    assert [layer.tensor for layer in found.found.before] == ["c"]
    assert (found.device, found.jobs, found.vanished) == ("orin-1", tuple(range(101, 101 + len(there.sent))), ())
    plain, probe = there.sent[0].variants[0], there.sent[1].variants[0]
    assert {item.role for item in plain.artifacts} == {Role.MODEL_FP32, Role.REFERENCE_INPUT, Role.REFERENCE_OUTPUT}
    assert (plain.accuracy_metrics, plain.settings) == ((), {})
    assert plain.check.rule is CheckRule.COSINE, "check: off would answer nothing"
    assert (probe.key, probe.options, probe.precision) == (plain.key, plain.options, plain.precision)
    (before,) = [item for item in plain.artifacts if item.role is Role.MODEL_FP32]
    (after,) = [item for item in probe.artifacts if item.role is Role.MODEL_FP32]
    assert after.name == before.name
    assert after.sha256 != before.sha256, "another graph is another engine"
    for sent in there.sent:
        assert [str(target) for target in sent.targets] == ["every device with device = orin-1"]
        assert sent.labels == {"branch": "main", "bisect": "12"}
        assert sent.model_name == "net, bisected", "no probe stands in the model's own history"


def test_an_output_more_that_mends_the_engine_is_told(fleet: Callable[..., Fleet]) -> None:
    """Fused it is wrong, apart it is right: no tensor inside is ever seen to be wrong."""
    found = bisect(fleet(lambda tensor: tensor != "y", mended=frozenset("defg")))
    assert found.found is not None
    assert found.found.first is not None
    assert found.found.first.tensor == "y"
    assert set(found.vanished) <= set("defg")
    assert "g" in found.vanished


def test_engines_that_agree_are_asked_once(fleet: Callable[..., Fleet]) -> None:
    there = fleet(lambda tensor: True)
    found = bisect(there)
    assert found.found is not None
    assert (found.found.first, len(there.sent)) == (None, 1)


def test_outputs_that_can_show_no_fault_vouch_for_nothing(fleet: Callable[..., Fleet]) -> None:
    there = fleet(lambda tensor: True)
    there.weakness = "every element of it is 0.001"
    found = bisect(there)
    assert found.found is None
    assert "could not show a fault: y: every element" in found.reason


def test_what_was_refused_or_has_nothing_to_be_held_against_is_a_reason(fleet: Callable[..., Fleet]) -> None:
    refused = fleet(lambda tensor: True, refusal="no such precision")
    assert bisect(refused).reason == "it was refused: no such precision"
    assert "submit it with fp32 beside" in bisect(fleet(lambda tensor: True, artifacts=())).reason
    assert refused.sent == []


def test_whoever_stops_waiting_leaves_no_probe_behind(fleet: Callable[..., Fleet]) -> None:
    there = fleet(lambda tensor: True)
    there.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        bisect(there)
    assert there.cancelled == [101]
