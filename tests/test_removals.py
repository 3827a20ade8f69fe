"""Tables of single nodes: every column is a direct computation, misjudged nodes are marked."""

import numpy as np
import pandas as pd
import pytest
import torch

from examples import MOONS, double, refuses, three_classes, tiny
from helpers.bounds import BOUNDS, SIGNED, ladder
from helpers.criteria import oracle
from helpers.estimates import first_order, second_order
from helpers.networks import initialise
from helpers.removals import every_node, misjudged, without_node

CASES = [(initialise((2, 5, 4, 3, 1), [5, 2, 8]), MOONS),
         (initialise((4, 4, 3, 3), [5, 2, 8]), three_classes())]
cases = pytest.mark.parametrize("networks, problem", CASES)


def test_without_node_removes_that_node_only():
    kept = without_node(tiny(2, (2, 4, 3, 1)), 1, 0)
    assert [stay.tolist() for stay in kept] == [[[0, 1, 2, 3]] * 2, [[1, 2]] * 2]


@cases
def test_every_node_has_its_own_ladder(networks, problem):
    table = every_node(networks, problem)
    hidden = networks.widths[1:-1]
    expected = [(seed, layer, node) for seed in (2, 5, 8) for layer, width in enumerate(hidden)
                for node in range(width)]
    assert list(table.index) == expected and table.index.names == ["seed", "layer", "node"]
    for layer, width in enumerate(hidden):
        for node in range(width):
            own = ladder(networks, without_node(networks, layer, node), problem)
            rows = table.xs((layer, node), level=("layer", "node"))
            np.testing.assert_allclose(rows.loc[own.index, own.columns], own)
    assert list(table.columns) == [*own.columns, "std", "norms_before", "first_order",
                                   "second_order"]


@cases
def test_further_columns_by_hand(networks, problem):
    table, exact = every_node(networks, problem), double(networks)
    first, second, true = (of(exact, problem) for of in (first_order, second_order, oracle))
    for (seed, layer, node), row in table.iterrows():
        i = networks.seeds.index(seed)
        outputs = exact.activations(problem.x_train)[layer][i, :, node].detach().numpy()
        norms = [np.linalg.norm(weight[i].detach().numpy(), 2) for weight in exact.weights]
        np.testing.assert_allclose(row["std"], np.std(outputs, ddof=0), atol=1e-12)
        np.testing.assert_allclose(row.norms_before, np.prod(norms[:layer + 1]))
        np.testing.assert_allclose(
            row[["first_order", "second_order", "loss_change"]],
            [values[layer][i, node].detach() for values in (first, second, true)], atol=1e-12)
    assert ((table.second_order - table.loss_change).abs()
            < (table.first_order - table.loss_change).abs() + 1e-12).mean() > 0.5


def test_other_points_change_what_is_measured_not_the_node():
    networks, problem = CASES[0]
    points = problem.x_test, problem.y_test
    table, there = (every_node(networks, problem, points=where) for where in (None, points))
    same = ["std", "norms_before", "first_order", "second_order"]
    pd.testing.assert_frame_equal(table[same], there[same])
    own = ladder(networks, without_node(networks, 1, 2), problem, points=points)
    rows = there.xs((1, 2), level=("layer", "node")).loc[own.index, own.columns]
    np.testing.assert_allclose(rows, own)
    alive = table["std"] > 0
    assert (table.loss_change[alive] != there.loss_change[alive]).all()


def test_dead_nodes_are_zero_in_every_column_of_change():
    networks = tiny(2, (2, 5, 4, 1))
    networks.biases[0].data[:, 3] = -100
    dead = every_node(networks, MOONS).xs((0, 3), level=("layer", "node"))
    zero = [*BOUNDS, *SIGNED, "loss_change", "mean_abs_loss_change", "std", "first_order"]
    assert (dead[zero].abs() < 1e-15).all(axis=None) and (dead.norms_before > 0).all()
    assert (dead[list(BOUNDS)] == 0).all(axis=None)


def test_misjudged_nodes_are_marked_among_their_own_peers():
    # three networks and layers; a: ignored, b: actively bad, c: amplified; d, e: as they should be
    nodes = pd.DataFrame({"std": [9, 4, 1, 2, 5], "mean_abs_logit_change": [1, 2, 9, 3, 4],
                          "mean_abs_loss_change": [1, 3, 9, 2, 4], "loss_change": [1, -1, 9, 2, 4]},
                         index=pd.Index(list("abcde"), name="node"))
    table = pd.concat({(0, 0): nodes, (0, 1): 100 * nodes, (7, 1): nodes / 100},
                      names=["seed", "layer"])
    marked = misjudged(table)
    for peers in table.index.droplevel("node").unique():
        found = {name: list(column[column].index) for name, column in marked.loc[peers].items()}
        assert found == {"ignored": ["a"], "actively bad": ["b"], "amplified": ["c"]}
    harmless = misjudged(table.assign(loss_change=table.loss_change.clip(-1e-7)))
    assert not harmless["actively bad"].any()


@refuses(
    (lambda networks: without_node(networks, 2, 0), ValueError, "layer is 2"),
    (lambda networks: without_node(networks, -1, 0), ValueError, "layer is -1"),
    (lambda networks: without_node(networks, 1, 3), ValueError, "node is 3"),
    (lambda networks: without_node(networks, 1, 0.5), TypeError, "node is 0.5"),
    (lambda networks: every_node(networks, three_classes()), ValueError, "4 features"),
    (lambda networks: every_node(networks, MOONS, (torch.zeros(3, 2), torch.zeros(2).long())),
     ValueError, r"y has shape \(2,\)"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(tiny(2, (2, 4, 3, 1)))
