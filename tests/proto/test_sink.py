"""Blocks on their way to disk: in order, off the loop, and never left half-way."""

import asyncio
import threading

import pytest

from jetfleet.blobs import CHUNK_BYTES
from jetfleet.sink import Sink


async def test_everything_arrives_in_order_and_once() -> None:
    arrived: list[bytes] = []
    sink = Sink(arrived.append)
    blocks = [bytes([number]) * (CHUNK_BYTES // 3 + 1) for number in range(8)]
    for block in blocks:
        await sink.add(block)
    assert len(arrived) == 6
    await sink.flush()
    await sink.flush()
    assert arrived == blocks


async def test_writes_off_the_event_loop() -> None:
    threads: list[int] = []
    sink = Sink(lambda _: threads.append(threading.get_ident()))
    await sink.add(b"x")
    await sink.flush()
    assert threads != [threading.get_ident()]


async def test_what_a_write_raises_reaches_whoever_adds() -> None:
    def full(_: bytes) -> None:
        raise OSError("no space")

    sink = Sink(full)
    await sink.add(b"x")
    with pytest.raises(OSError, match="no space"):
        await sink.add(bytes(CHUNK_BYTES))
    with pytest.raises(OSError, match="no space"):
        await sink.flush()


async def test_a_cancelled_add_leaves_nothing_under_way_after_the_flush() -> None:
    go, written, entered = threading.Event(), [], threading.Event()

    def write(data: bytes) -> None:
        entered.set()
        assert go.wait(30)
        written.append(len(data))

    sink = Sink(write)
    adding = asyncio.ensure_future(sink.add(bytes(CHUNK_BYTES)))
    await asyncio.to_thread(entered.wait, 30)
    adding.cancel()
    await asyncio.gather(adding, return_exceptions=True)
    assert written == []
    go.set()
    await sink.flush()
    assert written == [CHUNK_BYTES]
