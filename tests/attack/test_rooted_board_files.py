"""An enrolled board that was rooted, against files, the numbers of others, and the controller's strength."""

import hashlib
import uuid
from collections.abc import Callable

import pytest

from jetfleet.errors import JetfleetError
from jetfleet.v1 import blobs_pb2, task_pb2
from tests.attack.fleet import Fleet, built, failed, job_spec
from tests.attack.outcome import Attack, holds, how_refused, refused
from tests.service.scripted import measured

ACTOR = "rooted board"
PATHS = ("../../fleet.db", "/etc/passwd", "..", "a" * 63 + "/", "A" * 64, "a" * 64 + "\n", "\0" * 64, "")


def reads_a_file_of_another_job(fleet: Fleet) -> str:
    fleet.lease()
    return refused(lambda: fleet.rooted.read(fleet.secret_sha256))


def asks_whether_a_file_of_another_job_is_there(fleet: Fleet) -> str:
    fleet.lease()
    return holds(not fleet.rooted.has(fleet.secret_sha256), "told that it is not")


def claims_to_have_uploaded_a_file_of_another_job(fleet: Fleet) -> str:
    fleet.lease()
    header = blobs_pb2.UploadHeader(sha256=fleet.secret_sha256, size_bytes=5)
    how = refused(lambda: fleet.rooted.send(header, b"wrong"))
    refused(lambda: fleet.rooted.read(fleet.secret_sha256))
    return how


def replaces_a_file_of_another_job(fleet: Fleet) -> str:
    fleet.lease()
    path = next(path for path in fleet.secret_files.values() if path.name == "model.onnx")
    header = blobs_pb2.UploadHeader(sha256=fleet.secret_sha256, size_bytes=path.stat().st_size)
    how = refused(lambda: fleet.rooted.send(header, b"x" * path.stat().st_size))
    return holds(fleet.honest.read(fleet.secret_sha256) == path.read_bytes(), how)


def calls_a_file_of_another_job_its_engine(fleet: Fleet) -> str:
    stolen = task_pb2.Artifact(
        role=task_pb2.ARTIFACT_ROLE_ENGINE, name="engine", sha256=fleet.secret_sha256, size_bytes=1
    )
    lease = fleet.lease()
    return refused(lambda: fleet.rooted.commit(lease, built(stolen)))


def calls_a_file_of_another_job_its_log_and_its_timings(fleet: Fleet) -> str:
    lease, stolen = fleet.lease(), task_pb2.Artifact(name="log", sha256=fleet.secret_sha256, size_bytes=1)
    outcome = failed()
    outcome.artifacts.append(stolen)
    outcome.artifacts[0].role = task_pb2.ARTIFACT_ROLE_LOG
    refused(lambda: fleet.rooted.commit(lease, outcome))
    outcome = built(fleet.rooted.upload("engine", b"mine"))
    outcome.built.timing_cache.made.CopyFrom(stolen)
    outcome.built.timing_cache.made.role = task_pb2.ARTIFACT_ROLE_TIMING_CACHE
    return refused(lambda: fleet.rooted.commit(lease, outcome))


def has_its_lease_name_a_file_by_a_forged_fact(fleet: Fleet) -> str:
    """The version of a runtime is the board's word, and stands in the leases that it is handed."""
    request = fleet.rooted.registration(session_id=uuid.uuid4().hex)
    request.facts.runtimes["simulated"] = fleet.secret_sha256
    fleet.idle()
    fleet.rooted.call(fleet.rooted.fleet.Register, request)
    fleet.rooted.session = request.session_id
    fleet.job, _ = fleet.job_for("rooted")
    lease = fleet.rooted.claim()
    assert fleet.secret_sha256 in str(lease)
    return refused(lambda: fleet.rooted.read(fleet.secret_sha256))


def climbs_out_of_the_folder_of_files(fleet: Fleet) -> str:
    fleet.lease()
    for path in PATHS:
        refused(lambda path=path: fleet.rooted.read(path))
        refused(lambda path=path: fleet.rooted.has(path))
        header = blobs_pb2.UploadHeader(sha256=path, size_bytes=1)
        how = refused(lambda header=header: fleet.rooted.send(header, b"x"))
    return how


def names_its_files_like_paths(fleet: Fleet) -> str:
    lease = fleet.lease()
    log = fleet.rooted.upload("log", b"\x1b[2J gone")
    log.name, log.role = "../../../../tmp/planted\x1b[2J", task_pb2.ARTIFACT_ROLE_LOG
    outcome = failed("\x1b]0;owned\x07 \x9b2J")
    outcome.artifacts.append(log)
    fleet.rooted.commit(lease, outcome)
    job = str(fleet.job)
    text = fleet.command("job", "logs", job) + fleet.command("job", "show", job)
    return holds(
        "gone" in text and not {"\x1b", "\x07", "\x9b"} & set(text), "stored by digest, shown without controls"
    )


