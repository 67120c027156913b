"""What a board may send before a result of its names it."""

import pytest

from controller.service.upload_quota import UploadQuota
from jetfleet.errors import BadInput

MB = 10**6


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_what_no_result_names_adds_up_and_a_result_clears_it() -> None:
    quota = UploadQuota(10 * MB, now=Clock())
    quota.take("a", 6 * MB)
    with pytest.raises(BadInput, match=r"6\.0 MB"):
        quota.take("a", 5 * MB)
    quota.take("b", 5 * MB)
    quota.clear("a")
    quota.take("a", 10 * MB)


def test_what_did_not_come_does_not_count() -> None:
    quota = UploadQuota(10 * MB, now=Clock())
    quota.take("a", 10 * MB)
    quota.give_back("a", 9 * MB)
    quota.take("a", 9 * MB)


def test_many_small_files_count_as_more_than_they_hold() -> None:
    quota = UploadQuota(MB, now=Clock())
    for _ in range(15):
        quota.take("a", 1)
    with pytest.raises(BadInput):
        quota.take("a", 1)


def test_it_fills_up_again_in_a_day() -> None:
    clock = Clock()
    quota = UploadQuota(10 * MB, now=clock)
    quota.take("a", 10 * MB)
    clock.now_s = 43_200.0
    quota.take("a", 5 * MB)
    with pytest.raises(BadInput):
        quota.take("a", MB)
