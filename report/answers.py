"""Collect what the notebooks claim and show it: tables for the site and README, headline figure."""

import base64
import re

CLAIMS = "application/vnd.claims+json"
FIELDS = {"item", "claim", "measured", "n", "verdict"}
BADGES = {"holds": "success", "holds with limits": "warning", "fails": "danger"}
ORDERS = ["F3", "P4", "P8"]  # claims about the two orders: in thousands, random half, std half
START, END = "<!-- answer:start -->", "<!-- answer:end -->"


def outputs(notebook):
    """Yield (cell, output) for every stored output."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield cell, output


def claims_of(name, notebook):
    """List the claims one notebook displays, each with the notebook's name."""
    found = []
    for _, output in outputs(notebook):
        for claim in output.get("data", {}).get(CLAIMS, []):
            if missing := FIELDS - claim.keys():
                raise ValueError(f"notebooks/{name}: claim {claim} lacks {sorted(missing)}")
            if claim["verdict"] not in BADGES:
                raise ValueError(
                    f"notebooks/{name}: verdict {claim['verdict']!r} is none of {list(BADGES)}"
                )
            found.append({**claim, "notebook": name})
    return found


def order(claim):
    """Sort P1..P9, then C1..C4, then the rest by name."""
    match = re.fullmatch(r"([PC])(\d+)(.*)", claim["item"])
    if not match:
        return (2, 0, claim["item"], claim["notebook"])
    return ("PC".index(match[1]), int(match[2]), match[3], claim["notebook"])


def collect(notebooks):
    """Gather the claims of all notebooks, a dict from file name to notebook, in reading order."""
    claims = [c for name, notebook in notebooks.items() for c in claims_of(name, notebook)]
    if not claims:
        raise ValueError("no notebook displays a claim (see helpers/claims.py)")
    return sorted(claims, key=order)


def headline(notebooks):
    """Return the PNG bytes of the picture shown by the one cell tagged `headline`."""
    found = [
        (name, output.data["image/png"])
        for name, notebook in notebooks.items()
        for cell, output in outputs(notebook)
        if "headline" in cell.metadata.get("tags", []) and "image/png" in output.get("data", {})
    ]
    if len({name for name, _ in found}) != 1:
        names = sorted({name for name, _ in found})
        raise ValueError(f"one notebook must show a picture in a cell tagged headline, not {names}")
    return base64.b64decode(found[0][1])


def title(notebook):
    """Return the text of the notebook's first heading."""
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    match = re.search(r"^# +(.+)$", text, flags=re.MULTILINE)
    if not match:
        raise ValueError("a notebook has no title: its first cell must start with '# '")
    return match[1].strip()


def answer_of(name, notebook):
    """Return the computed sentences of a notebook's answer (see helpers/claims.py)."""
    for _, output in outputs(notebook):
        text = output.get("data", {}).get("text/markdown", "")
        if text.startswith("> **Answer.** "):
            return text.removeprefix("> **Answer.** ").strip()
    raise ValueError(f"notebooks/{name}: no cell displays an answer (see helpers/claims.py)")


def short_answer(notebooks, claims):
    """Write the answer to the project's question: what the notebooks on both orders answer."""
    settled = {claim["item"]: claim["notebook"] for claim in claims}
    if missing := [item for item in ORDERS if item not in settled]:
        raise ValueError(f"no notebook displays a claim {missing}, which the first page answers")
    return "".join(
        f"- **[{title(notebooks[name])}](notebooks/{name})** {answer_of(name, notebooks[name])}\n"
        for name in dict.fromkeys(settled[item] for item in ORDERS)
    )


def table(header, rows):
    """Write a Markdown table; a bar inside a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    escaped = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in escaped) + "\n"


def claim_table(claims):
    """Write the site's table: each claim, its number with n, a badge, a link to the evidence."""
    rows = [
        [
            c["item"],
            c["claim"],
            f"{c['measured']}<br><small>{c['n']}</small>",
            f"{{bdg-{BADGES[c['verdict']]}}}`{c['verdict']}`",
            f"[{c['notebook'][:2]}](notebooks/{c['notebook']})",
        ]
        for c in claims
    ]
    return table(["", "Claim", "Measured here", "Verdict", "In"], rows)


def notebook_table(notebooks, claims):
    """Write the site's table of notebooks with the claims each one settles."""
    rows = [
        [
            f"[{title(notebook)}](notebooks/{name})",
            ", ".join(c["item"] for c in claims if c["notebook"] == name),
        ]
        for name, notebook in notebooks.items()
    ]
    return table(["Notebook", "Claims"], rows)


def contents(names):
    """Write the sidebar's list of notebooks, under the short names of their files."""
    entries = [f"{name[:-6].replace('_', ' ')} <notebooks/{name[:-6]}>" for name in names]
    return "\n".join(["```{toctree}", ":caption: Notebooks", ":hidden:", "", *entries, "```", ""])


def answer_block(claims):
    """Write the README's table of claims and verdicts."""
    rows = [[c["item"], c["claim"], c["measured"], c["verdict"]] for c in claims]
    return table(["", "Claim", "Measured here", "Verdict"], rows)


def fill_block(text, block):
    """Replace what stands between the two markers."""
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise ValueError(f"README.md must hold {START} and then {END}, each once")
    before, after = text.split(START)[0], text.split(END)[1]
    return f"{before}{START}\n\n{block}\n{END}{after}"
