"""The way of a result to the controller: what is damaged or impossible never gets there as a result."""

from pathlib import Path
from typing import Any, cast

import pytest

from agent.daemon.client import Link
from agent.daemon.delivery import Delivery
from agent.daemon.spool import Spool
from jetfleet.blobs import BlobDir
from jetfleet.errors import BadInput, JetfleetError, Unreachable
from jetfleet.v1.task_pb2 import (
    ARTIFACT_ROLE_ENGINE,
    FAILURE_KIND_INFRASTRUCTURE,
    Artifact,
    Built,
    Estimate,
    Measured,
    Measurement,
    Outcome,
)


class Controller:
    """Takes everything."""

    def __init__(self) -> None:
        self.committed: dict[str, Outcome] = {}
        self.refuses: dict[str, JetfleetError] = {}

    async def commit(self, session_id: str, token: str, outcome: Outcome) -> str:
        if token in self.refuses:
            raise self.refuses[token]
        self.committed[token] = outcome
        return "SUCCEEDED"

    async def upload(self, *_: Any) -> None: ...


@pytest.fixture
def controller() -> Controller:
    return Controller()


@pytest.fixture
def delivery(tmp_path: Path, controller: Controller) -> Delivery:
    link = cast(Link, controller)
    return Delivery(link, "s1", BlobDir(tmp_path / "blobs"), Spool(tmp_path / "spool"))


def measured(p50_ms: float) -> Outcome:
    return Outcome(measured=Measured(measurements=[Measurement(n=9, metrics={"p50_ms": Estimate(value=p50_ms)})]))


async def test_a_file_that_the_controller_will_never_take_ends_the_attempt_and_not_the_agent(
    tmp_path: Path, controller: Controller, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any) -> None:
        raise BadInput("this board has sent too much")

    monkeypatch.setattr(controller, "upload", refuse)
    engine = Artifact(role=ARTIFACT_ROLE_ENGINE, name="engine", sha256="ab" * 32, size_bytes=1)
    await delivery.commit("t1", Outcome(built=Built(engine=engine)))
    assert controller.committed["t1"].failure.kind == FAILURE_KIND_INFRASTRUCTURE
    assert "this board has sent too much" in controller.committed["t1"].failure.message


async def test_a_flipped_bit_in_the_spool_is_reported_and_the_rest_goes_on(
    tmp_path: Path, controller: Controller, delivery: Delivery
) -> None:
    for token in ("t1", "t2"):
        await delivery.keep(token, measured(1.0), tmp_path)
    path = tmp_path / "spool" / "t1.outcome"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    await delivery.flush()
    assert controller.committed["t1"].failure.kind == FAILURE_KIND_INFRASTRUCTURE
    assert "damaged on the agent's disk" in controller.committed["t1"].failure.message
    assert controller.committed["t2"] == measured(1.0)
    assert delivery.pending() == []
    assert (tmp_path / "spool" / "t1.damaged").exists()


async def test_a_number_that_cannot_be_is_not_sent(tmp_path: Path, controller: Controller, delivery: Delivery) -> None:
    await delivery.keep("t1", measured(-1.0), tmp_path)
    await delivery.flush()
    assert "p50_ms = -1" in controller.committed["t1"].failure.message


async def test_a_result_that_the_controller_can_never_take_stands_in_nobodys_way(
    tmp_path: Path, controller: Controller, delivery: Delivery
) -> None:
    controller.refuses["t1"] = JetfleetError("INTERNAL: a bug")
    for token in ("t1", "t2"):
        await delivery.keep(token, measured(1.0), tmp_path)
    for _ in range(7):
        with pytest.raises(JetfleetError, match="a bug"):
            await delivery.flush()
    await delivery.flush()
    assert list(controller.committed) == ["t2"]
    assert delivery.pending() == []
    assert (tmp_path / "spool" / "t1.refused").exists()


async def test_an_outage_sets_nothing_aside(tmp_path: Path, controller: Controller, delivery: Delivery) -> None:
    controller.refuses["t1"] = Unreachable("no answer")
    await delivery.keep("t1", measured(1.0), tmp_path)
    for _ in range(20):
        with pytest.raises(Unreachable):
            await delivery.flush()
    controller.refuses.clear()
    await delivery.flush()
    assert list(controller.committed) == ["t1"]
