"""JupyterLab runs the notebook on std pruning, its slider draws another figure; the playground too.
"""

import ast
import json
import os
import re
import socket
import subprocess
import sys
import time
from functools import partial
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from built import PATIENCE, ROOT
from playwright.sync_api import expect

NOTEBOOK = "04_std_pruning.ipynb"
TRACKER = "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
NUMBERED = re.compile(r"\[\d+\]:")  # the prompt of a cell that has run
ERRORS = "[data-mime-type='application/vnd.jupyter.stderr']"  # progress bars write there, too
EXPLORING = ["""
from helpers.data import moons
from helpers.explorer import Explorer
from helpers.networks import initialise
from helpers.recipes import Recipe
from helpers.square import commute

problem = moons(n_train=60, n_test=40)
square = commute(initialise((2, 8, 8, 1), [4, 7]), problem, Recipe(steps=50), "std", 0.5)
explorer = Explorer(square, seed=7)
""", "explorer", """
from helpers.pruning import prune

smaller = prune(explorer.dense, explorer.kept, problem)
(smaller.seeds, smaller.widths, [layer.tolist() for layer in explorer.kept])
"""]


def without_outputs(path):
    """Read a notebook as if it had never been run."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def free_port():
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


@pytest.fixture
def lab(tmp_path, browser):
    """Start JupyterLab without a user's settings; a function that opens a notebook in it."""
    pytest.importorskip("jupyterlab", reason="no JupyterLab: make .venv/.lab")
    folder, settings, port = tmp_path / "notebooks", tmp_path / "settings", free_port()
    folder.mkdir()
    (settings / TRACKER).parent.mkdir(parents=True)
    (settings / TRACKER).write_text(json.dumps({"windowingMode": "none"}))  # all cells in the page
    news = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    (settings / news).parent.mkdir(parents=True)
    (settings / news).write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    own = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("CONFIG", "RUNTIME")}
    environment = {**os.environ, **own, "JUPYTERLAB_SETTINGS_DIR": str(settings),
                   "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces")}
    environment.pop("MPLBACKEND", None)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
               f"--ServerApp.root_dir={folder}", f"--ServerApp.port={port}",
               "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token="]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}/lab"
        wait_for(lambda: answers(address), 60, "JupyterLab to start")
        with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
            yield partial(open_notebook, context.new_page(), folder, address)
    finally:
        server.terminate()
        server.wait(20)


def open_notebook(page, folder, address, notebook):
    """Store a notebook and open it; the page, once its kernel waits for work."""
    nbformat.write(notebook, folder / "notebook.ipynb")
    page.goto(f"{address}/tree/notebook.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=PATIENCE)
    return page


def answers(address):
    try:
        return urlopen(address).status == 200
    except URLError:
        return False


def wait_for(is_done, seconds, what):
    """Ask twice a second until it is done."""
    end = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.5)


def run_all(page):
    """Run every cell and wait until all have run, without an error."""
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()
    prompts = page.locator(".jp-CodeCell .jp-InputArea-prompt")
    wait_for(lambda: all(map(NUMBERED.fullmatch, prompts.all_inner_texts())), 240, "all cells")
    assert page.locator(ERRORS, has_text="Traceback").all_inner_texts() == []


def run_last(page):
    """Run the last cell once more, and wait until it has run."""
    cell = page.locator(".jp-Cell").last
    prompt = cell.locator(".jp-InputArea-prompt")
    before = prompt.inner_text()
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(prompt).not_to_have_text(before)
    expect(prompt).to_have_text(NUMBERED)


def shown(output):
    """What a cell printed: tuples and lists."""
    return ast.literal_eval(output.inner_text())


@pytest.mark.slow
def test_the_notebook_runs_in_jupyterlab_and_a_slider_changes_its_figure(lab):
    page = lab(without_outputs(ROOT / "notebooks" / NOTEBOOK))
    run_all(page)
    widget = page.locator(".jp-OutputArea-output", has=page.locator(".widget-slider")).first
    picture = widget.locator("img").first
    before = picture.get_attribute("src")
    handle = widget.locator(".noUi-handle").first
    handle.focus()
    handle.press("ArrowRight")
    page.wait_for_function("([img, old]) => img.src != old",
                           arg=[picture.element_handle(), before], timeout=PATIENCE)


@pytest.mark.slow
def test_nodes_clicked_in_the_playground_come_back_to_the_notebook(lab):
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in EXPLORING]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    page = lab(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}))
    run_all(page)
    said = page.locator(".jp-Cell").last.locator(".jp-OutputArea-output")
    seeds, widths, kept = shown(said)
    assert (seeds, widths) == ((7,), (2, 4, 4, 1))

    playground = page.locator(".playground")
    layers = playground.get_by_role("toolbar", name=re.compile("^Nodes of the"))
    first = layers.first.get_by_role("button", name=re.compile(f"^Node {kept[0][0][0]},"))
    expect(first).to_have_attribute("aria-pressed", "false")
    first.click()
    expect(first).to_have_attribute("aria-pressed", "true")
    for key in "dd":  # in the notebook they would delete the cell
        page.keyboard.press(key)
    run_last(page)
    assert shown(said) == ((7,), (2, 3, 4, 1), [[kept[0][0][1:]], kept[1]])

    page.get_by_label("Network of seed").select_option("4")
    expect(layers.first.locator("[aria-pressed=true]")).to_have_count(4)
    run_last(page)
    assert shown(said)[:2] == ((4,), (2, 4, 4, 1))
