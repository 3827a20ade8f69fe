"""The repository's address: written everywhere at once, by name, over and over with one result."""

import importlib.metadata
import re
import runpy
import shutil
import sys
import tomllib
from email.message import Message
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager

import home
from test_notebooks import complaints

ROOT = Path(__file__).resolve().parents[1]
FILES = ["README.md", "CITATION.cff", "pyproject.toml"]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture
def copy(tmp_path):
    """A copy of every file that the address is written into."""
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "notebooks").mkdir()
    for path in NOTEBOOKS:
        shutil.copy(path, tmp_path / "notebooks")
    return tmp_path


def texts(folder):
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


def notebooks(folder):
    return [nbformat.read(folder / "notebooks" / path.name, as_version=4) for path in NOTEBOOKS]


def test_every_file_names_the_repository(copy):
    home.write("Ada/square", copy)
    assert all("https://github.com/Ada/square" in text for text in texts(copy).values())


def test_writing_twice_changes_nothing_more(copy):
    home.write("Ada/square", copy)
    once = texts(copy)
    home.write("Ada/square", copy)
    assert texts(copy) == once


def test_another_name_leaves_no_trace_of_the_first(copy):
    home.write("byron/poems", copy)
    expected = texts(copy)
    home.write("Ada/square", copy)
    home.write("byron/poems", copy)
    assert texts(copy) == expected


@pytest.mark.parametrize(
    "repository",
    ["", "square", "ada/", "/square", "ada/..", "ada/a b", "ada/x/y", "-ada/x", "ada/x.git"]
    + ["ada/é", "https://github.com/ada/square", "ada/x\n", "ada/$(ls)"],
)
def test_what_is_no_name_is_refused_before_anything_is_written(copy, repository):
    before = texts(copy)
    with pytest.raises(ValueError, match="REPOSITORY is .*; expected owner/name"):
        home.write(repository, copy)
    assert texts(copy) == before


def test_a_file_without_its_place_stops_everything(copy):
    readme = (copy / "README.md").read_text().replace(home.END, "")
    (copy / "README.md").write_text(readme)
    before = texts(copy)
    with pytest.raises(ValueError, match="README.md matches .* 0 times"):
        home.write("ada/square", copy)
    assert texts(copy) == before


def test_the_command_says_what_is_wrong(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["home.py", "square"])
    with pytest.raises(SystemExit, match="^FAILED: REPOSITORY is 'square'; expected owner/name"):
        home.main()


def test_the_badges_lead_to_files_and_places_that_exist(copy):
    home.write("Ada/square", copy)
    readme = (copy / "README.md").read_text()
    block = readme.split(home.START)[1].split(home.END)[0]
    targets = re.findall(r"\]\(([^()\s]+)\)$", block, flags=re.MULTILINE)
    assert targets == [
        "https://ada.github.io/square/",
        "https://github.com/Ada/square/actions/workflows/ci.yml",
        "https://mybinder.org/v2/gh/Ada/square/main?urlpath=lab/tree/notebooks",
        "https://colab.research.google.com/github/Ada/square/blob/main/notebooks/01_data.ipynb",
    ]
    for path in [".github/workflows/ci.yml", "notebooks/01_data.ipynb", "binder"]:
        assert (ROOT / path).exists()


def test_only_the_badges_of_the_readme_change(copy):
    home.write("ada/square", copy)
    block = f"{home.START}.*{home.END}"
    new, old = (
        re.split(block, (folder / "README.md").read_text(), flags=re.DOTALL)
        for folder in (copy, ROOT)
    )
    assert new == old and len(old) == 2


def test_package_and_citation_gain_both_addresses_and_nothing_else(copy):
    home.write("ada/square", copy)
    code, site = "https://github.com/ada/square", "https://ada.github.io/square/"
    stored = tomllib.loads((ROOT / "pyproject.toml").read_text())
    stored["project"]["urls"] = {"Homepage": site, "Repository": code}
    assert tomllib.loads((copy / "pyproject.toml").read_text()) == stored
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    expected = citation | {"repository-code": code, "url": site}
    assert yaml.safe_load((copy / "CITATION.cff").read_text()) == expected


def test_notebooks_gain_one_cell_and_stay_sound(copy):
    before = notebooks(copy)
    home.write("ada/square", copy)
    for old, new in zip(before, notebooks(copy), strict=True):
        (setup,) = (cell for cell in new.cells if "colab" in cell.metadata.get("tags", []))
        assert setup.metadata.tags == ["colab", "remove-cell"] and setup.outputs == []
        assert "parameters" in new.cells[new.cells.index(setup) - 1].metadata.tags
        rest = [cell.source for cell in new.cells if cell is not setup]
        assert rest == [cell.source for cell in old.cells]
        assert complaints(new) == complaints(old)


def test_cells_that_never_ran_stay_so():
    cells = [
        nbformat.v4.new_markdown_cell("# One", id="n01-00"),
        nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("x", id="n01-02"),
    ]
    text = nbformat.writes(nbformat.v4.new_notebook(cells=cells))
    new = nbformat.reads(home.with_setup(text, "ada/square"), as_version=4)
    assert [cell.get("execution_count") for cell in new.cells] == [None] * 4


def test_a_notebook_without_parameters_is_refused():
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]))
    with pytest.raises(ValueError, match="^a notebook has no cell tagged parameters$"):
        home.with_setup(text, "ada/square")


def commands(monkeypatch):
    """Run the set-up cell in a session that notes commands instead of running them."""
    noted = []
    session = SimpleNamespace(
        system=noted.append, run_line_magic=lambda name, line: noted.append(f"{name} {line}")
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    source = TransformerManager().transform_cell(home.colab_setup("ada/square"))
    exec(source, {"get_ipython": lambda: session})
    return noted


def test_the_setup_cell_does_nothing_here(monkeypatch):
    path = list(sys.path)
    assert commands(monkeypatch) == [] and sys.path == path


def test_the_setup_cell_fetches_and_installs_the_package_on_colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    assert commands(monkeypatch) == [
        "git clone --quiet --depth 1 https://github.com/ada/square study",
        "pip install --quiet --editable ./study",
    ]
    assert sys.path[0] == "study"


def about(urls=()):
    """What an installed package says of itself, with or without the address of a repository."""
    message = Message()
    message["Summary"] = "What is it?"
    for url in urls:
        message["Project-URL"] = url
    return lambda name: message


def settings_of_the_site(folder):
    (folder / "_static").mkdir()
    shutil.copy(ROOT / "report/conf.py", folder)
    return runpy.run_path(str(folder / "conf.py"))


def test_the_site_links_to_nothing_before_it_has_an_address(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "metadata", about())
    site = settings_of_the_site(tmp_path)
    assert not {"repository_url", "launch_buttons"} & set(site["html_theme_options"])
    assert "property=og:image" not in site["myst_html_meta"]


def test_the_site_takes_its_links_from_the_package(tmp_path, monkeypatch):
    urls = ["Homepage, https://ada.github.io/square/", "Repository, https://github.com/ada/square"]
    monkeypatch.setattr(importlib.metadata, "metadata", about(urls))
    site = settings_of_the_site(tmp_path)
    options = site["html_theme_options"]
    assert options["repository_url"] == home.code_url("ada/square")
    assert (options["repository_branch"], options["path_to_docs"]) == (home.BRANCH, "")
    assert set(options["launch_buttons"]) >= {"binderhub_url", "colab_url"}
    picture = site["myst_html_meta"]["property=og:image"]
    assert picture == home.site_url("ada/square") + "_static/social.png"
