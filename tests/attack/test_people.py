"""People with less than they would like: a reader who changes things, a submitter who meddles with others."""

from collections.abc import Callable

import grpc
import pytest

from controller.model.access import CallerRole
from controller.service.access import TABLE
from controller.service.server import methods
from jetfleet.errors import JetfleetError
from jetfleet.rpc import CALL_METADATA
from jetfleet.transport import open_channel
from tests.attack.fleet import Fleet, job_spec
from tests.attack.outcome import Attack, AttackSucceeded, holds, how_refused, refused

READING = ("Hello", "Get", "List", "Watch", "Explain", "Results", "Stat", "Download", "Check", "ServerReflectionInfo")


def changing() -> list[str]:
    """By their names, and not by the table that is attacked."""
    return [method for method in methods() if not method.rpartition("/")[2].startswith(READING)]


def makes_every_call_that_changes_something(fleet: Fleet) -> str:
    calls = [method for method in changing() if not method.endswith("/Enroll")]
    with open_channel(fleet.controller.people_address, fleet.people["eve"]) as channel:
        for method in calls:
            refuse_call(channel, method)
    return holds(len(calls) >= 12, f"PERMISSION_DENIED, {len(calls)} kinds of call")


def refuse_call(channel: grpc.Channel, method: str) -> None:
    try:
        for _ in channel.stream_stream(method)(iter([b""]), timeout=5, metadata=CALL_METADATA):
            raise AttackSucceeded(f"{method} was answered")
    except grpc.RpcError as error:
        if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
            raise AttackSucceeded(f"{method}: {error.code()}") from None


def reads_tokens_and_the_audit_log(fleet: Fleet) -> str:
    with fleet.person("eve") as reader:
        refused(reader.access().tokens)
        return refused(reader.access().audit)


def submits_a_job(fleet: Fleet) -> str:
    spec, _ = job_spec(fleet.folder, "honest")
    with fleet.person("eve") as reader:
        refused(lambda: reader.submit_spec(spec, {}, idempotency_key="eve", validate_only=True))
        return refused(lambda: reader.submit_spec(spec, {}, idempotency_key="eve"))


def cancels_a_job_of_others(fleet: Fleet) -> str:
    with fleet.person("ann") as submitter:
        return refused(lambda: submitter.cancel(fleet.secret_job))


def cancels_a_job_of_a_colleague(fleet: Fleet) -> str:
    with fleet.person("bob") as bob, fleet.person("ann") as ann:
        job = bob.submit_spec(*job_spec(fleet.folder, "honest"), idempotency_key="bob's").job_id
        how = refused(lambda: ann.cancel(job))
        bob.cancel(job)
    return how


def takes_a_colleagues_job_by_its_key(fleet: Fleet) -> str:
    """A key that was used is answered with its job, which stays its submitter's."""
    with fleet.person("bob") as bob, fleet.person("ann") as ann:
        spec, files = job_spec(fleet.folder, "honest")
        job = bob.submit_spec(spec, files, idempotency_key="predictable").job_id
        other, more = job_spec(fleet.folder, "honest")
        try:
            assert ann.submit_spec(other, more, idempotency_key="predictable").job_id == job
        except JetfleetError as error:
            how = how_refused(error)
        else:
            how = "answered with the colleague's job"
        refused(lambda: ann.cancel(job))
        kept = bob.job(job).submitted_by == "bob"
        bob.cancel(job)
    return holds(kept, how)


def changes_devices(fleet: Fleet) -> str:
    with fleet.person("ann") as submitter:
        for change in ({"cordon": "mine"}, {"uncordon": True}, {"rename": "x"}, {"remove": {"force": True}}):
            how = refused(lambda change=change: submitter.change_device("honest", **change))
    return how


def gives_itself_more(fleet: Fleet) -> str:
    with fleet.person("ann") as submitter:
        access = submitter.access()
        refused(lambda: access.create_token("ann-2", scope="admin"))
        refused(lambda: access.revoke_token("bob"))
        refused(lambda: access.invite(name="mine"))
        return refused(lambda: access.revoke_device("honest"))


def speaks_like_an_agent(fleet: Fleet) -> str:
    calls = [name for name, row in TABLE.items() if name.startswith("Fleet/") or name.endswith("RenewCertificate")]
    assert all(TABLE[name].reach_of(CallerRole.SUBMITTER) is None for name in calls)
    with open_channel(fleet.controller.people_address, fleet.people["ann"]) as channel:
        for name in calls:
            refuse_call(channel, f"/jetfleet.v1.{name}")
    return holds(len(calls) >= 6, f"PERMISSION_DENIED, {len(calls)} kinds of call")


def removes_what_is_others(fleet: Fleet) -> str:
    with open_channel(fleet.controller.people_address, fleet.people["ann"]) as channel:
        refuse_call(channel, "/jetfleet.v1.Control/CollectGarbage")
    return "PERMISSION_DENIED"


def names_files_like_paths(fleet: Fleet) -> str:
    with fleet.person("ann") as submitter:
        for path in ("../../fleet.db", "/etc/passwd", "A" * 64):
            how = refused(lambda path=path: submitter.download(path, fleet.folder / "stolen"))
    return how


READER: list[Attack] = [makes_every_call_that_changes_something, reads_tokens_and_the_audit_log, submits_a_job]
SUBMITTER: list[Attack] = [
    cancels_a_job_of_others,
    cancels_a_job_of_a_colleague,
    takes_a_colleagues_job_by_its_key,
    changes_devices,
    gives_itself_more,
    speaks_like_an_agent,
    removes_what_is_others,
    names_files_like_paths,
]


@pytest.mark.parametrize("attack", READER, ids=lambda attack: attack.__name__)
def test_a_reader_changes_nothing(attack: Attack, attacked: Callable[[str, Attack], None]) -> None:
    attacked("holder of a reader token", attack)


@pytest.mark.parametrize("attack", SUBMITTER, ids=lambda attack: attack.__name__)
def test_a_submitter_meddles_with_nothing(attack: Attack, attacked: Callable[[str, Attack], None]) -> None:
    attacked("holder of a submitter token", attack)
