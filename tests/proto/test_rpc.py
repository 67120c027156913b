"""Exceptions and versions over a real server: what one side raises, the other side reads."""

from concurrent import futures
from contextlib import contextmanager

import grpc
import pytest

from jetfleet.errors import JetfleetError, NeedsUpgrade, Unreachable, kinds
from jetfleet.rpc import CALL_METADATA, CHANNEL_OPTIONS, SERVER_OPTIONS, check_protocol, from_status, raising, to_status
from jetfleet.v1 import control_pb2, control_pb2_grpc, error_pb2
from jetfleet.version import PROTOCOL, VERSION


class Control(control_pb2_grpc.ControlServicer):
    """Raises what a test puts into `error`; keeps the metadata of the last call."""

    error: JetfleetError | None = None
    metadata = ()

    def Hello(self, request, context):
        self.metadata = context.invocation_metadata()
        if self.error is not None:
            code, message, trailing = to_status(self.error)
            context.set_trailing_metadata(trailing)
            context.abort(code, message)
        return control_pb2.HelloResponse(version=VERSION)

    def GetJob(self, request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "a plain status, of no exception of ours")


@pytest.fixture
def control():
    return Control()


@contextmanager
def serving(control):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1), options=SERVER_OPTIONS)
    control_pb2_grpc.add_ControlServicer_to_server(control, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture
def address(control):
    with serving(control) as where:
        yield where


@pytest.fixture
def stub(address):
    with grpc.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        yield control_pb2_grpc.ControlStub(channel)


def call(stub, address="the controller", method="Hello", request=None):
    return raising(getattr(stub, method), address=address)(request or control_pb2.HelloRequest(), timeout=30)


def test_a_call_carries_the_protocol_and_the_version(stub, control):
    assert call(stub).version == VERSION
    assert dict(CALL_METADATA).items() <= dict(control.metadata).items()
    check_protocol(control.metadata)


@pytest.mark.parametrize(("name", "kind"), sorted(kinds().items()))
def test_every_exception_travels_whole(stub, control, name, kind):
    control.error = kind("müde\nzweite Zeile", where="job.yaml:3:5", expected="a < b", hint="`try` this")
    with pytest.raises(JetfleetError) as caught:
        call(stub)
    assert type(caught.value) is kind
    assert str(caught.value) == str(control.error)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_empty_details_stay_empty(stub, control):
    control.error = NeedsUpgrade("x")
    with pytest.raises(NeedsUpgrade) as caught:
        call(stub)
    assert (caught.value.where, caught.value.expected, caught.value.hint) == ("", "", "")


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f525", "\n"])
def test_an_error_too_long_for_metadata_arrives_clipped(stub, control, letter):
    """gRPC would drop the whole call, and with it what went wrong."""
    long = letter * 100_000
    control.error = NeedsUpgrade(long, where=long, expected=long, hint=long)
    for _ in range(20):  # between gRPC's soft and hard limit calls are dropped at random
        with pytest.raises(NeedsUpgrade) as caught:
            call(stub)
        for text in (caught.value.message, caught.value.where, caught.value.expected, caught.value.hint):
            assert text.startswith(letter * 100)
            assert text.endswith("...")


def test_what_fits_is_not_clipped(stub, control):
    control.error = NeedsUpgrade("m" * 2_000, where="w" * 700, expected="e" * 700, hint="h" * 700)
    with pytest.raises(NeedsUpgrade) as caught:
        call(stub)
    assert str(caught.value) == str(control.error)


def test_an_exception_that_this_side_does_not_know_is_still_told():
    detail = error_pb2.ErrorDetail(kind="FromTheFuture", message="something new", hint="upgrade")

    class Newer(Control):
        def Hello(self, request, context):
            context.set_trailing_metadata([("jetfleet-error-bin", detail.SerializeToString())])
            context.abort(grpc.StatusCode.INTERNAL, "something new")

    with (
        serving(Newer()) as there,
        grpc.insecure_channel(there, options=CHANNEL_OPTIONS) as channel,
        pytest.raises(JetfleetError) as caught,
    ):
        call(control_pb2_grpc.ControlStub(channel))
    assert type(caught.value) is JetfleetError
    assert str(caught.value) == "something new\n  fix: upgrade"


def test_a_status_of_no_exception_names_code_and_address(stub):
    with pytest.raises(JetfleetError) as caught:
        call(stub, "here:1", "GetJob", control_pb2.GetJobRequest())
    assert type(caught.value) is JetfleetError
    assert str(caught.value) == "here:1: NOT_FOUND: a plain status, of no exception of ours"


def test_nobody_listens():
    silent = "127.0.0.1:1"
    with grpc.insecure_channel(silent, options=CHANNEL_OPTIONS) as channel, pytest.raises(Unreachable) as caught:
        call(control_pb2_grpc.ControlStub(channel), silent)
    assert caught.value.message.startswith(f"the controller at {silent} does not answer (")
    assert "controller serve" in caught.value.hint
    assert caught.value.exit_code == 4


def test_from_status_needs_no_trailing_metadata():
    class Dead(grpc.RpcError):
        def trailing_metadata(self):
            return None

        def code(self):
            return grpc.StatusCode.DEADLINE_EXCEEDED

        def details(self):
            return "Deadline Exceeded"

    assert isinstance(from_status(Dead(), address="here"), Unreachable)


def told(metadata, mine=2):
    with pytest.raises(NeedsUpgrade) as caught:
        check_protocol(metadata, mine=mine)
    return caught.value


def test_an_old_caller_is_told_to_upgrade():
    error = told([("jetfleet-protocol", "1"), ("jetfleet-version", "0.0.9")])
    assert error.message == (
        f"the caller (version 0.0.9, protocol 1) and the controller (version {VERSION}, protocol 2) "
        "speak different protocol versions"
    )
    assert error.hint == f"the caller needs upgrade to {VERSION}"


def test_an_old_controller_is_told_to_upgrade():
    error = told([("jetfleet-protocol", "3"), ("jetfleet-version", "9.1.0")])
    assert "the caller (version 9.1.0, protocol 3)" in error.message
    assert error.hint == "the controller needs upgrade to 9.1.0"


@pytest.mark.parametrize("metadata", [[], [("jetfleet-protocol", "one")], [("jetfleet-protocol", "-3")]])
def test_a_caller_that_names_no_protocol_is_the_old_one(metadata):
    error = told(metadata)
    assert "version unknown" in error.message
    assert error.hint == f"the caller needs upgrade to {VERSION}"


def test_a_version_cannot_confuse_the_message():
    error = told([("jetfleet-protocol", "3"), ("jetfleet-version", "version 1, 2")])
    assert error.hint == "the controller needs upgrade to version 1, 2"


def test_equal_protocols_pass():
    check_protocol(CALL_METADATA)
    check_protocol([("jetfleet-protocol", str(PROTOCOL)), ("jetfleet-version", "99.0")])
