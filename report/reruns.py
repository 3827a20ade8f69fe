"""Sites of settings other than the study's: `make report PROBLEM=moons FRACTION=0.3`."""

import json
import re
import shutil

import nbformat
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

import answers
from finish import finish
from helpers import files
from helpers.claims import part
from render import BUILD, ROOT, check_figures, read, sphinx, take_place, workshop
from run_notebooks import execute_all
from run_pages import RECORD, front_page, list_runs, record
from settings import defaults, paths, settings, slug, title

RUNS = BUILD / "runs"
READ_AT = {  # what a reading hangs on, in words
    "PROBLEM": str,
    "LEARNING_RATE": "learning rate {}".format,
    "FRACTION": lambda fraction: f"{part(fraction)} removed",
}


def own(values, known, notebook):
    """Return the settings that one notebook has."""
    return {name: value for name, value in values.items() if notebook in known[name]}


def label(known, notebook):
    """Say at which settings a notebook's text was written."""
    at = [said(known[name][notebook]) for name, said in READ_AT.items() if notebook in known[name]]
    return f"Read at the study's settings ({', '.join(at)})"


def folded(source, heading):
    """Fold a reading of the study's outputs away, up to a heading or a paragraph in bold."""
    reading, *rest = re.split(r"(?m)^(?=#{1,6} |\*\*)", source, maxsplit=1)
    return f"::::{{dropdown}} {heading}\n{reading.strip()}\n::::\n\n{''.join(rest)}"


def parameterised(path, values, known):
    """Return a notebook with its settings, its readings folded and its checks made statements."""
    notebook = load_notebook_node(str(path))
    notebook = with_settings(notebook, own(values, known, path.name))
    for cell in notebook.cells:
        tags = cell.metadata.setdefault("tags", [])
        if "study" in tags:
            cell.source = folded(cell.source, label(known, path.name))
        if "checks" in tags:
            cell.source = f"%%statements\n{cell.source}"
            tags.append("hide-input")
    return notebook


def with_settings(notebook, values):
    """Append settings to the cell tagged parameters, so that cells keep their numbers."""
    values = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
    notebook = parameterize_notebook(notebook, values, comment="The settings of this run")
    (place,) = [k for k, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.tags]
    settings = notebook.cells.pop(place + 1).source.strip()
    notebook.cells[place].source += f"\n\n{settings}\n\n%load_ext helpers.statements"
    for holder in (notebook, *notebook.cells):
        holder.metadata.pop("papermill", None)
    return notebook


def build(given):
    """Run the notebooks with settings NAME=VALUE into a site of their own; return its folder."""
    known = defaults()
    values = settings(given, known)
    target = RUNS / slug(values, known)
    with workshop(BUILD) as folder:
        html = render(values, known, folder)
        RUNS.mkdir(exist_ok=True)
        take_place(html, target)
    list_runs(RUNS)
    return target


def render(values, known, folder):
    """Run the notebooks and render their site, all inside a folder; return the site."""
    source, html = folder / "site-src", folder / "html"
    shutil.copytree(ROOT / "report", source,
                    ignore=shutil.ignore_patterns("__pycache__", "index.md", "headline-*",
                                                  "playground", "which_first.md", "how_fast.md"))
    (folder / "notebooks").mkdir()
    for path in paths():
        nbformat.write(parameterised(path, values, known), folder / "notebooks" / path.name)
    execute_all(sorted((folder / "notebooks").glob("*.ipynb")), source / "notebooks")
    notebooks = read(source / "notebooks")
    (source / "_static/headline.png").write_bytes(answers.headline(notebooks)[-1])
    (source / "index.md").write_text(front_page(notebooks, values, known))
    sphinx(source, html, "-D", f"html_title=Re-run: {title(values, known)}")
    finish(html)
    check_figures(html, notebooks)
    told = json.dumps(record(notebooks, values, known), indent=1) + "\n"
    files.write(html / RECORD, told.encode())
    return html
