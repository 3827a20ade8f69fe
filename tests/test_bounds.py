"""Bounds: theorems on every pruning, closed forms in NumPy, examples by hand, refusals."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from examples import double, louder, refuses, three_classes, tiny, two_points
from helpers.bounds import BOUNDS, CHAIN, SIGNED, certificate, ladder, reach
from helpers.data import spirals
from helpers.looseness import violations
from helpers.networks import Networks, initialise
from helpers.pruning import choose, everything, prune
from helpers.recipes import Recipe
from helpers.removals import every_node, without_node
from helpers.replacements import fresh_fits, fresh_means, stale_means
from helpers.training import train
from strategies import prunings, tries

SPIRALS, THREE = spirals(n_train=60, n_test=50), three_classes()
MEASURED = ["rms_logit_change", "mean_abs_logit_change", "mean_abs_loss_change", "loss_change"]
LOGIT_BOUNDS = list(BOUNDS[:-1])  # what they say of the loss holds of logits, root mean square


def problem_of(logits):
    return SPIRALS if logits < 3 else THREE


@pytest.fixture(scope="module")
def trained():
    """Networks whose nodes differ, some dead, some large; in float64 for comparison."""
    return double(train(initialise((2, 12, 12, 1), range(8)), SPIRALS,
                        Recipe(learning_rate=0.05, steps=300)).networks)


def arrays(networks, i, problem, x=None):
    """Return weights and hidden outputs of one network as NumPy arrays."""
    outputs = networks.activations(problem.x_train if x is None else x)
    return ([weight[i].detach().numpy() for weight in networks.weights],
            [layer[i].detach().numpy() for layer in outputs])


def gone(kept, layer, i, width=12):
    return np.setdiff1d(np.arange(width), kept[layer][i])


def random_points(problem, seed):
    """Points of a box three times as wide as the training points' spread, labelled at random."""
    generator = torch.Generator().manual_seed(seed)
    x = 6 * torch.rand(40, problem.features, generator=generator) - 3
    return x, torch.randint(problem.classes, (40,), generator=generator)


def falls(table, *names):
    columns = table[list(names)].to_numpy()
    return (columns[:, 1:] <= columns[:, :-1] + 1e-9 * (1 + np.abs(columns[:, :-1]))).all()


def in_order(table):
    """Is CHAIN falling, suffix_k_rms within it, and what was measured below what bounds it?"""
    return (falls(table, *CHAIN) and falls(table, "suffix_k", "suffix_k_rms", "covariance")
            and falls(table, "centred_gate", *MEASURED))


@st.composite
def arguments(draw):
    """Return arguments of `ladder` that prune any networks in any way."""
    networks, problem, kept = draw(prunings())
    return (networks, kept, problem,
            draw(st.sampled_from([fresh_means, stale_means, fresh_fits])),
            draw(st.sampled_from([None, random_points(problem, draw(st.integers(0, 10**6)))])))


@tries(60)
@given(arguments())
def test_every_bound_holds_in_order_for_any_pruning(case):
    table = ladder(*case)
    assert list(table.columns) == [*BOUNDS, *SIGNED, *MEASURED]
    assert table.notna().all(axis=None) and in_order(table)
    assert not violations(table).any()
    assert not violations(table, "rms_logit_change")[LOGIT_BOUNDS].any()
    if case[0].widths[-1] < 3:
        assert not violations(table, "mean_abs_logit_change").interval


@tries(30)
@given(arguments())
def test_what_is_certain_is_right_after_any_pruning(case):
    table = certificate(*case)
    assert list(table.columns) == ["dense", "pruned", "certified"]
    assert (table.certified <= table.pruned).all()
    networks, kept, problem, _, points = case
    x, y = points or (problem.x_train, problem.y_train)
    margins, lost = reach(networks, kept, problem, (x, y))
    pruned = prune(double(networks), kept, problem)
    assert (margins - lost <= margins_of(pruned(x), y) + 1e-9).all()  # at every single point
    torch.testing.assert_close(margins, margins_of(double(networks)(x), y))


def margins_of(logits, y):
    if logits.ndim == 2:
        return torch.where(y == 1, logits, -logits).detach()
    own = torch.nn.functional.one_hot(y, logits.shape[2]).bool()
    return (logits[:, own] - logits.masked_fill(own, -torch.inf).amax(2)).detach()


