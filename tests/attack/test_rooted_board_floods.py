"""An enrolled board that was rooted, against the controller's strength: too much, too long, too often."""

import uuid
from collections.abc import Callable

import pytest

from controller.service.options import BOARD_QUOTA_BYTES
from jetfleet.rpc import CALL_METADATA, from_status
from jetfleet.v1 import blobs_pb2, fleet_pb2, task_pb2
from testing.processes import wait_for
from tests.attack.fleet import Fleet, built, failed
from tests.attack.outcome import Attack, holds, how_refused, refused
from tests.service.scripted import measured

ACTOR = "rooted board"
LONG = "x" * (1 << 20)


def floods_with_registrations(fleet: Fleet) -> str:
    """Each with a session and facts of its own, which are rows."""
    board = fleet.board("flood")

    def register(number: int) -> None:
        request = board.registration(session_id=uuid.uuid4().hex)
        request.facts.labels["n"] = str(number)
        board.call(board.fleet.Register, request)

    how = refused(lambda: [register(number) for number in range(400)])
    board.channel.close()
    return how


def floods_with_labels(fleet: Fleet) -> str:
    request = fleet.rooted.registration()
    for number in range(20_000):
        request.facts.labels[f"label-{number}"] = "x" * 50
    return refused(lambda: fleet.rooted.call(fleet.rooted.fleet.Register, request))


def floods_with_attempts_that_it_holds(fleet: Fleet) -> str:
    held = [uuid.uuid4().hex for _ in range(40_000)]
    reports = [fleet_pb2.AttemptReport(attempt_token=token) for token in held]
    refused(lambda: fleet.rooted.say("Renew", attempts=reports))
    request = fleet.rooted.registration(held_attempts=held)
    return refused(lambda: fleet.rooted.call(fleet.rooted.fleet.Register, request))


def registers_with_long_names(fleet: Fleet) -> str:
    for field in ("session_id", "boot_id", "bench_domain", "agent_version"):
        request = fleet.rooted.registration(**{field: LONG})
        how = refused(lambda request=request: fleet.rooted.call(fleet.rooted.fleet.Register, request))
    return how


def claims_with_a_long_request_id(fleet: Fleet) -> str:
    return refused(lambda: fleet.rooted.say("Claim", request_id=LONG))


def reports_long_progress(fleet: Fleet) -> str:
    lease = fleet.lease()
    report = fleet_pb2.AttemptReport(attempt_token=lease.attempt_token, running=True)
    report.progress.phase = report.progress.detail = LONG
    fleet.rooted.say("Renew", attempts=[report], paused_reason=LONG)
    task = next(task for task in fleet.owner.job(fleet.job).tasks if task.progress)
    return holds(len(task.progress.detail) < 1000 > len(task.progress.phase), "kept as its beginning")


def leaves_with_a_long_reason(fleet: Fleet) -> str:
    fleet.lease()
    before = fleet.database_bytes()
    for _ in range(5):
        fleet.rooted.say("Leave", reason=LONG)
        fleet.idle()
    return holds(fleet.database_bytes() - before < len(LONG), "kept as its beginning")


def fails_with_a_long_message(fleet: Fleet) -> str:
    lease = fleet.lease()
    fleet.rooted.commit(lease, failed(LONG * 3))
    job = fleet.owner.job(fleet.job)
    return holds(len(job.tasks) == job.total, "its job is shown whole")


def measures_with_long_texts(fleet: Fleet) -> str:
    """A row that fits into no message would hide the results of everybody."""
    lease = fleet.bench()
    outcome = measured(lease.task.bench)
    flag = outcome.measured.measurements[0].flags.add()
    flag.kind, flag.evidence = task_pb2.FLAG_KIND_UNSTABLE, LONG * 3 + LONG[: 900 << 10]
    fleet.rooted.commit(lease, outcome)
    lease = fleet.lease()
    outcome = built(fleet.rooted.upload("engine", uuid.uuid4().bytes))
    outcome.built.warnings.append(LONG * 3 + LONG[: 900 << 10])
    fleet.rooted.commit(lease, outcome)
    return holds(fleet.owner.results() is not None and fleet.owner.engines() is not None, "kept as a failure")


