"""Work on its way out, results on their way in."""

from controller.model.lease import (
    BenchWork,
    BuildWork,
    Lease,
    Measured,
    Outcome,
    Registered,
    Registration,
    Returned,
    Subject,
)
from controller.model.task import Failure, FailureKind
from controller.wire.codec import ByHand, message_codec
from controller.wire.engine import BUILT, RECIPE
from controller.wire.facts import FACTS
from controller.wire.job import ACCURACY_METRIC, ARTIFACT, MEASURE, OUTPUT_CHECK, PIPELINE, TENSOR_SPEC
from controller.wire.result import FAILURE, FLAG, INTERLEAVED, MEASUREMENT
from controller.wire.time import to_duration
from jetfleet.errors import BadInput
from jetfleet.v1 import fleet_pb2, task_pb2


def _check_registration(who: Registration) -> None:
    for name in ("device_id", "session_id", "boot_id", "bench_domain"):
        if not getattr(who, name):
            raise BadInput(f"a registration without {name}")


REGISTRATION = message_codec(
    Registration,
    fleet_pb2.RegisterRequest,
    nested=(FACTS,),
    names={"held": "held_attempts"},
    model_only={"enrolled": "the transport's word"},
    check=_check_registration,
)
REGISTERED = message_codec(
    Registered,
    fleet_pb2.RegisterResponse,
    names={"lost": "lost_attempts"},
    model_only={"open": "for the clocks of the service"},
    message_only={
        **dict.fromkeys(("lease", "renew_every"), "options of the service"),
        **dict.fromkeys(("certificate_left", "certificate_lifetime"), "of the caller, not of the device"),
    },
)
SUBJECT = message_codec(
    Subject, task_pb2.Subject, nested=(ARTIFACT, TENSOR_SPEC, OUTPUT_CHECK, FLAG, PIPELINE, ACCURACY_METRIC)
)
BENCH_WORK = message_codec(BenchWork, task_pb2.BenchTask, nested=(SUBJECT, MEASURE))
BUILD_WORK = message_codec(
    BuildWork,
    task_pb2.BuildTask,
    nested=(ARTIFACT,),
    by_hand=(
        ByHand(
            "a recipe has no message of its own",
            model=("recipe",),
            message=tuple(RECIPE.reads),
            put=lambda work: RECIPE.fields(work.recipe),
            get=lambda message: {"recipe": RECIPE.decode(message)},
        ),
    ),
)
TASK = message_codec(
    Lease, task_pb2.TaskSpec, nested=(BUILD_WORK, BENCH_WORK), model_only={"token": "on the envelope, fleet.Lease"}
)
MEASURED = message_codec(Measured, task_pb2.Measured, nested=(MEASUREMENT, INTERLEAVED))
RETURNED = message_codec(Returned, task_pb2.Returned)
OUTCOME = message_codec(
    Outcome,
    task_pb2.Outcome,
    nested=(BUILT, MEASURED, FAILURE, RETURNED, ARTIFACT),
    model_only={"raw": "the message itself", "unusable": "what became of the message"},
    zero_is_none=("peak_rss_bytes",),
)


def lease_to_pb(lease: Lease, *, lease_s: float) -> fleet_pb2.Lease:
    return fleet_pb2.Lease(attempt_token=lease.token, duration=to_duration(lease_s), task=TASK.encode(lease))


def outcome_from_pb(message: task_pb2.Outcome) -> Outcome:
    """Raises BadInput for an outcome that says nothing, or makes no sense."""
    return OUTCOME.decode(message, raw=message.SerializeToString(deterministic=True))


def unusable(message: task_pb2.Outcome, reason: str) -> Outcome:
    """What an outcome becomes that cannot be taken as it is."""
    raw = message.SerializeToString(deterministic=True)
    return Outcome(Failure(FailureKind.BAD_INPUT, reason), (), None, raw, unusable=reason)
