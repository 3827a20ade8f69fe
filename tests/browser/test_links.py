"""Every link to a page, a place in a page, or a file of the site leads there."""

from functools import cache
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from bs4 import BeautifulSoup
from built import HTML, page_names


@cache
def parsed(path):
    return BeautifulSoup(path.read_text(), "html.parser")


def leads_somewhere(start, link):
    """Say whether a link on the page `start` has a target within the site."""
    address, place = urldefrag(link)
    target = (start.parent / unquote(urlsplit(address).path)) if address else start
    if not target.is_file() or not target.resolve().is_relative_to(HTML.resolve()):
        return False
    return not place or target.suffix != ".html" or bool(parsed(target).find(id=unquote(place)))


@pytest.mark.parametrize("name", page_names())
def test_every_link_within_the_site_resolves(name):
    path = HTML / name
    links = {link["href"] for link in parsed(path)("a", href=True)}
    inner = {link for link in links if not urlsplit(link).scheme and link != "#"}
    assert inner and [link for link in sorted(inner) if not leads_somewhere(path, link)] == []