@pytest.mark.parametrize("layers", [[0], [1], [0, 1]])
def test_bounds_hold_for_trained_networks(trained, layers):
    for criterion in ("random", "std", "magnitude"):
        kept = choose(trained, SPIRALS, criterion, 0.5, layers)
        for stand_in in fresh_means, stale_means, fresh_fits:
            table = ladder(trained, kept, SPIRALS, stand_in)
            assert in_order(table) and not violations(table).any()


def exactly(table, *names):
    for name in names[1:]:
        np.testing.assert_allclose(table[name], table[names[0]], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("stand_in", [fresh_means, fresh_fits])
def test_nothing_is_lost_behind_the_last_hidden_layer(trained, stand_in):
    table = ladder(trained, choose(trained, SPIRALS, "random", 0.5, [1]), SPIRALS, stand_in)
    exactly(table, "covariance", "path_covariance", "centred_gate", "rms_logit_change")
    exactly(table, "interval", "mean_abs_logit_change")
    exactly(table, "harm_side", "loss_change")
    assert table.rms_logit_change.min() > 1e-3 and (table.loss_change < table.margin_aware).all()
    single = every_node(trained, SPIRALS).xs(1, level="layer")
    exactly(single, "suffix_k_rms", "suffix_k")
    exactly(single, "column_norms", "rms_logit_change")


@pytest.mark.parametrize("bias, same", [(100.0, True), (0.0, False)])
def test_interval_and_harm_side_are_exact_where_no_gate_switches(bias, same):
    networks = double(tiny(3, (2, 9, 7, 6, 1)))
    for layer in 1, 2:
        networks.biases[layer].data += bias
    networks.biases[3].data -= networks(SPIRALS.x_train).mean(1, keepdim=True)
    table = ladder(networks, choose(networks, SPIRALS, "random", 0.5), SPIRALS)
    for bound, measured in (("interval", "mean_abs_logit_change"), ("harm_side", "loss_change")):
        assert same == np.allclose(table[bound], table[measured], rtol=1e-9, atol=1e-12)


def test_one_layer_matches_the_formulas_in_numpy(trained):
    kept = choose(trained, SPIRALS, "random", 0.5, [0])
    table = ladder(trained, kept, SPIRALS)
    for i in range(len(trained)):
        (_, second, last), (outputs, _) = arrays(trained, i, SPIRALS)
        lost = second[:, gone(kept, 0, i)]
        covariance = np.cov(outputs[:, gone(kept, 0, i)].T, ddof=0)
        spread, norm = lost @ covariance @ lost.T, np.linalg.norm(last)
        deviations, all_norms = np.sqrt(np.diag(covariance)), np.linalg.norm(second, 2) * norm
        path, aligned = np.abs(last[0]) @ np.sqrt(np.diag(spread)), last[0] @ spread @ last[0]
        expected = [all_norms * deviations.sum(), all_norms * np.sqrt(np.trace(covariance)),
                    norm * np.linalg.norm(lost, axis=0) @ deviations,
                    norm * np.sqrt(np.trace(spread)), path, (path + np.sqrt(aligned)) / 2]
        np.testing.assert_allclose(table[LOGIT_BOUNDS].iloc[i], expected, rtol=1e-9)


def test_gates_and_margins_match_loops_over_points_and_nodes(trained):
    kept = choose(trained, SPIRALS, "random", 0.5, [0])
    table = ladder(trained, kept, SPIRALS)
    margins = margins_of(trained(SPIRALS.x_train), SPIRALS.y_train).numpy()
    for i in range(3):
        (_, second, last), (outputs, _) = arrays(trained, i, SPIRALS)
        inputs = outputs @ second.T + trained.biases[1][i].detach().numpy()
        out = gone(kept, 0, i)
        moved = (outputs.mean(0) - outputs)[:, out] @ second[:, out].T
        interval, aware, harm = [], [], []
        for h, change, y, margin in zip(inputs, moved, SPIRALS.y_train, margins[i], strict=True):
            least = most = 0
            for before, by, w in zip(h, change, last[0], strict=True):
                gates = {before > 0, before + by > 0}
                parts = [w * by * gate for gate in gates]
                least, most = least + min(parts), most + max(parts)
            either, lost = max(-least, most), -least if y == 1 else most
            interval.append(either)
            for rise, part in (either, aware), (lost, harm):
                part.append(np.logaddexp(0, rise - margin) - np.logaddexp(0, -margin))
        np.testing.assert_allclose(table.iloc[i][["interval", *SIGNED]],
                                   [np.mean(part) for part in (interval, aware, harm)], rtol=1e-7)


@pytest.mark.parametrize("stand_in", [stale_means, fresh_means])
def test_both_layers_match_the_formula_in_numpy(trained, stand_in):
    """Fresh means have moved by the time that the second layer is pruned: a bias more."""
    kept = choose(trained, SPIRALS, "random", 0.5)
    table = ladder(trained, kept, SPIRALS, stand_in)
    partly = prune(trained, (kept[0], everything(trained)[1]), SPIRALS)
    for i in range(len(trained)):
        (_, second, last), (one, two) = arrays(trained, i, SPIRALS)
        out_one, out_two, stay = gone(kept, 0, i), gone(kept, 1, i), kept[1][i]
        lost = second[np.ix_(stay, out_one)]
        spread = lost @ np.cov(one[:, out_one].T, ddof=0) @ lost.T
        shift = (arrays(partly, i, SPIRALS)[1][1].mean(0) - two.mean(0))[out_two]
        moment = np.cov(two[:, out_two].T, ddof=0)
        moment += np.outer(shift, shift) if stand_in is fresh_means else 0
        after, own = last[0, stay], np.sqrt(last[0, out_two] @ moment @ last[0, out_two])
        path, aligned = np.abs(after) @ np.sqrt(np.diag(spread)), np.sqrt(after @ spread @ after)
        expected = [np.linalg.norm(after) * np.sqrt(np.trace(spread)), path, (path + aligned) / 2]
        np.testing.assert_allclose(table[["covariance", "path_covariance", "centred_gate"]].iloc[i],
                                   own + np.array(expected), rtol=1e-9)


def test_softmax_has_root_two_and_logits_centred():
    networks = louder(double(tiny(4, (4, 8, 6, 3))), 2)
    kept = choose(networks, THREE, "random", 0.5, [0])
    table = ladder(networks, kept, THREE)
    for i in range(len(networks)):
        (_, second, last), (outputs, _) = arrays(networks, i, THREE)
        last = last - last.mean(0)
        lost = second[:, gone(kept, 0, i, 8)]
        covariance = np.cov(outputs[:, gone(kept, 0, i, 8)].T, ddof=0)
        spread, norm = lost @ covariance @ lost.T, np.linalg.norm(last, 2)
        deviations = np.sqrt(np.diag(covariance))
        paths = np.abs(last) @ np.sqrt(np.diag(spread))
        centred = (paths + np.sqrt(np.diag(last @ spread @ last.T))) / 2
        sizes = [norm * np.linalg.norm(second, 2) * deviations.sum(),
                 norm * np.linalg.norm(lost, axis=0) @ deviations,
                 norm * np.sqrt(np.trace(spread)), np.linalg.norm(paths), np.linalg.norm(centred)]
        expected = np.sqrt(2) * np.minimum.accumulate(sizes)
        np.testing.assert_allclose(table[list(CHAIN[:5])].iloc[i], expected, rtol=1e-9)


def test_one_logit_is_the_difference_of_two():
    two = tiny(3, (2, 8, 7, 2))
    one = Networks([*two.weights[:-1], two.weights[-1].diff(dim=1)],
                   [*two.biases[:-1], two.biases[-1].diff(dim=1)], two.seeds)
    kept = choose(two, SPIRALS, "random", 0.5)
    for table in ladder, certificate:
        np.testing.assert_allclose(table(one, kept, SPIRALS), table(two, kept, SPIRALS), rtol=1e-5)


@pytest.mark.parametrize("logits", [1, 3])
@pytest.mark.parametrize("stand_in, compensation", [(fresh_means, "mean"), (fresh_fits, "linear")])
@pytest.mark.parametrize("held_out", [False, True])
def test_measured_columns_are_what_prune_does(logits, stand_in, compensation, held_out):
    problem = problem_of(logits)
    networks = double(tiny(3, (problem.features, 7, 5, logits)))
    kept = choose(networks, problem, "random", 0.5)
    points = (problem.x_test, problem.y_test) if held_out else (problem.x_train, problem.y_train)
    pruned = prune(networks, kept, problem, compensation)
    table = ladder(networks, kept, problem, stand_in, points if held_out else None)
    accuracies = certificate(networks, kept, problem, stand_in, points if held_out else None)
    for i in range(3):
        before, after = (some(points[0])[i].detach() for some in (networks, pruned))
        if logits == 1:
            before, after = (torch.stack([torch.zeros_like(z), z], 1) for z in (before, after))
        moved = (after - before).amax(1) - (after - before).amin(1)
        losses = [cross_entropy(z, points[1], reduction="none") for z in (before, after)]
        change = losses[1] - losses[0]
        expected = [moved.square().mean().sqrt(), moved.mean(), change.abs().mean(), change.mean()]
        np.testing.assert_allclose(table[MEASURED].iloc[i], expected, rtol=1e-8, atol=1e-10)
        right = [(z.argmax(1) == points[1]).double().mean() for z in (before, after)]
        np.testing.assert_allclose(accuracies[["dense", "pruned"]].iloc[i], right)


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


def test_half_open_gates_cannot_be_improved():
    # of the second layer's nodes, 5 - 9x and 9x - 5, one is open at 0 and the other at 1
    weights = [[[1.0], [1.0]], [[1.0, -10.0], [-1.0, 10.0]], [[1.0, 1.0]]]
    network, problem = two_points(weights, [[0.0, 0.0], [5.0, -5.0], [0.0]])
    row = ladder(network, without_node(network, 0, 0), problem).loc[0]
    np.testing.assert_allclose(row[["covariance", "path_covariance"]], 1)
    np.testing.assert_allclose(row[["centred_gate", "interval", "rms_logit_change"]], 0.5)


def test_a_node_dead_on_the_training_points_may_fire_elsewhere():
    # nodes x and max(x - 1, 0); the second is 0 at the points 0 and 1, and 2 at 3
    network, problem = two_points([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.0, -1.0], [-0.5]])
    kept, elsewhere = without_node(network, 0, 1), (torch.tensor([[3.0]]), torch.tensor([1]))
    known, there = (ladder(network, kept, problem, points=points).loc[0]
                    for points in (None, elsewhere))
    assert (known == 0).all()
    assert there.mean_abs_logit_change == pytest.approx(2)
    assert there.loss_change == pytest.approx(np.logaddexp(0, -2.5) - np.logaddexp(0, -4.5))
    assert there.loss_change > known.suffix_k and not violations(there.to_frame().T).any()


