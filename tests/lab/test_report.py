"""The report's page in a real browser: 500 measurements, with scripts and without, in light, dark and print, at three
widths. Errors, what hangs over the edge, and accessibility are looked for; pictures of it are kept for the documents.
"""

import io
import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.report.html.report import report_html
from tests.house.source import ROOT
from tests.lab.network import run
from tests.report.showcase import showcase

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

IMAGES = ROOT / "docs/images"
RECORD = ROOT / "docs/measured/lab-report.md"
BAR_BYTES = 2_000_000
IMAGES_BYTES = 300_000
WIDTHS = (390, 800, 1280)
PAPER = 794  # A4 at 96 dots per inch
COLOURS = 64
# What is kept as a picture, and how much of its height.
PICTURES = {
    "comparison": 860,
    "distributions": 400,
    "recommendation": 560,
    "fleet": 560,
    "history": 400,
    "stages": 690,
    "dla-placement": 250,
    "telemetry": 440,
}
QUIET = ("no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update")
NOTES = 10  # of a run of all tests, before anything is recorded
SEEN: list[tuple[str, str]] = []


def note(what: str, seen: object) -> None:
    SEEN.append((what, str(seen)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if shutil.which("chromium") is None:
        if os.geteuid():
            pytest.skip("chromium is missing, and only root may install it")
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-dejavu-core")
    arguments = [f"--{word}" for word in QUIET]
    with sync_playwright() as started:
        found = started.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        yield found
        found.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    data = showcase()
    path.write_text(report_html(data), encoding="utf-8")
    note("measurements", len(data.rows))
    return path


@pytest.fixture(scope="module", autouse=True)
def written_record(browser: Any) -> Iterator[None]:
    """Written where all of it was seen."""
    yield
    if os.environ.get("JETFLEET_RECORD") != "1" or not SEEN or SEEN[-1][0] != "end":
        return
    lines = [
        "# The report in a browser",
        "",
        f"Written by `make lab-report`, {time.strftime('%Y-%m-%d')}, revision",
        f"{run('git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD').strip()}: Chromium {browser.version},",
        f"{os.cpu_count()} cores, kernel {platform.release()}. The measurements are made up",
        "(tests/report/showcase.py); the pictures in docs/images are of the same page.",
        "",
        "| what | seen |",
        "|---|---|",
        *(f"| {what} | {seen} |" for what, seen in SEEN[:-1]),
    ]
    RECORD.write_text("\n".join(lines) + "\n")


class Visit:
    """One opening of the page; `errors` and `requests` are what the browser told meanwhile."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        begin = time.monotonic()
        self.page.goto(path.as_uri())
        self.seconds = time.monotonic() - begin

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()

    def hangs_over(self) -> int:
        """Pixels by which the page is wider than its window."""
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


def options(width: int, scheme: str, *, scripts: bool = True) -> dict[str, Any]:
    return {
        "viewport": {"width": width, "height": 900},
        "color_scheme": scheme,
        "java_script_enabled": scripts,
    }


def test_it_is_small(page_file: Path) -> None:
    size = page_file.stat().st_size
    note("size of the page", f"{size / 1e6:.2f} MB (bar: {BAR_BYTES / 1e6:.0f} MB)")
    assert size <= BAR_BYTES


def test_it_opens_without_an_error_and_looks_alike_without_scripts(browser: Any, page_file: Path) -> None:
    slowest = 0.0
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            with Visit(browser, page_file, **options(width, scheme)) as visit:
                assert visit.errors == []
                assert visit.requests == [page_file.as_uri()]
                assert visit.hangs_over() <= 0
                slowest = max(slowest, visit.seconds)
                with_scripts = visit.page.screenshot(full_page=False)
            with Visit(browser, page_file, **options(width, scheme, scripts=False)) as visit:
                assert visit.errors == []
                assert visit.page.screenshot(full_page=False) == with_scripts
    note(
        "opened", f"light and dark at {', '.join(map(str, WIDTHS))} pixels, with and without scripts: the same pictures"
    )
    note("console errors, requests beside the page itself, pixels over the edge", "0, 0, 0")
    note("slowest opening", f"{slowest:.1f} s")


def test_on_paper_nothing_hangs_over(browser: Any, page_file: Path) -> None:
    with Visit(browser, page_file, **options(PAPER, "dark")) as visit:
        visit.page.emulate_media(media="print")
        assert visit.hangs_over() <= 0
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(255, 255, 255)"
        assert visit.page.pdf(format="A4").startswith(b"%PDF")
    note("on paper (A4), where the reader's screen is dark", "black on white, nothing over the edge")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(browser: Any, page_file: Path, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for width in (WIDTHS[0], WIDTHS[-1]):
        with Visit(browser, page_file, bypass_csp=True, **options(width, scheme)) as visit:
            visit.page.evaluate("document.querySelectorAll('details').forEach((fold, i) => {fold.open = i < 20})")
            found = Axe().run(visit.page)
            assert found.violations_count == 0, found.generate_report()
    note(f"axe-core, {scheme}, {WIDTHS[0]} and {WIDTHS[-1]} pixels, folds open", "0 violations")


def test_a_number_leads_to_its_evidence(browser: Any, page_file: Path) -> None:
    with Visit(browser, page_file, **options(WIDTHS[-1], "light", scripts=False)) as visit:
        visit.page.click("section[aria-labelledby=fleet] a >> nth=0")
        inside = visit.page.locator("dl:visible").first
        inside.wait_for(state="visible", timeout=5000)
    note("a click on a number, without scripts", "opens the evidence of its measurement")


def small(png: bytes) -> bytes:
    """Few colours: flat pictures of text and lines."""
    from PIL import Image

    out = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def test_pictures_are_kept_for_the_documents(browser: Any, page_file: Path, tmp_path: Path) -> None:
    with Visit(browser, page_file, **options(1040, "light")) as visit:
        for key, most in PICTURES.items():
            box = visit.page.locator(f"section[aria-labelledby={key}]").bounding_box()
            clip = {"x": box["x"] - 8, "y": box["y"], "width": box["width"] + 16, "height": min(box["height"], most)}
            picture = small(visit.page.screenshot(full_page=True, clip=clip))
            (tmp_path / f"report-{key}.png").write_bytes(picture)
    for width, scheme in ((1040, "dark"), (390, "light")):
        with Visit(browser, page_file, **options(width, scheme)) as visit:
            (tmp_path / f"report-{width}-{scheme}.png").write_bytes(small(visit.page.screenshot()))
    made = sorted(tmp_path.glob("*.png"))
    total = sum(path.stat().st_size for path in made)
    note("pictures for the documents", f"{len(made)}, {total / 1e3:.0f} kB (bar: {IMAGES_BYTES / 1e3:.0f} kB)")
    assert total <= IMAGES_BYTES
    if os.environ.get("JETFLEET_RECORD") == "1":
        IMAGES.mkdir(exist_ok=True)
        for path in made:
            shutil.copy(path, IMAGES / path.name)
    assert len(SEEN) == NOTES, SEEN
    note("end", "")
