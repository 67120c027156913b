"""job.yaml as a whole: every mistake with its place, and the defaults of the smallest file."""

import json
from pathlib import Path

import pytest

from controller.intake.jobfile.goals import JobGoals, goals_in
from controller.intake.jobfile.spec import LoadedJob, json_schema, load_text
from controller.model.job import CheckRule, Condition, Limits, Measure, Op, OutputCheck, Precision, Quantifier, Target
from jetfleet.errors import BadInput

HEAD = "apiVersion: jetfleet/v1\nname: test\n"
MODEL = HEAD + "model: {onnx: m.onnx}\n"
SCHEMA = Path(__file__).parents[2] / "docs" / "jobspec.schema.json"


def load(text: str) -> LoadedJob:
    return load_text(text, Path("job.yaml"))


def conditions(selector: str) -> tuple[Condition, ...]:
    return load(MODEL + f"targets: [{{every: {{{selector}}}}}]").targets[0].conditions


def test_the_smallest_job_file() -> None:
    loaded = load(MODEL)
    assert loaded.targets == ()
    assert (loaded.measure, loaded.limits) == (Measure(), Limits())
    assert loaded.check_for(Precision.FP32) == OutputCheck(CheckRule.CLOSE)
    assert loaded.check_for(Precision.FP16) == OutputCheck(CheckRule.COSINE, min_agreement=0.95)
    assert loaded.check_for(Precision.INT8) == OutputCheck(CheckRule.COSINE, min_cosine=0.99, min_agreement=0.9)
    assert loaded.job.variants.runtime == ["onnxruntime"]


