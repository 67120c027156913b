"""The matrix: every combination, less exclude, plus include."""

from pathlib import Path

import pytest

from controller.intake.jobfile import matrix
from controller.intake.jobfile.spec import load_text
from jetfleet.errors import BadInput

HEAD = "apiVersion: jetfleet/v1\nname: test\nmodel: {onnx: m.onnx}\nvariants: "


def keys(variants: str, *, own_batch: int = 1) -> list[str]:
    loaded = load_text(HEAD + variants, Path("job.yaml"))
    points = matrix.with_own_batch(loaded.points, loaded.job.variants, loaded.document, own_batch=own_batch)
    return [point.key for point in points]


def test_defaults() -> None:
    assert keys("{}") == ["onnxruntime-fp32-b1-cpu"]
    assert keys("{}", own_batch=4) == ["onnxruntime-fp32-b4-cpu"]
    assert keys("{runtime: [tensorrt, simulated]}") == ["tensorrt-fp32-b1-gpu", "simulated-fp32-b1-cpu"]


def test_what_only_the_graphs_batch_decides() -> None:
    assert keys("{precision: [fp32, fp16], exclude: [{batch: 4, precision: fp16}]}", own_batch=4) == [
        "onnxruntime-fp32-b4-cpu"
    ]
    included = "{include: [{batch: 1}]}"
    assert keys(included, own_batch=4) == ["onnxruntime-fp32-b4-cpu", "onnxruntime-fp32-b1-cpu"]
    with pytest.raises(BadInput, match="onnxruntime-fp32-b1-cpu is asked for twice"):
        keys(included, own_batch=1)
    with pytest.raises(BadInput, match="nothing is left of the matrix"):
        keys("{exclude: [{batch: 1}]}")


def test_every_combination() -> None:
    assert keys("{batch: [1, 8], placement: [cpu, gpu]}") == [
        "onnxruntime-fp32-b1-cpu",
        "onnxruntime-fp32-b1-gpu",
        "onnxruntime-fp32-b8-cpu",
        "onnxruntime-fp32-b8-gpu",
    ]


def test_engines_that_are_built_again_are_variants_of_their_own() -> None:
    assert keys("{repeat_builds: 3, options: {threads: [1]}}") == [
        "onnxruntime-fp32-b1-cpu-threads_1",
        "onnxruntime-fp32-b1-cpu-build_2-threads_1",
        "onnxruntime-fp32-b1-cpu-build_3-threads_1",
    ]
    assert len(keys("{repeat_builds: 2, batch: [1, 2], exclude: [{batch: 2}]}")) == 2


def test_exclude_takes_values_and_lists() -> None:
    assert keys(
        "{batch: [1, 8, 16], placement: [cpu, gpu], exclude: [{batch: [8, 16], placement: cpu}, {batch: 16}]}"
    ) == [
        "onnxruntime-fp32-b1-cpu",
        "onnxruntime-fp32-b1-gpu",
        "onnxruntime-fp32-b8-gpu",
    ]


def test_include_fills_in_the_axes_it_does_not_name() -> None:
    assert keys("{batch: [1], include: [{batch: 8}, {runtime: tensorrt}]}") == [
        "onnxruntime-fp32-b1-cpu",
        "onnxruntime-fp32-b8-cpu",
        "tensorrt-fp32-b1-gpu",
    ]


def test_parts_of_a_placement_are_measured_at_the_same_time() -> None:
    assert keys("{runtime: [tensorrt], precision: [fp16], placement: [gpu, dla0, gpu+dla0+dla1, gpu+gpu]}") == [
        "tensorrt-fp16-b1-gpu",
        "tensorrt-fp16-b1-dla0",
        "tensorrt-fp16-b1-gpu+dla0+dla1",
        "tensorrt-fp16-b1-gpu+gpu",
    ]
    assert keys("{placement: [cpu+cpu, cpu+gpu]}") == ["onnxruntime-fp32-b1-cpu+cpu", "onnxruntime-fp32-b1-cpu+gpu"]
    assert keys("{runtime: [simulated], placement: [cpu+gpu+dla0]}") == ["simulated-fp32-b1-cpu+gpu+dla0"]


