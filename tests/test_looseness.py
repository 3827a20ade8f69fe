"""Violations are counted, factors multiply to the whole, rescaling breaks K of all layers alone."""

import numpy as np
import pandas as pd
import pytest
import torch

from examples import MOONS, double, louder, refuses, three_classes, tiny
from helpers.bounds import BOUNDS, SIGNED, ladder
from helpers.looseness import FACTORS, rescaled, rescaling, slack, violations
from helpers.removals import every_node, without_node

NETWORKS = louder(double(tiny(4, (2, 9, 8, 1))), 3)  # margins and changes of several logits
X = MOONS.x_train


def row(**values):
    """Return a ladder of one row: 1 everywhere but for what is given."""
    names = [*BOUNDS, *SIGNED, "rms_logit_change", "mean_abs_loss_change", "loss_change"]
    return pd.DataFrame([dict.fromkeys(names, 1.0) | values])


def counted(table, **arguments):
    found = violations(table, **arguments)
    assert list(found.index) == [*BOUNDS, *SIGNED]
    return list(found[found > 0].index)


def test_each_bound_is_held_against_what_it_speaks_of():
    assert counted(row()) == []
    assert counted(row(mean_abs_loss_change=1.1)) == list(BOUNDS)
    assert counted(row(loss_change=1.1)) == list(SIGNED)
    assert counted(row(interval=0.9, harm_side=0.9)) == ["interval", "harm_side"]
    assert counted(row(rms_logit_change=1.1), measured="rms_logit_change") == [*BOUNDS, *SIGNED]
    two = violations(pd.concat([row(), row(covariance=0.5), row(covariance=0.2)]))
    assert two.covariance == 2 and two.sum() == 2


def test_smaller_bounds_and_rounding():
    assert counted(row(suffix_k=2.0), shrink=0.6) == [*BOUNDS[1:], *SIGNED]
    assert counted(row(covariance=1 - 1e-9)) == []
    assert counted(row(covariance=1 - 3e-9)) == ["covariance"]
    assert counted(row(covariance=0.0, mean_abs_loss_change=0.9e-9)) == []
    assert counted(row(covariance=0.999), rounding=1e-3) == []


@pytest.mark.parametrize("fall", [0.5, 2.0, 1e6])
def test_a_fall_bounded_by_itself_is_no_violation(fall):
    exact = row(margin_aware=-fall, harm_side=-fall, loss_change=-fall)
    assert counted(exact) == []
    assert counted(exact.assign(harm_side=-1.001 * fall)) == ["harm_side"]


@pytest.mark.parametrize("networks, problem", [
    (NETWORKS, MOONS), (louder(double(tiny(3, (2, 7, 6, 5, 1))), 2), MOONS),
    (louder(double(tiny(3, (4, 7, 6, 3))), 2), three_classes())])
def test_factors_multiply_to_the_whole_and_are_at_least_one_but_for_two(networks, problem):
    table = every_node(networks, problem)
    table = table[table.loss_change > 1e-3]
    factors = slack(table)
    assert list(factors.columns) == list(FACTORS) and len(factors) > 8
    whole = table.suffix_k * table.norms_before / table.loss_change
    np.testing.assert_allclose(factors.prod(axis=1), whole)
    np.testing.assert_allclose(factors["layers before the node"], table.norms_before)
    np.testing.assert_allclose(factors["margins"],
                               table.mean_abs_logit_change / table.mean_abs_loss_change)
    smaller = factors.columns[(factors < 1 - 1e-9).any()].difference(["layers before the node"])
    assert list(smaller) == ([] if problem.classes == 2 else ["switching gates"])


@pytest.mark.parametrize("layer, scale", [(0, 1e-3), (1, 8.0)])
def test_rescaled_networks_are_the_same_functions(layer, scale):
    moved = rescaled(NETWORKS, layer, scale)
    torch.testing.assert_close(moved(X), NETWORKS(X))
    torch.testing.assert_close(moved.activations(X)[layer] * scale, NETWORKS.activations(X)[layer])
    assert moved.seeds == NETWORKS.seeds


def test_norms_of_all_layers_fail_under_rescaling_and_later_ones_do_not():
    table = every_node(NETWORKS, MOONS)
    seed, _, node = table.xs(0, level="layer", drop_level=False).loss_change.idxmax()
    found = rescaling(NETWORKS, 0, node, MOONS, [1, 1e5]).xs(seed, level="seed")
    before, after = found.loc[1], found.loc[1e5]
    assert before.loss_change > 0.01
    np.testing.assert_allclose(after.drop("all_layers"), before.drop("all_layers"), rtol=1e-6)
    assert before.all_layers > before.loss_change  # as it is, it is merely looser
    assert after.all_layers < after.loss_change  # K unchanged, X divided


def test_rescaling_has_a_ladder_for_each_scale_and_the_norms_of_all_layers():
    table = rescaling(NETWORKS, 1, 3, MOONS, [1, 100])
    before = ladder(NETWORKS, without_node(NETWORKS, 1, 3), MOONS)
    assert list(table.columns) == [*before.columns, "all_layers"]
    assert table.index.names == ["scale", "seed"]
    np.testing.assert_allclose(table.loc[1, before.columns], before)
    np.testing.assert_allclose(table.loc[100, before.columns], before, rtol=1e-6, atol=1e-9)
    first, second, _ = (torch.linalg.matrix_norm(weight, 2).detach() for weight in NETWORKS.weights)
    np.testing.assert_allclose(table.loc[1].all_layers, before.suffix_k * (first * second).numpy())
    np.testing.assert_allclose(table.loc[100].all_layers, table.loc[1].all_layers / 100)


@refuses(
    (lambda: rescaled(NETWORKS, 0, 0), ValueError, "scale is 0"),
    (lambda: rescaled(NETWORKS, 2, 1), ValueError, "layer is 2"),
    (lambda: rescaled(NETWORKS, 0, "2"), TypeError, "scale is '2'"),
    (lambda: rescaling(NETWORKS, 0, 9, MOONS, [1]), ValueError, "node is 9"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
