"""From a job file to what each board builds: the files of an engine fit its lowering, and fit into one folder."""

import numpy as np
import pytest

from controller.core.plan import plan
from controller.model.job import Lowering, Role
from controller.model.task import PlannedBuild
from testing.devices import orin
from tests.intake.conftest import Workplace, linear

AGX = {"module": "p3701-0005", "sku": "agx-orin-64gb", "l4t": "39.2.2"}
TYPED, FLAGS = Lowering.TYPED_GRAPH, Lowering.BUILDER_FLAGS
MODEL = "model: {onnx: m.onnx, data: {calibration: c.npz}}\ncheck: off\n"


@pytest.fixture
def shop(place: Workplace) -> Workplace:
    """A model whose weights lie beside it, and data to calibrate with."""
    place.model(linear(), save_as_external_data=True, location="weights.bin", size_threshold=0)
    rows = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32)
    np.savez(place.folder / "c.npz", x=rows)
    return place


def builds(shop: Workplace, variants: str, version: str, *, options: str = "") -> list[PlannedBuild]:
    spec = shop.prepare(f"{MODEL}variants: {{runtime: [tensorrt], {variants}}}\n{options}").spec
    return list(plan(spec, [orin(runtime__tensorrt=version, **AGX)], []).builds)


def files(build: PlannedBuild) -> dict[Role, str]:
    found = build.recipe.artifacts
    assert len({item.name for item in found}) == len(found)
    return {item.role: item.name for item in found}


CALIBRATED = {Role.MODEL_FP32: "model.onnx", Role.MODEL_DATA: "weights.bin", Role.CALIBRATION: "x"}


@pytest.mark.parametrize(
    ("version", "placement", "options", "lowering", "roles"),
    [
        ("8.6.2", "gpu", "", FLAGS, set(CALIBRATED)),
        ("10.3.0", "gpu", "", TYPED, {Role.MODEL_QDQ}),
        ("10.3.0", "gpu", "options: {tensorrt: {lowering: flags}}", FLAGS, set(CALIBRATED)),
        ("10.3.0", "dla0", "", FLAGS, set(CALIBRATED)),
        ("10.16.2", "gpu", "", TYPED, {Role.MODEL_QDQ}),
        ("11.4.1", "gpu", "", TYPED, {Role.MODEL_QDQ}),
        ("11.4.1", "dla1", "", TYPED, {Role.MODEL_QDQ_DLA}),
    ],
)
def test_int8(
    shop: Workplace, version: str, placement: str, options: str, lowering: Lowering, roles: set[Role]
) -> None:
    (build,) = builds(shop, f"precision: [int8], placement: [{placement}]", version, options=options)
    assert build.recipe.lowering is lowering
    assert set(files(build)) == roles
    if Role.CALIBRATION in roles:
        assert files(build) == CALIBRATED


@pytest.mark.parametrize(
    ("version", "lowering", "role"), [("8.6.2", FLAGS, Role.MODEL_FP32), ("10.3.0", TYPED, Role.MODEL_FP16)]
)
def test_fp16(shop: Workplace, version: str, lowering: Lowering, role: Role) -> None:
    (build,) = builds(shop, "precision: [fp16]", version)
    assert build.recipe.lowering is lowering
    assert role in files(build)
    assert (Role.MODEL_DATA in files(build)) is (role is Role.MODEL_FP32)


def test_gpu_and_dla_together(shop: Workplace) -> None:
    on_gpu, on_dla = builds(shop, "precision: [int8], placement: [gpu+dla0+dla1]", "10.7.0")
    assert (on_gpu.recipe.placement, set(files(on_gpu))) == ("gpu", {Role.MODEL_QDQ})
    assert (on_dla.recipe.placement, files(on_dla)) == ("dla", CALIBRATED)


def test_gpu_and_dla_have_graphs_and_engines_of_their_own(shop: Workplace) -> None:
    on_gpu, on_dla = builds(shop, "precision: [int8], placement: [gpu+dla0+dla1]", "11.4.1")
    assert files(on_gpu) == {Role.MODEL_QDQ: "model-qdq.onnx"}
    assert files(on_dla) == {Role.MODEL_QDQ_DLA: "model-qdq-dla.onnx"}
    assert on_gpu.engine_key != on_dla.engine_key


def test_every_batch_of_a_profile_is_one_engine(shop: Workplace) -> None:
    profile = "options: {tensorrt: {profile: {x: {min: [1, 4], opt: [8, 4], max: [16, 4]}}}}"
    (build,) = builds(shop, "precision: [fp16], batch: [1, 8, 16]", "10.3.0", options=profile)
    assert [item.shape for item in build.recipe.inputs] == [(8, 4)]
    assert len(builds(shop, "precision: [fp16], batch: [1, 8, 16]", "10.3.0")) == 3
