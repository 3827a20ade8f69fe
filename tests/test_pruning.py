"""Pruned networks are really smaller, and give what masking and compensating by hand give."""


import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from examples import MOONS, double, furthest, three_classes, tiny
from helpers.pruning import COMPENSATIONS, choose, everything, only_layer, overlap, prune
from strategies import tries

WIDE = (2, 9, 8, 1)


def random_kept(networks, fraction=0.5):
    return choose(networks, MOONS, "random", fraction)


def rest(stay, width):
    return [node for node in range(width) if node not in stay.tolist()]


def slowly(network, kept, problem, compensation):
    """Return the logits of one network (float64) pruned by masking, with NumPy's least squares."""
    x, shown = problem.x_train.double().numpy(), problem.x_test.double().numpy()
    last = len(network.weights) - 1
    for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        w, b = w[0].detach().numpy(), b[0].detach().numpy()
        x, shown = x @ w.T + b, shown @ w.T + b
        if layer == last:
            return shown
        x, shown = np.maximum(x, 0), np.maximum(shown, 0)
        stay = kept[layer][0].tolist()
        gone = rest(kept[layer][0], len(b))
        ones, ones_shown = np.ones((len(x), 1)), np.ones((len(shown), 1))
        features, features_shown = {
            "none": (0 * ones, 0 * ones_shown), "mean": (ones, ones_shown),
            "linear": (np.hstack([x[:, stay], ones]), np.hstack([shown[:, stay], ones_shown])),
        }[compensation]
        fit = np.linalg.lstsq(features, x[:, gone], rcond=1e-10)[0]
        x[:, gone], shown[:, gone] = features @ fit, features_shown @ fit


@tries(20)
@given(st.sampled_from(list(COMPENSATIONS)), st.floats(0, 0.95), st.integers(0, 50))
def test_shrunk_equals_masked_and_compensated(compensation, fraction, seed):
    networks = double(tiny(seed + 1, WIDE).select(seed))
    kept = random_kept(networks, fraction)
    pruned = prune(networks, kept, MOONS, compensation)
    assert pruned.widths == (2, kept[0].shape[1], kept[1].shape[1], 1)
    expected = slowly(networks, kept, MOONS, compensation)[:, 0]
    np.testing.assert_allclose(pruned(MOONS.x_test)[0].detach(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("compensation", COMPENSATIONS)
def test_many_networks_and_logits_prune_one_by_one_alike(compensation, monkeypatch):
    problem, networks = three_classes(), double(tiny(5, (4, 9, 3)))
    kept = choose(networks, problem, "random", 0.5)
    monkeypatch.setattr("helpers.pruning.BLOCK", 2)
    pruned = prune(networks, kept, problem, compensation)
    for i in range(5):
        one = prune(networks.select(i), [stay[i:i + 1] for stay in kept], problem, compensation)
        assert furthest(one, pruned.select(i)) < 1e-12
        expected = slowly(networks.select(i), [kept[0][i:i + 1]], problem, compensation)
        np.testing.assert_allclose(pruned(problem.x_test)[i].detach(), expected, atol=1e-6)


def test_means_of_a_layer_are_taken_after_the_layers_before_were_pruned():
    networks = double(tiny(1))
    kept = random_kept(networks)
    both = prune(networks, kept, MOONS)
    first = prune(networks, (kept[0], everything(networks)[1]), MOONS)
    then = prune(first, (torch.arange(kept[0].shape[1])[None], kept[1]), MOONS)
    assert furthest(both, then) < 1e-12
    last = prune(networks, (everything(networks)[0], kept[1]), MOONS)
    assert (both.biases[2] - last.biases[2]).abs().max() > 1e-3


@pytest.mark.parametrize("layer", [0, 1])
def test_only_layer_leaves_the_others_whole(layer):
    networks = tiny(3, WIDE)
    kept = only_layer(networks, random_kept(networks), layer)
    expected = choose(networks, MOONS, "random", 0.5, [layer])
    assert all(map(torch.equal, kept, expected))


def test_only_layer_names_a_layer_that_is_not_there():
    networks = tiny(3, WIDE)
    with pytest.raises(ValueError, match="layer is 2; expected one of 0, 1"):
        only_layer(networks, random_kept(networks), 2)


def test_overlap_counts_the_nodes_in_common():
    networks = tiny(3, WIDE)
    a, b = random_kept(networks), choose(networks, MOONS, "magnitude", 0.5)
    for one, other, shares in zip(a, b, overlap(a, b), strict=True):
        common = [len(set(p.tolist()) & set(q.tolist())) / len(p)
                  for p, q in zip(one, other, strict=True)]
        np.testing.assert_allclose(shares, common, rtol=1e-6)
