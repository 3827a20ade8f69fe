"""JupyterLab opens the notebook on std pruning, runs it, and its slider draws another figure."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from built import ROOT

NOTEBOOK = "04_std_pruning.ipynb"
TRACKER = "@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
PATIENCE = 240  # seconds for all cells
NUMBERED = re.compile(r"\[\d+\]:")  # the prompt of a cell that has run
ERRORS = "[data-mime-type='application/vnd.jupyter.stderr']"  # progress bars write there, too


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
def lab(tmp_path):
    """Start JupyterLab without a user's settings on a copy of the notebook; its address."""
    pytest.importorskip("jupyterlab", reason="no JupyterLab: make .venv/.lab")
    folder, settings, port = tmp_path / "notebooks", tmp_path / "settings", free_port()
    folder.mkdir()
    nbformat.write(without_outputs(ROOT / "notebooks" / NOTEBOOK), folder / NOTEBOOK)
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
        yield f"{address}/tree/{NOTEBOOK}"
    finally:
        server.terminate()
        server.wait(20)


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


@pytest.mark.slow
def test_the_notebook_runs_in_jupyterlab_and_a_slider_changes_its_figure(browser, lab):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(lab)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()

    prompts = page.locator(".jp-CodeCell .jp-InputArea-prompt")
    wait_for(lambda: all(map(NUMBERED.fullmatch, prompts.all_inner_texts())), PATIENCE, "all cells")
    assert page.locator(ERRORS, has_text="Traceback").all_inner_texts() == []

    widget = page.locator(".jp-OutputArea-output", has=page.locator(".widget-slider")).first
    picture = widget.locator("img").first
    before = picture.get_attribute("src")
    handle = widget.locator(".noUi-handle").first
    handle.focus()
    handle.press("ArrowRight")
    page.wait_for_function("([img, old]) => img.src != old",
                           arg=[picture.element_handle(), before], timeout=30_000)
    page.close()
