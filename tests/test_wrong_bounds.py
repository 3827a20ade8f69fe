"""Bounds that are too small are noticed: by the counts of violations, on networks they fail on."""

import pandas as pd
import pytest
import torch

from examples import double, louder, three_classes, tiny
from helpers import bounds, change, gates, replacements
from helpers.bounds import BOUNDS, SIGNED, ladder
from helpers.data import spirals
from helpers.looseness import violations
from helpers.networks import initialise
from helpers.pruning import choose
from helpers.recipes import Recipe
from helpers.removals import every_node
from helpers.training import train

SPIRALS, THREE = spirals(n_train=60, n_test=2), three_classes()
UP_TO_GATES = list(BOUNDS[:-1])


@pytest.fixture(scope="module")
def trained():
    return double(train(initialise((2, 12, 12, 1), range(8)), SPIRALS,
                        Recipe(learning_rate=0.05, steps=300)).networks)


@pytest.fixture(scope="module")
def nodes(trained):
    """Every live node of the trained networks removed alone."""
    table = every_node(trained, SPIRALS)
    return table[table["std"] > 0]


def test_behind_the_last_hidden_layer_a_thousandth_is_noticed(nodes):
    table = nodes.xs(1, level="layer")
    assert len(table) > 50 and not violations(table, "rms_logit_change")[UP_TO_GATES].any()
    caught = violations(table, "rms_logit_change", shrink=0.999)
    assert (caught[["column_norms", "covariance", "path_covariance", "centred_gate"]]
            == len(table)).all()
    assert violations(table, "mean_abs_logit_change", shrink=0.999).interval == len(table)
    harmful = table[table.loss_change > 1e-6]
    assert violations(harmful, shrink=0.99).harm_side == len(harmful) > 20


@pytest.mark.parametrize("measured, factors", [
    (None, {"suffix_k": 0.02, "column_norms": 0.05, "covariance": 0.05, "path_covariance": 0.05,
            "centred_gate": 0.05, "interval": 0.1, "margin_aware": 0.9, "harm_side": 0.9}),
    ("mean_abs_logit_change", {"suffix_k": 0.1, "column_norms": 0.2, "covariance": 0.2,
                               "path_covariance": 0.2, "centred_gate": 0.25, "interval": 0.9})])
def test_what_the_first_hidden_layer_notices(nodes, measured, factors):
    """Far less: only the last bounds are so near the truth that a tenth is noticed."""
    table = nodes.xs(0, level="layer")
    assert not violations(table, measured)[list(factors)].any()
    for name, factor in factors.items():
        assert violations(table, measured, shrink=factor)[name] > 0.05 * len(table), name
    if measured is None:
        assert not violations(table, shrink=0.5)[UP_TO_GATES].any(), "half of it would pass"


def one_layer(networks, problem, layer, fractions=(0.25, 0.5)):
    return pd.concat([ladder(networks, choose(networks, problem, criterion, fraction, layer),
                             problem) for criterion in ("random", "std") for fraction in fractions])


def broken(table):
    """Count rows of a ladder with any bound below what it bounds, of the loss or of the logits."""
    two_classes = {"interval": "mean_abs_logit_change"}
    found = violations(table)
    for name, measured in (dict.fromkeys(UP_TO_GATES, "rms_logit_change") | two_classes).items():
        found[name] += violations(table, measured)[name]
    return found


def without_signs(sizes, weights):
    for weight in weights:
        sizes = (weight @ sizes[..., None])[..., 0].abs()
    return sizes


def silent_if_unsure(inputs, low, high):
    sure = (inputs + low >= 0) & (inputs >= 0)
    return low.where(sure, 0), high.where(sure, 0)


def open_gates(inputs, low, high):
    return low, high


def no_radius(weight, low, high):
    return ((high + low) / 2 @ weight.mT,) * 2


def quarter(size, weights):
    return gates.half_passed(size, weights) / 2


def stale_though_fresh(networks, kept, values, *start, held=replacements.held_logits):
    fresh = replacements.fresh_means(networks, kept, SPIRALS, SPIRALS.x_train)
    return held(networks, kept, fresh, *start)


MISTAKES = {  # what is replaced, by what, and the first bound that must break
    "SLOPE": (bounds, "SLOPE", 1.0, "column_norms"),
    "paths with signs": (bounds, "along_paths", without_signs, "path_covariance"),
    "a quarter passed": (bounds, "half_passed", quarter, "centred_gate"),
    "unsure gates shut": (change, "interval_after", silent_if_unsure, "interval"),
    "unsure gates open": (change, "interval_after", open_gates, "interval"),
    "intervals without radius": (change, "interval_through", no_radius, "interval"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_step_breaks_its_bound(trained, mistake, monkeypatch):
    module, name, wrong, first = MISTAKES[mistake]
    monkeypatch.setattr(module, name, wrong)
    found = sum(broken(one_layer(trained, SPIRALS, [layer])) for layer in (0, 1))
    assert found[first] > 0, found


def test_the_right_steps_break_none(trained):
    assert not any(broken(one_layer(trained, SPIRALS, [layer])).any() for layer in (0, 1))


def test_slope_one_is_not_enough_for_softmax(monkeypatch):
    networks = louder(double(tiny(4, (4, 8, 6, 3))), 2)
    assert not violations(one_layer(networks, THREE, [1]), "rms_logit_change")[UP_TO_GATES].any()
    monkeypatch.setattr(bounds, "SLOPE", 1.0)
    table = one_layer(networks, THREE, [1])
    caught, visible = violations(table, "rms_logit_change"), (table.rms_logit_change > 1e-12).sum()
    assert caught.covariance == caught.centred_gate == visible > 10


def test_means_that_moved_and_were_forgotten_break_the_bounds(trained, monkeypatch):
    kept = choose(trained, SPIRALS, "random", 0.5)
    assert not broken(ladder(trained, kept, SPIRALS, replacements.stale_means)).any()
    monkeypatch.setattr(change, "held_logits", stale_though_fresh)
    table = ladder(trained, kept, SPIRALS, replacements.stale_means)
    assert violations(table, "mean_abs_logit_change").interval or violations(table).harm_side


def test_training_deviations_break_elsewhere(trained):
    """Bounds of the training points fail in a box around them; those of its own points hold."""
    generator = torch.Generator().manual_seed(0)
    x = 8 * torch.rand(200, 2, generator=generator) - 4
    points = x, torch.randint(2, (200,), generator=generator)
    nodes, there = (every_node(trained, SPIRALS, points=where) for where in (None, points))
    assert not violations(there).any() and not violations(there, "rms_logit_change")[
        UP_TO_GATES].any()
    mixed = nodes.assign(rms_logit_change=there.rms_logit_change)
    assert violations(mixed, "rms_logit_change").centred_gate > 10
    dead = nodes[(nodes["std"] == 0) & (there.mean_abs_logit_change > 1e-3)]
    assert len(dead) and (dead[[*BOUNDS, *SIGNED]] == 0).all(axis=None)
