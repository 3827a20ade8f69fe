"""Render a folder of Sphinx sources into a site, and refuse one without figures."""

import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
NOTEBOOKS = "[0-9]*.ipynb"  # numbered ones: an editor's backup is no page


def read(folder):
    """Read all notebooks of a folder, by file name."""
    return {p.name: nbformat.read(p, as_version=4) for p in sorted(folder.glob(NOTEBOOKS))}


@contextmanager
def workshop(build):
    """Give a folder for a site in the making, and clear it away whatever happens."""
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build, prefix="making-") as folder:
        yield Path(folder)


def take_place(html, target):
    """Move a finished site from its workshop to where it is read: there it is whole or missing."""
    if target.exists():
        target.rename(html.with_name("replaced"))
    html.rename(target)


def sphinx(source, html, *options):
    """Render the sources; any warning is an error."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", *options]
    if subprocess.run([*command, "-d", source.parent / "doctrees", source, html]).returncode:
        raise ValueError("the site was not built: see Sphinx's warnings above")


def check_figures(html, names):
    """Refuse a site with a notebook page without a figure."""
    for name in names:
        text = (html / "notebooks" / name).with_suffix(".html").read_text()
        if not re.search(r"_images/\w+\.png|<video", text):
            raise ValueError(f"the page of notebooks/{name} shows no figure")
