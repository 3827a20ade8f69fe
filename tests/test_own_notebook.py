"""Notebook 11 answers for a table, a model and a training of a reader's own, as it promises."""

import re
from pathlib import Path

import nbformat
import pytest
from papermill.iorw import load_notebook_node

import answers
import reruns
from run_notebooks import execute

NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks/11_your_own_network.ipynb"
REPLACED = "n11-04"  # the cell of my_table, my_label, my_model and my_training
ONE_LOGIT = """
from sklearn.datasets import load_breast_cancer
my_table = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "diagnosis"})
my_label = "diagnosis"
def my_model(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 10), nn.ReLU(),
                         nn.Linear(10, 1))
def my_training(model, x, y, seed, epochs=EPOCHS):
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(50):
            optimiser.zero_grad()
            logits = model(x[batch])[:, 0]
            nn.functional.binary_cross_entropy_with_logits(logits, y[batch].to(x)).backward()
            optimiser.step()
"""
THREE_CLASSES = """
from sklearn.datasets import load_wine
my_table = load_wine(as_frame=True).frame
my_table.insert(0, "kind", "wine " + my_table.pop("target").astype(str))
my_label = "kind"
def my_model(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(13, 20), nn.ReLU(), nn.Linear(20, 3))
"""


def printed(notebook):
    return "".join(output.get("text", "") for _, output in answers.outputs(notebook))


@pytest.mark.slow
@pytest.mark.parametrize("own, setting, widths, points", [
    (ONE_LOGIT, {"CRITERION": "random", "FRACTION": 0.9}, (30, 32, 2), 285),
    (THREE_CLASSES, {"FRACTION": 0.3}, (13, 32, 3), 89)], ids=["one logit", "three classes"])
def test_every_cell_and_check_passes_for_ones_own(tmp_path, own, setting, widths, points):
    small = {"SPLITS": 2, "SEEDS": 3, "EPOCHS": 12}
    notebook = reruns.with_settings(load_notebook_node(str(NOTEBOOK)), {**small, **setting})
    (cell,) = [cell for cell in notebook.cells if cell.id == REPLACED]
    cell.source += own
    path = tmp_path / NOTEBOOK.name
    nbformat.write(notebook, path)
    done = execute(path)
    text = printed(done)
    assert f"widths {widths};" in text and f"one held-out point is {1 / points:.4f}" in text
    (answer,) = re.findall(r"\*\*Answer\.\*\*.*", nbformat.writes(done))
    assert "6 networks, 2 splits of one table" in answer
