"""The built site: where it lies, which pages it has, how long to wait for one."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "build/html"
PATIENCE = 60_000  # milliseconds for anything that a page is to do: the machine may be busy


def page_names():
    """Name the pages of the built site, relative to its folder."""
    pages = (path.relative_to(HTML) for path in HTML.rglob("*.html"))
    return sorted(str(page) for page in pages if "_static" not in page.parts)
