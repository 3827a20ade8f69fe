"""Finish a rendered site: films as files, a strict policy on every page, nothing left unsaid."""

import base64
import re
from hashlib import sha256
from urllib.parse import unquote

from bs4 import BeautifulSoup
from PIL import Image

LIMIT = 2_000_000  # bytes of a page with its pictures
SHARP = 2  # pixels of a notebook's figure for each of the page's
FILMS = "_static/films"
EMBEDDED = re.compile(r"data:(?:video|image)/(mp4|png);base64,(.*)", re.DOTALL)
LOADED = {"src", "srcset", "href", "poster", "data", "action"}  # of all elements but links
REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
DATA = "application/json"  # a script of this type is not run
FILE_NAME = re.compile(r"\S*\.(?:png|svg|jpe?g|gif|webp)", re.IGNORECASE)
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",  # and the hashes of the page's own inline scripts
    "style-src": "'self' 'unsafe-inline'",  # MathJax, icons and data frames bring their own styles
    "img-src": "'self' data:",  # the theme's style sheets hold small icons as data
    "font-src": "'self'",
    "media-src": "'self'",
    "connect-src": "'self'",  # search reads the pages it found
    "worker-src": "'self'",
    "frame-src": "'none'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
}


def finish(folder):
    """Finish all pages of a site in place; ValueError names every page and element at fault."""
    paths = sorted(p for p in folder.rglob("*.html") if "_static" not in p.parts)
    pages = {path: BeautifulSoup(path.read_text(), "html.parser") for path in paths}
    for path, page in pages.items():
        mend(page)
        lay_out(page, path.parent)
        move_films(page, folder, "../" * (len(path.relative_to(folder).parts) - 1))
        guard(page)
        path.write_text(str(page))
    problems = [
        f"{path.relative_to(folder)}: {problem}"
        for path, page in pages.items()
        for problem in [*faults(page), *overweight(page, path)]
    ]
    if problems:
        raise ValueError("\n".join(problems))


def mend(page):
    """Give screen readers and keyboards what the theme and pandas leave out."""
    for sidebar in page.select("#pst-primary-sidebar"):
        sidebar.attrs.update({"role": "navigation", "aria-label": "Site"})
    for entry in page.select(".citation-list > .citation"):
        entry["role"] = "listitem"
    for header in page("th"):
        if not header.get_text(strip=True) and not header.find("img"):
            header.name = "td"  # a corner that heads nothing
    if not page.select(".bd-sidebar-secondary"):
        for button in page.select(".secondary-toggle"):
            button.decompose()  # it would open nothing
    for button in page.select("button[onclick='window.print()']"):
        del button["onclick"]  # _static/site.js listens instead


def lay_out(page, folder):
    """Say how large each figure of a notebook is, so that nothing jumps while pictures load."""
    for image in page.select("img[src*='_images/']"):
        width, height = Image.open(folder / unquote(image["src"])).size
        image.attrs.update({"width": str(width // SHARP), "height": str(height // SHARP)})


def move_films(page, folder, root):
    """Move films and their posters out of the page, into files named after what they hold."""
    for element in page.select("video, video > source"):
        for name in ("src", "poster"):
            if match := EMBEDDED.fullmatch(element.get(name, "")):
                content = base64.b64decode(match[2])
                film = f"{FILMS}/{sha256(content).hexdigest()[:16]}.{match[1]}"
                (folder / FILMS).mkdir(parents=True, exist_ok=True)
                (folder / film).write_bytes(content)
                element[name] = root + film


def guard(page):
    """Let the page run and load nothing but what it came with."""
    scripts = page("script", src=False, type=lambda kind: kind != DATA)
    inline = [script.string for script in scripts if script.string]
    digests = {base64.b64encode(sha256(text.encode()).digest()).decode() for text in inline}
    hashes = "".join(f" 'sha256-{digest}'" for digest in sorted(digests))
    rules = {**POLICY, "script-src": POLICY["script-src"] + hashes}
    for old in page.select("meta[http-equiv='Content-Security-Policy']"):
        old.decompose()
    content = "; ".join(f"{name} {sources}" for name, sources in rules.items())
    attributes = {"http-equiv": "Content-Security-Policy", "content": content}
    page.head.insert(0, page.new_tag("meta", attrs=attributes))
    for charset in page.select("meta[charset]"):
        page.head.insert(0, charset.extract())  # browsers look for it in the first 1024 bytes only


def faults(page):
    """Yield what a page may not hold: remote parts, scripts in attributes, pictures unexplained."""
    for element in page(True):
        for name, value in element.attrs.items():
            if name in LOADED and element.name != "a" and is_remote(value):
                yield f"{describe(element)} loads from another machine"
            if name.startswith("on"):
                yield f"{describe(element)} has a script in its attribute {name}"
    for image in page("img"):
        alt = image.get("alt", "").strip()
        if not alt or FILE_NAME.fullmatch(alt):
            yield f"{describe(image)} has no alternative text (alt is {alt!r})"
    for video in page("video"):
        for name in ("poster", "aria-label"):
            if not video.get(name):
                yield f"{describe(video)} has no {name}"


def is_remote(addresses):
    """Say whether an address, or one of a picture's several, is on another machine."""
    return any(REMOTE.match(address.strip()) for address in addresses.split(", "))


def overweight(page, path):
    """Yield the weight of a page that is too heavy with its pictures (films apart)."""
    sources = {unquote(image["src"]) for image in page("img") if image.get("src")}
    files = [path, *(path.parent / name for name in sources if not name.startswith("data:"))]
    if (weight := sum(file.stat().st_size for file in files if file.is_file())) > LIMIT:
        yield f"weighs {weight} bytes with its pictures; at most {LIMIT} are allowed"


def describe(element):
    """Show an element's opening tag, shortened."""
    return str(element).split(">")[0][:120] + ">"
