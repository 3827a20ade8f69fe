"""The report: claims are collected and shown, a failing notebook is named, pages are local."""

import base64
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

import answers
import build
import render
from run_notebooks import NotebookFailed, clean, execute, execute_all, with_few_colours

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


def test_a_notebook_without_a_title_is_refused():
    bare = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Text\n\n## Part")])
    with pytest.raises(ValueError, match="a notebook has no title: its first cell must start with"):
        answers.title(bare)


def test_the_claim_table_shows_number_n_verdict_and_evidence():
    claims = answers.collect({"04_std.ipynb": claiming({**CLAIM, "claim": "|x| small"})})
    row = answers.claim_table(claims).splitlines()[2]
    evidence = "[04](notebooks/04_std.ipynb#what-we-learned)"
    n = "{term}`8 draws <seed>`"
    for part in ["P3", r"\|x\| small", "0.4", n, "{bdg-success}`holds`", evidence]:
        assert part in row


def test_a_finding_is_a_claim_of_this_study_and_has_a_card_of_its_own():
    items = ["F1", "F2", "P8 (beyond)", "C1"]
    claims = answers.collect({"07_many.ipynb": claiming(*({**CLAIM, "item": i} for i in items))})
    found = [claim for claim in claims if answers.is_finding(claim)]
    assert [claim["item"] for claim in found] == ["F1", "F2"]
    cards = answers.findings(found)
    assert cards.count("{grid-item-card} it fails") == 2
    verdict, n = "{bdg-success}`holds`", "{term}`8 draws <seed>`"
    for part in ["0.4", verdict, n, "notebooks/07_many.ipynb#what-we-learned"]:
        assert cards.count(part) == 2


def pictured(picture, *tags, alt="Two maps"):
    """A notebook that shows one picture with an alternative text in a cell with tags."""
    shown = picturing(picture)
    shown.cells[1].metadata.update(tags=list(tags), mystnb={"image": {"alt": alt}})
    return shown


def test_the_gallery_shows_each_notebook_with_its_picture():
    notebooks = {"01_data.ipynb": pictured(b"1", "card"), "04_std.ipynb": pictured(b"4", "card")}
    cards = answers.cards(notebooks)
    assert cards["04_std.ipynb"] == (b"4", "Two maps")
    shown = answers.gallery(notebooks, cards)
    assert shown.count("{grid-item-card} A title") == 2
    for part in [":link: notebooks/04_std\n", "_static/cards/04_std.png\n", ":img-alt: Two maps\n"]:
        assert part in shown


def test_a_notebook_without_a_picture_for_its_card_is_refused():
    notebooks = {"01_data.ipynb": pictured(b"1", "card"), "04_std.ipynb": pictured(b"4")}
    with pytest.raises(ValueError, match="in a cell tagged card: 04_std.ipynb$"):
        answers.cards(notebooks)


def filming(count):
    shown = [nbformat.v4.new_output("display_data", data={"text/html": f"<video>{k}</video>"})
             for k in range(count)]
    return notebook(*shown, tags=["landing-film"])


def test_the_first_page_shows_the_one_film_meant_for_it():
    assert answers.film({"01.ipynb": notebook(), "03.ipynb": filming(1)}) == "<video>0</video>"


@pytest.mark.parametrize("count", [0, 2])
def test_no_film_for_the_first_page_or_two_are_refused(count):
    with pytest.raises(ValueError, match=f"{count} cells tagged landing-film show something"):
        answers.film({"03.ipynb": filming(count)})


def answering(*claims, text="> **Answer.** No: 0.4.\n"):
    """A notebook that answers its question and displays claims."""
    said = nbformat.v4.new_output("display_data", data={"text/markdown": text})
    return notebook(said, *claiming(*claims).cells[1].outputs)


def test_the_first_page_answers_with_the_notebook_on_both_orders():
    notebooks = {
        "03_random.ipynb": answering({**CLAIM, "item": "P4"}, text="> **Answer.** Perhaps.\n"),
        "07_many.ipynb": answering({**CLAIM, "item": answers.ORDERS}),
    }
    assert answers.short_answer(notebooks, answers.collect(notebooks)) == "No: 0.4.\n"


@pytest.mark.parametrize(
    ("item", "text", "message"),
    [
        ("P4", "> **Answer.** No.", "no notebook displays a claim F3"),
        (answers.ORDERS, "No.", "notebooks/03_random.ipynb: no cell displays an answer"),
    ],
)
def test_a_first_page_without_an_answer_is_refused(item, text, message):
    notebooks = {"03_random.ipynb": answering({**CLAIM, "item": item}, text=text)}
    with pytest.raises(ValueError, match=message):
        answers.short_answer(notebooks, answers.collect(notebooks))


