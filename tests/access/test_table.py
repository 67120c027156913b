"""The table of access against what is served, and every cell of it against a real controller.

A cell that allows is called with a request of nothing: whatever the service says of it, it was let through. A cell that
does not is refused before the service sees it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest

from controller.api.client import Client
from controller.client.link import code_of
from controller.model.access import CallerRole
from controller.service.access import TABLE, Owned, Reach, row_name, without_row
from controller.service.server import SERVICES, methods, refuse_undecided
from jetfleet.rpc import CALL_METADATA
from jetfleet.transport import Credentials, open_channel
from testing.access import authority_of, enrolled_credentials, person_credentials
from testing.processes import ControllerProcess
from tests.access.document import DOCUMENT, written

METHODS = {
    row_name(f"/{service.full_name}/{method.name}"): method for service in SERVICES for method in service.methods
}
ROLES = [role for role in CallerRole if role is not CallerRole.OWNER]
REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def test_every_rpc_has_a_row_and_no_row_is_of_nothing() -> None:
    assert set(TABLE) - set(METHODS) <= {"grpc.health.v1.Health/List"}  # of a newer health service
    refuse_undecided(methods())


def test_a_server_with_an_rpc_that_nobody_decided_about_does_not_start() -> None:
    assert without_row(["/jetfleet.v1.Control/Hello", "/jetfleet.v1.Control/Format"]) == ["Control/Format"]
    with pytest.raises(RuntimeError, match="Control/Format"):
        refuse_undecided(["/jetfleet.v1.Control/Format"])


def test_what_own_means_is_said_wherever_a_cell_says_own() -> None:
    for name, row in TABLE.items():
        assert (Reach.OWN in row.reach.values()) is (row.owned is not Owned.NOTHING), name


def test_nobody_but_admins_changes_who_may_what_or_removes_what_is_others() -> None:
    admins = {CallerRole.OWNER, CallerRole.ADMIN}
    for name in ("Control/ChangeDevice", "Control/CollectGarbage", *(name for name in TABLE if name[:7] == "Access/")):
        assert set(TABLE[name].reach) == admins, name


def test_a_stranger_may_enrol_and_nothing_else() -> None:
    assert [name for name, row in TABLE.items() if row.reach_of(CallerRole.STRANGER)] == ["Enrolment/Enroll"]
    assert [name for name, row in TABLE.items() if row.reach_of(CallerRole.READER) and "Submit" in name] == []


@dataclass
class Doors:
    """A running controller, and a channel for every role."""

    controller: ControllerProcess
    channels: dict[CallerRole, grpc.Channel]


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("doors")
    process = ControllerProcess(folder / "state", tls=True)
    channels: dict[CallerRole, grpc.Channel] = {}
    try:
        process.ready()
        with Client(process.address) as owner:
            for role in (CallerRole.ADMIN, CallerRole.SUBMITTER, CallerRole.READER):
                found = person_credentials(owner, process, name=role.value, scope=role.value)
                channels[role] = open_channel(process.people_address, found)
            stranger = Credentials(authority_of(process))
            channels[CallerRole.STRANGER] = open_channel(process.people_address, stranger)
            board = enrolled_credentials(owner, folder / "board", name="board")
            channels[CallerRole.AGENT] = open_channel(process.agents_address, board)
        yield Doors(process, channels)
    finally:
        for channel in channels.values():
            channel.close()
        process.kill()


def outcome(channel: grpc.Channel, name: str) -> grpc.StatusCode:
    """Of a call with an empty request; a stream is ended after its first answer."""
    method = METHODS[name]
    path = f"/{method.containing_service.full_name}/{method.name}"
    kinds = {
        (False, False): channel.unary_unary,
        (True, False): channel.stream_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }
    call = kinds[method.client_streaming, method.server_streaming](path)
    request = iter([b""]) if method.client_streaming else b""
    try:
        answer = call(request, timeout=2, metadata=CALL_METADATA)
        if method.server_streaming:
            next(answer)
            answer.cancel()
    except grpc.RpcError as error:
        return code_of(error) or grpc.StatusCode.UNKNOWN
    except StopIteration:
        pass
    return grpc.StatusCode.OK


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.value)
@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_cell_is_as_the_table_says(doors: Doors, name: str, role: CallerRole) -> None:
    reach, found = TABLE[name].reach_of(role), outcome(doors.channels[role], name)
    if reach is None:
        refusal = grpc.StatusCode.UNAUTHENTICATED if role is CallerRole.STRANGER else grpc.StatusCode.PERMISSION_DENIED
        assert found is refusal
    elif reach is Reach.ANY and name != "Enrolment/Enroll":
        assert found not in REFUSALS


def test_the_document_has_the_table_of_the_code() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert written(text) == text, "python -m tests.access.document"