def test_harm_is_what_the_label_says():
    # outputs 0 and 1 become 1/2 each: logits -0.5, 2 of labels 0, 1 become 0.5 and 1
    network, problem = two_points([[[1.0], [1.0]], [[2.0, 0.5]]], [[0.0, 0.0], [-0.5]])
    kept, (x, y) = without_node(network, 0, 0), (problem.x_train, problem.y_train)
    margins, lost = reach(network, kept, problem, (x, y))
    assert margins.tolist() == [[0.5, 2.0]] and lost.tolist() == [[1.0, 1.0]]
    assert certificate(network, kept, problem).loc[0].tolist() == [1, 0.5, 0.5]
    margins, lost = reach(network, kept, problem, (x, 1 - y))
    assert margins.tolist() == [[-0.5, -2.0]] and lost.tolist() == [[-1.0, -1.0]]
    swapped = ladder(network, kept, problem, points=(x, 1 - y)).loc[0]
    assert swapped.harm_side == pytest.approx(swapped.loss_change) and swapped.loss_change < -0.6


def test_only_which_gates_may_switch_is_known_not_by_how_much():
    # the second layer's max(1/4 - a, 0) becomes max(1/4 - 1/2, 0): at x = 0 it loses 1/4 of 1/2
    network, problem = two_points([[[1.0], [1.0]], [[-1.0, 0.0]], [[-4.0]]],
                                  [[0.0, 0.0], [0.25], [-0.5]])
    margins, lost = reach(network, without_node(network, 0, 0), problem,
                          (problem.x_train, problem.y_train))
    assert margins.tolist() == [[1.5, -0.5]] and lost.tolist() == [[2.0, 0.0]]
    assert certificate(network, without_node(network, 0, 0), problem).certified.loc[0] == 0


