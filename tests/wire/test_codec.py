"""What the codec notices when it is made, and what it says of values that do not fit."""

import math
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum

import pytest

from controller.model.job import Artifact, JobSpec, Limits, Measure, Target
from controller.model.result import Estimate, Flag, FlagKind, Round
from controller.model.task import Failure, FailureKind
from controller.wire.codec import MessageCodec, message_codec
from controller.wire.enums import enum_codec
from controller.wire.facts import fact_fields
from controller.wire.fields import FieldMismatch
from controller.wire.job import ARTIFACT, CONDITION, JOB_SPEC, LIMITS, MEASURE
from controller.wire.lease import OUTCOME, REGISTRATION, outcome_from_pb
from controller.wire.result import ESTIMATE, FAILURE, FLAG, ROUND, ROW
from controller.wire.time import duration_fields, timestamp_fields
from controller.wire.view import JOB_VIEW, PLANNED_TASK, RESULT_QUERY, TASK_VIEW
from jetfleet.errors import BadInput, UnknownValue
from jetfleet.v1 import control_pb2, fleet_pb2, task_pb2

DIGEST = "a" * 64


@dataclass(frozen=True)
class Longer:
    n: int
    p50_ms: float
    mean_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Shorter:
    n: int
    p50_ms: float


@dataclass(frozen=True)
class OfText:
    n: str
    p50_ms: float
    mean_ms: float


@dataclass(frozen=True)
class WithoutAbsence:
    value: float
    low: float
    high: float
    reason: str


@dataclass(frozen=True)
class WithAbsence:
    n: int | None
    p50_ms: float
    mean_ms: float


@dataclass(frozen=True)
class Nesting:
    kind: FlagKind
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class OneEnd:
    end: Failure | Round
    artifacts: tuple[Artifact, ...]
    peak_rss_bytes: int


@pytest.mark.parametrize(
    ("model", "message", "said"),
    [
        (Longer, task_pb2.Round, "has no field for Longer.p99_ms"),
        (Shorter, task_pb2.Round, "differ in ['mean_ms', 'run']"),
        (OfText, task_pb2.Round, "int is not <class 'str'>"),
        (WithoutAbsence, task_pb2.Estimate, "it may be absent"),
        (WithAbsence, task_pb2.Round, "it is never absent"),
        (Nesting, task_pb2.Flag, "str is not tuple[str, ...]"),
        (Measure, task_pb2.MeasureOptions, "has no field for Measure.min_s"),
        (OneEnd, task_pb2.Outcome, "end and OneEnd.end differ"),
    ],
)
def test_a_field_that_one_side_lacks_fails_when_the_codec_is_made(model, message, said):
    with pytest.raises(FieldMismatch) as caught:
        message_codec(model, message, nested=(ARTIFACT, FAILURE, ROUND))
    assert said in str(caught.value)


def test_a_declared_exception_must_exist():
    with pytest.raises(FieldMismatch, match="Round has no"):
        message_codec(Round, task_pb2.Round, model_only={"gone": "renamed since"})
    with pytest.raises(FieldMismatch, match="differ in"):
        message_codec(Round, task_pb2.Round, message_only={"gone": "renamed since"})


def test_a_nested_message_needs_its_codec():
    with pytest.raises(FieldMismatch, match=r"jetfleet.v1.Target.conditions .* none of the nested codecs"):
        message_codec(Target, control_pb2.Target)


class Missing(Enum):
    FP32 = "fp32"


def test_an_enum_member_that_one_side_lacks_fails_when_the_table_is_made():
    with pytest.raises(TypeError, match="PRECISION_INT8"):
        enum_codec(Missing, task_pb2.Precision.DESCRIPTOR, "PRECISION")


@pytest.mark.parametrize(
    ("codec", "message", "said"),
    [
        (FLAG, task_pb2.Flag(kind=99), "FlagKind 99 is not known to this version"),
        (FLAG, task_pb2.Flag(), "no FlagKind"),
        (PLANNED_TASK, control_pb2.PlannedTask(kind="DREAM"), "TaskKind 'DREAM' is not known to this version"),
        (MEASURE, task_pb2.MeasureOptions(mode=99), "Mode 99 is not known to this version"),
        (ARTIFACT, task_pb2.Artifact(sha256=DIGEST), "no ArtifactRole"),
    ],
)
def test_what_only_a_newer_version_knows_is_told_as_that(codec, message, said):
    with pytest.raises(UnknownValue) as caught:
        codec.decode(message)
    assert caught.value.message == said


def test_an_unknown_value_deep_inside_is_told_too():
    row = control_pb2.Row(measurement={"provenance": 1, "flags": [{"kind": 99}]}, precision=1)
    with pytest.raises(UnknownValue, match="FlagKind 99"):
        ROW.decode(row)
    outcome = task_pb2.Outcome(measured={"measurements": [{"provenance": 7}]})
    with pytest.raises(UnknownValue, match="Provenance 7"):
        outcome_from_pb(outcome)


