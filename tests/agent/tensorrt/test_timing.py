"""Timing caches: combined before the build, kept after it, and never a reason to fail."""

from typing import Any

import pytest

from jetfleet.v1.task_pb2 import ARTIFACT_ROLE_TIMING_CACHE, Artifact, TimingCacheUse
from tests.agent.tensorrt.conftest import Desk
from tests.agent.tensorrt.fake import Board
from tests.agent.tensorrt.test_versions import MODEL, X


def cache(desk: Desk, content: bytes) -> Artifact:
    return desk.blobs.put(content, ARTIFACT_ROLE_TIMING_CACHE, "timing.cache")


def made_cache(made: Any) -> bytes:
    content: bytes = next(file for file in made.files if file.role == ARTIFACT_ROLE_TIMING_CACHE).path.read_bytes()
    return content


def test_a_first_build_leaves_what_it_timed(make: Any) -> None:
    made = make(Board()).build(MODEL, [X])
    assert made_cache(made) == b"10.3.0:conv,relu"
    assert made.built.timing_cache == TimingCacheUse()  # nothing handed; hits and misses are not told before 10.13


def test_what_was_handed_is_combined_and_comes_back(make: Any) -> None:
    desk = make(Board())
    handed = [cache(desk, b"10.3.0:gemm"), cache(desk, b"10.3.0:pool,conv")]
    made = desk.build(MODEL, [X], timing_caches=handed)
    assert made_cache(made) == b"10.3.0:conv,gemm,pool,relu"
    assert list(made.built.timing_cache.handed) == [item.sha256 for item in handed]
    assert not made.built.timing_cache.HasField("hits")
    assert not made.built.timing_cache.HasField("misses")


def test_what_was_timed_anew_is_counted_where_a_cache_tells_its_keys(make: Any) -> None:
    desk = make(Board(version=(10, 13, 3)))
    made = desk.build(MODEL, [X], timing_caches=[cache(desk, b"10.13.3:conv,pool")])
    assert made.built.timing_cache.misses == 1  # relu
    assert not made.built.timing_cache.HasField("hits")


@pytest.mark.parametrize("content", [b"", b"no cache at all", b"9.9.9:conv"])
def test_a_cache_that_does_not_load_costs_time_and_no_more(content: bytes, make: Any) -> None:
    desk = make(Board())
    good = cache(desk, b"10.3.0:gemm")
    made = desk.build(MODEL, [X], timing_caches=[cache(desk, content), good])
    assert list(made.built.timing_cache.handed) == [good.sha256]
    assert any("does not load here, and is left out" in warning for warning in made.built.warnings)


def test_a_cache_of_another_board_is_left_out(make: Any) -> None:
    """TensorRT looks at the device only when the cache is set, not when it is read."""
    desk = make(Board(caches_refused=True))
    made = desk.build(MODEL, [X], timing_caches=[cache(desk, b"10.3.0:gemm")])
    assert list(made.built.timing_cache.handed) == []
    assert made_cache(made) == b"10.3.0:conv,relu"
    assert "TensorRT does not take the timing cache: every layer is timed" in made.built.warnings


def test_a_cold_build_begins_with_nothing_and_leaves_what_it_timed(make: Any) -> None:
    desk = make(Board())
    made = desk.build(MODEL, [X], timing_caches=[cache(desk, b"10.3.0:gemm")], timing_cache="cold")
    assert list(made.built.timing_cache.handed) == []
    assert made_cache(made) == b"10.3.0:conv,relu"
