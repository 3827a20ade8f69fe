"""Render a folder of Sphinx sources into a site, and refuse one that is not whole by itself."""

import importlib.metadata
import platform
import re
import subprocess
import sys
from pathlib import Path

import nbformat

import answers

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
NOTEBOOKS = "[0-9]*.ipynb"  # numbered ones: an editor's backup is no page
PACKAGES = ["torch", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "seaborn"]


def read(folder):
    """Read all notebooks of a folder, by file name."""
    return {p.name: nbformat.read(p, as_version=4) for p in sorted(folder.glob(NOTEBOOKS))}


def git(*arguments):
    """Ask git about this checkout; 'unknown' outside one."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def commit():
    """Name the commit of this checkout, `-dirty` if files differ from it, and its date."""
    return f"{git('describe', '--always', '--dirty')}, {git('log', '-1', '--format=%cs')}"


def versions():
    """Write the table of everything the numbers were computed with."""
    rows = [
        ["commit", commit()],
        ["machine", f"{platform.system()} {platform.machine()}"],
        ["Python", platform.python_version()],
        *([name, importlib.metadata.version(name)] for name in PACKAGES),
    ]
    return answers.table(["Reproduced with", ""], rows)


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
