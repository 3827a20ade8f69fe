"""Claims of the post with what was measured here, and the verdict that follows from a rule.

A notebook ends by displaying its claims; the report collects them from the executed notebooks
into the table on its first page, so no number there is typed.
"""

from dataclasses import asdict, dataclass
from html import escape

from IPython.display import Markdown

from helpers import checks
from helpers.intervals import Estimate

MIME = "application/vnd.claims+json"
HEADER = ("item", "claim", "measured", "n", "verdict")


@dataclass(frozen=True)
class Claim:
    """One claim, what was measured of it on how many networks, and whether it holds.

    item: the post's picture or comment it stems from (P1 to P9, C1 to C4); measured: numbers with
    their intervals; n: networks and data draws behind them; verdict: as `verdict` gives it.
    """

    item: str
    claim: str
    measured: str
    n: str
    verdict: str


def verdict(in_the_post: bool, elsewhere: bool = True) -> str:
    """Return the verdict of a claim from two comparisons of numbers.

    `fails` if it is wrong in the post's own regime, `holds` if it is right there and in the other
    regimes tried, `holds with limits` if it is right there alone.
    """
    in_the_post = checks.truth("in_the_post", in_the_post)
    elsewhere = checks.truth("elsewhere", elsewhere)
    if not in_the_post:
        return "fails"
    return "holds" if elsewhere else "holds with limits"


def compared(a: Estimate, b: Estimate, above: str, below: str, between: str) -> str:
    """Return the words that the intervals of two estimates allow.

    above: for all of a's interval above all of b's; below: for the reverse; between: for neither.
    """
    if a.low > b.high:
        return above
    return below if a.high < b.low else between


def part(fraction: float) -> str:
    """Return a share as in a sentence: `half`, or so many per cent."""
    return "half" if fraction == 0.5 else f"{100 * fraction:g} %"


class ClaimTable:
    """Claims that a notebook shows as a table and that the report can read as data."""

    def __init__(self, *claims: Claim):
        for claim in claims:
            if not isinstance(claim, Claim):
                raise TypeError(f"claims holds {checks.shown(claim)}; expected Claim")
        self.claims = claims

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        rows = [asdict(claim) for claim in self.claims]
        lines = ["".join(f"<td>{escape(row[key])}</td>" for key in HEADER) for row in rows]
        head = "".join(f"<th>{key}</th>" for key in HEADER)
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        html = f'<table class="claims"><tr>{head}</tr>{body}</table>'
        text = "\n".join(f"{row['item']}: {row['verdict']}: {row['measured']} ({row['n']})"
                         for row in rows)
        return {MIME: rows, "text/html": html, "text/plain": text}


def answer(text: str) -> Markdown:
    """Return the notebook's answer, with its computed numbers, as a highlighted paragraph."""
    return Markdown(f"> **Answer.** {text}")


def bullets(*lines: str) -> Markdown:
    """Return sentences with computed numbers as a list."""
    return Markdown("\n".join(f"- {line}" for line in lines))
