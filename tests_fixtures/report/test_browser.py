"""The page in a real browser: it sorts, filters, opens, changes its colours, says nothing on the console and asks nobody for anything."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quantgate.report.page import build, write_page
from tests_fixtures.doubles.reported import HOSTILE, NOW, three_ways

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.thorough
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright here; it is one of the dev extras")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on this machine, so nobody looks at the page; install one (apt-get install chromium)")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


class Opened:
    """The page, with what it said and asked for."""

    def __init__(self, browser: "Browser", file: Path, **context: object) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page: Page = browser.new_page(**context)  # type: ignore[arg-type]  # the test's own arguments
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.file = file

    def is_quiet(self) -> bool:
        return self.said == [] and self.asked == [self.file.as_uri()]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    made = three_ways(root, HOSTILE, prompts=("What is 2 + 2?", "Name a prime."))
    return write_page(build(made.records, baselines=made.baselines, now=NOW), root / "report")[0]


def names(page: "Page") -> list[str]:
    return page.locator(".verdicts tbody").evaluate_all("all => all.filter(one => !one.hidden).map(one => one.dataset.name)")  # type: ignore[no-any-return]


def test_it_sorts_both_ways_and_shows_what_is_asked_for(browser: "Browser", file: Path) -> None:
    opened = Opened(browser, file)
    worst_first = names(opened.page)
    by_name = opened.page.get_by_role("button", name="Checkpoint and suite")
    by_name.click()
    assert names(opened.page) == sorted(worst_first)
    by_name.click()
    assert names(opened.page) == sorted(worst_first, reverse=True)
    assert opened.page.locator("th[aria-sort=descending]").count() == 1
    opened.page.get_by_role("button", name="Loss against tolerance").click()
    drops = opened.page.locator(".verdicts tbody").evaluate_all("all => all.map(one => Number(one.dataset.drop))")
    assert drops == sorted(drops)
    opened.page.locator(".chips button[data-word=pass]").click()
    assert len(names(opened.page)) == 2
    assert "reference/fp8 reference-text" not in names(opened.page)
    assert opened.is_quiet()


def test_flips_are_filtered_and_opened_and_hostile_answers_are_text(browser: "Browser", file: Path) -> None:
    opened = Opened(browser, file)
    page = opened.page
    assert page.locator("#flip-count").inner_text() == "5 of 5 shown"
    page.locator("[data-filter=group]").select_option("add")
    page.locator("#flip-count", has_text="2 of 5 shown").wait_for()
    page.locator("[data-filter=words]").fill("prime")
    page.locator("#flip-count", has_text="0 of 5 shown").wait_for()
    page.locator("[data-filter=group]").select_option("times")
    page.locator("#flip-count", has_text="3 of 5 shown").wait_for()
    shown = page.locator(".flip:visible").first
    assert not shown.locator("pre").first.is_visible()
    shown.locator("summary").press("Enter")  # by keyboard
    assert shown.locator("pre").nth(0).inner_text() == "Name a prime."
    assert "<script>alert(1)</script> {{ 7*7 }}" in shown.locator("pre").nth(1).inner_text()
    assert opened.is_quiet()


def test_it_follows_the_system_s_colours_until_the_reader_chooses(browser: "Browser", file: Path) -> None:
    opened = Opened(browser, file, color_scheme="dark")
    back = "getComputedStyle(document.body).backgroundColor"
    dark = opened.page.evaluate(back)
    opened.page.get_by_role("button", name="Switch to light colours").click()
    assert opened.page.evaluate(back) != dark
    opened.page.get_by_role("button", name="Switch to dark colours").click()
    assert opened.page.evaluate(back) == dark
    assert opened.is_quiet()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_over_the_edge_of_a_phone(browser: "Browser", file: Path, width: int) -> None:
    opened = Opened(browser, file, viewport={"width": width, "height": 800})
    opened.page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width


def test_it_is_whole_without_its_script(browser: "Browser", file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".verdicts tbody").count() == 3
    assert not page.locator("#theme").is_visible()
    page.locator(".flip summary").first.click()
    assert page.locator(".flip pre").first.is_visible()
    context.close()