BAD = [
    (HEAD + "modle: {}", "3:1", "unknown key 'modle'", "did you mean 'model'?"),
    (HEAD, "1:1", "'model' is missing", ""),
    ("- 1", "1:1", "a list is not allowed here", ""),
    ("apiVersion: v1\nname: x\nmodel: {onnx: m}", "1:13", "'v1' is not allowed here", ""),
    ("apiVersion: jetfleet/v1\nname: a b\nmodel: {onnx: m}", "2:7", "'a b' is not allowed here", ""),
    ("apiVersion: jetfleet/v1\nname: no\nname: x", "3:1", "the key 'name' is given twice", ""),
    (HEAD + "model: {}", "3:8", "model has neither torch nor onnx", ""),
    (HEAD + "model: {onnx: a, torch: 'a:b'}", "3:8", "model has both torch and onnx", ""),
    (HEAD + "model: {onnx: a, args: {b: 1}}", "3:8", "args belong to torch, and this model is onnx", ""),
    (HEAD + "model: {torch: resnet}", "3:16", "'resnet' is not allowed here", ""),
    (HEAD + "model:\n  onnx: m\n  input: {}", "5:3", "unknown key 'input'", "did you mean 'inputs'?"),
    (HEAD + "model: {onnx: m, inputs: {x: {shape: [b]}}}", "3:39", "'b' is not allowed here", ""),
    (HEAD + "model: {onnx: m, inputs: {x: {shape: [-1]}}}", "3:39", "-1 is not allowed here", ""),
    (HEAD + "model: {onnx: m, inputs: {x: {dtype: float}}}", "3:38", "'float' is not allowed here", "*"),
    (HEAD + "model: {onnx: m, inputs: {x: {values: 3}}}", "3:39", "3 is not allowed here", ""),
    (HEAD + "model: {onnx: m, inputs: {x: {values: x}}}", "3:39", "'x' does not say how to make values", ""),
    (
        HEAD + "model: {onnx: m, inputs: {x: {values: 'uniform[2,1]'}}}",
        "3:39",
        "'uniform[2,1]' has its bounds the wrong way round",
        "",
    ),
    (HEAD + "model: {onnx: m, data: {calibrate: c}}", "3:25", "unknown key 'calibrate'", "did you mean 'calibration'?"),
    (HEAD + "model: {torch: m:f}\nvariants: {precision: [int8]}", "4:24", "int8 needs data to calibrate with", "*"),
    (MODEL + "variants: {precision: [fp9]}", "4:24", "'fp9' is not allowed here", ""),
    (MODEL + "variants: {batch: 8}", "4:19", "8 is not allowed here", "write [8]"),
    (MODEL + "variants: {batch: [true]}", "4:20", "true is not allowed here", ""),
    (MODEL + "variants: {batch: [0]}", "4:20", "0 is not allowed here", ""),
    (MODEL + "variants: {batch: [8, 8]}", "4:19", "8 is listed twice", ""),
    (MODEL + "variants: {batch: []}", "4:19", "a list is not allowed here", ""),
    (MODEL + "variants: {runtime: [onnxruntim]}", "4:22", "'onnxruntim' is not allowed here", "*"),
    (MODEL + "variants: {placement: [gpuu]}", "4:24", "'gpuu' is not allowed here", ""),
    (MODEL + "variants: {exclude: [{bach: 1}]}", "4:23", "unknown key 'bach'", "did you mean 'batch'?"),
    (MODEL + "targets:", "4:9", "nothing is not allowed here", ""),
    (MODEL + "targets: []", "4:10", "a list is not allowed here", ""),
    (MODEL + "targets: [{}]", "4:11", "a target needs exactly one of every and any", ""),
    (MODEL + "targets: [{every: {skuu: 1}}]", "4:20", "no device has a fact 'skuu'", "did you mean 'sku'?"),
    (MODEL + "targets: [{any: {jetpack: 6.1}}]", "4:27", "jetpack cannot be 6.1", 'quote it: "6.1"'),
    (MODEL + "targets: [{any: {jetpack: newest}}]", "4:27", "jetpack cannot be 'newest'", ""),
    (MODEL + "targets: [{any: {jetpack: '>=x'}}]", "4:27", "'>=x' is not a version range", ""),
    (
        MODEL + "targets: [{any: {sku: '>=6'}}]",
        "4:23",
        "a range needs a version or a number, and the type of sku is text",
        "",
    ),
    (MODEL + "targets: [{any: {sku: []}}]", "4:23", "an empty list for sku matches nothing", ""),
    (MODEL + "targets: [{any: {sku: true}}]", "4:23", "sku cannot be true", ""),
    (MODEL + "targets: [{any: {sm_count: '16'}}]", "4:28", "sm_count cannot be '16'", ""),
    (MODEL + "targets: [{any: {simulated: yes}}]", "4:29", "simulated cannot be 'yes'", ""),
    (MODEL + "measure: {mode: pacd}", "4:17", "'pacd' is not allowed here", "did you mean 'paced'?"),
    (MODEL + "measure: {mode: paced}", "4:10", "mode paced needs a rate", ""),
    (MODEL + "measure: {mode: paced, rate_hz: 0}", "4:33", "0 is not allowed here", ""),
    (
        MODEL + "measure: {mode: paced, rate_hz: 30, streams: 2}",
        "4:10",
        "streams is of mode throughput, and the mode is paced",
        "",
    ),
    (
        MODEL + "measure: {mode: paced, rate_hz: 0.5}",
        "4:10",
        "an input arrives every 2 s, and the window of each run is 2 s",
        "",
    ),
    (MODEL + "measure: {rate_hz: 30}", "4:10", "rate_hz is of mode paced, and the mode is latency", ""),
    (MODEL + "measure: {mode: throughput, streams: 65}", "4:38", "65 is not allowed here", ""),
    (MODEL + "measure: {mode: paced, rate_hz: 30, seed: 1}", "4:10", "fixed arrivals take no seed", ""),
    (
        MODEL
        + "measure: {mode: paced, rate_hz: 30}\nvariants: {runtime: [tensorrt]}\noptions: {tensorrt: {inflight: 2}}",
        "4:17",
        "mode paced has one inference in flight, and tensorrt-fp32-b0-gpu is to have more",
        "",
    ),
    (MODEL + "measure: {seconds: .inf}", "4:20", "inf is not allowed here", ""),
    (MODEL + "measure: {seconds: 5, max_seconds: 2}", "4:10", "max_seconds 2 is less than seconds 5", ""),
    (MODEL + "limits: {bench_s: 5}", "4:9", "warm-up and timed windows may take 10.3 s", ""),
    (MODEL + "check: of", "4:8", "'of' is not allowed here", "did you mean 'off'?"),
    (MODEL + "check: {rle: close}", "4:9", "unknown key 'rle'", "did you mean 'rule'?"),
    (MODEL + "retry: {}", "4:1", "'retry' is not supported yet", ""),
    (MODEL + "constraints: {p99_sm: 3}", "4:23", "there is no metric 'p99_sm'", "*"),
    (MODEL + "constraints: {p99_ms: .inf}", "4:23", "inf is not allowed here", ""),
    (MODEL + "constraints: {p99_ms: true}", "4:23", "true is not allowed here", ""),
    (MODEL + "constraints: [p99_ms]", "4:14", "a list is not allowed here", ""),
    (MODEL + "constraints: {latency: 3, p50_ms: 4}", "4:14", "latency and p50_ms limit the same", ""),
    (MODEL + "objective: enregy", "4:12", "there is no metric 'enregy'", "*"),
    (MODEL + "objective: n", "4:12", "there is no metric 'n'", ""),
    (MODEL + "priority: 1.5", "4:11", "1.5 is not allowed here", ""),
    (MODEL + "options: {simulate: {a: 1}}", "4:11", "unknown key 'simulate'", "did you mean 'simulated'?"),
    (MODEL + "export: {opset: 9}", "4:17", "9 is not allowed here", ""),
]