def stores_files_without_a_lease(fleet: Fleet) -> str:
    board = fleet.board("idle")
    content = uuid.uuid4().bytes
    header = blobs_pb2.UploadHeader(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    how = refused(lambda: board.send(header, content))
    board.channel.close()
    return how


def announces_more_than_the_disk_holds(fleet: Fleet) -> str:
    fleet.lease()
    for size in (1 << 62, (1 << 64) - 1):
        header = blobs_pb2.UploadHeader(sha256="ab" * 32, size_bytes=size)
        how = refused(lambda header=header: fleet.rooted.send(header, b"x"))
    return how


def spoils_an_upload_that_another_board_will_make(fleet: Fleet) -> str:
    fleet.lease()
    content = uuid.uuid4().bytes * 1000
    header = blobs_pb2.UploadHeader(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    refused(lambda: fleet.rooted.send(header, b"not that"))
    sent = fleet.honest.upload("honest engine", content)
    return holds(fleet.honest.has(sent.sha256), "what is received is verified, and begun again")


def reads_on_after_its_lease_is_over(fleet: Fleet) -> str:
    lease = fleet.lease()
    model = lease.task.build.artifacts[0].sha256
    assert fleet.rooted.read(model)
    fleet.rooted.commit(lease, built(fleet.rooted.upload("engine", b"e")))
    return refused(lambda: fleet.rooted.read(model))


def sends_words_that_nobody_knows(fleet: Fleet) -> str:
    lease, outcome = fleet.lease(), failed()
    outcome.failure.kind = 99
    state = fleet.rooted.commit(lease, outcome)
    return holds(state != "SUCCEEDED" and fleet.owner.job(fleet.job) is not None, "kept as a failure")


def sends_numbers_that_cannot_be(fleet: Fleet) -> str:
    for value in (float("nan"), float("inf"), -1.0, 1e308):
        lease = fleet.bench()
        outcome = measured(lease.task.bench)
        outcome.measured.measurements[0].metrics["p50_ms"].value = value
        outcome.measured.measurements[0].n = (1 << 64) - 1
        fleet.rooted.commit(lease, outcome)
    return holds(len(fleet.owner.results()) == 0, "kept as a failure, without a row")


def says_impossible_things_of_its_engine(fleet: Fleet) -> str:
    for seconds, size in ((-5, 1), (1, (1 << 64) - 1), (1 << 40, 0)):
        lease = fleet.lease()
        outcome = built(fleet.rooted.upload("engine", uuid.uuid4().bytes))
        outcome.built.build_time.seconds = seconds
        outcome.built.peak_rss_bytes = outcome.built.engine.size_bytes = size
        fleet.rooted.commit(lease, outcome)
        fleet.owner.engines()
    return "kept as a failure, or as it is; every listing answers"


def says_impossible_things_of_itself(fleet: Fleet) -> str:
    """Whoever plans for a fleet reads the facts of every board in it."""
    fleet.idle()
    for field in task_pb2.Facts.DESCRIPTOR.fields:
        request = fleet.rooted.registration()
        _make_extreme(request.facts, field)
        try:
            fleet.rooted.call(fleet.rooted.fleet.Register, request)
        except JetfleetError as error:
            how_refused(error)
        fleet.owner.devices()
        fleet.owner.submit_spec(*job_spec(fleet.folder, "honest"), idempotency_key=uuid.uuid4().hex, validate_only=True)
    fleet.rooted.register()
    return "taken as a text of that board's; others are planned for as before"


def _make_extreme(facts: task_pb2.Facts, field: object) -> None:
    if field.message_type is not None:
        getattr(facts, field.name)["../\x1b\0"] = "\u202e" * 50
    elif field.type == field.TYPE_STRING:
        value = "9" * 400 + ".x/../\x1b\0\u202e"
        getattr(facts, field.name).append(value) if field.is_repeated else setattr(facts, field.name, value)
    elif field.type == field.TYPE_BOOL:
        setattr(facts, field.name, not getattr(facts, field.name))
    else:
        setattr(facts, field.name, (1 << 64) - 1 if field.type == field.TYPE_UINT64 else (1 << 32) - 1)


ATTACKS: list[Attack] = [
    reads_a_file_of_another_job,
    asks_whether_a_file_of_another_job_is_there,
    claims_to_have_uploaded_a_file_of_another_job,
    replaces_a_file_of_another_job,
    calls_a_file_of_another_job_its_engine,
    calls_a_file_of_another_job_its_log_and_its_timings,
    has_its_lease_name_a_file_by_a_forged_fact,
    climbs_out_of_the_folder_of_files,
    names_its_files_like_paths,
    stores_files_without_a_lease,
    announces_more_than_the_disk_holds,
    spoils_an_upload_that_another_board_will_make,
    reads_on_after_its_lease_is_over,
    sends_words_that_nobody_knows,
    sends_numbers_that_cannot_be,
    says_impossible_things_of_its_engine,
    says_impossible_things_of_itself,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_files_and_numbers_of_others_are_out_of_reach(attack: Attack, attacked: Callable[[str, Attack], None]) -> None:
    attacked(ACTOR, attack)
