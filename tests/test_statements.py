"""Checks become statements: each is tried, none stops the next."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from helpers.statements import FAILS, HOLDS, LOST, MIME, Statement, StatementTable, tried


def outcomes(source, **namespace):
    return [statement.outcome for statement in tried(source, namespace)]


def test_each_assert_is_tried_and_named_by_its_message_or_its_test():
    assert tried("assert x == 1, 'one'\nassert x > 1\nassert 1 / 0, f'{x}'", {"x": 1}) == [
        Statement("one", "x == 1", HOLDS), Statement("x > 1", "x > 1", FAILS),
        Statement("1 / 0", "1 / 0", LOST)]


@pytest.mark.parametrize("source, expected", [
    ("for k in range(3):\n    assert k < 2\n    assert k < 3", [FAILS, HOLDS]),
    ("for k in (1, 0):\n    assert 1 / k", [LOST]),
    ("for k in ():\n    assert k", [LOST]),
    ("for k in (2, 1, 0):\n    assert k < 3\n    1 / k\nassert True", [LOST, HOLDS]),
    ("y = 1 / 0\nassert y == 1\nassert True", [LOST, HOLDS]),
    ("assert True\n1 / 0\nassert True", [HOLDS, HOLDS]),
    ("y = 2\nassert y == 2 and all(y == k for k in (2, 2))", [HOLDS]),
])
def test_loops_and_errors(source, expected):
    assert outcomes(source) == expected


def test_the_namespace_keeps_what_the_source_makes_and_nothing_else():
    namespace = {"x": 1, "__builtins__": __builtins__}
    tried("y = x + 1\nassert y", namespace)
    assert {name: namespace[name] for name in ("x", "y")} == {"x": 1, "y": 2}
    assert set(namespace) == {"x", "y", "__builtins__"}


def test_a_notebook_shows_statements_as_html_text_and_data():
    shell = InteractiveShell()
    shell.run_cell("%load_ext helpers.statements\nx = 1")
    result = shell.run_cell("%%statements\nassert x < 1, 'a < b'\ny = 2\nassert y == 2").result
    assert isinstance(result, StatementTable)
    bundle = result._repr_mimebundle_()
    assert [row["outcome"] for row in bundle[MIME]] == [FAILS, HOLDS]
    assert "<td>a &lt; b<br><code>x &lt; 1</code></td><td class=\"does-not-hold\">" in (
        bundle["text/html"])
    assert bundle["text/plain"] == "does not hold: a < b\nholds: y == 2"
    assert shell.user_ns["y"] == 2
