"""What notebooks/ stores is complete, in order, free of machine traces; README agrees with it."""

import base64
import re
from pathlib import Path

import nbformat
import pytest

import answers

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES, MOST_CELLS, MOST_LINES = 600 * 1024, 40, 15
TIMING = {"execution", "ExecuteTime", "papermill"}
FOLDERS = r"(?<![\w.:/])/(?:home|Users|root|tmp|var|opt|usr|mnt|work|private)/|[A-Z]:\\\\?Users"
FIGURE = re.compile(r"<(?:img|video)\b")
SHORTEST_ALT, LONGEST_ALT = 40, 300


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def words(output):
    """The readable text of an output: streams, plain text and HTML without embedded files."""
    data = output.get("data", {})
    text = [output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")]
    return re.sub(r"base64,[\w+/=\s]+", "", "\n".join("".join(part) for part in text))


def about_metadata(notebook):
    if "widgets" in notebook.metadata:
        yield "stored widget state"
    if "version" in notebook.metadata.get("language_info", {}):
        yield "stored Python version"
    for cell in notebook.cells:
        if TIMING & cell.metadata.keys():
            yield "timing in cell metadata"


def about_outputs(notebook):
    for _, output in answers.outputs(notebook):
        if output.output_type == "error":
            yield "a stored error"
        if output.get("name") == "stderr":
            yield "stored stderr"
        if "application/vnd.jupyter.widget-view+json" in output.get("data", {}):
            yield "a widget view"
    text = [cell.source for cell in notebook.cells]
    text += [words(output) for _, output in answers.outputs(notebook)]
    if re.search(FOLDERS, "\n".join(text)):
        yield "a path of one machine"


def about_order(notebook):
    cells = code_cells(notebook)
    if [cell.execution_count for cell in cells] != list(range(1, len(cells) + 1)):
        yield "execution counts are not 1, 2, 3, ..."
    for cell in cells:
        if "nbval-check-output" in tags(cell) and not cell.outputs:
            yield "a checked cell stores nothing to check against"


def about_parts(notebook):
    first, *_, last = code_cells(notebook)
    if not notebook.cells[0].source.startswith("# "):
        yield "no title in the first cell"
    if "parameters" not in tags(first):
        yield "the first code cell is not tagged parameters"
    if "checks" not in tags(last):
        yield "the last code cell is not tagged checks"
    checks = [cell.source for cell in code_cells(notebook) if "checks" in tags(cell)]
    if not re.search(r"^\s*assert\b", "\n".join(checks), flags=re.MULTILINE):
        yield "no assert in the checks"


def about_figures(notebook):
    shown = [output.get("data", {}) for _, output in answers.outputs(notebook)]
    if not any(data.get("image/png") or FIGURE.search(data.get("text/html", "")) for data in shown):
        yield "no figure"
    for cell, output in answers.outputs(notebook):
        if "image/png" in output.get("data", {}):
            alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            if not SHORTEST_ALT <= len(alt) <= LONGEST_ALT:
                yield f"a picture without alt text of a sentence or two ({cell.get('id')})"


def about_size(notebook):
    if len(nbformat.writes(notebook).encode()) > MOST_BYTES:
        yield f"larger than {MOST_BYTES} bytes"
    if sum("colab" not in tags(cell) for cell in notebook.cells) > MOST_CELLS:  # see report/home.py
        yield f"more than {MOST_CELLS} cells"
    for cell in code_cells(notebook):
        if sum(bool(line.strip()) for line in cell.source.splitlines()) > MOST_LINES:
            yield f"a code cell of more than {MOST_LINES} lines"


RULES = [about_metadata, about_outputs, about_order, about_parts, about_figures, about_size]


def complaints(notebook):
    """Everything wrong with what one notebook stores."""
    return [complaint for rule in RULES for complaint in rule(notebook)]


def stored():
    return {path.name: nbformat.read(path, as_version=4) for path in NOTEBOOKS}


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_notebook_is_sound(path):
    assert complaints(nbformat.read(path, as_version=4)) == []


def test_readme_shows_the_stored_claims():
    readme = (ROOT / "README.md").read_text()
    assert answers.fill_block(readme, answers.answer_block(answers.collect(stored()))) == readme


def test_readme_figures_are_the_stored_headline():
    kept = sorted((ROOT / "report/_static").glob("headline-*.png"))
    assert [path.read_bytes() for path in kept] == answers.headline(stored())
    readme = (ROOT / "README.md").read_text()
    assert all(f"report/_static/{path.name}" in readme for path in kept)


# The guard itself: a sound notebook passes, and each way of spoiling it is noticed.

PICTURE = base64.b64encode(b"a picture").decode()


def code(source, count, outputs=(), tags=(), **metadata):
    metadata["tags"] = list(tags)
    return nbformat.v4.new_code_cell(
        source, execution_count=count, outputs=list(outputs), metadata=metadata
    )


def prose(count):
    return [nbformat.v4.new_markdown_cell("More.") for _ in range(count)]


def sound():
    """The smallest notebook without a complaint."""
    figure = nbformat.v4.new_output("display_data", data={"image/png": PICTURE})
    number = nbformat.v4.new_output("execute_result", data={"text/plain": "2"}, execution_count=3)
    alt = {"image": {"alt": "A bar of height one; compare it with the axis."}}
    cells = [
        nbformat.v4.new_markdown_cell("# One and one\n\nWhat is it?"),
        code("one = 1", 1, tags=["parameters"]),
        code("plot(one)", 2, outputs=[figure], mystnb=alt),
        code("one + one", 3, outputs=[number], tags=["nbval-check-output"]),
        code("assert one + one == 2", 4, tags=["checks"]),
        nbformat.v4.new_markdown_cell("- It is two."),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def add_output(kind, **fields):
    return lambda nb: nb.cells[2].outputs.append(nbformat.v4.new_output(kind, **fields))


def set_source(index, source):
    return lambda nb: nb.cells[index].update(source=source)


SPOILED = {
    "stored widget state": lambda nb: nb.metadata.update(widgets={}),
    "stored Python version": lambda nb: nb.metadata.update(language_info={"version": "3.11.7"}),
    "timing in cell metadata": lambda nb: nb.cells[2].metadata.update(execution={}),
    "a stored error": add_output("error", ename="ValueError", evalue="", traceback=[]),
    "stored stderr": add_output("stream", name="stderr", text="UserWarning"),
    "a widget view": add_output(
        "display_data", data={"application/vnd.jupyter.widget-view+json": {}}
    ),
    "a path of one machine": add_output("stream", name="stdout", text="see /home/ada/x.py"),
    "execution counts are not": lambda nb: nb.cells[3].update(execution_count=None),
    "a checked cell stores nothing": lambda nb: nb.cells[3].update(outputs=[]),
    "no title": set_source(0, "One and one"),
    "the first code cell is not": lambda nb: nb.cells[1].metadata.update(tags=[]),
    "the last code cell is not": lambda nb: nb.cells.append(code("late = 1", 5)),
    "no assert": set_source(4, "one + one == 2"),
    "no figure": lambda nb: nb.cells[2].update(outputs=[]),
    "a picture without alt text": lambda nb: nb.cells[2].metadata.update(
        mystnb={"image": {"alt": "A bar."}}
    ),
    "larger than": add_output("stream", name="stdout", text="x" * MOST_BYTES),
    "more than 40 cells": lambda nb: nb.cells.extend(prose(MOST_CELLS)),
    "a code cell of more than": set_source(2, "x = 1\n" * (MOST_LINES + 1)),
}


def test_the_guard_accepts_a_sound_notebook():
    assert complaints(sound()) == []


@pytest.mark.parametrize("complaint", SPOILED)
def test_the_guard_notices(complaint):
    notebook = sound()
    SPOILED[complaint](notebook)
    (found,) = complaints(notebook)
    assert found.startswith(complaint)
