"""What pruning does to networks, at points: exactly, and as far as open or shut gates tell.

Everything in float64, with one logit per class, of mean 0.
"""

import copy
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import softplus

from helpers import checks
from helpers.data import Problem
from helpers.gates import interval_after, interval_through
from helpers.networks import Networks, check_fit
from helpers.pruning import Kept, check_kept
from helpers.replacements import StandIn, first_pruned, held_logits, removed


@dataclass(frozen=True, eq=False)
class Whole:
    """Networks before pruning, at some points: what the bounds of many prunings share.

    networks: in float64, of centred logits; outputs: of every hidden layer, and inputs: of every
    layer's ReLU, the logits last, each (networks, points, nodes); y: labels (points,).
    """

    networks: Networks
    outputs: list[Tensor]
    inputs: list[Tensor]
    y: Tensor

    @cached_property
    def norms(self) -> list[Tensor]:
        """The operator norms (networks,) of every layer's weights."""
        return list(map(operator_norms, self.networks.weights))

    @cached_property
    def margins(self) -> Tensor:
        """The true logit minus the largest other (networks, points)."""
        return self._true - self._others.amax(2)

    @cached_property
    def disadvantage(self) -> Tensor:
        """The log-sum-exp of the other logits minus the true one: the loss is its softplus."""
        return self._others.logsumexp(2) - self._true

    @cached_property
    def losses(self) -> Tensor:
        """The loss (networks, points), as softplus of the disadvantage."""
        return softplus(self.disadvantage)

    @property
    def _labels(self) -> Tensor:
        return self.y.expand(self.inputs[-1].shape[:2])[..., None]

    @property
    def _true(self) -> Tensor:
        return self.inputs[-1].gather(2, self._labels).squeeze(2)

    @property
    def _others(self) -> Tensor:
        return self.inputs[-1].scatter(2, self._labels, -torch.inf)


@dataclass(frozen=True, eq=False)
class Change:
    """What pruning does to some networks at some points: all that bounds are made of.

    whole: the networks before; gone: masks of removed nodes; deviations: of the values that removed
    nodes are held at from their outputs, 0 for kept ones; pruned: logits (networks, points,
    classes).
    """

    whole: Whole
    gone: list[Tensor]
    deviations: list[Tensor]
    pruned: Tensor

    def differences(self) -> tuple[Tensor, Tensor]:
        """Return the most that the true logit may move against some other one, and may lose to it.

        Both (networks, points): of intervals through all layers.
        """
        weights, y = self.whole.networks.weights, self.whole.y
        first = first_pruned(self.gone)
        low = high = self.deviations[first]
        for layer in range(first + 1, len(self.deviations)):
            low, high = interval_through(weights[layer], low, high)
            low, high = interval_after(self.whole.inputs[layer], low, high)
            if self.gone[layer].any():
                stay = (~self.gone[layer])[:, None].to(low)
                low, high = (end * stay + self.deviations[layer] for end in (low, high))
        either, lost = torch.empty_like(self.pruned[..., 0]), torch.empty_like(self.pruned[..., 0])
        for label in range(weights[-1].shape[1]):
            of = (y == label).nonzero()[:, 0]
            other = torch.arange(weights[-1].shape[1]) != label
            rows = weights[-1][:, other] - weights[-1][:, [label]]
            fewest, most = interval_through(rows, low[:, of], high[:, of])
            either[:, of], lost[:, of] = torch.maximum(-fewest, most).amax(2), most.amax(2)
        return either, lost


def change_of(networks: Networks, kept: Kept, problem: Problem, stand_in: StandIn,
              points: tuple[Tensor, Tensor]) -> Change:
    """Return what holding the removed nodes at `stand_in` does at points x of labels y.

    Raises TypeError or ValueError for networks, kept nodes or points that do not fit.
    """
    whole = whole_at(networks, problem, points)
    check_kept(networks, kept)
    return held(whole, kept, stand_in(whole.networks, kept, problem, points[0]))


def whole_at(networks: Networks, problem: Problem, points: tuple[Tensor, Tensor]) -> Whole:
    """Return what of `change_of` does not depend on the kept nodes; errors alike."""
    check_fit(networks, problem)
    if len(networks.widths) < 3:
        raise ValueError(f"networks have widths {networks.widths}; expected a hidden layer")
    if not isinstance(points, (tuple, list)) or len(points) != 2:
        raise TypeError(f"points is {checks.shown(points)}; expected a pair of points x and labels "
                        "y")
    x = checks.points("x", points[0], problem.features)
    y = checks.labels("y", points[1], len(x), problem.classes)
    networks = with_centred_logits(networks)
    outputs = networks.activations(x)
    below = [x.to(outputs[0]).expand(len(networks), -1, -1), *outputs]
    inputs = [layer @ weight.mT + bias[:, None] for layer, weight, bias in
              zip(below, networks.weights, networks.biases, strict=True)]
    return Whole(networks, outputs, inputs, y)


def held(whole: Whole, kept: Kept, values: list[Tensor]) -> Change:
    """Return what holding the removed nodes at some values does; values as a stand-in gives."""
    gone = removed(whole.networks, kept)
    deviations = [(value - layer) * mask[:, None].to(layer) if mask.any()
                  else layer.new_zeros(()).expand_as(layer)
                  for value, layer, mask in zip(values, whole.outputs, gone, strict=True)]
    first = first_pruned(gone)
    # either way the bits that come out of the first layer on
    outputs = whole.inputs[first].relu() if first else whole.outputs[0]
    return Change(whole, gone, deviations,
                  held_logits(whole.networks, kept, values, first, outputs))


def operator_norms(weight: Tensor) -> Tensor:
    """Return the operator norms (networks,) of weights, NaN for networks that diverged."""
    whole = weight.isfinite().all((1, 2))
    return torch.linalg.matrix_norm(weight.nan_to_num(0, 0, 0), 2).where(whole, torch.nan)


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
