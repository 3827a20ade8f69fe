"""Build the site from freshly run notebooks, a site of other settings (NAME=VALUE), or refresh
(--inplace) what the notebooks store.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import answers
import gpu_page
import playground_page
import reruns
import social
import speed_page
from finish import finish
from helpers import files
from provenance import versions
from render import BUILD, NOTEBOOKS, ROOT, check_figures, read, sphinx, take_place, workshop
from run_notebooks import NotebookFailed, execute_all, set_environment

SOURCE, HTML = BUILD / "site-src", BUILD / "html"


def write_headline(notebooks, folder):
    """Write the pictures that state the answer: headline-1.png, headline-2.png."""
    for number, picture in enumerate(answers.headline(notebooks), 1):
        files.write(folder / f"headline-{number}.png", picture)


def write_sources(notebooks):
    """Write the computed parts of the landing page: answer, pictures, tables, list of pages."""
    claims = answers.collect(notebooks)
    beyond = [claim for claim in claims if answers.is_finding(claim)]
    write_headline(notebooks, SOURCE / "_static")
    (SOURCE / "_static/cards").mkdir()
    cards = answers.cards(notebooks)
    for name, (picture, _) in cards.items():
        (SOURCE / "_static/cards" / name).with_suffix(".png").write_bytes(picture)
    computed = {
        "answer": answers.short_answer(notebooks, claims),
        "film": answers.film(notebooks),
        "findings": answers.findings(beyond),
        "claims": answers.claim_table([claim for claim in claims if claim not in beyond]),
        "notebooks": answers.gallery(notebooks, cards),
        "contents": answers.contents(notebooks),
        "versions": versions(),
    }
    (SOURCE / "computed").mkdir()
    for name, text in computed.items():
        (SOURCE / "computed" / name).with_suffix(".md").write_text(text)


def build_site():
    """Execute every notebook into the build folder and render the site from there.

    The site before it stays until the new one is finished.
    """
    for folder in (SOURCE, BUILD / "doctrees"):
        shutil.rmtree(folder, ignore_errors=True)
    paths = sorted((ROOT / "notebooks").glob(NOTEBOOKS))
    shutil.copytree(ROOT / "report", SOURCE,
                    ignore=shutil.ignore_patterns("__pycache__", "playground"))
    execute_all(paths, SOURCE / "notebooks")
    write_sources(read(SOURCE / "notebooks"))
    playground_page.write(SOURCE)
    speed_page.write(SOURCE)
    gpu_page.write(SOURCE)
    with workshop(BUILD) as folder:
        html = folder / "html"
        sphinx(SOURCE, html)
        finish(html)
        check_figures(html, [path.name for path in paths])
        take_place(html, HTML)


def refresh(paths):
    """Execute notebooks in place, then bring README.md and its pictures in step with all."""
    known = sorted((ROOT / "notebooks").glob(NOTEBOOKS))
    for path in paths:
        if path.resolve() not in known:
            raise ValueError(f"notebook is {str(path)!r}; expected one of those in notebooks/")
    execute_all(paths or known, ROOT / "notebooks")
    notebooks = read(ROOT / "notebooks")
    static = ROOT / "report/_static"
    write_headline(notebooks, static)
    files.write(static / "social.png", social.preview(answers.headline(notebooks)))
    readme = ROOT / "README.md"
    block = answers.answer_block(answers.collect(notebooks))
    files.write(readme, answers.fill_block(readme.read_text(), block).encode())


def site_of(settings):
    """Build the study's site, or that of other settings; return its first page."""
    if settings:
        return reruns.build(settings) / "index.html"
    build_site()
    return HTML / "index.html"


def main():
    """Run the command line; a failing notebook is named in the last line printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inplace", action="store_true", help="refresh the stored notebooks")
    parser.add_argument("given", nargs="*", metavar="NAME=VALUE | notebook",
                        help="settings of a re-run; with --inplace, the notebooks to refresh")
    arguments = parser.parse_args()
    begin = time.perf_counter()
    set_environment(BUILD)
    try:
        if arguments.inplace:
            refresh([Path(path) for path in arguments.given])
            done = "refreshed notebooks and README.md"
        else:
            done = f"open {site_of(arguments.given).relative_to(ROOT)}"
    except (NotebookFailed, ValueError, OSError) as error:
        sys.exit(str(error) if isinstance(error, NotebookFailed) else f"FAILED: {error}")
    print(f"{done} ({time.perf_counter() - begin:.0f} s)")


if __name__ == "__main__":
    main()