def test_the_sidebar_lists_notebooks_under_short_names():
    listed = answers.contents(["01_data.ipynb", "03_random_pruning.ipynb"]).splitlines()
    assert "01 data <notebooks/01_data>" in listed
    assert "03 random pruning <notebooks/03_random_pruning>" in listed


def test_the_headline_is_all_that_the_last_notebook_tags():
    notebooks = {"04.ipynb": picturing(b"0"), "07.ipynb": picturing(b"1", b"2"), "08": notebook()}
    assert answers.headline(notebooks) == [b"1", b"2"]


def test_no_headline_is_refused():
    with pytest.raises(ValueError, match="no notebook shows a picture in a cell tagged headline"):
        answers.headline({"01_data.ipynb": pictured(b"1", "card")})


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


def noise():
    """A picture of thousands of colours, in base64."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def pixels(encoded):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"), dtype=int)


def test_a_stored_picture_has_few_colours_and_looks_the_same():
    stored = with_few_colours(noise())
    assert len(np.unique(pixels(stored).reshape(-1, 3), axis=0)) <= 256
    assert pixels(stored).shape == (60, 80, 3)
    assert np.abs(pixels(stored) - pixels(noise())).mean() < 20, "of 255, for the worst picture"
    assert len(stored) < len(noise()) / 2
    assert with_few_colours(stored) == stored


@pytest.mark.parametrize("kind", ["display_data", "execute_result"])
def test_cleaning_keeps_the_picture_that_stands_beside_a_widget_and_no_other_output(kind):
    kept = {"image/png": with_few_colours(noise()), "text/plain": "Sliders"}
    bare = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "Box()"}
    shown = [nbformat.v4.new_output(kind, data=data) for data in (bare | kept, bare, kept)]
    cleaned = clean(notebook(*shown)).cells[1].outputs
    assert [output.data for output in cleaned] == [kept, bare, kept]


@pytest.mark.parametrize("arguments, message", [
    (["FRACTOIN=0.3"], "FRACTOIN is no parameter of these notebooks; did you mean FRACTION"),
    (["moons"], "'moons' is no setting; expected NAME=VALUE"),
    (["--inplace", "03.ipynb"], "notebook is '03.ipynb'; expected one of those in notebooks/")])
def test_the_command_says_what_is_wrong_in_one_line(arguments, message, monkeypatch):
    for name in "execute_all", "build_site":
        monkeypatch.setattr(build, name, None)
    monkeypatch.setattr(build, "set_environment", lambda folder: None)
    monkeypatch.setattr(sys, "argv", ["build.py", *arguments])
    with pytest.raises(SystemExit, match=f"^FAILED: {message}") as caught:
        build.main()
    assert "\n" not in caught.value.code


def test_the_command_ends_with_the_notebook_that_failed(monkeypatch):
    def failing(settings):
        raise NotebookFailed("all of it\nFAILED: notebooks/03.ipynb, cell 1: so")

    monkeypatch.setattr(build, "site_of", failing)
    monkeypatch.setattr(build, "set_environment", lambda folder: None)
    monkeypatch.setattr(sys, "argv", ["build.py"])
    with pytest.raises(SystemExit, match="^all of it\nFAILED: notebooks/03.ipynb, cell 1: so$"):
        build.main()


def test_a_site_that_sphinx_cannot_build_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the site was not built: see Sphinx's warnings above"):
        render.sphinx(tmp_path / "nowhere", tmp_path / "html")
    assert not list(tmp_path.iterdir())


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


@pytest.mark.parametrize("figure", ['<img src="_images/a1.png">', '<video src="a.mp4"></video>'])
def test_a_page_with_a_figure_passes(tmp_path, figure):
    render.check_figures(page(tmp_path, figure), ["01_data.ipynb"])


def test_a_page_without_a_figure_is_refused(tmp_path):
    html = page(tmp_path, "<p>text</p>")
    with pytest.raises(ValueError, match="01_data.ipynb shows no figure"):
        render.check_figures(html, ["01_data.ipynb"])


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
    shutil.copytree(ROOT / "report/_static", source / "_static")
    for name in ("conf.py", "api.md", "references.bib"):
        shutil.copy(ROOT / "report" / name, source)
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "dummy", "-D", "root_doc=api"]
    done = subprocess.run([*command, source, tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
