"""Options of a runtime: what may be said, and what of it its variants carry."""

from pathlib import Path

import pytest

from controller.intake.jobfile.spec import LoadedJob, load_text
from jetfleet.errors import BadInput

HEAD = "apiVersion: jetfleet/v1\nname: test\nmodel: {onnx: m.onnx}\n"
TENSORRT = HEAD + "variants: {runtime: [tensorrt], precision: [fp16], placement: [gpu, dla0]}\noptions:\n  tensorrt: "


def load(text: str) -> LoadedJob:
    return load_text(text, Path("job.yaml"))


def text(options: str) -> dict[str, str]:
    return load(TENSORRT + options).job.options.text("tensorrt")


@pytest.mark.parametrize(
    ("written", "carried"),
    [
        ("builder_optimization_level: 5", "5"),
        ("workspace_mib: 512", "512"),
        ("tactic_dram_mib: 1024", "1024"),
        ("dla_managed_sram_kib: 512", "512"),
        ("dla_local_dram_mib: 256", "256"),
        ("dla_global_dram_mib: 128", "128"),
        ("sparsity: on", "on"),
        ("sparsity: true", "on"),
        ("avg_timing_iterations: 1", "1"),
        ("profiling_verbosity: none", "none"),
        ("max_aux_streams: 0", "0"),
        ("refit: true", "on"),
        ("version_compatible: on", "on"),
        ("hardware_compatibility: ampere_plus", "ampere_plus"),
        ("gpu_fallback: false", "off"),
        ("dla_require: full", "full"),
        ("timing_cache: cold", "cold"),
        ("cuda_graph: on", "on"),
        ("cuda_graph: false", "off"),
        ("wait: spin", "spin"),
        ("zero_copy: on", "on"),
        ("inflight: 2", "2"),
        ("lowering: flags", "flags"),
    ],
)
def test_an_option_reaches_its_variants_as_text(written: str, carried: str) -> None:
    assert text(f"{{{written}}}") == {written.split(":")[0]: carried}


def test_a_default_is_as_good_as_nothing() -> None:
    defaults = "sparsity: off, avg_timing_iterations: 8, profiling_verbosity: detailed, refit: false, gpu_fallback: on"
    more = "dla_require: partial, timing_cache: on, cuda_graph: auto, wait: block, zero_copy: off, inflight: 1"
    assert text(f"{{{defaults}, {more}, version_compatible: off, hardware_compatibility: none}}") == {}


def test_shapes_are_no_options() -> None:
    assert text("{profile: {x: {min: [1], opt: [1], max: [1]}}}") == {}


def test_options_of_the_others() -> None:
    options = load(
        HEAD
        + "variants: {placement: [cpu+gpu]}\n"
        + "options: {onnxruntime: {threads: 2, spinning: false, wait: spin, cuda_graph: true}, "
        + "tensorrt_rtx: {refit: on}}"
    ).job.options
    assert options.text("onnxruntime") == {"threads": "2", "spinning": "off", "wait": "spin", "cuda_graph": "on"}
    assert options.text("tensorrt_rtx") == {"refit": "on"}
    assert options.text("simulated") == {}


BAD = [
    (TENSORRT + "{workspace: 5}", "6:14", "unknown key 'workspace'", "did you mean 'workspace_mib'?"),
    (TENSORRT + "{builder_optimization_level: 6}", "6:42", "6 is not allowed here", ""),
    (TENSORRT + "{workspace_mib: 1.5}", "6:29", "1.5 is not allowed here", ""),
    (TENSORRT + "{workspace_mib: 0}", "6:29", "0 is not allowed here", ""),
    (TENSORRT + "{workspace_mib: '5'}", "6:29", "'5' is not allowed here", ""),
    (TENSORRT + "{dla_managed_sram_kib: 2}", "6:36", "2 is not allowed here", ""),
    (TENSORRT + "{dla_managed_sram_kib: 1000}", "6:36", "1000 is not a valid size for a DLA's memory", ""),
    (TENSORRT + "{sparsity: 1}", "6:24", "1 is not allowed here", ""),
    (TENSORRT + "{wait: spinn}", "6:20", "'spinn' is not allowed here", "did you mean 'spin'?"),
    (TENSORRT + "{lowering: weak}", "6:24", "'weak' is not allowed here", ""),
    (TENSORRT + "{timing_cache: off}", "6:28", "'off' is not allowed here", ""),
    (TENSORRT + "{avg_timing_iterations: 0}", "6:37", "0 is not allowed here", ""),
    (TENSORRT + "{max_aux_streams: -1}", "6:31", "-1 is not allowed here", ""),
    (TENSORRT + "{profile: {x: {min: [1], opt: [1]}}}", "6:27", "'max' is missing", ""),
    (TENSORRT + "{profile: {x: {min: [0], opt: [1], max: [1]}}}", "6:34", "0 is not allowed here", ""),
    (TENSORRT + "{profile: {x: {most: [1]}}}", "6:28", "unknown key 'most'", ""),
    (HEAD + "options: {tensorrt_rtx: {lowering: flags}}", "4:26", "unknown key 'lowering'", ""),
    (HEAD + "options: {onnxruntime: {thread: 1}}", "4:25", "unknown key 'thread'", "did you mean 'threads'?"),
    (HEAD + "options: {onnxruntime: {threads: 0}}", "4:34", "0 is not allowed here", ""),
    (HEAD + "options: {tensort: {}}", "4:11", "unknown key 'tensort'", "did you mean 'tensorrt'?"),
    (
        HEAD + "options: {onnxruntime: {wait: spin}}",
        "4:25",
        "wait is for a GPU, and no variant of onnxruntime is placed on one",
        "",
    ),
    (
        HEAD + "variants: {runtime: [tensorrt]}\noptions: {tensorrt: {dla_require: full}}",
        "5:22",
        "dla_require is for a DLA, and no variant of tensorrt is placed on one",
        "",
    ),
]


@pytest.mark.parametrize(("job", "where", "message", "hint"), BAD, ids=[f"{row[1]} {row[2]}" for row in BAD])
def test_refused(job: str, where: str, message: str, hint: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(job)
    assert (caught.value.where, caught.value.message, caught.value.hint) == (f"job.yaml:{where}", message, hint)


def test_what_is_expected_of_a_switch() -> None:
    with pytest.raises(BadInput) as caught:
        text("{sparsity: 1}")
    assert caught.value.expected == "'on' or 'off'"


def test_options_of_a_runtime_that_is_not_asked_for_wait_for_it() -> None:
    assert load(HEAD + "options: {tensorrt: {dla_require: full}}").job.options.text("tensorrt") == {
        "dla_require": "full"
    }