@pytest.mark.parametrize(("text", "where", "message", "hint"), BAD, ids=[f"{row[1]} {row[2]}" for row in BAD])
def test_refused(text: str, where: str, message: str, hint: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(text)
    error = caught.value
    assert (error.where, error.message) == (f"job.yaml:{where}", message)
    assert (error.hint != "") if hint == "*" else (error.hint == hint)
    assert "\n" not in str(error).split("expected:")[0].strip()


def test_all_mistakes_are_told_at_once() -> None:
    text = MODEL.replace("name: test", "name: a b") + (
        "variants: {precison: [fp32], placement: [gpu], batch: [0]}\n"
        "targets: [{every: {skuu: 1}}, {any: {jetpack: 6.1, arch: true}}]\n"
        "measure: {seconds: long}\nvariant: 3\ncheck: {rle: close}\noptions: {onnxruntime: {spining: on}}\n"
    )
    with pytest.raises(BadInput) as caught:
        load(text)
    told = {error.where: error.message for error in (caught.value, *caught.value.others)}
    assert told == {
        "job.yaml:7:1": "unknown key 'variant'",
        "job.yaml:4:12": "unknown key 'precison'",
        "job.yaml:8:9": "unknown key 'rle'",
        "job.yaml:9:25": "unknown key 'spining'",
        "job.yaml:2:7": "'a b' is not allowed here",
        "job.yaml:4:56": "0 is not allowed here",
        "job.yaml:6:20": "'long' is not allowed here",
        "job.yaml:5:20": "no device has a fact 'skuu'",
        "job.yaml:5:47": "jetpack cannot be 6.1",
        "job.yaml:5:58": "arch cannot be true",
    }


def test_a_section_that_is_right_is_held_against_the_variants_though_another_is_wrong() -> None:
    with pytest.raises(BadInput) as caught:
        load(MODEL + "variants: {placement: [dla0]}\nmeasure: {seconds: 500, max_seconds: 700}\npriority: high")
    assert [error.message for error in (caught.value, *caught.value.others)] == [
        "'high' is not allowed here",
        "onnxruntime on dla0 is not possible",
        "warm-up and timed windows may take 700.3 s",
    ]


def test_what_is_expected_is_said_in_words() -> None:
    with pytest.raises(BadInput) as caught:
        load(MODEL + "variants: {runtime: [trt]}")
    assert caught.value.expected == "'onnxruntime', 'tensorrt', 'tensorrt_rtx' or 'simulated'"


def test_selectors() -> None:
    assert conditions("sku: orin-nano-8gb") == (Condition("sku", Op.EQUALS, ("orin-nano-8gb",)),)
    assert conditions("module: [a, b]") == (Condition("module", Op.IN, ("a", "b")),)
    assert conditions('jetpack: ">=6.1, <7"') == (Condition("jetpack", Op.VERSION, ("<7,>=6.1",)),)
    assert conditions('jetpack: "6.1"') == (Condition("jetpack", Op.EQUALS, ("6.1",)),)
    assert conditions("sm_count: 16, simulated: true") == (
        Condition("sm_count", Op.EQUALS, ("16",)),
        Condition("simulated", Op.EQUALS, ("true",)),
    )
    assert conditions('label.rack: no, runtime.tensorrt: "~=10.3"') == (
        Condition("label.rack", Op.EQUALS, ("no",)),
        Condition("runtime.tensorrt", Op.VERSION, ("~=10.3",)),
    )


def test_everything_else_reaches_the_job() -> None:
    loaded = load(
        MODEL
        + "measure: {warmup_s: 0, seconds: 20}\ncheck: off\nlimits: {build_s: 60}\npriority: -1\n"
        + "options: {simulated: {latency_ms: 2, fail: false, text: a}}\ntargets: [{any: {}}]"
    )
    assert loaded.measure == Measure(warmup_s=0, min_s=20, max_s=20)
    assert loaded.check_for(Precision.INT8).rule is CheckRule.OFF
    assert loaded.limits == Limits(build_s=60)
    assert loaded.targets == (Target(Quantifier.ANY),)
    assert loaded.job.options.text("simulated") == {"latency_ms": "2", "fail": "false", "text": "a"}


def test_all_that_is_wrong_with_the_goals_is_told_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        load(MODEL + "objective: fastness\nconstraints: {p42: 3, power: lots, accuracy_drop: 0.01}")
    places = [error.where for error in (caught.value, *caught.value.others)]
    assert sorted(places) == ["job.yaml:4:12", "job.yaml:5:20", "job.yaml:5:30"]


def test_the_goals_are_read_from_the_text_that_is_kept() -> None:
    text = MODEL + "objective: energy\nconstraints: {p99_ms: 33, accuracy_drop: 0.01}"
    assert goals_in(load(text).document.text) == JobGoals("energy", {"p99_ms": 33.0, "accuracy_drop": 0.01})
    assert goals_in(load(MODEL).document.text) == goals_in(f"# base\n{text}\n# candidate\n{text}") == JobGoals()


def test_the_published_schema_is_the_one_in_the_code() -> None:
    assert json.loads(SCHEMA.read_text()) == json_schema()
