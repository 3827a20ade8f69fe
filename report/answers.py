"""Collect what the notebooks claim and show it: tables for the site and README, headline figure."""

import base64
import re

CLAIMS = "application/vnd.claims+json"
FIELDS = {"item", "claim", "measured", "n", "verdict"}
BADGES = {"holds": "success", "holds with limits": "warning", "fails": "danger"}
ORDERS = "F3"  # the claim about the two orders, on thousands of networks
EVIDENCE = "what-we-learned"  # the section of a notebook that ends in its claims
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


def tagged(notebooks, tag, mime):
    """Return name, cell and data of the outputs of one kind in cells with a tag, in order."""
    return [
        (name, cell, output.data[mime])
        for name, notebook in notebooks.items()
        for cell, output in outputs(notebook)
        if tag in cell.metadata.get("tags", []) and mime in output.get("data", {})
    ]


def headline(notebooks):
    """Return the PNG bytes of the pictures that the last notebook with any tags `headline`.

    The later of two notebooks that state the answer in pictures rests on more networks.
    """
    found = tagged(notebooks, "headline", "image/png")
    if not found:
        raise ValueError("no notebook shows a picture in a cell tagged headline")
    return [base64.b64decode(data) for name, _, data in found if name == found[-1][0]]


def film(notebooks):
    """Return the HTML of the one film in a cell tagged `landing-film`."""
    found = tagged(notebooks, "landing-film", "text/html")
    if len(found) != 1:
        raise ValueError(f"{len(found)} cells tagged landing-film show something; expected one")
    return found[0][2]


def cards(notebooks):
    """Return for each notebook the PNG bytes and alt text of the first picture tagged `card`."""
    found = {}
    for name, cell, data in tagged(notebooks, "card", "image/png"):
        found.setdefault(name, (base64.b64decode(data), cell.metadata["mystnb"]["image"]["alt"]))
    if missing := [name for name in notebooks if name not in found]:
        raise ValueError(f"no picture in a cell tagged card: {', '.join(missing)}")
    return found


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
    """Write the answer to the project's question: that of the notebook which settles ORDERS."""
    settled = [claim["notebook"] for claim in claims if claim["item"] == ORDERS]
    if not settled:
        raise ValueError(f"no notebook displays a claim {ORDERS}, which the first page answers")
    return answer_of(settled[0], notebooks[settled[0]]) + "\n"


def table(header, rows):
    """Write a Markdown table; a bar inside a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    escaped = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in escaped) + "\n"


def is_finding(claim):
    """Tell whether a claim is one of this study's own, F1, F2, ..., not the post's."""
    return claim["item"].startswith("F")


def badge(verdict):
    """Write a verdict as a coloured label."""
    return f"{{bdg-{BADGES[verdict]}}}`{verdict}`"


def evidence(claim):
    """Write the link from a claim to the place in the notebook that computes it."""
    return f"[{claim['notebook'][:2]}](notebooks/{claim['notebook']}#{EVIDENCE})"


def counted(claim):
    """Write on how many networks and draws a claim rests, with a link to which seeds they have."""
    return f"{{term}}`{claim['n']} <seed>`"


def claim_table(claims):
    """Write the site's table: each claim, its number with n, a badge, a link to the evidence."""
    rows = [
        [
            c["item"],
            c["claim"],
            f"{c['measured']}<br><small>{counted(c)}</small>",
            badge(c["verdict"]),
            evidence(c),
        ]
        for c in claims
    ]
    return table(["", "Claim", "Measured here", "Verdict", "In"], rows)


def grid(items, columns):
    """Write cards in a grid of some columns, fewer where the page is narrow."""
    return "\n".join([f":::::{{grid}} 1 2 2 {columns}", ":gutter: 3", "", *items, ":::::", ""])


def findings(claims):
    """Write a card for each finding: what, how much, of how many, verdict and evidence."""
    cards = [
        f"""::::{{grid-item-card}} {c["claim"]}
{c["measured"]}
:::{{card-footer}}
{badge(c["verdict"])} {counted(c)}, notebook {evidence(c)}
:::
::::"""
        for c in claims
    ]
    return grid(cards, columns=3)


def gallery(notebooks, cards):
    """Write a card for each notebook: its question, a picture, its link."""
    items = [
        f"""::::{{grid-item-card}} {title(notebook)}
:link: notebooks/{name.removesuffix(".ipynb")}
:link-type: doc
:img-bottom: _static/cards/{name.removesuffix(".ipynb")}.png
:img-alt: {cards[name][1]}
::::"""
        for name, notebook in notebooks.items()
    ]
    return grid(items, columns=2)


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
