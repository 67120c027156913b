"""Engine identity: everything that changes an engine changes its key, and nothing else does."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.keys import (
    build_artifacts,
    class_fields,
    device_class,
    digest,
    engine_key,
    recipe_content,
    variant_key,
)
from controller.model.job import Artifact, Lowering, Precision, Role, ShapeRange, TensorSpec
from controller.model.task import Recipe
from testing.devices import device, orin
from testing.specs import MODEL
from testing.tasks import recipe

CHANGES = {
    "runtime": ["simulated", "tensorrt"],
    "runtime_version": ["1.23.3", "1.23.2+cu12"],
    "precision": [Precision.TF32, Precision.FP16, Precision.INT8],
    "lowering": [Lowering.BUILDER_FLAGS],
    "placement": ["gpu", "dla"],
    "repeat": [1, 2],
    "inputs": [
        (),
        (TensorSpec("image", "float32", (1, 3)),),
        (TensorSpec("image", "float32", (2, 3)), TensorSpec("mask", "int64", (1,))),
        (TensorSpec("image", "float16", (1, 3)), TensorSpec("mask", "int64", (1,))),
        (TensorSpec("picture", "float32", (1, 3)), TensorSpec("mask", "int64", (1,))),
        *(
            (TensorSpec("image", "float32", (1, 3), ShapeRange((1, 3), opt, most)), TensorSpec("mask", "int64", (1,)))
            for opt, most in (((1, 3), (8, 3)), ((4, 3), (8, 3)), ((1, 3), (16, 3)))
        ),
    ],
    "artifacts": [
        (MODEL,),
        (dataclasses.replace(MODEL, sha256="c" * 64), Artifact(Role.MODEL_DATA, "weights.bin", "b" * 64, 5)),
        (dataclasses.replace(MODEL, role=Role.MODEL_QDQ), Artifact(Role.MODEL_DATA, "weights.bin", "b" * 64, 5)),
        (MODEL, Artifact(Role.MODEL_DATA, "other.bin", "b" * 64, 5)),
    ],
    "options": [{}, {"threads": "4"}, {"threads": "2", "arena": "off"}],
}


def key_on(board, made=None, *, runtime="onnxruntime", placement="cpu"):
    return engine_key(made or recipe(), device_class(board, runtime=runtime, placement=placement))


def test_every_field_of_a_recipe_has_a_change_to_try():
    assert set(CHANGES) == {field.name for field in dataclasses.fields(Recipe)}
    assert set(recipe_content(recipe(repeat=1))) == set(CHANGES) == {*recipe_content(recipe()), "repeat"}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in CHANGES.items() for value in values])
def test_a_changed_recipe_is_another_engine(name, value):
    assert key_on(device(), recipe(**{name: value})) != key_on(device())


def test_all_changes_are_told_apart_from_each_other():
    made = [recipe(**{name: value}) for name, values in CHANGES.items() for value in values]
    assert len({key_on(device(), item) for item in made}) == len(made)


@given(st.permutations(recipe().artifacts), st.permutations([("a", "1"), ("b", "2"), ("threads", "2")]))
def test_the_order_of_files_and_options_does_not_matter(artifacts, options):
    first = recipe(options={"a": "1", "b": "2", "threads": "2"})
    assert key_on(device(), recipe(artifacts=tuple(artifacts), options=dict(options))) == key_on(device(), first)


def test_the_announced_size_of_a_file_does_not_matter():
    sized = recipe(artifacts=tuple(dataclasses.replace(item, size_bytes=99) for item in recipe().artifacts))
    assert key_on(device(), sized) == key_on(device())


PLACES = {
    ("onnxruntime", "cpu"): ("arch", "cpu_model", "cpu_isa"),
    ("tensorrt", "gpu"): ("arch", "module", "compute_capability", "sm_count", "l4t"),
    ("tensorrt", "dla0"): ("arch", "module", "compute_capability", "sm_count", "l4t", "dla_compiler"),
    ("tensorrt", "dla"): ("arch", "module", "compute_capability", "sm_count", "l4t", "dla_compiler"),
    ("onnxruntime", "gpu"): ("arch", "module", "compute_capability", "sm_count", "l4t", "cpu_model", "cpu_isa"),
    ("simulated", "gpu"): ("arch",),
}
DISCRETE = ("arch", "gpu", "compute_capability", "sm_count", "cuda")
CASES = [(place, name) for place, names in PLACES.items() for name in names]


def board_for(place):
    return device() if place[1] == "cpu" else orin()


@pytest.mark.parametrize(("place", "names"), [*PLACES.items()])
def test_class_fields(place, names):
    assert class_fields(board_for(place).facts, *place) == names


def test_a_discrete_gpu_is_known_by_its_product_name():
    card = orin(drop=("module", "l4t"))
    assert class_fields(card.facts, "tensorrt", "gpu") == DISCRETE
    assert class_fields(card.facts, "tensorrt_rtx", "gpu") == DISCRETE
    assert class_fields(card.facts, "onnxruntime", "gpu") == (*DISCRETE, "cpu_model", "cpu_isa")
    assert class_fields(orin(drop=("module",)).facts, "tensorrt", "gpu") == PLACES["tensorrt", "gpu"]


@pytest.mark.parametrize(("place", "name"), CASES)
def test_a_changed_class_field_is_another_class(place, name):
    runtime, placement = place
    board = board_for(place)
    twin = dataclasses.replace(board, facts=board.facts | {name: "other"})
    classes = [device_class(item, runtime=runtime, placement=placement) for item in (board, twin)]
    assert classes[0].key != classes[1].key
    assert dict(classes[1].fields)[name] == "other"


@pytest.mark.parametrize(("place", "name"), CASES)
def test_two_unknowns_never_match(place, name):
    runtime, placement = place
    board = board_for(place)
    lacking = {key: value for key, value in board.facts.items() if key != name}
    if name == "module":
        assert "l4t" in lacking  # still a Jetson
    pair = [dataclasses.replace(board, id=item, facts=lacking) for item in ("one", "two")]
    classes = [device_class(item, runtime=runtime, placement=placement) for item in pair]
    assert classes[0].key != classes[1].key
    assert dict(classes[0].fields)[name] == "unknown"
    assert dict(classes[0].fields)["device"] == "one"
    assert device_class(pair[0], runtime=runtime, placement=placement) == classes[0]


def test_a_fact_that_reads_unknown_is_not_an_unknown_fact():
    said = device_class(device(cpu_model="unknown"), runtime="onnxruntime", placement="cpu")
    missing = device_class(device(drop=("cpu_model",)), runtime="onnxruntime", placement="cpu")
    assert said.key != missing.key


@pytest.mark.parametrize(
    "changed", [{"power_mode": "MAXN"}, {"power_mode": "15W"}, {"label__rack": "b"}, {"hostname": "h"}]
)
def test_power_mode_and_labels_do_not_make_another_engine(changed):
    assert key_on(device(**changed)) == key_on(device())
    kinds = [device_class(item, runtime="tensorrt", placement="dla0").key for item in (orin(), orin(**changed))]
    assert kinds[0] == kinds[1]


def test_equal_boards_share_a_class_whatever_their_names():
    pair = [device_class(item, runtime="onnxruntime", placement="cpu") for item in (device("a"), device("b"))]
    assert pair[0] == pair[1]
    assert "device" not in dict(pair[0].fields)


def test_keys_are_sha256():
    for key in (key_on(device()), device_class(device(), runtime="onnxruntime", placement="cpu").key):
        assert len(key) == 64
        assert set(key) <= set("0123456789abcdef")


def test_keys_do_not_move_between_versions():
    """Engines outlive releases: a change of these digits throws every stored engine away, and must be meant."""
    assert digest({"b": [1, "é"], "a": None}) == "a44633ba036df25280e4fd9ef09da6f54dfe6d3611c755e31f993ab16f108f34"
    assert key_on(device()) == "2c1fe106fd5570b4f9cdc5b10d586ae18454850216d5253bc5a6b3b0ca9a9a89"


GRAPHS = {Role.MODEL_FP32: "model.onnx", Role.MODEL_FP16: "model-fp16.onnx", Role.MODEL_QDQ: "model-qdq.onnx"}
DATA = ("weights.bin", "model.onnx.data", "model-fp16.onnx.data", "model-qdq.onnx.data")
FILES = tuple(
    Artifact(role, name, f"{index:064x}", 1)
    for index, (role, name) in enumerate(
        [
            *((role, GRAPHS.get(role, role.value)) for role in Role if role is not Role.MODEL_DATA),
            *((Role.MODEL_DATA, name) for name in DATA),
        ]
    )
)
FP32_FILES = {"model.onnx", "weights.bin", "model.onnx.data"}
FP16_FILES = {"model-fp16.onnx", "model-fp16.onnx.data"}
QDQ_FILES = {"model-qdq.onnx", "model-qdq.onnx.data"}


@pytest.mark.parametrize(
    ("precision", "lowering", "names"),
    [
        (Precision.FP32, Lowering.TYPED_GRAPH, FP32_FILES),
        (Precision.TF32, Lowering.TYPED_GRAPH, FP32_FILES),
        (Precision.FP16, Lowering.TYPED_GRAPH, FP16_FILES),
        (Precision.INT8, Lowering.TYPED_GRAPH, QDQ_FILES),
        (Precision.FP32, Lowering.BUILDER_FLAGS, FP32_FILES),
        (Precision.TF32, Lowering.BUILDER_FLAGS, FP32_FILES),
        (Precision.FP16, Lowering.BUILDER_FLAGS, FP32_FILES),
        (Precision.INT8, Lowering.BUILDER_FLAGS, FP32_FILES | {"calibration"}),
    ],
)
def test_an_engine_is_made_from_one_graph_and_its_data(precision, lowering, names):
    got = build_artifacts(FILES, precision, lowering)
    assert {item.name for item in got} == names
    assert got == build_artifacts(tuple(reversed(FILES)), precision, lowering)


def test_data_of_the_only_graph_may_have_any_name():
    lowered = dataclasses.replace(MODEL, role=Role.MODEL_QDQ)
    data = Artifact(Role.MODEL_DATA, "weights.bin", "b" * 64, 5)
    assert set(build_artifacts((data, lowered), Precision.INT8)) == {lowered, data}


@pytest.mark.parametrize("role", [Role.REFERENCE_INPUT, Role.EVALUATION_LABELS, Role.LOG, Role.ENGINE])
def test_data_that_only_checks_an_engine_is_not_part_of_it(role):
    extra = Artifact(role, "x", "e" * 64, 1)
    assert build_artifacts((MODEL, extra), Precision.FP32) == (MODEL,)


def test_the_fp32_graph_serves_where_there_is_no_lowered_one():
    for precision, lowering in itertools.product(Precision, Lowering):
        assert build_artifacts((MODEL,), precision, lowering) == (MODEL,)
    lowered = dataclasses.replace(MODEL, role=Role.MODEL_QDQ)
    assert build_artifacts((lowered,), Precision.INT8, Lowering.BUILDER_FLAGS) == (lowered,)
    assert build_artifacts((lowered,), Precision.FP32) == ()


def test_variant_keys_read_like_names():
    made = variant_key(runtime="tensorrt", precision=Precision.FP16, batch=8, placement="gpu")
    assert made == "tensorrt-fp16-b8-gpu"
    other = variant_key(
        runtime="onnxruntime",
        precision=Precision.FP32,
        batch=1,
        placement="cpu",
        others={"threads": "2", "arena": "off"},
    )
    assert other == "onnxruntime-fp32-b1-cpu-arena_off-threads_2"
