"""The report: claims are collected and shown, a failing notebook is named, pages are local."""

import base64
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import answers
import build
from run_notebooks import NotebookFailed, clean, execute, execute_all

ROOT = Path(__file__).resolve().parents[1]
CLAIM = {"item": "P3", "claim": "it fails", "measured": "0.4", "n": "8 draws", "verdict": "holds"}


def notebook(*outputs, source="", tags=()):
    """A notebook with a title and one code cell."""
    cell = nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A title\n\nx"), cell])


def claiming(*claims):
    return notebook(nbformat.v4.new_output("display_data", data={answers.CLAIMS: list(claims)}))


def picturing(*pictures):
    data = [{"image/png": base64.b64encode(picture).decode()} for picture in pictures]
    shown = [nbformat.v4.new_output("display_data", data=bundle) for bundle in data]
    return notebook(*shown, tags=["headline"])


def test_claims_come_sorted_and_with_their_notebook():
    items = ["defect", "C2", "P10", "P9", "C1", "P1"]
    claims = answers.collect({"04_std.ipynb": claiming(*({**CLAIM, "item": i} for i in items))})
    assert [c["item"] for c in claims] == ["P1", "P9", "P10", "C1", "C2", "defect"]
    assert {c["notebook"] for c in claims} == {"04_std.ipynb"}


def test_a_claim_without_its_n_is_refused():
    claim = {key: value for key, value in CLAIM.items() if key != "n"}
    with pytest.raises(ValueError, match=r"04_std.ipynb.*lacks \['n'\]"):
        answers.collect({"04_std.ipynb": claiming(claim)})


def test_an_unknown_verdict_is_refused():
    with pytest.raises(ValueError, match="'maybe' is none of"):
        answers.collect({"04_std.ipynb": claiming({**CLAIM, "verdict": "maybe"})})


def test_notebooks_without_any_claim_are_refused():
    with pytest.raises(ValueError, match="no notebook displays a claim"):
        answers.collect({"01_data.ipynb": notebook()})


def test_the_claim_table_shows_number_n_verdict_and_evidence():
    claims = answers.collect({"04_std.ipynb": claiming({**CLAIM, "claim": "|x| small"})})
    row = answers.claim_table(claims).splitlines()[2]
    for part in ["P3", r"\|x\| small", "0.4", "8 draws", "{bdg-success}`holds`", "04_std.ipynb"]:
        assert part in row


def test_the_notebook_table_shows_title_and_claims():
    notebooks = {"01_data.ipynb": notebook(), "04_std.ipynb": claiming(CLAIM)}
    rows = answers.notebook_table(notebooks, answers.collect(notebooks)).splitlines()[2:]
    assert rows == [
        "| [A title](notebooks/01_data.ipynb) |  |",
        "| [A title](notebooks/04_std.ipynb) | P3 |",
    ]


def answering(*claims, text="> **Answer.** No: 0.4.\n"):
    """A notebook that answers its question and displays claims."""
    said = nbformat.v4.new_output("display_data", data={"text/markdown": text})
    return notebook(said, *claiming(*claims).cells[1].outputs)


def test_the_first_page_answers_for_both_orders():
    first = answering(*({**CLAIM, "item": item} for item in answers.ORDERS))
    notebooks = {"01_data.ipynb": notebook(), "03_random.ipynb": first}
    said = answers.short_answer(notebooks, answers.collect(notebooks))
    assert said == "- **[A title](notebooks/03_random.ipynb)** No: 0.4.\n"


@pytest.mark.parametrize(
    ("items", "text", "message"),
    [
        (["F3", "P4"], "> **Answer.** No.", r"no notebook displays a claim \['P8'\]"),
        (answers.ORDERS, "No.", "notebooks/03_random.ipynb: no cell displays an answer"),
    ],
)
def test_a_first_page_without_an_answer_is_refused(items, text, message):
    claims = [{**CLAIM, "item": item} for item in items]
    notebooks = {"03_random.ipynb": answering(*claims, text=text)}
    with pytest.raises(ValueError, match=message):
        answers.short_answer(notebooks, answers.collect(notebooks))


def test_the_sidebar_lists_notebooks_under_short_names():
    listed = answers.contents(["01_data.ipynb", "03_random_pruning.ipynb"]).splitlines()
    assert "01 data <notebooks/01_data>" in listed
    assert "03 random pruning <notebooks/03_random_pruning>" in listed


def test_the_headline_is_the_first_tagged_picture():
    assert answers.headline({"a.ipynb": picturing(b"1", b"2"), "b.ipynb": notebook()}) == b"1"


@pytest.mark.parametrize("notebooks", [{}, {"a": picturing(b"1"), "b": picturing(b"1")}])
def test_no_headline_or_two_are_refused(notebooks):
    with pytest.raises(ValueError, match="one notebook must show"):
        answers.headline(notebooks)


def test_only_the_block_between_the_markers_changes():
    text = f"before\n{answers.START}\nold\n{answers.END}\nafter\n"
    filled = answers.fill_block(text, "new\n")
    assert filled == f"before\n{answers.START}\n\nnew\n\n{answers.END}\nafter\n"
    assert answers.fill_block(filled, "new\n") == filled


