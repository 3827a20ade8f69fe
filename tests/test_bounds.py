"""Bounds: theorems tested on every pruning, sharp examples, and errors a bound must not survive."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.bounds import (
    BOUNDS,
    every_node,
    ladder,
    misjudged,
    rescaled,
    rescaling,
    slack,
    violations,
    without_node,
)
from helpers.data import Problem, spirals
from helpers.networks import Networks, initialise
from helpers.pruning import choose, prune
from helpers.recipes import Recipe
from helpers.training import train

PROBLEM = spirals(n_train=60, n_test=2)
CHAIN = [*BOUNDS, "rms_logit_change", "mean_abs_logit_change", "mean_abs_loss_change"]


@pytest.fixture(scope="module")
def trained():
    """Networks whose nodes differ, some dead, some large; in float64 for comparison."""
    return train(initialise((2, 12, 12, 1), range(8)), PROBLEM,
                 Recipe(learning_rate=0.05, steps=300)).networks.double()


def two_points(weights, biases) -> tuple[Networks, Problem]:
    """One network of the given matrices, and the points 0 and 1 of classes 0 and 1."""
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1])
    network = Networks([torch.tensor(weight)[None] for weight in weights],
                       [torch.tensor(bias)[None] for bias in biases], [0])
    return network, Problem("two points", x, y, x, y, 2)


def in_order(table) -> bool:
    columns = table[CHAIN].to_numpy()
    return bool((columns[:, 1:] <= columns[:, :-1] * (1 + 1e-9) + 1e-12).all()
                and (table.loss_change.abs() <= table.mean_abs_loss_change + 1e-12).all())


@settings(max_examples=40)
@given(widths=st.sampled_from([(2, 9, 1), (2, 9, 7, 1), (2, 8, 7, 6, 1)]),
       fraction=st.floats(0.05, 0.9), layers=st.sets(st.integers(0, 2), min_size=1),
       scheme=st.sampled_from(["torch_default", "he_uniform"]), seed=st.integers(0, 10**6))
def test_every_bound_holds_in_order_for_any_pruning(widths, fraction, layers, scheme, seed):
    networks = initialise(widths, [seed, seed + 1], scheme)
    layers = {layer for layer in layers if layer < len(widths) - 2} or {0}
    table = ladder(networks, choose(networks, PROBLEM, "random", fraction, layers), PROBLEM)
    assert in_order(table)
    assert not violations(table).any() and not violations(table, "rms_logit_change").any()


@pytest.mark.parametrize("layers", [[0], [1], [0, 1]])
def test_bounds_hold_for_trained_networks(trained, layers):
    for criterion in ("random", "std", "magnitude"):
        kept = choose(trained, PROBLEM, criterion, 0.5, layers)
        table = ladder(trained, kept, PROBLEM)
        assert in_order(table) and not violations(table).any()


def test_last_hidden_layer_bound_is_the_rms_logit_change(trained):
    several = ladder(trained, choose(trained, PROBLEM, "random", 0.5, [1]), PROBLEM)
    for name in ("covariance", "centred_gate"):
        np.testing.assert_allclose(several[name], several.rms_logit_change, rtol=1e-9, atol=1e-12)
    single = every_node(trained, PROBLEM).xs(1, level="layer")
    np.testing.assert_allclose(single.column_norms, single.rms_logit_change, rtol=1e-9, atol=1e-12)


def test_a_slightly_smaller_bound_is_caught(trained):
    table = every_node(trained, PROBLEM).xs(1, level="layer")
    alive = int((table["std"] > 0).sum())
    caught = violations(table, "rms_logit_change", shrink=0.999)
    assert alive > 20 and (caught[["column_norms", "covariance", "centred_gate"]] == alive).all()
    assert (violations(table, shrink=1e-6) > alive / 2).all()


def test_one_layer_matches_the_formulas_in_numpy(trained):
    kept = choose(trained, PROBLEM, "random", 0.5, [0])
    table = ladder(trained, kept, PROBLEM)
    for i in range(len(trained)):
        outputs = trained.activations(PROBLEM.x_train)[0][i].detach().numpy()
        second, last = (trained.weights[k][i].detach().numpy() for k in (1, 2))
        gone = np.setdiff1d(np.arange(12), kept[0][i])
        covariance = np.cov(outputs[:, gone].T, ddof=0)
        spread = second[:, gone] @ covariance @ second[:, gone].T
        deviations, norm = np.sqrt(np.diag(covariance)), np.linalg.norm(last)
        path, aligned = np.abs(last[0]) @ np.sqrt(np.diag(spread)), last[0] @ spread @ last[0]
        expected = [np.linalg.norm(second, 2) * norm * deviations.sum(),
                    norm * np.linalg.norm(second[:, gone], axis=0) @ deviations,
                    norm * np.sqrt(np.trace(spread)), (path + np.sqrt(aligned)) / 2]
        np.testing.assert_allclose(table[list(BOUNDS)].iloc[i], expected, rtol=1e-6)


def test_both_layers_match_the_formula_in_numpy(trained):
    kept = choose(trained, PROBLEM, "random", 0.5)
    table = ladder(trained, kept, PROBLEM)
    first_only = prune(trained, (kept[0], torch.arange(12).repeat(8, 1)), PROBLEM)
    for i in range(len(trained)):
        one, two = (a[i].detach().numpy() for a in trained.activations(PROBLEM.x_train))
        moved = first_only.activations(PROBLEM.x_train)[1][i].detach().numpy().mean(0)
        second, last = (trained.weights[k][i].detach().numpy() for k in (1, 2))
        gone_one, gone_two = (np.setdiff1d(np.arange(12), stay[i]) for stay in kept)
        lost = second[np.ix_(kept[1][i], gone_one)]
        spread = lost @ np.cov(one[:, gone_one].T, ddof=0) @ lost.T
        shift = (moved - two.mean(0))[gone_two]
        moment = np.cov(two[:, gone_two].T, ddof=0) + np.outer(shift, shift)
        expected = (np.linalg.norm(last[0, kept[1][i]]) * np.sqrt(np.trace(spread))
                    + np.sqrt(last[0, gone_two] @ moment @ last[0, gone_two]))
        assert table.covariance.iloc[i] == pytest.approx(expected, rel=1e-6)


def test_means_that_move_when_the_layer_before_is_pruned_are_part_of_the_bound():
    # the second layer's removed node gives 0 or 1/2, but 0 once the first layer's node is 1/2
    weights = [[[1.0], [1.0]], [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0]]]
    network, problem = two_points(weights, [[0.0, 0.0], [-0.5, 0.0], [0.0]])
    row = ladder(network, (torch.tensor([[1]]), torch.tensor([[1]])), problem).loc[0]
    assert row.rms_logit_change == pytest.approx(0.125**0.5)
    assert row.centred_gate == pytest.approx(0.125**0.5)


@pytest.mark.parametrize("copies, weight, ratio", [(1, 10.0, 5**0.5), (10**4, 1000.0, 1.0)])
def test_constant_one_cannot_be_improved(copies, weight, ratio):
    # all nodes give x; the rest, twice as strong, makes both points wrong at little norm
    outgoing = [[weight, *[-2 * weight / copies] * copies]]
    network, problem = two_points([[[1.0]] * (copies + 1), outgoing],
                                  [[0.0] * (copies + 1), [weight / 2]])
    row = ladder(network, without_node(network, 0, 0), problem).loc[0]
    assert row.suffix_k / row.loss_change == pytest.approx(ratio, rel=2e-2 if copies == 1 else 1e-3)
    assert row.suffix_k > row.loss_change


def test_norms_of_all_layers_fail_under_rescaling_and_later_ones_do_not(trained):
    table = every_node(trained, PROBLEM)
    seed, _, node = table.xs(0, level="layer", drop_level=False).loss_change.idxmax()
    i = trained.seeds.index(seed)
    before, after = (ladder(networks, without_node(networks, 0, node), PROBLEM).iloc[i]
                     for networks in (trained, rescaled(trained, 0, 1e5)))
    first_norm = torch.linalg.matrix_norm(trained.weights[0][i], 2).item()
    assert before.loss_change > 0.01
    np.testing.assert_allclose(after, before, rtol=1e-6)
    assert first_norm * before.suffix_k > before.loss_change  # as trained, it is merely looser
    assert first_norm / 1e5 * after.suffix_k < after.loss_change  # K unchanged, X divided


def test_rescaling_has_a_ladder_for_each_scale_and_the_norms_of_all_layers(trained):
    table = rescaling(trained, 1, 3, PROBLEM, [1, 100])
    before = ladder(trained, without_node(trained, 1, 3), PROBLEM)
    assert list(table.columns) == [*before.columns, "all_layers"]
    np.testing.assert_allclose(table.loc[1, before.columns], before)
    np.testing.assert_allclose(table.loc[100, before.columns], before, rtol=1e-6, atol=1e-9)
    first, second, _ = (torch.linalg.matrix_norm(weight, 2).detach() for weight in trained.weights)
    np.testing.assert_allclose(table.loc[1].all_layers, before.suffix_k * (first * second).numpy())
    np.testing.assert_allclose(table.loc[100].all_layers, table.loc[1].all_layers / 100)


def test_slack_factors_are_at_least_one_and_multiply_to_the_whole(trained):
    table = every_node(trained, PROBLEM)
    factors = slack(table[table.mean_abs_loss_change > 1e-3])
    assert len(factors) > 20 and (factors >= 1 - 1e-9).all(axis=None)
    np.testing.assert_allclose(factors.iloc[:, :-1].prod(axis=1), factors.iloc[:, -1])


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


def test_rescaled_networks_are_the_same_functions(trained):
    moved = rescaled(trained, 1, 8.0)
    torch.testing.assert_close(moved(PROBLEM.x_train), trained(PROBLEM.x_train))
    torch.testing.assert_close(moved.activations(PROBLEM.x_train)[1] * 8,
                               trained.activations(PROBLEM.x_train)[1])


def test_dead_nodes_have_bound_zero_and_change_nothing():
    networks = initialise((2, 6, 6, 1), range(3))
    with torch.no_grad():
        networks.biases[0][:, 4] = -100
    table = ladder(networks, without_node(networks, 0, 4), PROBLEM)
    assert (table[list(BOUNDS)] == 0).all(axis=None)
    assert (table[CHAIN].abs() < 1e-12).all(axis=None)


def test_large_margins_keep_their_digits_and_float32_networks_are_bounded_in_float64():
    # margins near 60: log-sum-exp would say 0, and float32 would not see the change
    network, problem = two_points([[[1.0], [1.0]], [[1e-6, 120.0]]], [[0.0, 0.0], [-60.0]])
    row = ladder(network, without_node(network, 0, 0), problem).loc[0]
    expected = np.log1p(np.exp(-60 + 5e-7)) - (np.log1p(np.exp(-60)) + np.log1p(np.exp(-60 - 1e-6))
                                               ) / 2
    assert 0 < row.mean_abs_loss_change < 1e-30
    assert row.loss_change == pytest.approx(expected, rel=1e-2)
    assert row.mean_abs_logit_change == pytest.approx(5e-7, rel=1e-6)
    assert network.weights[0].dtype == torch.float32


def test_rows_belong_to_seeds_and_do_not_depend_on_company():
    networks = initialise((2, 5, 4, 1), range(70, 0, -1))
    kept = choose(networks, PROBLEM, "random", 0.5)
    table = ladder(networks, kept, PROBLEM)
    alone = ladder(networks.select([66, 3]), tuple(stay[[66, 3]] for stay in kept), PROBLEM)
    assert list(table.index) == list(range(70, 0, -1)) and list(alone.index) == [4, 67]
    np.testing.assert_allclose(table.loc[[4, 67]], alone, rtol=1e-9)


def test_every_node_has_its_own_row_and_deviation():
    networks = initialise((2, 4, 3, 1), [5, 2])
    table = every_node(networks, PROBLEM)
    assert len(table) == 2 * 7 and table.index.names == ["seed", "layer", "node"]
    outputs = networks.activations(PROBLEM.x_train)[1][0, :, 2].detach()
    assert table["std"].loc[5, 1, 2] == pytest.approx(outputs.std(correction=0).item(), rel=1e-5)
    expected = ladder(networks, without_node(networks, 1, 2), PROBLEM).loc[5]
    np.testing.assert_allclose(table.loc[(5, 1, 2), expected.index], expected)


def test_without_node_removes_that_node_only():
    kept = without_node(initialise((2, 4, 3, 1), range(2)), 1, 0)
    assert [stay.tolist() for stay in kept] == [[[0, 1, 2, 3]] * 2, [[1, 2]] * 2]


def test_removing_nothing_changes_nothing():
    networks = initialise((2, 4, 3, 1), range(2))
    assert (ladder(networks, choose(networks, PROBLEM, "std", 0), PROBLEM) == 0).all(axis=None)


def test_errors_name_what_is_wrong():
    networks = initialise((2, 4, 3, 1), range(2))
    two_logits = initialise((2, 4, 2), range(2))
    with pytest.raises(ValueError, match="2 logits; expected 1"):
        ladder(two_logits, without_node(two_logits, 0, 0), PROBLEM)
    with pytest.raises(ValueError, match="kept has 1 layers; expected 2"):
        ladder(networks, without_node(networks, 0, 0)[:1], PROBLEM)
    with pytest.raises(ValueError, match="layer is 2"):
        without_node(networks, 2, 0)
    with pytest.raises(ValueError, match="node is 3"):
        without_node(networks, 1, 3)
    with pytest.raises(ValueError, match="scale is 0"):
        rescaled(networks, 0, 0)
