"""Re-runs: what may be set, what becomes of the notebooks, and the pages that list the runs."""

import base64
import json
import re
import subprocess
from hashlib import sha256
from pathlib import Path

import nbformat
import pytest

import reruns
import run_pages
from helpers.claims import Claim, ClaimTable, answer
from helpers.statements import FAILS, HOLDS, LOST, MIME
from run_notebooks import execute
from settings import CHECKS, defaults, paths, settings, slug, title

ROOT = Path(__file__).resolve().parents[1]
KNOWN = defaults()
MOONS = ("PROBLEM=moons", "FRACTION=0.3", "LEARNING_RATE=0.02")


def test_the_notebooks_run_again_are_those_that_read_no_stored_table():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        reads = re.search(r"helpers.*\b(?:results|bound_tables)\b", code)
        assert (path in paths()) == (not reads), path.name


def test_every_parameter_has_a_check_that_the_studys_own_value_passes():
    assert all(KNOWN[name] for name in CHECKS)
    for name, own in KNOWN.items():
        assert all(CHECKS[name](name, value) == value for value in own.values())


@pytest.mark.parametrize("given, values, name", [
    (MOONS, {"PROBLEM": "moons", "LEARNING_RATE": 0.02, "FRACTION": 0.3},
     "problem-moons_learning-rate-0.02_fraction-0.3"),
    (reversed(MOONS), {"PROBLEM": "moons", "LEARNING_RATE": 0.02, "FRACTION": 0.3},
     "problem-moons_learning-rate-0.02_fraction-0.3"),
    (["WIDTHS=[2, 20, 10, 1]"], {"WIDTHS": (2, 20, 10, 1)}, "widths-2-20-10-1"),
    (["PROBLEM='xor'", "FRACTION=0.50"], {"PROBLEM": "xor", "FRACTION": 0.5}, "problem-xor"),
    (["LEARNING_RATE=1"], {"LEARNING_RATE": 1.0}, "learning-rate-1.0"),
    (["SEEDS=16"], {"SEEDS": 16}, "seeds-16"),  # of some notebooks, not of all
    (["PROBLEM=spirals"], {"PROBLEM": "spirals"}, "settings-of-the-study")])
def test_settings_are_read_and_name_the_run(given, values, name):
    read = settings(given, KNOWN)
    assert read == values and slug(read, KNOWN) == name


def test_a_runs_title_says_what_is_set():
    assert title(settings(MOONS, KNOWN), KNOWN) == (
        "problem moons, learning rate 0.02, fraction 0.3")


@pytest.mark.parametrize("given, message", [
    ("FRACTOIN=0.3", "FRACTOIN is no parameter of these notebooks; did you mean FRACTION?"),
    ("problem=moons", "did you mean PROBLEM?"),
    ("moons", "'moons' is no setting; expected NAME=VALUE"),
    ("PROBLEM=digits", "PROBLEM is 'digits', of 64 features and 10 classes; expected 2 of each"),
    ("PROBLEM=moon", "PROBLEM is 'moon'; expected one of 'spirals'"),
    ("WIDTHS=(2, 50, 1)", "WIDTHS is .*; expected 2 inputs, two hidden layers"),
    ("WIDTHS=(3, 50, 50, 1)", "WIDTHS is .*; expected 2 inputs"),
    ("WIDTHS=(2, 50, 5, 1)", "WIDTHS is .*; expected 2 inputs"),
    ("WIDTHS=(2, 50., 50, 1)", "WIDTHS is .*; expected a value such as"),
    ("LEARNING_RATE=fast", "LEARNING_RATE is 'fast'; expected a value such as 0.1"),
    ("LEARNING_RATE=0", "LEARNING_RATE is 0.0; expected a number above 0"),
    ("LEARNING_RATE=nan", "LEARNING_RATE is 'nan'; expected a value such as"),
    ("LEARNING_RATE=1e999", "LEARNING_RATE is inf; expected a number above 0"),
    ("LEARNING_RATE=open('x')", "expected a value such as"),
    ("FRACTION=1", "FRACTION is 1.0; expected a number above 0"),
    ("FRACTION=0.001", "FRACTION is 0.001; expected more, for it removes none of 50 nodes"),
    ("WIDTHS=(2,9,6,1) FRACTION=0.9",
     "FRACTION is 0.9; expected less, for it keeps fewer than 2 of 6 nodes"),
    ("STEPS=99", "STEPS is 99; expected an integer of at least 100"),
    ("FINE_TUNE_STEPS=0", "FINE_TUNE_STEPS is 0; expected an integer"),
    ("DRAWS=1", "DRAWS is 1; expected an integer of at least 2"),
    ("SEEDS=3", "SEEDS is 3; expected an integer of at least 4"),
    ("SEEDS=True", "SEEDS is 'True'; expected a value such as 16"),
    ("SEEDS=8 SEEDS=9", "SEEDS is given twice")])
