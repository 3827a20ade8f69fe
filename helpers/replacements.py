"""What stands in for removed nodes: outputs to hold them at, at any points.

Each function takes networks, kept nodes, the problem and points x, and returns per hidden layer
outputs (networks, 1 or points, nodes), of which those of removed nodes count. All statistics come
from the training points.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.data import Problem
from helpers.networks import Networks
from helpers.pruning import Kept, everything, linear, prune

StandIn = Callable[[Networks, Kept, Problem, Tensor], list[Tensor]]


def fresh_means(networks: Networks, kept: Kept, problem: Problem, x: Tensor) -> list[Tensor]:
    """Return means taken layer by layer, the layers before already pruned: those of `prune`."""
    return [partly.activations(problem.x_train)[layer].mean(1, keepdim=True)
            for layer, partly in enumerate(_stages(networks, kept, problem, "mean"))]


def stale_means(networks: Networks, kept: Kept, problem: Problem, x: Tensor) -> list[Tensor]:
    """Return means of the whole networks, taken once before anything is pruned."""
    return [layer.mean(1, keepdim=True) for layer in networks.activations(problem.x_train)]


def fresh_fits(networks: Networks, kept: Kept, problem: Problem, x: Tensor) -> list[Tensor]:
    """Return least-squares predictions from the kept nodes, the layers before already pruned."""
    found = []
    for layer, partly in enumerate(_stages(networks, kept, problem, "linear")):
        outputs, here = (partly.activations(points)[layer] for points in (problem.x_train, x))
        stay = kept[layer][:, None]
        slope, intercept = linear(outputs.take_along_dim(stay, 2), outputs)
        found.append(here.take_along_dim(stay, 2) @ slope + intercept[:, None])
    return found


def removed(networks: Networks, kept: Kept) -> list[Tensor]:
    """Return per hidden layer a mask (networks, nodes) of the nodes that go."""
    return [stay.new_ones(len(networks), width, dtype=torch.bool).scatter(1, stay, False)
            for stay, width in zip(kept, networks.widths[1:-1], strict=True)]


def first_pruned(gone: list[Tensor]) -> int:
    """Return the first hidden layer of which nodes go, by masks as of `removed`; if none, the last.
    """
    return next((layer for layer, mask in enumerate(gone) if mask.any()), len(gone) - 1)


def held_logits(networks: Networks, kept: Kept, values: list[Tensor], first: int,
                outputs: Tensor) -> Tensor:
    """Return the logits with the removed nodes held at given values: those of `prune`.

    outputs: of the hidden layer `first` (networks, points, nodes), before which no node goes.
    """
    gone = removed(networks, kept)
    for layer in range(first, len(gone)):
        mask = gone[layer][:, None].to(outputs)  # numbers: choosing by a mask takes far longer
        outputs = outputs * (1 - mask) + values[layer] * mask
        inputs = outputs @ networks.weights[layer + 1].mT + networks.biases[layer + 1][:, None]
        outputs = inputs.relu()
    return inputs[..., 0] if networks.widths[-1] == 1 else inputs


def _stages(networks: Networks, kept: Kept, problem: Problem, compensation: str):
    """Yield the networks with the layers before the first, second, ... already pruned."""
    for layer in range(len(kept)):
        yield prune(networks, (*kept[:layer], *everything(networks)[layer:]), problem, compensation)
