"""Estimates, not bounds, of the loss increase when a node alone is replaced by its mean.

Expansions of the loss in the node's output (cf. Optimal Brain Damage, LeCun et al. 1989): they may
err on either side, and be negative. Each gives per hidden layer (networks, nodes), in nats.
"""

import torch
from torch import Tensor

from helpers.data import Problem
from helpers.losses import point_losses
from helpers.networks import Networks


@torch.no_grad()
def first_order(networks: Networks, problem: Problem) -> list[Tensor]:
    """Return the mean of g (mu - a) = -Cov(g, a), g the gradient of the loss in the output a.

    So the effect of replacing a node by its mean is, to first order, minus a covariance.
    """
    found = []
    for layer, outputs in enumerate(networks.activations(problem.x_train)):
        (gradient,), deviation = _gradients(networks, problem, layer, outputs, _total_loss)
        found.append((gradient * deviation).mean(1))
    return found


@torch.no_grad()
def second_order(networks: Networks, problem: Problem) -> list[Tensor]:
    """Return `first_order` plus half the mean curvature of the loss along the replacement.

    ReLU has none of its own, so the Hessian in the logits is all of it: the variance, over the
    predicted classes, of what the logits change by.
    """
    found = []
    for layer, (outputs, first) in enumerate(zip(
            networks.activations(problem.x_train), first_order(networks, problem), strict=True)):
        slopes, deviation = _gradients(networks, problem, layer, outputs, _total_logits)
        changes = torch.stack(slopes) * deviation  # (classes, networks, points, nodes)
        chance = _classes(networks.logits_from(layer, outputs)).softmax(0)[..., None]
        variance = (chance * changes.square()).sum(0) - (chance * changes).sum(0).square()
        found.append(first + variance.mean(1) / 2)
    return found


def _gradients(networks: Networks, problem: Problem, layer: int, outputs: Tensor, totals):
    """Return gradients of some totals in a layer's outputs, and the outputs' way to their mean."""
    with torch.enable_grad():
        outputs = outputs.detach().requires_grad_()
        sums = totals(networks.logits_from(layer, outputs), problem)
    gradients = [torch.autograd.grad(one, outputs, retain_graph=True)[0] for one in sums]
    return gradients, (outputs.mean(1, keepdim=True) - outputs).detach()


def _total_loss(logits: Tensor, problem: Problem) -> list[Tensor]:
    return [point_losses(logits, problem.y_train).sum()]


def _total_logits(logits: Tensor, problem: Problem) -> list[Tensor]:
    return [one.sum() for one in _classes(logits)]


def _classes(logits: Tensor) -> Tensor:
    """Return logits (classes, networks, points); one logit is the difference of two."""
    if logits.ndim == 2:
        return torch.stack([-logits / 2, logits / 2])
    return logits.movedim(2, 0)