def test_tf32_where_there_is_a_gpu() -> None:
    assert keys("{runtime: [onnxruntime, tensorrt_rtx], precision: [tf32], placement: [gpu]}") == [
        "onnxruntime-tf32-b1-gpu",
        "tensorrt_rtx-tf32-b1-gpu",
    ]


def test_what_a_dla_does_not_run_can_be_excluded() -> None:
    matrix_of_two = "{runtime: [tensorrt], precision: [fp32, fp16], placement: [gpu, dla0]"
    with pytest.raises(BadInput) as caught:
        keys(matrix_of_two + "}")
    assert caught.value.hint == "exclude: [{runtime: tensorrt, precision: fp32, placement: dla0}]"
    assert len(keys(f"{matrix_of_two}, {caught.value.hint}}}")) == 3


@pytest.mark.parametrize(
    ("variants", "where", "message"),
    [
        ("{batch: [1], exclude: [{batch: 1}]}", "4:33", "nothing is left of the matrix"),
        ("{batch: [1], include: [{batch: 1}]}", "4:34", "the variant onnxruntime-fp32-b1-cpu is asked for twice"),
        ("{runtime: [tensorrt], placement: [cpu]}", "4:44", "tensorrt on cpu is not possible"),
        ("{runtime: [tensorrt], placement: [gpu+cpu]}", "4:44", "tensorrt on gpu+cpu is not possible"),
        ("{runtime: [tensorrt_rtx], placement: [dla0]}", "4:48", "tensorrt_rtx on dla0 is not possible"),
        ("{placement: [dla0]}", "4:23", "onnxruntime on dla0 is not possible"),
        ("{runtime: [tensorrt], placement: [gpu+dla0]}", "4:11", "a DLA runs fp16 and int8, not fp32"),
        (
            "{runtime: [tensorrt], precision: [fp16, tf32], placement: [dla1]}",
            "4:44",
            "a DLA runs fp16 and int8, not tf32",
        ),
        ("{precision: [tf32]}", "4:23", "onnxruntime has no tf32 on a CPU: it is a mode of NVIDIA's GPUs"),
        ("{batch: [" + ", ".join(map(str, range(1, 1100))) + "]}", "4:11", "1099 variants"),
    ],
)
def test_refused(variants: str, where: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        keys(variants)
    assert (caught.value.where, caught.value.message) == (f"job.yaml:{where}", message)


def test_options_are_axes_of_the_runtimes_that_have_them() -> None:
    assert keys("{runtime: [onnxruntime, simulated], options: {threads: [1, 2]}}") == [
        "onnxruntime-fp32-b1-cpu-threads_1",
        "onnxruntime-fp32-b1-cpu-threads_2",
        "simulated-fp32-b1-cpu",
    ]
    assert keys("{runtime: [tensorrt], options: {sparsity: [off, on], builder_optimization_level: [3]}}") == [
        "tensorrt-fp32-b1-gpu-builder_optimization_level_3-sparsity_off",
        "tensorrt-fp32-b1-gpu-builder_optimization_level_3-sparsity_on",
    ]


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("{thread: [1]}", "no runtime of this job has an option 'thread'"),
        ("{threads: [1, 0]}", "0 is not a valid value of threads of onnxruntime"),
        ("{sparsity: [on]}", "no runtime of this job has an option 'sparsity'"),
        ("{threads: [2, 2]}", "2 is listed twice"),
    ],
)
def test_axes_of_options_that_are_wrong(axes: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        keys(f"{{options: {axes}}}")
    assert message in caught.value.message
    assert caught.value.where.startswith("job.yaml:4:")
    assert caught.value.hint == ("did you mean 'threads'?" if "thread:" in axes else "")
