"""The lock of a bench domain between processes: one at a time, first come first served, and the dead make way."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.daemon.bench_lock import PLACES, BenchLock

_HOLDER = """
import asyncio, sys
from pathlib import Path
from agent.daemon.bench_lock import BenchLock
async def main():
    lock = BenchLock("d", [Path(sys.argv[1])])
    async with lock.hold(stop=asyncio.Event(), on_wait=lambda: print("waits", flush=True)):
        print("holds", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


def ignore() -> None: ...


def start_holder(place: Path, *, word: str) -> "subprocess.Popen[str]":
    child = subprocess.Popen([sys.executable, "-c", _HOLDER, str(place)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == word
    return child


def kill(child: "subprocess.Popen[str]") -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()


class Queue:
    """Users of one lock in this process, each with files of its own, as processes have."""

    def __init__(self, *places: Path) -> None:
        self.served: list[str] = []
        self.stops: dict[str, asyncio.Event] = {}
        self._places = places

    async def join(self, name: str, *, hold: asyncio.Event) -> "asyncio.Task[None]":
        """Returns when it holds the lock or stands in the queue."""
        settled, stop = asyncio.Event(), asyncio.Event()
        self.stops[name] = stop

        async def use() -> None:
            async with BenchLock("d", self._places).hold(stop=stop, on_wait=settled.set) as mine:
                if mine:
                    self.served.append(name)
                    settled.set()
                    await hold.wait()

        task = asyncio.create_task(use())
        await settled.wait()
        return task


async def test_who_comes_first_is_served_first(tmp_path: Path) -> None:
    queue, go = Queue(tmp_path), asyncio.Event()
    tasks = [await queue.join(name, hold=go) for name in "abcdef"]
    assert queue.served == ["a"]
    go.set()
    await asyncio.gather(*tasks)
    assert queue.served == list("abcdef")


async def test_who_gives_up_makes_way(tmp_path: Path) -> None:
    queue, go = Queue(tmp_path), asyncio.Event()
    tasks = [await queue.join(name, hold=go) for name in "abc"]
    queue.stops["b"].set()
    await tasks[1]
    assert queue.served == ["a"]  # c is not let in early
    go.set()
    await asyncio.gather(*tasks)
    assert queue.served == ["a", "c"]


async def test_the_dead_make_way_and_let_nobody_in_early(tmp_path: Path) -> None:
    first = start_holder(tmp_path, word="holds")
    second = start_holder(tmp_path, word="waits")
    queue, go = Queue(tmp_path), asyncio.Event()
    task = await queue.join("last", hold=go)
    kill(second)
    await asyncio.sleep(0.2)
    assert queue.served == []
    kill(first)
    go.set()
    await task
    assert queue.served == ["last"]


async def test_agents_that_share_one_place_only_exclude_each_other(tmp_path: Path) -> None:
    shared, other = tmp_path / "shared", tmp_path / "other"
    shared.mkdir()
    other.mkdir()
    holder = start_holder(shared, word="holds")
    queue, go = Queue(other, shared), asyncio.Event()
    task = await queue.join("both", hold=go)
    assert queue.served == []
    kill(holder)
    go.set()
    await task
    assert queue.served == ["both"]


async def test_other_hardware_is_free(tmp_path: Path) -> None:
    never = asyncio.Event()
    async with (
        BenchLock("one", [tmp_path]).hold(stop=never, on_wait=ignore) as one,
        BenchLock("two", [tmp_path]).hold(stop=never, on_wait=ignore) as two,
    ):
        assert (one, two) == (True, True)


async def test_every_user_can_open_the_file_and_no_other_is_left(tmp_path: Path) -> None:
    async with BenchLock("d", [tmp_path]).hold(stop=asyncio.Event(), on_wait=ignore):
        pass
    (path,) = await asyncio.to_thread(lambda: list(tmp_path.iterdir()))
    assert await asyncio.to_thread(lambda: path.stat().st_mode & 0o777) == 0o666


def test_where_there_is_no_place_the_reason_is_told(tmp_path: Path) -> None:
    fault = BenchLock("d", [tmp_path / "missing"]).fault()
    assert fault == f"no place for the lock of this hardware ({tmp_path / 'missing'}: No such file or directory)"
    assert BenchLock("d", [tmp_path / "missing", tmp_path]).fault() == ""


@pytest.mark.parametrize("variable", ["TMPDIR", "HOME", "XDG_RUNTIME_DIR"])
def test_the_place_depends_on_no_variable(variable: str, tmp_path: Path) -> None:
    print_places = "from agent.daemon.bench_lock import PLACES; print(*PLACES)"
    command = [sys.executable, "-c", print_places]
    found = subprocess.run(command, env={variable: str(tmp_path)}, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [str(place) for place in PLACES]


_OTHER = """
import asyncio, os, sys
from agent.daemon.bench_lock import BenchLock
if sys.argv[2] != "0":
    os.setgroups([])
    os.setresgid(*3 * [int(sys.argv[2])])
    os.setresuid(*3 * [int(sys.argv[2])])
async def main():
    async with BenchLock(sys.argv[1]).hold(stop=asyncio.Event(), on_wait=lambda: print("waits", flush=True)):
        print("holds", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
_PRIVATE_TMP = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /tmp && exec "$@"', "sh")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user or mount a private /tmp")


@pytest.fixture
def start_in(request: pytest.FixtureRequest) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts holders of one lock, in the places that agents use, each as the user and in the namespace that is asked
    for.
    """
    domain, children = uuid.uuid4().hex, []

    def start(*, uid: int = 0, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        command = [*prefix, sys.executable, "-c", _OTHER, domain, str(uid)]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return children[-1]

    yield start
    for child in children:
        if child.returncode is None:
            kill(child)
    digest = hashlib.sha256(domain.encode()).hexdigest()[:16]
    for place in PLACES:
        (place / f"jetfleet-bench-{digest}.lock").unlink(missing_ok=True)


def said(child: "subprocess.Popen[str]") -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


@needs_root
@pytest.mark.parametrize(("first", "second"), [(0, 65534), (65534, 0), (65533, 65534)])
def test_users_exclude_each_other(start_in: Callable[..., "subprocess.Popen[str]"], first: int, second: int) -> None:
    holder = start_in(uid=first)
    assert said(holder) == "holds"
    waiter = start_in(uid=second)
    assert said(waiter) == "waits"
    kill(holder)
    assert said(waiter) == "holds"


@needs_root
@pytest.mark.parametrize("uid", [0, 65534])
def test_a_private_tmp_makes_no_lock_of_its_own(start_in: Callable[..., "subprocess.Popen[str]"], uid: int) -> None:
    probe = subprocess.run([*_PRIVATE_TMP, sys.executable, "-c", ""], capture_output=True, text=True, check=False)
    if probe.returncode:  # or this Python lies in /tmp, which a private one hides
        pytest.skip(f"no mount namespaces here: {probe.stderr.strip()}")
    holder = start_in()
    assert said(holder) == "holds"
    waiter = start_in(uid=uid, prefix=_PRIVATE_TMP)
    assert said(waiter) == "waits"
    kill(holder)
    assert said(waiter) == "holds"
