"""What pruning does to networks, at points: exactly, and as far as open or shut gates tell.

Everything in float64, with one logit per class, of mean 0.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from helpers import checks
from helpers.data import Problem
from helpers.gates import interval_after, interval_through
from helpers.networks import Networks, check_fit
from helpers.pruning import Kept, check_kept
from helpers.replacements import StandIn, held_logits, removed


@dataclass(frozen=True, eq=False)
class Change:
    """What pruning does to some networks at some points: all that bounds are made of.

    weights: the last layer's centred over the classes, which changes no loss; inputs: of every
    layer's ReLU, the logits last, each (networks, points, nodes); gone: masks of removed nodes;
    deviations: of the values that removed nodes are held at from their outputs, 0 for kept ones;
    pruned: logits (networks, points, classes); y: labels (points,).
    """

    weights: list[Tensor]
    inputs: list[Tensor]
    gone: list[Tensor]
    deviations: list[Tensor]
    pruned: Tensor
    y: Tensor

    @property
    def margins(self) -> Tensor:
        return self.inputs[-1].gather(2, self._labels).squeeze(2) - self._others.amax(2)

    @property
    def disadvantage(self) -> Tensor:
        """The log-sum-exp of the other logits minus the true one: the loss is its softplus."""
        return self._others.logsumexp(2) - self.inputs[-1].gather(2, self._labels).squeeze(2)

    @property
    def _labels(self) -> Tensor:
        return self.y.expand(self.pruned.shape[:2])[..., None]

    @property
    def _others(self) -> Tensor:
        return self.inputs[-1].scatter(2, self._labels, -torch.inf)

    def differences(self) -> tuple[Tensor, Tensor]:
        """Return the most that the true logit may move against some other one, and may lose to it.

        Both (networks, points): of intervals through all layers.
        """
        low = high = self.deviations[0]
        for layer in range(1, len(self.deviations)):
            low, high = interval_through(self.weights[layer], low, high)
            low, high = interval_after(self.inputs[layer], low, high)
            low, high = (torch.where(self.gone[layer][:, None], self.deviations[layer], end)
                         for end in (low, high))
        either, lost = torch.empty_like(self.pruned[..., 0]), torch.empty_like(self.pruned[..., 0])
        for label in range(self.weights[-1].shape[1]):
            of, other = self.y == label, torch.arange(self.weights[-1].shape[1]) != label
            rows = self.weights[-1][:, other] - self.weights[-1][:, [label]]
            fewest, most = interval_through(rows, low[:, of], high[:, of])
            either[:, of], lost[:, of] = torch.maximum(-fewest, most).amax(2), most.amax(2)
        return either, lost


def change_of(networks: Networks, kept: Kept, problem: Problem, stand_in: StandIn,
              points: tuple[Tensor, Tensor]) -> Change:
    """Return what holding the removed nodes at `stand_in` does at points x of labels y.

    Raises TypeError or ValueError for networks, kept nodes or points that do not fit.
    """
    check_fit(networks, problem)
    if len(networks.widths) < 3:
        raise ValueError(f"networks have widths {networks.widths}; expected a hidden layer")
    check_kept(networks, kept)
    x = checks.points("x", points[0], problem.features)
    y = checks.labels("y", points[1], len(x), problem.classes)
    networks = with_centred_logits(networks)
    values, outputs = stand_in(networks, kept, problem, x), networks.activations(x)
    below = [x.to(outputs[0]).expand(len(networks), -1, -1), *outputs]
    inputs = [layer @ weight.mT + bias[:, None] for layer, weight, bias in
              zip(below, networks.weights, networks.biases, strict=True)]
    gone = removed(networks, kept)
    deviations = [(value - layer) * mask[:, None]
                  for value, layer, mask in zip(values, outputs, gone, strict=True)]
    return Change(list(networks.weights), inputs, gone, deviations,
                   held_logits(networks, kept, values, x), y)


def with_centred_logits(networks: Networks) -> Networks:
    """Return the networks in float64 with a logit per class, of mean 0; no loss is changed.

    One logit is the difference of two. The size of a difference of two logits is at most SLOPE
    times the Euclidean norm, and so it is exactly for two centred ones.
    """
    networks = copy.deepcopy(networks).double()
    weight, bias = networks.weights[-1], networks.biases[-1]
    if networks.widths[-1] == 1:
        weight, bias = (torch.cat([torch.zeros_like(last), last], 1) for last in (weight, bias))
    last = [values - values.mean(1, keepdim=True) for values in (weight, bias)]
    return Networks([*networks.weights[:-1], last[0]], [*networks.biases[:-1], last[1]],
                    networks.seeds)
