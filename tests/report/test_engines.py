"""Engines in tables and JSON: what the builder did not tell reads unknown, and its words steer no terminal."""

import io

from controller.cli.formats import print_json
from controller.model.engine import BuildReport, Built, DlaPlacement, EngineView, TimingCacheUse
from controller.model.job import Artifact, Lowering, Precision, Role, ShapeRange, TensorSpec
from controller.model.task import DeviceClass, Recipe
from controller.record.engines import engine_record, engine_summary_record
from controller.report.text.engines import engine_table, engines_table, fallback_table, warnings
from testing.measurements import WHEN

RECIPE = Recipe(
    runtime="tensorrt",
    runtime_version="10.3.0",
    precision=Precision.INT8,
    lowering=Lowering.BUILDER_FLAGS,
    placement="dla",
    inputs=(TensorSpec("x", "float32", (4, 3), ShapeRange((1, 3), (4, 3), (8, 3))),),
    artifacts=(Artifact(Role.MODEL_FP32, "model.onnx", "ab" * 32, 4_000_000),),
    options={"sparsity": "on"},
)


def engine(report: BuildReport | None = None) -> EngineView:
    """Without a report: still wanted."""
    built = None if report is None else Built(Artifact(Role.ENGINE, "engine", "cd" * 32, 9_000_000), 75.0, None, report)
    klass = DeviceClass("k" * 64, (("module", "p3701-0005"), ("sm_count", "16")))
    return EngineView("e" * 64, RECIPE, klass, built, "orin" if built else "", WHEN if built else None)


def lines(view: EngineView) -> dict[str, str]:
    return dict(engine_table(view).rows)


def test_what_was_not_told_is_unknown_and_never_nothing() -> None:
    shown = lines(engine(BuildReport()))
    for name in ("power mode", "peak memory", "peak device memory", "activation memory", "tactics skipped"):
        assert shown[name] == "unknown"
    assert "timing cache" not in shown
    assert "DLA" not in shown
    assert shown["precision audit"] == "never measured"
    assert (shown["lowering"], shown["build time"]) == ("builder-flags", "1 min 15 s")
    assert shown["input x"] == "float32 min [1, 3] opt [4, 3] max [8, 3]"
    assert shown["options"] == "sparsity=on"
    assert (shown["class module"], shown["class sm_count"]) == ("p3701-0005", "16")


def test_an_engine_that_is_wanted_is_not_built() -> None:
    assert lines(engine())["built"] == "not built"
    (row,) = engines_table([engine()]).rows
    assert "not built" in row
    assert list(warnings(engine())) == []
    assert engine_record(engine())["build"] is None


def test_caches_and_placement_are_counted() -> None:
    full = engine(BuildReport(timing_cache=TimingCacheUse(("aa" * 32, "bb" * 32), 7, None), dla=DlaPlacement(9, 0, 1)))
    shown = lines(full)
    assert shown["timing cache"] == "from 2 earlier ones, hits 7, misses unknown"
    assert shown["DLA"] == "9 layers on DLA, 0 on GPU, 1 subgraph"
    assert full.built is not None
    assert full.built.report.dla is not None
    assert fallback_table(full.built.report.dla).empty == "no layer fell back to the GPU"
    assert engines_table([full]).rows[0][-1] == "9 of 9 layers on DLA"


def test_the_builders_words_steer_no_terminal() -> None:
    told = engine(BuildReport(tactics_skipped=1, warnings=("bad\x1b[2J\nluck",)))
    assert list(warnings(told)) == [
        "TACTICS_SKIPPED: 1 tactic was skipped for lack of memory while building",
        "builder: bad luck",
    ]


def test_the_record_is_plain_json_and_a_listing_is_a_part_of_it() -> None:
    use = TimingCacheUse(("aa" * 32,), 7, 0)
    record = engine_record(engine(BuildReport(timing_cache=use, dla=DlaPlacement(9, 1, 1))))
    print_json({"engine": record}, out=io.StringIO())
    assert record["build"]["timing_cache"] == {"handed": ["aa" * 32], "hits": 7, "misses": 0}
    assert record["build"]["dla"] == {"layers_on_dla": 9, "layers_on_gpu": 1, "subgraphs": 1}
    assert (record["build"]["power_mode"], record["audit"]) == (None, None)
    assert record["inputs"][0]["range"] == {"min": [1, 3], "opt": [4, 3], "max": [8, 3]}
    summary = engine_summary_record(engine(BuildReport()))
    assert set(summary) < set(record)
