"""Results on disk: whole or not at all, oldest first, and a damaged one set aside."""

import os
from pathlib import Path

from agent.daemon.spool import Spool
from jetfleet.v1 import task_pb2


def outcome(message: str) -> task_pb2.Outcome:
    return task_pb2.Outcome(failure=task_pb2.Failure(message=message))


def test_what_was_put_is_there_for_the_next_process(tmp_path: Path) -> None:
    Spool(tmp_path / "spool").put("t1", outcome("one"))
    again = Spool(tmp_path / "spool")
    assert again.tokens() == ["t1"]
    found = again.get("t1")
    assert found is not None
    assert found.failure.message == "one"
    again.drop("t1")
    again.drop("t1")
    assert again.tokens() == []


def test_the_oldest_comes_first(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for age, token in ((3, "c"), (1, "a"), (2, "b")):
        spool.put(token, outcome(token))
        os.utime(tmp_path / f"{token}.outcome", (1000 - age, 1000 - age))
    assert spool.tokens() == ["c", "b", "a"]


def test_a_part_that_was_never_finished_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "t1.part").write_bytes(b"half of it")
    assert Spool(tmp_path).tokens() == []


def test_any_flipped_bit_is_found(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    measured = task_pb2.Measured(
        measurements=[task_pb2.Measurement(n=500, metrics={"p50_ms": task_pb2.Estimate(value=1.25)})]
    )
    spool.put("t1", task_pb2.Outcome(measured=measured))
    whole = (tmp_path / "t1.outcome").read_bytes()
    for bit in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        (tmp_path / "t1.outcome").write_bytes(flipped)
        assert spool.get("t1") is None
    (tmp_path / "t1.outcome").write_bytes(whole)
    assert spool.get("t1") == task_pb2.Outcome(measured=measured)


def test_a_damaged_entry_is_set_aside(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put("t1", outcome("one"))
    (tmp_path / "t1.outcome").write_bytes(b"\xff\xff not a message")
    assert spool.get("t1") is None
    assert spool.tokens() == []
    assert (tmp_path / "t1.damaged").exists()
