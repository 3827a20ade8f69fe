"""Distances between the functions of two sets of networks, and between their nodes.

Networks are compared in pairs: the i-th of `a` with the i-th of `b`, which share a seed.
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from helpers import checks
from helpers.data import Problem
from helpers.losses import point_losses
from helpers.networks import Networks

MARGIN = 1.2  # the plane reaches this many times the largest training coordinate


def box(problem: Problem) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the problem's plane as a box: the least and largest of either coordinate.

    Raises ValueError for a problem of more than 2 features.
    """
    check_plane(problem)
    half = MARGIN * problem.x_train.abs().max().item()
    return (-half, half), (-half, half)


def plane(problem: Problem, resolution: int = 100) -> Tensor:
    """Return the points (resolution**2, 2) of a square grid over the problem's plane.

    Row by row from the lower left. Raises ValueError for a problem of more than 2 features.
    """
    low, high = box(problem)[0]
    axis = torch.linspace(low, high, checks.integer("resolution", resolution, 2))
    return torch.cartesian_prod(axis, axis).flip(1)


def check_plane(problem: Problem) -> None:
    """Raise TypeError or ValueError unless the problem's points lie in a plane."""
    if not isinstance(problem, Problem):
        raise TypeError(f"problem is {type(problem).__name__}; expected a Problem")
    if problem.features != 2:
        raise ValueError(f"problem {problem.name} has {problem.features} features; expected 2: "
                         "compare on its held-out points instead")


@torch.no_grad()
def classify(networks: Networks, x: Tensor) -> Tensor:
    """Return the class (networks, points) that each network gives each point."""
    return classes_of(networks(x))


def classes_of(logits: Tensor) -> Tensor:
    """Return the class (networks, points) that logits, shaped as `Networks` gives them, mean.

    Where a network diverged to NaN, it gives class 0.
    """
    return (logits > 0).long() if logits.ndim == 2 else logits.argmax(2)


@torch.no_grad()
def probabilities(networks: Networks, x: Tensor) -> Tensor:
    """Return the class probabilities (networks, points, classes); one logit makes two classes."""
    return probabilities_of(networks(x))


def probabilities_of(logits: Tensor) -> Tensor:
    """Return the class probabilities (networks, points, classes) that logits mean."""
    if logits.ndim == 2:
        logits = torch.stack([torch.zeros_like(logits), logits], 2)
    return logits.softmax(2)


def accuracy(networks: Networks, x: Tensor, y: Tensor) -> Tensor:
    """Return the share (networks,) of points classified correctly."""
    found = classify(networks, x)
    y = checks.labels("y", y, len(x), _classes(networks)).to(found.device)
    return (found == y).float().mean(1)


@torch.no_grad()
def loss(networks: Networks, x: Tensor, y: Tensor) -> Tensor:
    """Return the mean cross-entropy (networks,) in nats."""
    logits = networks(x)
    return point_losses(logits, checks.labels("y", y, len(x), _classes(networks))).mean(1)


def disagreement(a: Networks, b: Networks, x: Tensor) -> Tensor:
    """Return the share (networks,) of points that the paired networks classify differently.

    Fort et al. 2019.
    """
    _check_same_classes(a, b)
    return (classify(a, x) != classify(b, x)).float().mean(1)


def function_distance(a: Networks, b: Networks, x: Tensor) -> Tensor:
    """Return the root mean square difference (networks,) of class probabilities, in [0, 1]."""
    _check_same_classes(a, b)
    return distance_of(probabilities(a, x), probabilities(b, x))


def distance_of(a: Tensor, b: Tensor) -> Tensor:
    """Return the root mean square difference (networks,) of probabilities, as `function_distance`.
    """
    return (a - b).square().mean((1, 2)).sqrt()