def test_what_does_not_fit_is_refused_in_one_line(given, message):
    given = given.split() if given.count("=") > 1 else [given]
    with pytest.raises(ValueError, match=message) as caught:
        settings(given, KNOWN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", KNOWN)
def test_every_parameter_refuses_what_it_cannot_be(name):
    with pytest.raises(ValueError, match=f"^{name} is 'nonsense'; expected") as caught:
        settings([f"{name}=nonsense"], KNOWN)
    assert "\n" not in str(caught.value)


def test_make_passes_every_variable_that_is_not_its_own():
    def report(*variables):
        command = ["make", "--no-print-directory", "-n", "report", *variables]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        return done.stdout.splitlines()[-1].partition("build.py")[2].strip()

    assert report() == report("PYTHON=python3", "OMP_NUM_THREADS=2", "NOTEBOOKS=x") == ""
    assert report("WIDTHS=(2, 9, 9, 1)") == "'WIDTHS=(2, 9, 9, 1)'"
    assert report("FRACTOIN=it's $(x)") == r"'FRACTOIN=it'\''s $(x)'"


# The notebooks


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_a_notebook_gets_the_settings_that_it_has_and_keeps_its_cells(path):
    before = nbformat.read(path, as_version=4)
    values = settings([*MOONS, "WIDTHS=(2, 20, 20, 1)"], KNOWN)
    notebook = reruns.parameterised(path, values, KNOWN)
    assert [c.id for c in notebook.cells] == [c.id for c in before.cells]
    assert "papermill" not in notebook.metadata
    (cell,) = tagged(notebook, "parameters")
    found = {}
    exec(cell.source.replace("%load_ext helpers.statements", ""), found)
    del found["__builtins__"]
    expected = {name: own[path.name] for name, own in KNOWN.items() if path.name in own}
    given = {**values, "WIDTHS": [2, 20, 20, 1]}
    assert found == {name: given.get(name, value) for name, value in expected.items()}


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_readings_are_folded_and_checks_become_statements(path):
    before = nbformat.read(path, as_version=4)
    notebook = reruns.parameterised(path, {}, KNOWN)
    label = "::::{dropdown} Read at the study's settings (spirals"
    for old, new in zip(before.cells, notebook.cells, strict=True):
        if "study" in old.metadata.get("tags", []):
            inside, rest = new.source.removeprefix(label).split("\n::::\n\n")
            assert new.source.startswith(label) and len(inside.splitlines()) > 1
            assert "\n#" not in inside and inside.split("\n", 1)[1] + rest
        elif "checks" in old.metadata.get("tags", []):
            assert new.source == f"%%statements\n{old.source}"
        elif "parameters" not in old.metadata.get("tags", []):
            assert new.source == old.source
    assert tagged(notebook, "study") and tagged(notebook, "checks")


@pytest.mark.parametrize("source, expected", [
    ("It falls.", "::::{dropdown} Read\nIt falls.\n::::\n\n"),
    ("It *falls*.\n\n## Next\n\nOn.", "::::{dropdown} Read\nIt *falls*.\n::::\n\n## Next\n\nOn."),
    ("It falls,\nand **how**.\n\n**Try it.** x\n\n# y",
     "::::{dropdown} Read\nIt falls,\nand **how**.\n::::\n\n**Try it.** x\n\n# y")])
def test_a_reading_is_folded_up_to_a_heading_or_a_paragraph_in_bold(source, expected):
    assert reruns.folded(source, "Read") == expected


def test_the_label_says_what_the_notebook_was_read_at():
    assert reruns.label(KNOWN, "01_data.ipynb") == "Read at the study's settings (spirals)"
    assert reruns.label(KNOWN, "04_std_pruning.ipynb") == (
        "Read at the study's settings (spirals, learning rate 0.1, half removed)")


def write(path):
    """The smallest notebook with settings, a reading and checks."""
    code, prose = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [prose("# A title"), code("SEEDS = 8", metadata={"tags": ["parameters"]}),
             prose("Eight.", metadata={"tags": ["study"]}),
             code("assert SEEDS == 8, 'eight'\nassert SEEDS > 1, 'some'",
                  metadata={"tags": ["checks"]})]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


@pytest.mark.slow
def test_a_notebook_runs_to_its_end_and_shows_what_holds(tmp_path):
    path = write(tmp_path / "01_small.ipynb")
    known = {name: {} for name in CHECKS} | {"SEEDS": {path.name: 8}}
    nbformat.write(reruns.parameterised(path, {"SEEDS": 4}, known), path)
    done = execute(path)
    (shown,) = done.cells[3].outputs
    assert [(row["text"], row["outcome"]) for row in shown.data[MIME]] == [
        ("eight", "does not hold"), ("some", "holds")]
    assert run_pages.outcomes(done) == {"does not hold": 1, "holds": 1}


# The pages


def shown(item, verdict, *outcomes):
    """An executed notebook with an answer, a claim, statements and a picture."""
    claims = ClaimTable(Claim(item, "It is small", "0.4", "8 draws", verdict))
    data = [{"text/markdown": answer("No: 0.4.").data}, claims._repr_mimebundle_(),
            {MIME: [{"text": "x", "test": "x", "outcome": outcome} for outcome in outcomes]}]
    outputs = [nbformat.v4.new_output("display_data", data=bundle) for bundle in data]
    picture = nbformat.v4.new_code_cell(
        "", outputs=[nbformat.v4.new_output("display_data", data={"image/png": "eA=="})],
        metadata={"tags": ["headline"], "mystnb": {"image": {"alt": f"Maps of {item}"}}})
    cells = [nbformat.v4.new_markdown_cell("# A title"),
             nbformat.v4.new_code_cell("", outputs=outputs), picture]
    return nbformat.v4.new_notebook(cells=cells)


NOTEBOOKS = {"03_random_pruning.ipynb": shown("P3", "holds", HOLDS, HOLDS, LOST),
             "04_std_pruning.ipynb": shown("P7", "fails", FAILS)}


def test_the_first_page_shows_settings_answers_claims_and_statements():
    page = run_pages.front_page(NOTEBOOKS, settings(MOONS, KNOWN), KNOWN)
    for part in [
        "# A re-run: problem moons, learning rate 0.02, fraction 0.3",
        "| `PROBLEM` | **moons** | spirals | 01, 02, 03, 04, 05 |",
        "| `STEPS` | 1500 | 1500 |", "| `SEEDS` | 16 or 8 | 16 or 8 |",
        "- **[A title](notebooks/03_random_pruning.ipynb)** No: 0.4.",
        "{bdg-danger}`fails`", "| [A title](notebooks/03_random_pruning.ipynb) | 2 | 0 | 1 |",
        "<notebooks/04_std_pruning>", ":alt: Maps of P7\n", '<a href="../index.html">',
    ]:
        assert part in page
    assert "$" not in page


def finished(values, folder):
    """A run's site in the making, as `render` leaves it."""
    html = folder / "html"
    html.mkdir(parents=True)
    (html / "index.html").write_text("new")
    (html / run_pages.RECORD).write_text(json.dumps(run_pages.record(NOTEBOOKS, values, KNOWN)))
    return html


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(reruns, "BUILD", tmp_path)
    monkeypatch.setattr(reruns, "RUNS", tmp_path / "runs")
    return tmp_path


def test_a_finished_run_takes_its_place_and_is_listed(folder, monkeypatch):
    monkeypatch.setattr(reruns, "render", lambda values, known, at: finished(values, at))
    for given in (["PROBLEM=xor"], MOONS, ["PROBLEM=xor"]):
        target = reruns.build(given)
        assert target == folder / "runs" / slug(settings(given, KNOWN), KNOWN)
        assert (target / "index.html").read_text() == "new"
    listed = (folder / "runs/index.html").read_text()
    assert re.findall(r'href="([^"]+)"', listed).count("problem-xor/index.html") == 1
    assert "problem moons, learning rate 0.02, fraction 0.3</a>" in listed
    assert "holds: 1, fails: 1" in listed and "could not be computed: 1" in listed
    assert sorted(path.name for path in folder.iterdir()) == ["runs"]


def test_a_failing_run_leaves_everything_as_it_was(folder, monkeypatch):
    def fail(values, known, at):
        finished(values, at)
        raise ValueError("FAILED: notebooks/03")

    monkeypatch.setattr(reruns, "render", fail)
    with pytest.raises(ValueError, match="FAILED"):
        reruns.build(MOONS)
    assert list(folder.iterdir()) == []
    with pytest.raises(ValueError, match="did you mean"):
        reruns.build(["FRACTOIN=0.3"])
    assert list(folder.iterdir()) == []


def test_the_latest_run_is_listed_first_and_names_are_escaped(tmp_path):
    for name, date in (("a", "2026-01-01"), ("b", "2026-03-01"), ("c", "2026-02-01")):
        (tmp_path / name).mkdir()
        run = {**run_pages.record(NOTEBOOKS, {}, KNOWN), "date": date, "title": f"{name} < 1"}
        (tmp_path / name / run_pages.RECORD).write_text(json.dumps(run))
    (tmp_path / "not a run").mkdir()
    run_pages.list_runs(tmp_path)
    listed = (tmp_path / "index.html").read_text()
    assert re.findall(r">(\w) &lt; 1</a>", listed) == ["b", "c", "a"]


def test_the_list_of_runs_may_load_nothing_but_its_own_style(tmp_path):
    run_pages.list_runs(tmp_path)
    page = (tmp_path / "index.html").read_text()
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)[1]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert not re.search(r"<(?:script|link|img)\b|style=|url\(", page)
    assert "STYLE-HASH" not in page
