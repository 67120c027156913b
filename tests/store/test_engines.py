"""What a build told: kept with its engine, shown under every name of it, and said by every measurement that it ran."""

import pytest

from controller.model.engine import Audited, BuildReport, DlaPlacement, EngineView, Fallback
from controller.model.job import Artifact, Lowering, Role
from controller.model.lease import BenchWork, BuildWork
from controller.model.result import Flag, FlagKind
from controller.store.queries.engines import engine_view, listed_engines
from controller.store.queries.listed import readable
from jetfleet.errors import BadInput, NotFound
from testing.devices import AGX_ORIN
from testing.specs import on_tensorrt, spec
from tests.store.fleet import ENGINE, StoreFleet, built, measured, measured_together

LAYERS = Artifact(Role.LAYERS, "layers.json", "ee" * 32, 100)
PROFILE = Artifact(Role.LAYER_PROFILE, "layer-profile.json", "dd" * 32, 50)
SURROUNDINGS = Artifact(Role.ENVIRONMENT, "environment.json", "fe" * 32, 20)
REPORT = BuildReport(
    peak_device_bytes=900_000_000,
    device_memory_bytes=5_000_000,
    tactics_skipped=3,
    dla=DlaPlacement(10, 2, 1, (Fallback("softmax", "SOFTMAX", "not on a DLA"), Fallback("cast", "CAST", "type"))),
    warnings=("a weight was clipped",),
)


def view(fleet: StoreFleet, name: str, *, job_id: int = 0) -> EngineView:
    return fleet.reader.read(lambda connection: engine_view(connection, name, job_id=job_id))


def views(fleet: StoreFleet) -> list[EngineView]:
    return readable(fleet.reader.read(lambda connection: listed_engines(connection, limit=10)))


def run(fleet: StoreFleet, *flags: FlagKind, placement: str = "dla0", report: BuildReport = REPORT) -> str:
    """Builds and measures one variant on an Orin; returns its engine's key."""
    fleet.register("orin", facts=AGX_ORIN)
    fleet.submit(on_tensorrt(placement))
    lease = fleet.must_claim("orin/1")
    assert isinstance(lease.work, BuildWork)
    fleet.commit("orin/1", lease.token, built(report, files=(LAYERS,)))
    bench = fleet.must_claim("orin/1")
    outcome = measured(*flags)
    artifacts = (*outcome.artifacts, PROFILE, SURROUNDINGS)
    fleet.commit("orin/1", bench.token, type(outcome)(outcome.end, artifacts, 1))
    return lease.work.engine_key


def test_an_engine_is_shown_with_its_report_its_files_and_its_audit(fleet: StoreFleet) -> None:
    key = run(fleet, FlagKind.PRECISION_NOT_HONOURED)
    for name in (key, key[:8], "tensorrt-fp16-b1-dla0"):
        found = view(fleet, name)
        assert found.key == key
    assert found.recipe.lowering is Lowering.BUILDER_FLAGS
    assert (found.recipe.placement, found.variants, found.built_on) == ("dla", ("tensorrt-fp16-b1-dla0",), "orin")
    assert found.built is not None
    assert (found.built.engine.sha256, found.built.report) == (ENGINE.sha256, REPORT)
    assert dict(found.device_class.fields)["dla_compiler"] == "3.14.1"
    assert [item.role for item in found.files] == [Role.ENVIRONMENT, Role.LAYER_PROFILE, Role.LAYERS, Role.LOG]
    assert found.audit == Audited(1, 1, "orin", "PRECISION_NOT_HONOURED", "evidence of PRECISION_NOT_HONOURED")


def test_a_listing_holds_what_is_short_and_wanted_engines_first(fleet: StoreFleet) -> None:
    key = run(fleet)
    fleet.submit(on_tensorrt("gpu"))
    wanted, made = views(fleet)
    assert (made.key, wanted.built) == (key, None)
    assert made.built is not None
    assert made.built.report.dla == DlaPlacement(10, 2, 1)
    assert (made.built.report.warnings, made.files, made.recipe.artifacts) == ((), (), ())


