"""An enrolled board that was rooted, against other boards' work: sessions, leases, results, identity."""

import uuid
from collections.abc import Callable

import pytest

from jetfleet.v1 import fleet_pb2, task_pb2
from tests.attack.fleet import Fleet, built, failed
from tests.attack.outcome import Attack, holds, refused
from tests.service.scripted import measured

ACTOR = "rooted board"


def claims_in_another_boards_session(fleet: Fleet) -> str:
    return refused(lambda: fleet.rooted.say("Claim", session_id=fleet.honest.session, request_id="mine"))


def renews_in_another_boards_session(fleet: Fleet) -> str:
    return refused(lambda: fleet.rooted.say("Renew", session_id=fleet.honest.session))


def commits_in_another_boards_session(fleet: Fleet) -> str:
    return refused(lambda: fleet.rooted.commit(fleet.honest_lease, failed(), session_id=fleet.honest.session))


def leaves_for_another_board(fleet: Fleet) -> str:
    return refused(lambda: fleet.rooted.say("Leave", session_id=fleet.honest.session))


def commits_another_boards_attempt_in_its_own_session(fleet: Fleet) -> str:
    return refused(lambda: fleet.rooted.commit(fleet.honest_lease, failed()))


def renews_another_boards_attempt_in_its_own_session(fleet: Fleet) -> str:
    report = fleet_pb2.AttemptReport(attempt_token=fleet.honest_lease.attempt_token, running=True)
    answer = fleet.rooted.say("Renew", attempts=[report]).answers[0]
    return holds(answer.directive == fleet_pb2.RenewResponse.DIRECTIVE_LOST, "the answer is LOST")


def holds_another_boards_attempt_when_it_registers(fleet: Fleet) -> str:
    token = fleet.honest_lease.attempt_token
    request = fleet.rooted.registration(held_attempts=[token], session_id=uuid.uuid4().hex)
    answer = fleet.rooted.call(fleet.rooted.fleet.Register, request)
    fleet.rooted.session = request.session_id
    return holds(list(answer.lost_attempts) == [token], "told that it is lost")


def registers_as_another_device(fleet: Fleet) -> str:
    request = fleet.rooted.registration(device_id=fleet.honest.device_id)
    return refused(lambda: fleet.rooted.call(fleet.rooted.fleet.Register, request))


def registers_another_boards_session(fleet: Fleet) -> str:
    request = fleet.rooted.registration(session_id=fleet.honest.session)
    return refused(lambda: fleet.rooted.call(fleet.rooted.fleet.Register, request))


def works_in_a_session_that_is_nobodys(fleet: Fleet) -> str:
    report = fleet_pb2.AttemptReport(attempt_token=fleet.honest_lease.attempt_token, running=True)
    session = uuid.uuid4().hex
    fleet.rooted.say("Leave", session_id=session)
    for call, fields in (("Claim", {"request_id": "1"}), ("Renew", {"attempts": [report]})):
        how = refused(lambda call=call, fields=fields: fleet.rooted.say(call, session_id=session, **fields))
    return how


def takes_another_boards_name(fleet: Fleet) -> str:
    request = fleet.rooted.registration(name="honest", name_asked=True)
    answer = fleet.rooted.call(fleet.rooted.fleet.Register, request)
    return holds(answer.device_name == "rooted", "stays what its invitation says")


def takes_another_boards_work_by_name_and_hostname(fleet: Fleet) -> str:
    """Of another class: builds are anybody's of their class, where sharing is on."""
    fleet.idle()
    request = fleet.rooted.registration(name="honest")
    request.facts.arch = "riscv64"
    request.facts.hostname, request.facts.labels["device"] = "honest", "honest"
    fleet.rooted.call(fleet.rooted.fleet.Register, request)
    fleet.job_for("honest")
    answer = fleet.rooted.say("Claim", request_id=uuid.uuid4().hex)
    fleet.rooted.register()
    return holds(not answer.HasField("lease"), "there is no work for it")


def takes_over_a_board_by_its_serial_number(fleet: Fleet) -> str:
    request = fleet.rooted.registration(hardware_serial="serial of honest", boot_id="honest boot", name="honest")
    fleet.rooted.call(fleet.rooted.fleet.Register, request)
    names = [device.name for device in fleet.owner.devices()]
    fleet.rooted.register()
    return holds(
        {"honest", "rooted"} <= set(names) and "honest-2" not in names, "the serial number is what it enrolled with"
    )


def keeps_another_board_idle_by_its_bench_domain(fleet: Fleet) -> str:
    """One attempt at a time runs in a domain; what readers see of it is not what makes it."""
    shown = next(device.bench_domain for device in fleet.owner.devices() if device.name == "honest")
    fleet.idle()
    fleet.rooted.session = uuid.uuid4().hex
    fleet.rooted.call(fleet.rooted.fleet.Register, fleet.rooted.registration(bench_domain=shown))
    found = next(device.bench_domain for device in fleet.owner.devices() if device.name == "rooted")
    return holds(found != shown, "what is shown of a domain is a digest of it")


def replays_a_commit_with_other_content(fleet: Fleet) -> str:
    lease = fleet.lease()
    engine = fleet.rooted.upload("engine", b"one engine")
    other = fleet.rooted.upload("other", b"another engine")
    state = fleet.rooted.commit(lease, built(engine))
    assert fleet.rooted.commit(lease, built(engine)) == state == "SUCCEEDED"
    return refused(lambda: fleet.rooted.commit(lease, built(other)))


def answers_a_build_with_numbers(fleet: Fleet) -> str:
    numbers = measured(task_pb2.BenchTask(subjects=[task_pb2.Subject()]))
    lease = fleet.lease()
    fleet.rooted.commit(lease, numbers)
    return holds(not fleet.owner.results(), "kept as a failure, without a row")


def brings_numbers_for_subjects_of_others(fleet: Fleet) -> str:
    lease = fleet.bench()
    outcome = measured(lease.task.bench)
    stranger = outcome.measured.measurements.add()
    stranger.CopyFrom(outcome.measured.measurements[0])
    stranger.subject_index = 7
    fleet.rooted.commit(lease, outcome)
    return holds(not fleet.owner.results(), "kept as a failure, without a row")


def calls_a_simulation_a_measurement(fleet: Fleet) -> str:
    lease = fleet.bench()
    outcome = measured(lease.task.bench)
    outcome.measured.measurements[0].provenance = task_pb2.PROVENANCE_MEASURED
    fleet.rooted.commit(lease, outcome)
    return holds(not fleet.owner.results(), "kept as a failure, without a row")


ATTACKS: list[Attack] = [
    claims_in_another_boards_session,
    renews_in_another_boards_session,
    commits_in_another_boards_session,
    leaves_for_another_board,
    commits_another_boards_attempt_in_its_own_session,
    renews_another_boards_attempt_in_its_own_session,
    holds_another_boards_attempt_when_it_registers,
    registers_as_another_device,
    registers_another_boards_session,
    works_in_a_session_that_is_nobodys,
    takes_another_boards_name,
    takes_another_boards_work_by_name_and_hostname,
    takes_over_a_board_by_its_serial_number,
    keeps_another_board_idle_by_its_bench_domain,
    replays_a_commit_with_other_content,
    answers_a_build_with_numbers,
    brings_numbers_for_subjects_of_others,
    calls_a_simulation_a_measurement,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_other_boards_work_is_out_of_reach(attack: Attack, attacked: Callable[[str, Attack], None]) -> None:
    attacked(ACTOR, attack)