def test_a_label_that_gains_is_certain_however_much_moves():
    # logits 0.5 and -3.5 of labels 1, 0 become 1.5 and -4.5
    network, problem = two_points([[[1.0], [1.0]], [[2.0, -6.0]]], [[0.0, 0.0], [0.5]])
    points = problem.x_train, 1 - problem.y_train
    row = certificate(network, without_node(network, 0, 0), problem, points=points).loc[0]
    assert row.tolist() == [1, 1, 1]


def test_a_tie_is_not_certain():
    network, problem = two_points([[[1.0], [1.0]], [[2.0, 0.5]]], [[0.0, 0.0], [-1.0]])
    row = certificate(network, without_node(network, 0, 0), problem).loc[0]
    assert row.certified == 0.5  # margins 1 and 1.5, both lose 1


def assert_all_zero(table):
    """Bounds are 0; changes too, but for products that round by where in memory they begin."""
    assert (table[list(BOUNDS)] == 0).all(axis=None)
    assert (table.abs() < 1e-15).all(axis=None)


@pytest.mark.parametrize("logits", [1, 2, 3])
def test_dead_nodes_have_bound_zero_and_change_nothing(logits):
    problem = problem_of(logits)
    networks = tiny(3, (problem.features, 6, 6, logits))
    networks.biases[0].data[:, 4] = -100
    assert_all_zero(ladder(networks, without_node(networks, 0, 4), problem))


