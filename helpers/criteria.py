"""Criteria: functions that score every hidden node; pruning removes the lowest scores first.

Each takes networks and a problem, and reads the training points only.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from helpers.data import Problem
from helpers.estimates import first_order
from helpers.gates import half_passed
from helpers.losses import point_losses
from helpers.networks import Networks
from helpers.streams import stream

Scores = list[Tensor]  # per hidden layer (networks, nodes)


def random(networks: Networks, problem: Problem) -> Scores:
    """Score nodes by uniform random numbers, keyed by each network's seed."""
    generators = [stream(seed, "random pruning") for seed in networks.seeds]
    drawn = [np.stack([generator.random(width) for generator in generators])
             for width in networks.widths[1:-1]]
    return [torch.from_numpy(scores).to(networks.device) for scores in drawn]


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
    """Score by the size of the first-order change of the loss when a node becomes its mean.

    That is ``|mean of g (mu - a)| = |Cov(g, a)|`` with g the gradient of the loss in the node's
    output a (Molchanov et al. 2017, with the mean in place of zero).
    """
    return [change.abs() for change in first_order(networks, problem)]


def oracle(networks: Networks, problem: Problem) -> Scores:
    """Score by the true increase of the training loss when the node alone becomes its mean."""
    before = point_losses(networks(problem.x_train), problem.y_train).mean(1)
    scores = []
    for layer, outputs in enumerate(networks.activations(problem.x_train)):
        losses = [point_losses(networks.logits_from(layer, replaced), problem.y_train).mean(1)
                  for replaced in _each_node_at_its_mean(outputs)]
        scores.append(torch.stack(losses, 1) - before[:, None])
    return scores


def centred_gate(networks: Networks, problem: Problem) -> Scores:
    """Score by the bound of that name on what removing the node alone does to the logits.

    Standard deviation times what later layers can make of it, gates being half open, give or take
    half (notebook 06). Several logits: the Euclidean norm over them, centred.
    """
    weights, scores = _with_centred_logits(networks), []
    for layer, deviations in enumerate(std(networks, problem)):
        into, *after = weights[layer + 1:]
        alone = partial(_effects, into=into, deviations=deviations)
        changes = half_passed(alone, after) if after else into.abs() * deviations[:, None]
        scores.append(changes.norm(dim=1))
    return scores


def covariance_greedy(networks: Networks, problem: Problem) -> Scores:
    """Score by the turn in which a node goes if each turn adds least to the covariance bound.

    The bound of a set S in one layer is the root of tr(B Cov(a_S) B'), B its outgoing weights, so
    nodes that cancel go together and nodes that add up do not. Several logits are centred.
    """
    scores, weights = [], _with_centred_logits(networks)[1:]
    for outputs, weight in zip(networks.activations(problem.x_train), weights, strict=True):
        deviations = (outputs - outputs.mean(1, keepdim=True)).double()
        shared = weight.double().mT @ weight.double()
        scores.append(_turns(shared * (deviations.mT @ deviations)))
    return scores


CRITERIA: dict[str, Callable[[Networks, Problem], Scores]] = {
    "random": random, "std": std, "contribution": contribution, "magnitude": magnitude,
    "apoz": apoz, "mean_abs": mean_abs, "taylor": taylor, "oracle": oracle,
    "centred_gate": centred_gate, "covariance_greedy": covariance_greedy}


def _each_node_at_its_mean(outputs: Tensor):
    """Yield outputs (networks, points, nodes) with one node after the other held at its mean."""
    for node in range(outputs.shape[2]):
        replaced = outputs.clone()
        replaced[:, :, node] = outputs[:, :, node].mean(1, keepdim=True)
        yield replaced


def _with_centred_logits(networks: Networks) -> list[Tensor]:
    """Return the weights, the last layer's minus their mean over several logits: no loss changes.
    """
    *weights, last = networks.weights
    return [*weights, last - last.mean(1, keepdim=True) if networks.widths[-1] > 1 else last]


def _effects(rows: Tensor, into: Tensor, deviations: Tensor) -> Tensor:
    """Return the size of rows @ change (networks, rows, nodes) when each node goes alone."""
    return (rows @ into).abs() * deviations[:, None]


def _turns(costs: Tensor) -> Tensor:
    """Return the turn (networks, nodes) of each node when the cheapest goes next.

    costs (networks, nodes, nodes): removing S costs the sum of all entries within S.
    """
    turns = torch.zeros_like(costs[:, 0])
    extra = costs.diagonal(dim1=1, dim2=2).clone()  # what each node would add to S now
    for turn in range(costs.shape[1]):
        node = extra.argmin(1, keepdim=True)
        turns.scatter_(1, node, float(turn))
        extra += 2 * costs.take_along_dim(node[..., None], 1)[:, 0]
        extra.scatter_(1, node, torch.inf)
    return turns
