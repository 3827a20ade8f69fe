"""Every criterion equals a slow loop over single networks and nodes."""

import numpy as np
import pytest
import torch

from examples import MOONS, double, three_classes, tiny
from helpers.compare import loss
from helpers.criteria import CRITERIA, contribution, magnitude, oracle, std, taylor
from helpers.losses import point_losses
from helpers.networks import Networks
from helpers.pruning import everything, prune
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


def test_contribution_does_not_see_a_nodes_scale_but_std_and_magnitude_do():
    scale = torch.linspace(0.2, 5, 6, dtype=torch.double)[:, None]
    weights, biases = list(NETWORKS.weights), list(NETWORKS.biases)
    weights[0], biases[0] = weights[0] * scale, biases[0] * scale[:, 0]
    weights[1] = weights[1] / scale.T
    rescaled = Networks(weights, biases, NETWORKS.seeds)
    torch.testing.assert_close(rescaled(PROBLEM.x_train), NETWORKS(PROBLEM.x_train))
    for criterion, factor in (contribution, 1), (std, scale[:, 0]), (magnitude, scale[:, 0]):
        torch.testing.assert_close(criterion(rescaled, PROBLEM)[0],
                                   factor * criterion(NETWORKS, PROBLEM)[0])


def test_contribution_is_the_change_of_the_next_layers_inputs():
    """Root mean square over points of the change's norm, when the node becomes its mean."""
    for layer, scores in enumerate(contribution(NETWORKS, PROBLEM)):
        outputs = NETWORKS.activations(PROBLEM.x_train)[layer]
        change = (outputs.mean(1, keepdim=True) - outputs)[..., None] * (
            NETWORKS.weights[layer + 1].mT[:, None])
        torch.testing.assert_close(scores, change.square().sum(3).mean(1).sqrt())