@pytest.mark.parametrize("logits", [1, 2, 3])
def test_removing_nothing_changes_nothing(logits):
    networks = tiny(3, (problem_of(logits).features, 6, 6, 5, logits))
    table = ladder(networks, everything(networks), problem_of(logits))
    assert table.shape == (3, 13)
    assert_all_zero(table)


def test_large_margins_keep_their_digits_and_float32_networks_are_bounded_in_float64():
    # margins near 60: log-sum-exp would say 0, and float32 would not see the change
    network, problem = two_points([[[1.0], [1.0]], [[1e-6, 120.0]]], [[0.0, 0.0], [-60.0]])
    row = ladder(network, without_node(network, 0, 0), problem).loc[0]
    expected = np.log1p(np.exp(-60 + 5e-7)) - (np.log1p(np.exp(-60)) + np.log1p(np.exp(-60 - 1e-6))
                                               ) / 2
    assert 0 < row.mean_abs_loss_change < 1e-30
    assert row.loss_change == pytest.approx(expected, rel=1e-2)
    assert row.harm_side == pytest.approx(row.loss_change, rel=1e-6)
    assert row.mean_abs_logit_change == pytest.approx(5e-7, rel=1e-6)
    assert network.weights[0].dtype == torch.float32


@pytest.mark.parametrize("table", [ladder, certificate])
def test_rows_belong_to_seeds_and_do_not_depend_on_company(table, monkeypatch):
    networks = initialise((2, 5, 4, 1), range(70, 0, -1))
    kept = choose(networks, SPIRALS, "random", 0.5)
    together = table(networks, kept, SPIRALS)
    alone = table(networks.select([66, 3]), tuple(stay[[66, 3]] for stay in kept), SPIRALS)
    assert list(together.index) == list(range(70, 0, -1)) and list(alone.index) == [4, 67]
    np.testing.assert_allclose(together.loc[[4, 67]], alone, rtol=1e-9, atol=1e-12)
    monkeypatch.setattr("helpers.bounds.BLOCK", 9)
    np.testing.assert_allclose(table(networks, kept, SPIRALS), together, rtol=1e-9, atol=1e-12)


NETWORKS = tiny(2, (2, 4, 3, 1))
WHOLE, (X, Y) = everything(NETWORKS), (SPIRALS.x_train, SPIRALS.y_train)


@pytest.mark.parametrize("of", [
    ladder, certificate, lambda *case, points=(X, Y): reach(*case, points)])
@refuses(
    (lambda of: of(NETWORKS, WHOLE, THREE), ValueError, "4 features; expected 2"),
    (lambda of: of(tiny(2, (2, 4, 3, 3)), WHOLE, SPIRALS), ValueError, "3 logits; expected 1 or 2"),
    (lambda of: of("nets", WHOLE, SPIRALS), TypeError, "networks is str"),
    (lambda of: of(tiny(2, (2, 1)), (), SPIRALS), ValueError, "expected a hidden layer"),
    (lambda of: of(NETWORKS, WHOLE, "spirals"), TypeError, "problem is str"),
    (lambda of: of(NETWORKS, WHOLE[:1], SPIRALS), ValueError, "kept has 1 layers; expected 2"),
    (lambda of: of(NETWORKS, WHOLE[0], SPIRALS), TypeError, "kept is Tensor"),
    (lambda of: of(NETWORKS, [stay[:1] for stay in WHOLE], SPIRALS), ValueError, "shape .1, 4."),
    (lambda of: of(NETWORKS, WHOLE, SPIRALS, points=(X[:, :1], Y)), ValueError, "x has 1 features"),
    (lambda of: of(NETWORKS, WHOLE, SPIRALS, points=(X, Y[:9])), ValueError, r"y has shape \(9,"),
    (lambda of: of(NETWORKS, WHOLE, SPIRALS, points=(X, Y + 1)), ValueError, "y holds labels"),
)
def test_nonsense_is_refused(of, call, error, message):
    with pytest.raises(error, match=message):
        call(of)
