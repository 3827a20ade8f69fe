"""Build the site from freshly run notebooks, or (--inplace) refresh what the notebooks store."""

import argparse
import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat

import answers
from run_notebooks import NotebookFailed, execute_all, set_environment

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
SOURCE, HTML = BUILD / "site-src", BUILD / "html"
NOTEBOOKS = "[0-9]*.ipynb"  # numbered ones: an editor's backup is no page
PACKAGES = ["torch", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "seaborn"]
REMOTE = re.compile(r"<(?:script|link|img|iframe|source|video)\b[^>]*(?:src|href)=\"(?:https?:)?//")


def read(folder):
    """Read all notebooks of a folder, by file name."""
    return {p.name: nbformat.read(p, as_version=4) for p in sorted(folder.glob(NOTEBOOKS))}


def git(*arguments):
    """Ask git about this checkout; 'unknown' outside one."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def versions():
    """Write the table of everything the numbers were computed with."""
    commit, date = git("describe", "--always", "--dirty"), git("log", "-1", "--format=%cs")
    rows = [
        ["commit", f"{commit}, {date}"],
        ["machine", f"{platform.system()} {platform.machine()}"],
        ["Python", platform.python_version()],
        *([name, importlib.metadata.version(name)] for name in PACKAGES),
    ]
    return answers.table(["Reproduced with", ""], rows)


def write_sources(notebooks):
    """Write the computed parts of the landing page: answer, figure, tables, list of pages."""
    claims = answers.collect(notebooks)
    (SOURCE / "_static/headline.png").write_bytes(answers.headline(notebooks))
    computed = SOURCE / "computed"
    computed.mkdir()
    (computed / "answer.md").write_text(answers.short_answer(notebooks, claims))
    (computed / "claims.md").write_text(answers.claim_table(claims))
    (computed / "notebooks.md").write_text(answers.notebook_table(notebooks, claims))
    (computed / "contents.md").write_text(answers.contents(notebooks))
    (computed / "versions.md").write_text(versions())


def sphinx():
    """Render the sources; any warning is an error."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    if subprocess.run([*command, "-d", BUILD / "doctrees", SOURCE, HTML]).returncode:
        raise ValueError("the site was not built: see Sphinx's warnings above")


def check_site(names):
    """Refuse a site that loads anything from elsewhere or a notebook page without a figure."""
    for page in HTML.rglob("*.html"):
        if found := REMOTE.search(page.read_text()):
            raise ValueError(f"{page.relative_to(HTML)} loads from another machine: {found[0]}")
    for name in names:
        text = (HTML / "notebooks" / name).with_suffix(".html").read_text()
        if not re.search(r"_images/\w+\.png|<video", text):
            raise ValueError(f"the page of notebooks/{name} shows no figure")


def build_site():
    """Execute every notebook into the build folder and render the site from there."""
    for folder in (SOURCE, HTML, BUILD / "doctrees"):
        shutil.rmtree(folder, ignore_errors=True)
    paths = sorted((ROOT / "notebooks").glob(NOTEBOOKS))
    shutil.copytree(ROOT / "report", SOURCE, ignore=shutil.ignore_patterns("__pycache__"))
    execute_all(paths, SOURCE / "notebooks")
    write_sources(read(SOURCE / "notebooks"))
    sphinx()
    check_site(path.name for path in paths)


def refresh(paths):
    """Execute notebooks in place, then bring README.md and its figure in step with all of them."""
    execute_all(paths or sorted((ROOT / "notebooks").glob(NOTEBOOKS)), ROOT / "notebooks")
    notebooks = read(ROOT / "notebooks")
    (ROOT / "report/_static/headline.png").write_bytes(answers.headline(notebooks))
    readme = ROOT / "README.md"
    block = answers.answer_block(answers.collect(notebooks))
    readme.write_text(answers.fill_block(readme.read_text(), block))


def main():
    """Run the command line; a failing notebook is named in the last line printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inplace", action="store_true", help="refresh the stored notebooks")
    parser.add_argument("notebooks", nargs="*", type=Path, help="only these (with --inplace)")
    arguments = parser.parse_args()
    if arguments.notebooks and not arguments.inplace:
        parser.error("the site is always built from all notebooks; name some only with --inplace")
    begin = time.perf_counter()
    set_environment(BUILD)
    try:
        refresh(arguments.notebooks) if arguments.inplace else build_site()
    except (NotebookFailed, ValueError, OSError) as error:
        sys.exit(str(error) if isinstance(error, NotebookFailed) else f"FAILED: {error}")
    done = (
        "refreshed notebooks and README.md" if arguments.inplace else "open build/html/index.html"
    )
    print(f"{done} ({time.perf_counter() - begin:.0f} s)")


if __name__ == "__main__":
    main()