def test_a_failure_of_a_new_kind_is_still_a_failure():
    assert FAILURE.decode(task_pb2.Failure(kind=99, message="x")) == Failure(FailureKind.INFRASTRUCTURE, "x")


def test_an_outcome_that_says_nothing_is_told():
    with pytest.raises(UnknownValue, match="Outcome has none of built, measured, failure, returned"):
        outcome_from_pb(task_pb2.Outcome())


@pytest.mark.parametrize("value", [2**32, 2**64, 2**200, -1])
def test_a_number_that_does_not_fit_is_bad_input(value):
    with pytest.raises(BadInput) as caught:
        LIMITS.encode(Limits(build_s=value))
    assert caught.value.where == "Limits.build_s"
    assert str(value)[:80] in caught.value.message


def test_a_value_that_does_not_fit_deep_inside_is_bad_input():
    spec = JobSpec("j", "m", (), (), limits=Limits(bench_s=2**70))
    with pytest.raises(BadInput) as caught:
        JOB_SPEC.encode(spec)
    assert caught.value.where == "JobSpec.limits"


def test_text_that_is_not_unicode_is_bad_input():
    with pytest.raises(BadInput) as caught:
        FLAG.encode(Flag(FlagKind.UNSTABLE, "\ud800"))
    assert caught.value.where == "Flag.evidence"


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, 1e300])
def test_a_duration_holds_numbers_only(seconds):
    with pytest.raises(BadInput, match="not a valid duration"):
        MEASURE.encode(Measure(warmup_s=seconds))


def test_a_duration_that_protobuf_does_not_allow_is_bad_input():
    with pytest.raises(BadInput, match="not a valid duration"):
        MEASURE.decode(task_pb2.MeasureOptions(warmup={"seconds": 2**62}))


def test_a_negative_duration_has_one_sign():
    assert duration_fields(-1.5) == {"seconds": -1, "nanos": -500_000_000}
    assert MEASURE.decode(MEASURE.encode(Measure(warmup_s=-1.5))).warmup_s == -1.5


def test_not_a_number_stays_one():
    back = ESTIMATE.decode(ESTIMATE.encode(Estimate(math.nan, low=-math.inf, high=math.inf)))
    assert math.isnan(back.value)
    assert (back.low, back.high) == (-math.inf, math.inf)


def test_a_time_without_a_zone_is_bad_input():
    with pytest.raises(BadInput, match="no time zone"):
        timestamp_fields(datetime.now(timezone.utc).replace(tzinfo=None))


def test_a_time_outside_of_the_calendar_is_bad_input():
    with pytest.raises(BadInput, match="not a valid time"):
        JOB_VIEW.decode(control_pb2.Job(state="WAITING", created_at={"seconds": 2**60}))


def test_what_is_absent_and_what_is_nought_differ():
    assert TASK_VIEW.decode(control_pb2.Task(kind="BUILD", state="READY")).elapsed_s is None
    assert TASK_VIEW.decode(control_pb2.Task(kind="BUILD", state="READY", elapsed_s=0)).elapsed_s == 0.0
    assert LIMITS.decode(control_pb2.Limits(build_s=1, bench_s=1)).deadline_s is None
    assert OUTCOME.decode(task_pb2.Outcome(returned={}), raw=b"").peak_rss_bytes is None
    assert RESULT_QUERY.decode(control_pb2.ResultsRequest()).limit == 1000
    assert RESULT_QUERY.decode(control_pb2.ResultsRequest()).before_id is None


@pytest.mark.parametrize(
    ("codec", "message", "said"),
    [
        (ARTIFACT, task_pb2.Artifact(role=1, sha256="ab"), "not a SHA-256"),
        (CONDITION, control_pb2.Condition(fact="sku", op=1), "has no value"),
        (LIMITS, control_pb2.Limits(), "no time limits"),
        (LIMITS, control_pb2.Limits(build_s=1, bench_s=1, deadline_s=0), "a deadline of 0 s"),
        (JOB_SPEC, control_pb2.JobSpec(limits={"build_s": 1, "bench_s": 1}), "the job has no variants"),
        (REGISTRATION, fleet_pb2.RegisterRequest(device_id="d"), "without session_id"),
    ],
)
def test_what_was_decoded_is_checked(codec: MessageCodec, message, said):
    with pytest.raises(BadInput, match=said):
        codec.decode(message)


def test_variants_of_one_key_are_bad_input():
    variant = {"key": "v", "precision": 1}
    message = control_pb2.JobSpec(
        limits={"build_s": 1, "bench_s": 1}, variants=[variant, variant], targets=[{"quantifier": 1}]
    )
    with pytest.raises(BadInput, match="not unique: v, v"):
        JOB_SPEC.decode(message)


def test_facts_are_those_of_the_table():
    with pytest.raises(BadInput, match="'weather' is not a fact"):
        fact_fields({"weather": "rain"})
    with pytest.raises(BadInput, match=r"'weather\.today' is not a fact"):
        fact_fields({"weather.today": "rain"})
