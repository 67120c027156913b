"""Who found the token of an enrolment: used, over, for another name, or good and used by twenty at once."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from controller.api.access_client import NewInvitation
from jetfleet.certificates import make_key, make_request
from jetfleet.errors import JetfleetError
from jetfleet.rpc import raising
from jetfleet.transport import Credentials, open_channel
from jetfleet.v1 import enrolment_pb2, enrolment_pb2_grpc
from testing.access import authority_of
from tests.attack.fleet import Fleet
from tests.attack.outcome import Attack, AttackSucceeded, holds, refused

ACTOR = "finder of an enrolment token"


def use(fleet: Fleet, secret: str, **claimed: object) -> enrolment_pb2.EnrollResponse:
    fields: dict[str, object] = {"device_id": uuid.uuid4().hex, "csr_pem": make_request(make_key()), "name": "found"}
    request = enrolment_pb2.EnrollRequest(secret=secret, **{**fields, **claimed})
    with open_channel(fleet.controller.people_address, Credentials(authority_of(fleet.controller))) as channel:
        call = raising(enrolment_pb2_grpc.EnrolmentStub(channel).Enroll, address="here")
        return call(request, timeout=30)


def invitation(fleet: Fleet, **fields: object) -> NewInvitation:
    return fleet.owner.access().invite(**fields)


def uses_one_that_was_used(fleet: Fleet) -> str:
    found = invitation(fleet).secret
    use(fleet, found)
    return refused(lambda: use(fleet, found))


def uses_one_that_is_over(fleet: Fleet) -> str:
    found = invitation(fleet, lifetime_s=0.001).secret
    return refused(lambda: use(fleet, found))


def makes_one_up(fleet: Fleet) -> str:
    for secret in ("", "x" * 43, "'; DROP TABLE member; --", "%", "../authority/ca.key"):
        how = refused(lambda secret=secret: use(fleet, secret))
    return how


def uses_a_persons_token(fleet: Fleet) -> str:
    return refused(lambda: use(fleet, fleet.people["ann"].token))


def twenty_use_one_at_once(fleet: Fleet) -> str:
    found = invitation(fleet).secret

    def attempt(_: int) -> str:
        try:
            return use(fleet, found).device_id
        except JetfleetError:
            return ""

    with ThreadPoolExecutor(20) as pool:
        won = [device for device in pool.map(attempt, range(20)) if device]
    return holds(len(won) == 1, "exactly one of them is let in")


def uses_one_of_another_name(fleet: Fleet) -> str:
    found = invitation(fleet, name="intended").secret
    return holds(use(fleet, found, name="chosen").device_name == "intended", "stays bound to the name")


def becomes_a_board_by_its_id(fleet: Fleet) -> str:
    answer = use(fleet, invitation(fleet).secret, device_id=fleet.honest.device_id)
    return holds(answer.device_id != fleet.honest.device_id, "given another id")


def becomes_a_board_by_its_name(fleet: Fleet) -> str:
    answer = use(fleet, invitation(fleet).secret, name="honest")
    return holds(answer.device_id != fleet.honest.device_id, "given another id")


def replaces_a_board_that_is_online(fleet: Fleet) -> str:
    found = invitation(fleet, name="honest").secret
    return refused(lambda: use(fleet, found, device_id=fleet.honest.device_id))


def claims_an_odd_id(fleet: Fleet) -> str:
    found = invitation(fleet).secret
    for odd in ("", "../x", "\u00e9\u00e9", "\uff11", "a b", "x" * 300, "a\n", "jetfleet:device/x"):
        how = refused(lambda odd=odd: use(fleet, found, device_id=odd))
    return how


def sends_odd_requests_for_a_certificate(fleet: Fleet) -> str:
    found, good = invitation(fleet).secret, make_request(make_key())
    begin = good.index(b"\n") + 1
    places = [place for place in range(begin, begin + 300, 9) if good[place : place + 1].isalnum()]
    broken = [good[:place] + (b"B" if good[place] == ord("A") else b"A") + good[place + 1 :] for place in places]
    for csr in (b"", b"x" * (1 << 20), good[:-80], *broken, good.replace(b"CERTIFICATE REQUEST", b"CERTIFICATE")):
        how = refused(lambda csr=csr: use(fleet, found, csr_pem=csr))
    use(fleet, found)  # none of them spent it
    return how


def guesses_many_tokens(fleet: Fleet) -> str:
    for number in range(50):
        refused(lambda number=number: use(fleet, f"guess {number}"))
    noted = [entry for entry in fleet.owner.access().audit() if entry.detail.get("from") == "ipv4:127.0.0.1"]
    if len(noted) > 30:
        raise AttackSucceeded("the audit log is flooded")
    return f"256 random bits are not guessed; {len(noted)} entries in the audit log"


ATTACKS: list[Attack] = [
    uses_one_that_was_used,
    uses_one_that_is_over,
    makes_one_up,
    uses_a_persons_token,
    twenty_use_one_at_once,
    uses_one_of_another_name,
    becomes_a_board_by_its_id,
    becomes_a_board_by_its_name,
    replaces_a_board_that_is_online,
    claims_an_odd_id,
    sends_odd_requests_for_a_certificate,
    guesses_many_tokens,
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_token_lets_in_one_board_once(attack: Attack, attacked: Callable[[str, Attack], None]) -> None:
    attacked(ACTOR, attack)
