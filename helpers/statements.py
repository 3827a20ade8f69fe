"""A notebook's checks as statements that hold or do not, for settings other than the study's.

After `%load_ext helpers.statements`, a cell that begins with `%%statements` shows what becomes of
each of its asserts, and does not stop at the first that fails.
"""

import ast
from collections.abc import Callable
from dataclasses import asdict, dataclass
from html import escape

MIME = "application/vnd.statements+json"
OUTCOMES = ("holds", "does not hold", "could not be computed")  # of several, the last counts
HOLDS, FAILS, LOST = OUTCOMES
TITLE = "The study's statements, tried at these settings"


@dataclass(frozen=True)
class Statement:
    """What an assert says: its message, or else its test; the test; and one of OUTCOMES."""

    text: str
    test: str
    outcome: str


class Tries(ast.NodeTransformer):
    """Turns each assert into a call that notes its outcome; collects what the asserts say."""

    def __init__(self):
        self.words: list[tuple[str, str]] = []
        self.outcomes: list[list[str]] = []

    def visit_Assert(self, node: ast.Assert) -> ast.Expr:
        test = ast.unparse(node.test)
        self.words.append((node.msg.value if isinstance(node.msg, ast.Constant) else test, test))
        self.outcomes.append([])
        return ast.parse(f"__note__({len(self.words) - 1}, lambda: {test})").body[0]

    def note(self, number: int, test: Callable) -> None:
        """Note what became of an assert, this time: it holds, does not, or raises an error."""
        try:
            self.outcomes[number].append(HOLDS if test() else FAILS)
        except Exception:  # whatever it is, the statement could not be computed
            self.outcomes[number].append(LOST)


def tried(source: str, namespace: dict) -> list[Statement]:
    """Run the source in a namespace and return what became of its asserts, in their order.

    One met several times, in a loop, holds if it does each time. One that is never met, or raises
    an error, could not be computed; nor could those of a statement that an error ends.
    """
    tries = Tries()
    namespace["__note__"] = tries.note
    for statement in ast.parse(source).body:
        first = len(tries.words)
        module = ast.fix_missing_locations(ast.Module([tries.visit(statement)], []))
        try:
            exec(compile(module, "<statements>", "exec"), namespace)
        except Exception:  # what needs this statement's names will fail in its turn
            for outcomes in tries.outcomes[first:]:
                outcomes.append(LOST)
    del namespace["__note__"]
    return [Statement(*words, max(outcomes, key=OUTCOMES.index, default=LOST))
            for words, outcomes in zip(tries.words, tries.outcomes, strict=True)]


class StatementTable:
    """Statements that a notebook shows as a table and that the report can read as data."""

    def __init__(self, statements: list[Statement]):
        self.statements = statements

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        rows = [asdict(statement) for statement in self.statements]
        body = "".join(
            f"<tr><td>{escape(row['text'])}<br><code>{escape(row['test'])}</code></td>"
            f'<td class="{row["outcome"].replace(" ", "-")}">{row["outcome"]}</td></tr>'
            for row in rows)
        html = (f'<table class="statements"><caption>{TITLE}</caption>'
                f"<tr><th>statement</th><th>here</th></tr>{body}</table>")
        text = "\n".join(f"{row['outcome']}: {row['text']}" for row in rows)
        return {MIME: rows, "text/html": html, "text/plain": text}


def load_ipython_extension(shell) -> None:
    """Give a notebook the cell magic `%%statements`."""
    def statements(line: str, cell: str) -> StatementTable:
        return StatementTable(tried(cell, shell.user_ns))

    shell.register_magic_function(statements, "cell")
