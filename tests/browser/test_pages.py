"""Every page, on a screen and on a phone, light and dark: clean, in its place, accessible."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from built import HTML, ROOT, page_names
from playwright.sync_api import expect

WIDTHS, THEMES = [1280, 390], ["light", "dark"]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]
PICTURES = ROOT / "build/browser"
TALLEST = 8000  # pixels of a page that its picture shows

pages = pytest.mark.parametrize("name", page_names())
widths = pytest.mark.parametrize("width", WIDTHS)


def violations(page, rules):
    """Say which rules of axe-core a page breaks, and where."""
    options = {"runOnly": rules, "resultTypes": ["violations"], "preload": False}  # nothing fetched
    found = Axe().run(page, options=options).response
    return [(rule["id"], node["target"], node["html"][:200], node["failureSummary"])
            for rule in found["violations"] for node in rule["nodes"]]


def photograph(page, path):
    """Keep a picture of a page for people to look at."""
    height = page.evaluate("document.scrollingElement.scrollHeight")
    page.set_viewport_size({**page.viewport_size, "height": min(height, TALLEST)})
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, type="jpeg", quality=70)


@pages
@widths
@pytest.mark.parametrize("theme", THEMES)
def test_a_page_loads_clean_and_fits_the_screen(visit, name, width, theme):
    page = visit(name, width, theme)
    assert page.locator("html").get_attribute("data-theme") == theme
    wide = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{wide} pixels wider than the screen"
    stem = name.removesuffix(".html").replace("/", "-")
    photograph(page, PICTURES / f"{stem}-{width}-{theme}.jpg")


@pages
@widths
def test_a_page_is_accessible(visit, name, width):
    page = visit(name, width)
    assert violations(page, RULES) == []
    page.emulate_media(color_scheme="dark")  # the page follows; only its colours change
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.evaluate("Promise.all(document.getAnimations().map(change => change.finished))")
    assert violations(page, COLOURS) == []


@pages
def test_formulas_are_set(visit, name):
    page = visit(name)
    raw = page.evaluate("""[...document.querySelectorAll("main .math")]
        .filter(e => !e.querySelector("mjx-container")).map(e => e.textContent)""")
    wrong = page.evaluate("""[...document.querySelectorAll("[data-mjx-error]")]
        .map(e => e.dataset.mjxError)""")
    assert (raw, wrong) == ([], [])
    shown = page.locator("main").inner_text()
    assert r"\(" not in shown and r"\[" not in shown and "$$" not in shown


def test_the_site_has_pages_with_formulas_and_films():
    texts = [(HTML / name).read_text() for name in page_names()]
    assert any('class="math' in text for text in texts)
    assert any("<video" in text for text in texts)
