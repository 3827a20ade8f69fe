"""What a reader does: play a film, search, read in the dark, go by keyboard, open a file."""

import pytest
from built import HTML, page_names

FILMS = [name for name in page_names() if "<video" in (HTML / name).read_text()]
FIRST = next((name for name in page_names() if name.startswith("notebooks/")), "index.html")
LOADED = """film => film.readyState >= 1 || new Promise(resolve => {
    film.addEventListener("loadedmetadata", () => resolve(true));
    film.addEventListener("error", () => resolve(false), true);  // of its source, on the way down
    if (film.networkState == HTMLMediaElement.NETWORK_NO_SOURCE) resolve(false);
})"""
FRAMES = """film => new Promise(resolve => {
    let seen = 0;
    const next = () => ++seen == 5 ? resolve(seen) : film.requestVideoFrameCallback(next);
    film.requestVideoFrameCallback(next);
    film.play();
    setTimeout(() => resolve(seen), 15000);
})"""
POSTER = """film => new Promise(resolve => {
    const picture = new Image();
    picture.onload = () => resolve(picture.naturalWidth);
    picture.onerror = () => resolve(0);
    picture.src = film.poster;
})"""


@pytest.mark.parametrize("name", FILMS)
def test_films_show_a_poster_and_play(visit, name):
    page = visit(name)
    for film in page.locator("video").all():
        film.scroll_into_view_if_needed()
        assert film.evaluate(POSTER) > 0
        assert film.evaluate(LOADED)
        assert film.evaluate("film => film.paused && film.duration > 0")
        film.evaluate("film => film.muted = true")
        assert film.evaluate(FRAMES) == 5


def test_search_finds_the_page_on_coasting(visit):
    page = visit("index.html")
    page.keyboard.press("Control+K")
    page.keyboard.type("coasting")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=coasting*")
    result = page.locator("#search-results li a").filter(has_text="05").first
    result.click()
    page.wait_for_url("**/notebooks/05*")
    assert "coast" in page.locator("main").inner_text()


def test_dark_mode_is_kept_and_figures_stay_light(visit):
    page = visit(FIRST)
    page.get_by_role("button", name="Color mode").click()
    page.get_by_role("button", name="Dark", exact=True).click()
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    style = "([e, name]) => getComputedStyle(e)[name]"
    ground = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
    assert max(map(int, ground[4:-1].split(","))) < 64
    for figure in page.locator("main img").all():
        handle = figure.element_handle()
        assert page.evaluate(style, [handle, "backgroundColor"]) == "rgb(255, 255, 255)"
        assert page.evaluate(style, [handle, "filter"]) == "none"


FOCUS = """() => {
    const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
    return {
        text: e.innerText,
        part: ["#pst-skip-link", "#pst-primary-sidebar", ".bd-header-article", "article",
               ".prev-next-area", ".bd-sidebar-secondary", "footer"]
            .findIndex(part => e.closest(part)),
        seen: box.width > 0 && box.height > 0,
        marked: style.outlineStyle != "none" || style.boxShadow != "none",
    };
}"""


def test_the_keyboard_reaches_everything_in_order(visit):
    page = visit("glossary.html")
    stops = []
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement == document.body"):
            break
        stops.append(page.evaluate(FOCUS))
    assert stops[0]["text"] == "Skip to main content"
    assert all(stop["seen"] and stop["marked"] for stop in stops), stops
    parts = [stop["part"] for stop in stops]
    assert parts == sorted(parts) and {0, 1, 2, 3} <= set(parts) and -1 not in parts


def test_the_skip_link_leads_past_the_navigation(visit):
    page = visit("glossary.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') != null")


def test_the_print_button_prints(visit):
    page = visit(FIRST)
    page.evaluate("window.print = () => document.title = 'printed'")
    page.get_by_role("button", name="Download this page").click()
    page.locator(".btn-download-pdf-button").click()
    assert page.title() == "printed"


@pytest.mark.parametrize("name", ["index.html", *FILMS[:1]])
def test_a_page_opened_as_a_file_works(visit, name):
    page = visit(name, root=HTML.as_uri() + "/")
    assert page.locator("main .math").count() == page.locator("main .math mjx-container").count()
    for film in page.locator("video").all():
        assert film.evaluate(FRAMES) == 5