@pytest.mark.parametrize("text", ["", answers.START, answers.END + answers.START])
def test_a_readme_without_the_markers_is_refused(text):
    with pytest.raises(ValueError, match="README.md must hold"):
        answers.fill_block(text, "new\n")


def test_cleaning_drops_what_is_volatile_and_keeps_the_rest():
    dirty = notebook(nbformat.v4.new_output("stream", name="stdout", text="2"), tags=["checks"])
    dirty.cells[1].execution_count = 7
    expected = nbformat.from_dict(dirty)
    dirty.metadata.update(widgets={}, language_info={"name": "python", "version": "3.11.7"})
    dirty.cells[1].metadata["execution"] = {"iopub.execute_input": "2026-01-01"}
    expected.metadata["language_info"] = {"name": "python"}
    assert clean(dirty) == expected


def write(folder, source, name="03_broken.ipynb"):
    path = folder / name
    nbformat.write(notebook(source=source), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("assert 1 == 2, 'not so'", "AssertionError: not so"),
        ("import os; os._exit(1)", "DeadKernel"),
    ],
)
def test_a_failing_notebook_is_named_in_the_last_line(tmp_path, source, reason):
    with pytest.raises(NotebookFailed) as caught:
        execute_all([write(tmp_path, source)], tmp_path / "out")
    last = str(caught.value).splitlines()[-1]
    assert last.startswith(f"FAILED: notebooks/03_broken.ipynb, cell 1: {reason}")


@pytest.mark.slow
def test_executing_leaves_the_file_alone_and_repeats_exactly(tmp_path):
    path = write(tmp_path, "print('1'); print('2')")
    before = path.read_bytes()
    first, second = execute(path), execute(path)
    assert path.read_bytes() == before
    assert first == second
    assert first.cells[1].outputs[0].text == "1\n2\n" and len(first.cells[1].outputs) == 1


def page(folder, body):
    (folder / "notebooks").mkdir()
    (folder / "notebooks/01_data.html").write_text(body)
    return folder


def test_a_page_with_local_files_and_a_figure_passes(tmp_path, monkeypatch):
    body = '<a href="https://x.org">x</a><script src="a.js"></script><img src="_images/a1.png">'
    monkeypatch.setattr(build, "HTML", page(tmp_path, body))
    build.check_site(["01_data.ipynb"])


@pytest.mark.parametrize(
    "body",
    [
        '<script async src="https://cdn.org/a.js"></script>',
        '<link rel="stylesheet" href="//cdn.org/a.css">',
        '<img src="http://x.org/a.png">',
    ],
)
def test_a_page_that_loads_from_elsewhere_is_refused(tmp_path, monkeypatch, body):
    monkeypatch.setattr(build, "HTML", page(tmp_path, body + '<img src="_images/a1.png">'))
    with pytest.raises(ValueError, match="01_data.html loads from another machine"):
        build.check_site(["01_data.ipynb"])


def test_a_page_without_a_figure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "HTML", page(tmp_path, "<p>text</p>"))
    with pytest.raises(ValueError, match="01_data.ipynb shows no figure"):
        build.check_site(["01_data.ipynb"])


def listed_modules():
    lines = (ROOT / "report/api.md").read_text().splitlines()
    return [line.rpartition(".")[2] for line in lines if ".. automodule::" in line]


def test_the_api_page_lists_each_module_once():
    modules = {path.stem for path in (ROOT / "helpers").glob("[!_]*.py")}
    assert sorted(listed_modules()) == sorted(modules)


def test_a_module_imports_only_from_those_listed_above_it():
    order = listed_modules()
    for place, module in enumerate(order):
        text = (ROOT / "helpers" / f"{module}.py").read_text()
        used = set(re.findall(r"^from helpers\.(\w+) import", text, re.MULTILINE))
        assert used <= set(order[:place]), module


def test_every_source_named_is_listed_and_every_one_listed_is_named():
    listed = re.findall(r"@\w+\{(\w+),", (ROOT / "report/references.bib").read_text())
    pages = [*ROOT.glob("helpers/*.py"), *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("report/*.md")]
    text = "\n".join(page.read_text() for page in pages)
    found = re.findall(r"([A-Z][A-Za-z]+)(?: et al\.,?| and [A-Z][a-z]+)(?: SC)? (\d{4})\b", text)
    cited = [key for keys in re.findall(r"{cite}`([^`]+)`", text) for key in keys.split(",")]
    assert {author.lower() + year for author, year in found} | set(cited) == set(listed)


@pytest.mark.slow
def test_the_docstrings_render_without_a_warning(tmp_path):
    source = tmp_path / "source"
    (source / "_static").mkdir(parents=True)
    for name in ("conf.py", "api.md", "references.bib"):
        shutil.copy(ROOT / "report" / name, source)
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "dummy", "-D", "root_doc=api"]
    done = subprocess.run([*command, source, tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
