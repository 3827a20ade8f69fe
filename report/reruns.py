"""Sites of settings other than the study's: `make report PROBLEM=moons FRACTION=0.3`."""

import json
import re
import shutil
import tempfile
from base64 import b64encode
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template

import nbformat
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

import answers
from finish import finish
from helpers import statements
from helpers.claims import part
from render import BUILD, ROOT, check_figures, git, read, sphinx, versions
from run_notebooks import execute_all
from settings import changed, defaults, paths, settings, slug, title

RUNS = BUILD / "runs"
RECORD = "run.json"  # what a run leaves in its folder for the page that lists all runs
TEMPLATES = ROOT / "report/templates"


# The notebooks of a run


def own(values, known, notebook):
    """Return the settings that one notebook has."""
    return {name: value for name, value in values.items() if notebook in known[name]}


READ_AT = {
    "PROBLEM": str,
    "LEARNING_RATE": "learning rate {}".format,
    "FRACTION": lambda fraction: f"{part(fraction)} removed",
}


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


# The pages of a run


def settings_table(values, known):
    """Write the table of all settings, the changed ones in bold, beside the study's."""
    rows = []
    for name, values_of in known.items():
        usual = " or ".join(map(str, dict.fromkeys(values_of.values())))
        here = f"**{values[name]}**" if name in changed(values, known) else values.get(name, usual)
        rows.append([f"`{name}`", here, usual, ", ".join(notebook[:2] for notebook in values_of)])
    return answers.table(["Setting", "Here", "In the study", "Notebooks"], rows)


def outcomes(notebook):
    """Count a notebook's statements by what became of them."""
    return Counter(
        row["outcome"]
        for _, output in answers.outputs(notebook)
        for row in output.get("data", {}).get(statements.MIME, [])
    )


def statement_table(notebooks):
    """Write the table that counts, notebook by notebook, which of the study's statements hold."""
    rows = []
    for name, notebook in notebooks.items():
        count = outcomes(notebook)
        link = f"[{answers.title(notebook)}](notebooks/{name})"
        rows.append([link, *(count[outcome] for outcome in statements.OUTCOMES)])
    return answers.table(["Notebook", *statements.OUTCOMES], rows)


def front_page(notebooks, values, known):
    """Write the first page of a run."""
    claims = answers.collect(notebooks)
    said = (f"- **[{answers.title(notebook)}](notebooks/{name})** "
            f"{answers.answer_of(name, notebook)}" for name, notebook in notebooks.items())
    return Template((TEMPLATES / "run.md").read_text()).substitute(
        title=title(values, known),
        settings=settings_table(values, known),
        answers="\n".join(said),
        claims=answers.claim_table(claims),
        statements=statement_table(notebooks),
        versions=versions(),
        contents=answers.contents(notebooks),
    )


def record(notebooks, values, known):
    """Return what the page of all runs says about one run."""
    verdicts = Counter(claim["verdict"] for claim in answers.collect(notebooks))
    return {
        "title": title(values, known),
        "settings": values,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": git("describe", "--always", "--dirty"),
        "verdicts": {verdict: verdicts[verdict] for verdict in answers.BADGES},
        "statements": {o: sum(outcomes(n)[o] for n in notebooks.values())
                       for o in statements.OUTCOMES},
    }


# The page of all runs


def counted(counts):
    """Write counts in words, without those of none."""
    return ", ".join(f"{name}: {count}" for name, count in counts.items() if count)


def list_runs(folder):
    """Write the page that lists all runs in a folder, the latest first."""
    found = {path.parent.name: json.loads(path.read_text()) for path in folder.glob(f"*/{RECORD}")}
    rows = []
    for name in sorted(found, key=lambda name: found[name]["date"], reverse=True):
        run = found[name]
        link = f'<a href="{escape(name)}/index.html">{escape(run["title"])}</a>'
        cells = [counted(run["verdicts"]), counted(run["statements"]), run["date"], run["commit"]]
        rest = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f'<tr><th scope="row">{link}</th>{rest}</tr>')
    page = Template((TEMPLATES / "runs.html").read_text()).substitute(rows="\n".join(rows))
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    (folder / "index.html").write_text(page.replace("STYLE-HASH", f"sha256-{digest}"))


# The run


@contextmanager
def workshop():
    """Give a folder for a run in the making, and clear it away whatever happens."""
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="rerun-") as folder:
        yield Path(folder)


def build(given):
    """Run the notebooks with settings NAME=VALUE into a site of their own; return its folder."""
    known = defaults()
    values = settings(given, known)
    target = RUNS / slug(values, known)
    with workshop() as folder:
        html = render(values, known, folder)
        RUNS.mkdir(exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        html.rename(target)
    list_runs(RUNS)
    return target


def render(values, known, folder):
    """Run the notebooks and render their site, all inside a folder; return the site."""
    source, html = folder / "site-src", folder / "html"
    shutil.copytree(ROOT / "report", source,
                    ignore=shutil.ignore_patterns("__pycache__", "index.md"))
    (folder / "notebooks").mkdir()
    for path in paths():
        nbformat.write(parameterised(path, values, known), folder / "notebooks" / path.name)
    execute_all(sorted((folder / "notebooks").glob("*.ipynb")), source / "notebooks")
    notebooks = read(source / "notebooks")
    (source / "index.md").write_text(front_page(notebooks, values, known))
    sphinx(source, html, "-D", f"html_title=Re-run: {title(values, known)}")
    finish(html)
    check_figures(html, notebooks)
    (html / RECORD).write_text(json.dumps(record(notebooks, values, known), indent=1) + "\n")
    return html
