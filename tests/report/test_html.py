"""The page of a report: it stands alone, every number leads to its evidence, and no text becomes markup."""

import re
from html.parser import HTMLParser

import pytest

from controller.report.html.charts import Curve, Point, distributions, points
from controller.report.html.report import report_html
from controller.report.html.svg import Scale, log_ticks, span, ticks
from controller.report.markdown import report_markdown
from tests.report.made_up import report_data

VOID = {"meta"}


class Page(HTMLParser):
    """Fails where a tag is not closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    assert page.open == []
    return page


@pytest.fixture(scope="module")
def text() -> str:
    return report_html(report_data(40))


def test_the_page_stands_alone(text: str) -> None:
    page = parsed(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object"}
    assert not [attrs for _, attrs in page.tags if {"src", "onload", "onclick", "style"} & attrs.keys()]
    assert "http" not in text.replace("http-equiv", "")
    assert "default-src 'none'" in text


def test_the_comparison_comes_first(text: str) -> None:
    found = re.findall(r"<h2 id=\"([\w-]+)\"", text)
    assert found[0] == "comparison"
    assert found == sorted(
        found,
        key=["comparison", "distributions", "recommendation", "fleet", "history", "stages", "dla-placement",
             "telemetry", "measurements"].index,
    )  # fmt: skip
    assert len(found) == 9


def test_the_history_says_where_it_changed(text: str) -> None:
    section = text.partition('id="history"')[2].partition("<h2")[0]
    assert section.count("<svg") == 1
    assert re.search(r"job 105 \(commit c5\): worse, \+\d+\.\d%", section)


def test_every_number_leads_to_its_evidence(text: str) -> None:
    page = parsed(text)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {(attrs["href"] or "").removeprefix("#") for tag, attrs in page.tags if tag == "a"}
    assert targets <= set(ids)
    assert {f"m{number}" for number in range(1, 41)} <= targets


def test_every_picture_says_what_it_shows(text: str) -> None:
    pictures = [attrs for tag, attrs in parsed(text).tags if tag == "svg"]
    assert len(pictures) > 5
    assert all(attrs["role"] == "img" and attrs["aria-labelledby"] for attrs in pictures)


def test_no_text_of_a_device_becomes_markup() -> None:
    hostile = "<script>alert(1)</script>\"'&"
    data = report_data(12, hostile=hostile)
    text = report_html(data)
    assert "<script" not in text
    parsed(text)
    assert not re.search(r"(?<!\\)<script", report_markdown(data))


def test_five_hundred_measurements_fit_into_two_megabytes() -> None:
    assert len(report_html(report_data(500)).encode()) <= 2_000_000


def test_what_is_not_valid_is_said_at_the_top(text: str) -> None:
    header = text.partition("<main>")[0]
    assert "2 of 40 measurements are not VALID; they are shown, and decide nothing." in header


def test_no_tail_is_cut() -> None:
    picture = distributions([Curve("a", (1.0, 2.0, 900.0), (0.5, 0.99, 1.0), (1.0,))], words="ms", key="k", title="t")
    ends = [float(pair.split(",")[0]) for pair in re.findall(r'points="([^"]+)"', picture)[0].split()]
    assert ends == sorted(ends)
    assert ends[-1] == 740.0  # the right end of the axis
    assert ">500<" in picture


def test_points_at_one_place_are_drawn() -> None:
    made = points([Point("a", 1.0, 1.0, chosen=True)] * 2, x_words="x", y_words="y", key="k", title="t")
    assert made.count("<circle") == 2


def test_scales_and_ticks() -> None:
    assert Scale(1, 100, 0, 10, logarithmic=True)(10) == pytest.approx(5)
    assert Scale(0, 0, 0, 10)(0) == 5
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert log_ticks(0.9, 120) == [1, 2, 5, 10, 20, 50, 100]
    assert span([]) == (0.0, 1.0)


def test_the_markdown_twin_has_its_tables() -> None:
    text = report_markdown(report_data(12))
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[0] == "## Comparison"
    assert headings[-1] == "## Measurements"