def test_the_view_for_people_holds_the_report(fleet: StoreFleet) -> None:
    run(fleet)
    (row,) = fleet.sql(
        "SELECT lowering, placement, build_s, peak_device_bytes, device_memory_bytes, tactics_skipped, layers_on_dla,"
        " layers_on_gpu, dla_subgraphs, peak_rss_bytes, timing_caches_handed, build_warnings FROM v_engines"
    )
    assert tuple(row.values()) == (
        *("builder-flags", "dla", 1.5, 900_000_000, 5_000_000, 3, 10, 2, 1, 1000, None),
        '["a weight was clipped"]',
    )
    fallbacks = fleet.sql(
        "SELECT json_extract(f.value, '$.type') AS type FROM v_engines, json_each(dla_fallbacks) f ORDER BY 1"
    )
    assert [row["type"] for row in fallbacks] == ["CAST", "SOFTMAX"]


def test_a_name_of_nothing_and_a_name_of_several(fleet: StoreFleet) -> None:
    with pytest.raises(NotFound, match="no engine is called tensorrt-fp16"):
        view(fleet, "tensorrt-fp16-b1-gpu")
    fleet.register("a")
    fleet.register("b", facts={"arch": "aarch64", "cpu_model": "B", "cpu_isa": ("neon",), "runtime.onnxruntime": "1"})
    first = fleet.submit(spec())
    with pytest.raises(BadInput, match="2 engines are called onnxruntime-fp32-b1-cpu") as refused:
        view(fleet, "onnxruntime-fp32-b1-cpu")
    assert "cpu, not built" in refused.value.hint
    with pytest.raises(NotFound):
        view(fleet, "onnxruntime-fp32-b1-cpu", job_id=first.job_id + 1)


def test_a_key_of_too_few_digits_is_a_variant_that_nobody_has(fleet: StoreFleet) -> None:
    key = run(fleet)
    with pytest.raises(NotFound):
        view(fleet, key[:5])
    with pytest.raises(NotFound):
        view(fleet, "______")


@pytest.mark.parametrize(
    ("skipped", "said"),
    [
        (3, "3 tactics were skipped for lack of memory while building"),
        (1, "1 tactic was skipped for lack of memory while building"),
    ],
)
def test_a_bench_is_told_what_the_build_left(fleet: StoreFleet, skipped: int, said: str) -> None:
    fleet.register("orin", facts=AGX_ORIN)
    fleet.submit(on_tensorrt())
    fleet.commit("orin/1", fleet.must_claim("orin/1").token, built(BuildReport(tactics_skipped=skipped)))
    work = fleet.must_claim("orin/1").work
    assert isinstance(work, BenchWork)
    assert work.subjects[0].flags == (Flag(FlagKind.TACTICS_SKIPPED, said),)


@pytest.mark.parametrize("skipped", [0, None])
def test_a_bench_of_a_clean_build_is_told_nothing(fleet: StoreFleet, skipped: int | None) -> None:
    fleet.register("orin", facts=AGX_ORIN)
    fleet.submit(on_tensorrt())
    fleet.commit("orin/1", fleet.must_claim("orin/1").token, built(BuildReport(tactics_skipped=skipped)))
    work = fleet.must_claim("orin/1").work
    assert isinstance(work, BenchWork)
    assert work.subjects[0].flags == ()


def test_a_remark_does_not_spoil_the_verdict(fleet: StoreFleet) -> None:
    run(fleet, FlagKind.TACTICS_SKIPPED)
    (row,) = fleet.sql("SELECT verdict, flags FROM v_results")
    assert row == {"verdict": "VALID", "flags": "TACTICS_SKIPPED: evidence of TACTICS_SKIPPED"}


def test_files_of_several_subjects_go_to_their_own_engines(fleet: StoreFleet) -> None:
    fleet.register("orin", facts=AGX_ORIN)
    fleet.submit(on_tensorrt("gpu+dla0"))
    while isinstance((lease := fleet.must_claim("orin/1")).work, BuildWork):
        fleet.finish("orin/1", lease)
    files = tuple(
        Artifact(role, f"{name}-{index}.json", f"{index}{index}" * 32, 1)
        for index in (0, 1)
        for role, name in ((Role.LAYERS, "layers"), (Role.LAYER_PROFILE, "layer-profile"))
    )
    fleet.commit("orin/1", lease.token, measured_together(2, files=(*files, SURROUNDINGS)))
    for index, subject in enumerate(lease.work.subjects):
        found = view(fleet, subject.engine_key)
        names = [item.name for item in found.files if item.role is not Role.LOG]
        assert names == ["environment.json", f"layer-profile-{index}.json", f"layers-{index}.json"]
