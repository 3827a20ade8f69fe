"""Whatever a docstring says is raised, some test of refusals asks for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = re.compile(r"\bRaises?\b|[A-Z]\w*Error\b|\b[Ee]rrors\b")


def documented(node: ast.AST, path: str) -> Iterator[str]:
    """Yield the paths of public functions, methods and classes that document an error."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, (ast.FunctionDef, ast.ClassDef)) and not inner.name.startswith("_"):
            own = f"{path}.{inner.name}"
            if DOCUMENTS.search(ast.get_docstring(inner) or ""):
                yield own
            yield from documented(inner, own)


def refusals(test: ast.FunctionDef) -> list[ast.AST]:
    """Return the blocks of a test that have to raise, and its rows, which feed them."""
    blocks = [node for node in ast.walk(test) if isinstance(node, ast.With)
              and any(ast.unparse(item).startswith("pytest.raises") for item in node.items)]
    return [*blocks, *test.decorator_list] if blocks else []


def refused(tree: ast.Module) -> set[str]:
    """Return the paths of all that a module's refusals name, and the functions of it they call.

    What it does not import from elsewhere, such as `gpu`, counts as a module of the package.
    """
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    imported = {alias.asname or alias.name: f"{node.module}.{alias.name}" for node in ast.walk(tree)
                if isinstance(node, ast.ImportFrom) for alias in node.names}
    found, parts = set(), [part for test in functions.values() for part in refusals(test)]
    while parts:
        for node in ast.walk(parts.pop()):
            if isinstance(node, (ast.Name, ast.Attribute)):
                first, dot, rest = ast.unparse(node).partition(".")
                parts += [functions.pop(first)] if first in functions else []
                found.add(imported.get(first, f"helpers.{first}") + dot + rest)
    return found


DOCUMENTED = [name for path in sorted((ROOT / "helpers").glob("*.py"))
              for name in documented(ast.parse(path.read_text()), f"helpers.{path.stem}")]
REFUSED = {name for path in (ROOT / "tests").glob("*.py")
           for name in refused(ast.parse(path.read_text()))}
METHODS = {path.rpartition(".")[2] for path in REFUSED}  # of whichever object


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_error_is_asked_for(name):
    package, module, function, *method = name.split(".")
    assert method[0] in METHODS if method else name in REFUSED