def floods_with_stale_results(fleet: Fleet) -> str:
    before = fleet.database_bytes()
    for _ in range(60):
        how = refused(lambda: fleet.rooted.commit(fleet.honest_lease, failed(LONG), attempt_token=uuid.uuid4().hex))
    return holds(fleet.database_bytes() - before < 40 << 20, f"{how}; the oldest make room")


def sends_a_message_that_is_too_big(fleet: Fleet) -> str:
    return refused(lambda: fleet.rooted.commit(fleet.honest_lease, failed(LONG * 8)))


def uploads_in_chunks_that_are_too_big(fleet: Fleet) -> str:
    fleet.lease()
    header = blobs_pb2.UploadHeader(sha256="ab" * 32, size_bytes=3 << 20)
    return refused(lambda: fleet.rooted.send(header, bytes(3 << 20)))


def fills_the_disk_with_files_of_nothing(fleet: Fleet) -> str:
    """One that is larger than all that it may send, and many small ones below that."""
    fleet.lease()
    whole = blobs_pb2.UploadHeader(sha256="cd" * 32, size_bytes=BOARD_QUOTA_BYTES + 1)
    refused(lambda: fleet.rooted.send(whole, b"x"))
    half = blobs_pb2.UploadHeader(sha256="cd" * 32, size_bytes=BOARD_QUOTA_BYTES // 2)
    refused(lambda: fleet.rooted.send(half, b"x"))  # ends too early: it counts for what came
    refused(lambda: fleet.rooted.send(half, b"x"))
    return refused(lambda: fleet.rooted.send(whole, b"x"))


def sends_files_after_it_has_left(fleet: Fleet) -> str:
    """Its work was given back with its leaving; what it knows of it is for as long as it is here."""
    fleet.lease()
    fleet.rooted.say("Leave")
    return refused(lambda: fleet.rooted.upload("engine", uuid.uuid4().bytes))


def asks_for_very_many_files(fleet: Fleet) -> str:
    fleet.lease()
    request = blobs_pb2.StatRequest(sha256=["ab" * 32] * 50_000)
    return refused(lambda: fleet.rooted.call(fleet.rooted.blobs.Stat, request))


def claims_for_ever_and_in_the_past(fleet: Fleet) -> str:
    fleet.idle()
    for seconds in (-(1 << 62), -1, 0):
        request = fleet_pb2.ClaimRequest(session_id=fleet.rooted.session, request_id=uuid.uuid4().hex)
        request.wait.seconds = seconds
        fleet.rooted.call(fleet.rooted.fleet.Claim, request)
    waiting = [fleet.rooted.fleet.Claim.future(_endless(fleet), metadata=CALL_METADATA, timeout=60) for _ in range(300)]
    fleet.owner.hello()
    told = wait_for(lambda: next((call for call in waiting if call.done()), None), what="a refusal").exception()
    for call in waiting:
        call.cancel()
    return f"answered at once, or waited for; {how_refused(from_status(told, address='here'))}"


def _endless(fleet: Fleet) -> fleet_pb2.ClaimRequest:
    request = fleet_pb2.ClaimRequest(session_id=fleet.rooted.session, request_id=uuid.uuid4().hex)
    request.wait.seconds = 1 << 40
    return request


ATTACKS: list[Attack] = [
    floods_with_registrations,
    floods_with_labels,
    floods_with_attempts_that_it_holds,
    registers_with_long_names,
    claims_with_a_long_request_id,
    reports_long_progress,
    leaves_with_a_long_reason,
    fails_with_a_long_message,
    measures_with_long_texts,
    floods_with_stale_results,
    sends_a_message_that_is_too_big,
    uploads_in_chunks_that_are_too_big,
    fills_the_disk_with_files_of_nothing,
    sends_files_after_it_has_left,
    asks_for_very_many_files,
    claims_for_ever_and_in_the_past,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_the_controller_stands(attack: Attack, attacked: Callable[[str, Attack], None]) -> None:
    attacked(ACTOR, attack)
