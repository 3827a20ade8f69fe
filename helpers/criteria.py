"""Criteria: functions that score every hidden node; pruning removes the lowest scores first.

Each takes networks and a problem, and reads the training points only.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.data import Problem
from helpers.losses import point_losses
from helpers.networks import Networks
from helpers.streams import stream

Scores = list[Tensor]  # per hidden layer (networks, nodes)


def random(networks: Networks, problem: Problem) -> Scores:
    """Score nodes by uniform random numbers, keyed by each network's seed."""
    generators = [stream(seed, "random pruning") for seed in networks.seeds]
    return [torch.stack([torch.from_numpy(generator.random(width)) for generator in generators])
            for width in networks.widths[1:-1]]


def std(networks: Networks, problem: Problem) -> Scores:
    """Score by the standard deviation (ddof = 0) of a node's output: the post's criterion.

    Also Variance-Based Pruning (Berisha et al., arXiv 2507.12988).
    """
    return [layer.std(1, correction=0) for layer in networks.activations(problem.x_train)]


def contribution(networks: Networks, problem: Problem) -> Scores:
    """Score by standard deviation times the norm of the outgoing weights.

    The root mean square change of the next layer's inputs when the node is replaced by its mean;
    unlike `std`, it does not change when a node's scale moves between its weights.
    """
    return [deviation * weight.norm(dim=1) for deviation, weight
            in zip(std(networks, problem), networks.weights[1:], strict=True)]


def magnitude(networks: Networks, problem: Problem) -> Scores:
    """Score by the Euclidean norm of a node's incoming weights."""
    return [weight.norm(dim=2) for weight in networks.weights[:-1]]


def apoz(networks: Networks, problem: Problem) -> Scores:
    """Score by the share of points where a node fires: 1 - APoZ (Hu et al. 2016)."""
    return [(layer > 0).to(layer.dtype).mean(1) for layer in networks.activations(problem.x_train)]


def mean_abs(networks: Networks, problem: Problem) -> Scores:
    """Score by the mean absolute output of a node."""
    return [layer.abs().mean(1) for layer in networks.activations(problem.x_train)]


def taylor(networks: Networks, problem: Problem) -> Scores:
    """Score by the first-order change of the loss when a node is replaced by its mean.

    That is ``|mean of g (mu - a)| = |Cov(g, a)|`` with g the gradient of the loss in the node's
    output a (Molchanov et al. 2017, with the mean in place of zero).
    """
    scores = []
    for layer, outputs in enumerate(networks.activations(problem.x_train)):
        with torch.enable_grad():
            outputs = outputs.detach().requires_grad_()
            logits = networks.logits_from(layer, outputs)
            loss = point_losses(logits, problem.y_train).sum()
        gradient = torch.autograd.grad(loss, outputs)[0]
        change = gradient * (outputs.mean(1, keepdim=True) - outputs)
        scores.append(change.detach().mean(1).abs())
    return scores


def oracle(networks: Networks, problem: Problem) -> Scores:
    """Score by the true increase of the training loss when the node alone becomes its mean."""
    before = point_losses(networks(problem.x_train), problem.y_train).mean(1)
    scores = []
    for layer, outputs in enumerate(networks.activations(problem.x_train)):
        losses = [point_losses(networks.logits_from(layer, replaced), problem.y_train).mean(1)
                  for replaced in _each_node_at_its_mean(outputs)]
        scores.append(torch.stack(losses, 1) - before[:, None])
    return scores


CRITERIA: dict[str, Callable[[Networks, Problem], Scores]] = {
    "random": random, "std": std, "contribution": contribution, "magnitude": magnitude,
    "apoz": apoz, "mean_abs": mean_abs, "taylor": taylor, "oracle": oracle}


def _each_node_at_its_mean(outputs: Tensor):
    """Yield outputs (networks, points, nodes) with one node after the other held at its mean."""
    for node in range(outputs.shape[2]):
        replaced = outputs.clone()
        replaced[:, :, node] = outputs[:, :, node].mean(1, keepdim=True)
        yield replaced
