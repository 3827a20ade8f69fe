"""Every criterion equals a slow loop over single networks and nodes."""

import numpy as np
import pytest
import torch

from examples import MOONS, double, three_classes, tiny
from helpers.bounds import SLOPE, ladder
from helpers.compare import loss
from helpers.criteria import (
    CRITERIA,
    centred_gate,
    contribution,
    covariance_greedy,
    oracle,
    taylor,
)
from helpers.data import Problem
from helpers.losses import point_losses
from helpers.networks import Networks
from helpers.pruning import everything, prune
from helpers.removals import without_node
from helpers.streams import stream

PROBLEM = MOONS
NETWORKS = double(tiny(2, (2, 6, 4, 1)))


def by_hand(score):
    """Apply a score of (outputs (points,), incoming, outgoing weights) to each node in turn."""
    result = []
    for layer, outputs in enumerate(NETWORKS.activations(PROBLEM.x_train)):
        weights = [w.detach().numpy() for w in NETWORKS.weights]
        outputs = outputs.detach().numpy()
        result.append([[score(outputs[i, :, node], weights[layer][i, node],
                              weights[layer + 1][i, :, node]) for node in range(outputs.shape[2])]
                       for i in range(2)])
    return result


@pytest.mark.parametrize("name, score", [
    ("std", lambda a, w, v: np.std(a, ddof=0)),
    ("contribution", lambda a, w, v: np.std(a, ddof=0) * np.sqrt((v ** 2).sum())),
    ("magnitude", lambda a, w, v: np.sqrt((w ** 2).sum())),
    ("apoz", lambda a, w, v: 1 - np.mean(a == 0)),
    ("mean_abs", lambda a, w, v: np.mean(np.abs(a))),
])
def test_statistics_of_a_node(name, score):
    for values, expected in zip(CRITERIA[name](NETWORKS, PROBLEM), by_hand(score), strict=True):
        np.testing.assert_allclose(values.detach(), expected, rtol=1e-10)


def test_random_scores_come_from_the_networks_own_seed():
    scores = CRITERIA["random"](tiny(4).select([3, 1]), PROBLEM)
    assert [layer.shape for layer in scores] == [(2, 7), (2, 5)]
    for i, seed in enumerate((3, 1)):
        generator = stream(seed, "random pruning")
        for layer in scores:
            assert (layer[i].numpy() == generator.random(layer.shape[1])).all()


@pytest.mark.parametrize("networks, problem", [
    (NETWORKS, MOONS), (double(tiny(2, (4, 5, 3))), three_classes())])
def test_oracle_equals_really_pruning_one_node(networks, problem):
    before = loss(networks, problem.x_train, problem.y_train)
    for layer, scores in enumerate(oracle(networks, problem)):
        for node in range(scores.shape[1]):
            kept = list(everything(networks))
            kept[layer] = kept[layer][:, torch.arange(scores.shape[1]) != node]
            # later layers stay whole, so only this node is replaced by its mean
            after = loss(prune(networks, tuple(kept), problem), problem.x_train, problem.y_train)
            torch.testing.assert_close(scores[:, node], after - before, atol=1e-12, rtol=0)


@pytest.mark.parametrize("networks, problem", [
    (NETWORKS, MOONS), (double(tiny(2, (4, 5, 3))), three_classes())])
def test_taylor_is_the_slope_towards_the_mean(networks, problem):
    """A small step of one node's outputs towards their mean changes the mean loss by it."""
    step = 1e-6
    for layer, scores in enumerate(taylor(networks, problem)):
        outputs = networks.activations(problem.x_train)[layer].detach()
        for node in range(scores.shape[1]):
            ends = []
            for sign in 1, -1:
                moved = outputs.clone()
                own = outputs[..., node]
                moved[..., node] += sign * step * (own.mean(1, keepdim=True) - own)
                logits = networks.logits_from(layer, moved)
                ends.append(point_losses(logits, problem.y_train).mean(1))
            slope = (ends[0] - ends[1]).abs() / (2 * step)
            torch.testing.assert_close(scores[:, node], slope, atol=1e-9, rtol=1e-5)


