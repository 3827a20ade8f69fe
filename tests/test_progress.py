"""The bar is silent on request and without a terminal, and counts otherwise."""

import sys

import pytest

from examples import FEW, MOONS, tiny
from helpers.progress import progress
from helpers.training import train


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)  # starts no thread


@pytest.mark.parametrize("wish, silent", [("0", True), ("1", False), (None, False)])
def test_the_environment_silences_the_bar(monkeypatch, terminal, wish, silent):
    monkeypatch.delenv("NB_PROGRESS", raising=False)
    if wish is not None:
        monkeypatch.setenv("NB_PROGRESS", wish)
    with progress(10, "training") as bar:
        assert bar.disable is silent and bar.total == 10
        assert silent or (bar.delay, bar.leave) == (2, False)


def test_without_a_terminal_or_notebook_it_is_silent(monkeypatch):
    monkeypatch.setenv("NB_PROGRESS", "1")
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    assert progress(10, "training").disable


def test_training_prints_nothing(capfd):
    train(tiny(), MOONS, FEW)
    assert capfd.readouterr() == ("", "")


def test_training_counts_every_step_of_every_network(monkeypatch):
    counted = []

    class Bar:
        def __init__(self, total, description):
            self.total = total

        def __enter__(self):
            return self

        def __exit__(self, *_):
            counted.append(self.total)

        def update(self, steps):
            counted.append(steps)

    monkeypatch.setattr("helpers.training.progress", Bar)
    train(tiny(), MOONS, FEW, loss_every=7)
    *steps, total = counted
    assert sum(steps) == total == 3 * 20
