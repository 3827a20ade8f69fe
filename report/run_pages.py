"""The pages of re-runs: the first page of one, and the page that lists all."""

import json
import re
from base64 import b64encode
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from string import Template

import answers
from helpers import files, statements
from provenance import commit, versions
from render import ROOT
from settings import changed, title

TEMPLATES = ROOT / "report/templates"
RECORD = "run.json"  # what a run leaves in its folder for the page that lists all runs


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
    _, pictured, _ = answers.tagged(notebooks, "headline", "image/png")[-1]
    return Template((TEMPLATES / "run.md").read_text()).substitute(
        title=title(values, known),
        settings=settings_table(values, known),
        answers="\n".join(said),
        alt=pictured.metadata["mystnb"]["image"]["alt"],
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
        "commit": commit(),
        "verdicts": {verdict: verdicts[verdict] for verdict in answers.BADGES},
        "statements": {o: sum(outcomes(n)[o] for n in notebooks.values())
                       for o in statements.OUTCOMES},
    }


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
    files.write(folder / "index.html", page.replace("STYLE-HASH", f"sha256-{digest}").encode())