@torch.no_grad()
def match_nodes(a: Networks, b: Networks, x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return per hidden layer the partner in b of every node of a, and their correlation.

    Each is (networks, nodes). The one-to-one assignment of largest total correlation between
    outputs at x (Ainsworth et al. 2023, activation matching); a constant node correlates 0 with
    all, one of a network that diverged NaN. Raises ValueError where widths or seeds differ.
    """
    _check_same_widths(a, b)
    return [_matched(*pair) for pair in zip(a.activations(x), b.activations(x), strict=True)]


@torch.no_grad()
def same_roles(a: Networks, b: Networks, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many hidden nodes of a are their own match in b, and how many could be.

    Both (networks,), over all hidden layers, by `match_nodes` at x. Only nodes that vary over x in
    a and in b count: a constant node has no role to compare.
    """
    _check_same_widths(a, b)
    same, comparable = torch.zeros(2, len(a), dtype=torch.int64, device=a.device)
    for one, two in zip(a.activations(x), b.activations(x), strict=True):
        partner, _ = _matched(one, two)
        vary = (one.amax(1) > one.amin(1)) & (two.amax(1) > two.amin(1))  # NaN does not
        same += (vary & (partner == torch.arange(partner.shape[1], device=a.device))).sum(1)
        comparable += vary.sum(1)
    return same, comparable


@torch.no_grad()
def barrier(a: Networks, b: Networks, x: Tensor, y: Tensor, points: int = 11) -> Tensor:
    """Return the loss barrier (networks,) on the straight line between paired networks.

    The largest excess of the loss over the line between its ends, at `points` places (Frankle et
    al. 2020; Entezari et al. 2022). Raises ValueError where widths or seeds differ.
    """
    _check_same_widths(a, b)
    shares = torch.linspace(0, 1, checks.integer("points", points, 3)).tolist()
    losses = torch.stack([loss(_between(a, b, share), x, y) for share in shares])
    line = torch.tensor(shares)[:, None].to(losses)
    return (losses - (1 - line) * losses[0] - line * losses[-1]).max(0).values


@torch.no_grad()
def cka(a: Networks, b: Networks, x: Tensor) -> list[Tensor]:
    """Return per hidden layer the linear centred kernel alignment (networks,), in [0, 1].

    Kornblith et al. 2019; 0 where a layer is constant. Show it beside a distance of functions,
    for it can be moved without changing one (Davari et al. 2023).
    """
    checks.same_networks(a, b)
    if len(a.widths) != len(b.widths):
        raise ValueError(f"b has widths {b.widths}; expected as many layers as a, {a.widths}")
    return [_alignment(*(outputs - outputs.mean(1, keepdim=True) for outputs in pair))
            for pair in zip(a.activations(x), b.activations(x), strict=True)]


def _matched(outputs: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return partners and correlations of one layer, as `match_nodes`."""
    correlation = _unit(outputs).mT @ _unit(others)
    # the assignment solver takes one network at a time, and no NaN of one that diverged
    partner = torch.from_numpy(np.stack([linear_sum_assignment(-one)[1]
                                         for one in correlation.nan_to_num(0).cpu().numpy()]))
    partner = partner.to(correlation.device)
    return partner, correlation.gather(2, partner[..., None])[..., 0]


def _alignment(a: Tensor, b: Tensor) -> Tensor:
    cross, own_a, own_b = ((p.mT @ q).flatten(1).norm(dim=1) for p, q in ((a, b), (a, a), (b, b)))
    return torch.where(own_a * own_b == 0, 0, cross.square() / (own_a * own_b))


def _unit(outputs: Tensor) -> Tensor:
    """Return node outputs (networks, points, nodes) centred and of norm 1, or 0 if constant."""
    centred = outputs - outputs.mean(1, keepdim=True)
    return torch.nn.functional.normalize(centred, dim=1)


def _between(a: Networks, b: Networks, share: float) -> Networks:
    return Networks([p.lerp(q, share) for p, q in zip(a.weights, b.weights, strict=True)],
                    [p.lerp(q, share) for p, q in zip(a.biases, b.biases, strict=True)], a.seeds)


def _classes(networks: Networks) -> int:
    return max(2, networks.widths[-1])


def _check_same_classes(a: Networks, b: Networks) -> None:
    checks.same_networks(a, b)
    if _classes(a) != _classes(b):
        raise ValueError(f"b tells {_classes(b)} classes apart; expected {_classes(a)}, as a does")


def _check_same_widths(a: Networks, b: Networks) -> None:
    checks.same_networks(a, b)
    if a.widths != b.widths:
        raise ValueError(f"b has widths {b.widths}; expected those of a, {a.widths}")
