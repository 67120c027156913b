"""The page of a report: it stands alone, every number leads to its evidence, and no text becomes markup."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from controller.analysis.importance import by_importance
from controller.model.report import Distribution
from controller.report.html.charts import WIDTH, Curve, Point, Stack, distributions, points, stacks
from controller.report.html.report import report_html
from controller.report.html.svg import Scale, log_ticks, span, ticks
from controller.report.markdown import report_markdown
from tests.report.made_up import report_data
from tests.report.showcase import showcase

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
    data = showcase()
    assert len(data.rows) == 500
    assert len(report_html(data).encode()) <= 2_000_000


def test_what_is_not_valid_is_said_at_the_top(text: str) -> None:
    header = text.partition("<main>")[0]
    assert "2 of 40 measurements are not VALID; such a one is shown, and decides nothing." in header


def test_no_tail_is_cut() -> None:
    picture = distributions([Curve("a", (1.0, 2.0, 900.0), (0.5, 0.99, 1.0), (1.0,))], words="ms", key="k", title="t")
    ends = [float(pair.split(",")[0]) for pair in re.findall(r'points="([^"]+)"', picture)[0].split()]
    assert ends == sorted(ends)
    assert ends[-1] == WIDTH - 20  # the right end of the axis
    assert ">500<" in picture


def section_of(text: str, key: str) -> str:
    return text.partition(f'<h2 id="{key}"')[2].partition("<h2")[0]


def test_every_section_is_linked_at_the_top(text: str) -> None:
    header = text.partition("<main>")[0]
    assert re.findall(r'href="#([\w-]+)"', header) == re.findall(r"<h2 id=\"([\w-]+)\"", text)


def test_many_comparisons_are_counted_and_folded_up() -> None:
    data = report_data(100)
    text = section_of(report_html(data), "comparison")
    assert data.compared is not None
    counts = re.findall(r'<span class="\w+">(\d+) [A-Z_]+</span>', text)
    assert sum(map(int, counts)) == len(data.compared.comparisons)
    before, fold, inside = text.partition("<details>")
    assert fold
    assert "<table>" not in before
    assert inside.count("<tr>") == 1 + len(data.compared.comparisons)
    assert before.count('class="whisker') + before.count('class="dot') <= 2 * 24


def test_distributions_are_of_those_whose_samples_are_there() -> None:
    data = showcase()
    assert data.compared is not None
    pair = next(item for item in reversed(by_importance(data.compared.comparisons)) if item.baseline is not None)
    assert pair.baseline is not None
    curve = Distribution((1.0, 2.0), (0.5, 1.0), (1.5,))
    known = {pair.row.measurement_id: curve, pair.baseline.measurement_id: curve}
    text = section_of(report_html(replace(data, distributions=known)), "distributions")
    assert text.count("<svg") == 1
    assert f"{pair.row.label} on {pair.row.device}" in text


def test_a_slow_board_is_shaded(text: str) -> None:
    fleet = section_of(text, "fleet")
    shades = re.findall(r'class="cell( h\d)?">.*?<small>([^<]*)</small>', fleet)
    assert {shade for shade, words in shades if words == ""} == {""}
    assert {shade for shade, words in shades if re.fullmatch(r"\+[3-4]%", words)} <= {" h1"}
    assert ("", "THROTTLED") in shades


def test_bars_are_of_one_length_and_say_their_whole() -> None:
    picture = stacks(
        [Stack("a", {"x": 1.0, "y": 3.0}, "4 ms"), Stack("b", {"x": 30.0, "y": 10.0}, "40 ms")],
        words="%",
        key="k",
        title="t",
    )
    bars = [float(width) for width in re.findall(r'width="([\d.]+)" height="17.0"', picture)]
    assert bars[0] + bars[1] == pytest.approx(bars[2] + bars[3])
    assert bars[1] == pytest.approx(3 * bars[0], rel=0.01)
    assert ">40 ms<" in picture


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
