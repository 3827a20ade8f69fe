"""Finishing a site: films become files, scripts are named by hash, what readers miss is refused."""

import base64
import re
from hashlib import sha256

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from finish import LIMIT, finish

FILM = ('<video controls aria-label="Film" poster="data:image/png;base64,{}">'
        '<source src="data:video/mp4;base64,{}" type="video/mp4"></video>')
PICTURE = '<img src="a.png" alt="Two spiral arms">'


def finished(folder, body, head="", name="notebooks/01_data.html"):
    """Write one page, finish its site, read the page."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / "a.png").write_bytes(b"png")
    path.write_text(f"<html><head><title>x</title>{head}</head><body>{body}</body></html>")
    finish(folder)
    return BeautifulSoup(path.read_text(), "html.parser")


def policy(page):
    """Read the page's policy: sources by rule."""
    (meta,) = page.select("meta[http-equiv='Content-Security-Policy']")
    rules = (rule.split() for rule in meta["content"].split("; "))
    return {name: sources for name, *sources in rules}


@pytest.mark.parametrize(("name", "root"), [("index.html", ""), ("notebooks/a.html", "../")])
def test_films_and_posters_become_files_of_their_content(tmp_path, name, root):
    film, poster = (base64.b64encode(data).decode() for data in (b"film", b"poster"))
    page = finished(tmp_path, FILM.format(poster, film), name=name)
    for address, content in [(page.source["src"], b"film"), (page.video["poster"], b"poster")]:
        assert address.startswith(f"{root}_static/films/{sha256(content).hexdigest()[:16]}.")
        assert ((tmp_path / name).parent / address).read_bytes() == content


def test_two_equal_films_are_one_file(tmp_path):
    finished(tmp_path, FILM.format("AAAA", "BBBB") * 2)
    assert len(list((tmp_path / "_static/films").iterdir())) == 2


def test_the_policy_allows_the_page_s_own_inline_scripts_and_no_others(tmp_path):
    text = "let a = '<&>'; // ü\n"
    page = finished(tmp_path, f"<script>{text}</script><script src='a.js'></script>")
    digest = base64.b64encode(sha256(text.encode()).digest()).decode()
    assert page.script.string == text
    assert policy(page)["script-src"] == ["'self'", f"'sha256-{digest}'"]


def test_data_in_a_script_are_kept_and_need_no_permission(tmp_path):
    page = finished(tmp_path, '<script type="application/json">{"a": "<\\/b> &amp; é"}</script>')
    assert page.script.string == '{"a": "<\\/b> &amp; é"}'
    assert policy(page)["script-src"] == ["'self'"]


def test_the_policy_comes_before_anything_that_loads_and_names_no_other_machine(tmp_path):
    head = '<link rel="stylesheet" href="a.css"><meta charset="utf-8">'
    page = finished(tmp_path, "", head)
    assert [tag.attrs.get("charset") for tag in page.head(True)][0] == "utf-8"
    assert page.head(True)[1]["http-equiv"] == "Content-Security-Policy"
    rules = policy(page)
    assert rules["default-src"] == ["'none'"]
    named = {source for sources in rules.values() for source in sources}
    assert named == {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert [name for name in rules if "'unsafe-inline'" in rules[name]] == ["style-src"]


def test_finishing_twice_changes_nothing(tmp_path):
    body = FILM.format("AAAA", "BBBB") + "<table><th></th></table><p>a &lt; b&nbsp;c</p>"
    first = finished(tmp_path, body)
    finish(tmp_path)
    assert BeautifulSoup((tmp_path / "notebooks/01_data.html").read_text(), "html.parser") == first


def test_empty_headers_and_the_print_button_are_mended(tmp_path):
    page = finished(tmp_path, '<button onclick="window.print()">.pdf</button>'
                              "<table><tr><th> </th><th>n</th></tr></table>")
    assert not page.button.get("onclick")
    assert [cell.name for cell in page.tr(True)] == ["td", "th"]


def test_the_button_of_a_missing_sidebar_goes(tmp_path):
    button = '<button class="secondary-toggle"></button>'
    assert not finished(tmp_path, button).select("button")
    kept = finished(tmp_path, button + '<div class="bd-sidebar-secondary"></div>')
    assert kept.select("button")


def test_figures_take_half_their_pixels(tmp_path):
    (tmp_path / "_images").mkdir()
    Image.new("RGB", (90, 50)).save(tmp_path / "_images/0a1b.png")
    figure = '<img src="../_images/0a1b.png" alt="A map">'
    figure, other = finished(tmp_path, figure + PICTURE)("img")
    assert (figure["width"], figure["height"]) == ("45", "25") and "width" not in other.attrs


def test_links_to_elsewhere_and_explained_figures_pass(tmp_path):
    finished(tmp_path, '<a href="https://x.org">x</a>' + PICTURE)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('<script async src="https://cdn.org/a.js"></script>', "loads from another machine"),
        ('<link rel="stylesheet" href="//cdn.org/a.css">', "loads from another machine"),
        ('<img alt="Two arms" src="HTTP://x.org/a.png">', "loads from another machine"),
        ('<img alt="Two arms" srcset="a.png, https://x.org/b.png 2x">', "loads from another"),
        ('<form action="https://x.org/"></form>', "loads from another machine"),
        ('<p onclick="go()">', "script in its attribute onclick"),
        ('<img src="a.png">', "no alternative text"),
        ('<img src="a.png" alt=" ">', "no alternative text"),
        ('<img src="a.png" alt="../_images/0a1b.png">', "no alternative text"),
        (FILM.format("AAAA", "BBBB").replace("aria-label", "title"), "no aria-label"),
        (FILM.format("", "BBBB").replace("poster", "id"), "no poster"),
        ("x" * LIMIT, "weighs 2000"),
    ],
)
def test_what_breaks_a_promise_is_refused_with_page_and_element(tmp_path, body, reason):
    with pytest.raises(ValueError, match=f"^notebooks/01_data.html: .*{reason}"):
        finished(tmp_path, body)


def test_pictures_count_for_the_weight_of_a_page(tmp_path):
    finished(tmp_path, PICTURE)
    (tmp_path / "notebooks/a.png").write_bytes(b"x" * LIMIT)
    with pytest.raises(ValueError, match="weighs"):
        finish(tmp_path)


def test_all_faults_are_told_at_once(tmp_path):
    with pytest.raises(ValueError) as caught:
        finished(tmp_path, "<img src='a.png'>" * 2)
    assert len(re.findall("^notebooks/01_data.html: ", str(caught.value), re.MULTILINE)) == 2
