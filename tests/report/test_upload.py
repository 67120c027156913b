"""What an upload looks like: a bar in one line for who watches, two lines for a log."""

import io

import pytest

from controller.report.text.upload import UploadDisplay

MB = 1_000_000


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def sent(out: io.StringIO, *calls: tuple[int, int]) -> str:
    with UploadDisplay(out) as display:
        for call in calls:
            display(*call)
    return out.getvalue()


def test_a_log_gets_the_begin_and_the_end() -> None:
    calls = [(k * MB, 100 * MB) for k in range(1, 101)]
    assert sent(io.StringIO(), *calls) == "upload: 100.0 MB\nupload: 100.0 MB sent\n"


def test_a_small_upload_is_a_line_of_a_log() -> None:
    assert sent(io.StringIO(), (MB, MB), (2 * MB, 2 * MB)) == "upload: 1.0 MB sent\nupload: 2.0 MB sent\n"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Screen()


def test_a_terminal_gets_one_line_that_grows(screen: Screen) -> None:
    drawn = sent(screen, *((k, 1000 * MB) for k in range(0, 1000 * MB + 1, MB)))
    assert drawn.count("\n") == 1
    frames = drawn.rstrip("\n").split("\r")[1:]
    assert len(frames) == 101  # one for each percent, not for each block
    assert frames[50] == f"upload [{'#' * 15}{'.' * 15}]  50 % of 1000.0 MB"
    assert frames[-1] == f"upload [{'#' * 30}] 100 % of 1000.0 MB"


def test_an_upload_that_breaks_off_leaves_the_line(screen: Screen) -> None:
    assert sent(screen, (MB, 4 * MB)).endswith(" 25 % of 4.0 MB\n")