def rescaled_node_by_node(networks, layer):
    """The same functions: every node of a hidden layer has another scale; and the scales."""
    scale = torch.linspace(0.2, 5, networks.widths[layer + 1], dtype=torch.double)[:, None]
    weights, biases = list(networks.weights), list(networks.biases)
    weights[layer], biases[layer] = weights[layer] * scale, biases[layer] * scale[:, 0]
    weights[layer + 1] = weights[layer + 1] / scale.T
    rescaled = Networks(weights, biases, networks.seeds)
    torch.testing.assert_close(rescaled(PROBLEM.x_train), networks(PROBLEM.x_train))
    return rescaled, scale[:, 0]


def test_the_centred_gate_does_not_see_the_scales_of_later_nodes_either():
    rescaled, _ = rescaled_node_by_node(NETWORKS, 1)
    torch.testing.assert_close(centred_gate(rescaled, PROBLEM), centred_gate(NETWORKS, PROBLEM))
    one, other = (contribution(networks, PROBLEM)[0] for networks in (rescaled, NETWORKS))
    assert not torch.allclose(one, other)


def test_contribution_is_the_change_of_the_next_layers_inputs():
    """Root mean square over points of the change's norm, when the node becomes its mean."""
    for layer, scores in enumerate(contribution(NETWORKS, PROBLEM)):
        outputs = NETWORKS.activations(PROBLEM.x_train)[layer]
        change = (outputs.mean(1, keepdim=True) - outputs)[..., None] * (
            NETWORKS.weights[layer + 1].mT[:, None])
        torch.testing.assert_close(scores, change.square().sum(3).mean(1).sqrt())


@pytest.mark.parametrize("widths", [(2, 6, 1), (2, 6, 4, 1), (2, 6, 5, 4, 1), (2, 6, 5, 2)])
def test_centred_gate_is_the_bound_of_removing_one_node(widths):
    """Of several logits it is the norm, which the ladder takes times the loss's slope."""
    networks, slope = double(tiny(2, widths)), SLOPE if widths[-1] > 1 else 1
    for layer, scores in enumerate(centred_gate(networks, PROBLEM)):
        for node in range(scores.shape[1]):
            table = ladder(networks, without_node(networks, layer, node), PROBLEM)
            np.testing.assert_allclose(slope * scores[:, node].detach(), table.centred_gate)


def naive_turns(outputs, weight):
    """Return the turn of each node, the cost of every set from its covariance and weights."""
    covariance = np.cov(outputs.T, ddof=0)
    gone = []
    for _ in range(len(covariance)):
        costs = {node: np.trace(weight[:, [*gone, node]]
                                @ covariance[np.ix_([*gone, node], [*gone, node])]
                                @ weight[:, [*gone, node]].T)
                 for node in range(len(covariance)) if node not in gone}
        gone.append(min(costs, key=costs.get))
    return np.argsort(gone)


@pytest.mark.parametrize("networks, problem", [
    (double(tiny(4, (2, 9, 8, 1))), MOONS), (double(tiny(3, (4, 9, 3))), three_classes())])
def test_covariance_greedy_is_a_naive_search(networks, problem):
    differs = 0
    for layer, scores in enumerate(covariance_greedy(networks, problem)):
        outputs = networks.activations(problem.x_train)[layer]
        for i in range(len(networks)):
            weight = networks.weights[layer + 1][i].detach().numpy()
            if layer == len(networks.widths) - 3 and len(weight) > 1:
                weight = weight - weight.mean(0)  # of centred logits
            expected = naive_turns(outputs[i].detach().numpy(), weight)
            assert scores[i].tolist() == expected.tolist()
            alone = contribution(networks, problem)[layer][i].argsort().argsort()
            differs += alone.tolist() != expected.tolist()
    assert differs


def test_covariance_greedy_removes_nodes_that_cancel_together():
    """Outputs x, x and another; together the first two, of weights 2 and -3, do what 1 does."""
    x, y = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), torch.arange(4) % 2
    network = Networks([torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]]),
                        torch.tensor([[[2.0, -3.0, 2.5]]])], [torch.zeros(1, 3), torch.zeros(1, 1)],
                       [0])
    problem = Problem("square", x, y, x, y, 2)
    assert covariance_greedy(network, problem)[0].tolist() == [[0, 1, 2]]
    assert contribution(network, problem)[0].argsort().tolist() == [[0, 2, 1]]
