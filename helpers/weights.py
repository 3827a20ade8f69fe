"""The weight scatter: where the weights of both orders end up, and which of them only coasted.

A weight whose gradient vanishes after the first step is still carried on by Adam's running means,
by an amount that its own gradient hardly changes: it coasts.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from helpers import checks
from helpers.data import Problem
from helpers.networks import Networks
from helpers.pruning import dead
from helpers.recipes import POST, Recipe
from helpers.square import Square
from helpers.training import train

MOVEMENTS = ("never updated", "coasted", "trained")


def kernel_pairs(square: Square, layer: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return a kernel of A and of B, and the initial values that both started from.

    Each is (networks, kept nodes of hidden layer `layer`, kept nodes before it); kernel 1 joins
    the first two hidden layers, the first and last kernel keep all inputs and logits. Common
    initial values need compensation `none` or `mean`. Raises ValueError for an unknown kernel.
    """
    layer = checks.integer("layer", layer, 0, len(square.initial.weights) - 1)
    start = square.initial.weights[layer].detach()
    if layer < len(square.kept):
        start = start.take_along_dim(square.kept[layer][:, :, None], 1)
    if layer:
        start = start.take_along_dim(square.kept[layer - 1][:, None, :], 2)
    return *(n.weights[layer].detach() for n in (square.train_first, square.prune_first)), start


def adam_drift(beta1: float, beta2: float, epsilon: float | Tensor = 0.0,
               steps: int | None = None) -> Tensor:
    """Return how far Adam moves a weight that receives a gradient g at the first step only.

    D = sum over t >= 1 of m_t / (sqrt(v_t) + epsilon), in learning rates, with the bias-corrected
    means m_t, v_t of (g, 0, 0, ...) in units of g and g^2 (Kingma and Ba 2015); epsilon: in units
    of |g|, a number or a tensor; steps: terms of the sum, by default as many as change it.
    Raises ValueError unless beta1 < sqrt(beta2), without which the sum has no limit.
    """
    root = math.sqrt(checks.real("beta2", beta2, 0, 1))
    if checks.real("beta1", beta1, 0, 1) >= root:
        raise ValueError(f"beta1 is {beta1}; expected less than sqrt(beta2) = {root:.4f}")
    epsilon = torch.as_tensor(epsilon, dtype=torch.float64)
    if not (epsilon >= 0).all():
        raise ValueError(f"epsilon is {epsilon}; expected numbers of at least 0, in units of |g|")
    # terms shrink like (beta1 / root)^t: 36 factors of e lie below double precision
    last = 1 + math.ceil(36 / (1 - beta1 / root))
    last = last if steps is None else min(last, checks.integer("steps", steps, 0))
    total = torch.zeros_like(epsilon)
    for t in range(1, last + 1):
        m = (1 - beta1) * beta1 ** (t - 1) / (1 - beta1 ** t)
        v = (1 - beta2) * beta2 ** (t - 1) / (1 - beta2 ** t)
        total += m / (math.sqrt(v) + epsilon)
    return total


def first_gradients(networks: Networks, problem: Problem, recipe: Recipe = POST) -> list[Tensor]:
    """Return the gradient of every kernel on the first batch, float64 (networks, fan_out, fan_in).

    One step of plain descent with learning rate 1 moves every weight by minus its gradient.
    """
    start = networks.select(slice(None)).double()  # so that the difference keeps its digits
    step = Recipe("sgd", learning_rate=1.0, batch_size=recipe.batch_size, steps=1)
    end = train(start, problem, step).networks
    return [(before - after).detach()
            for before, after in zip(start.weights, end.weights, strict=True)]


def coasting(gradient: Tensor, recipe: Recipe = POST) -> Tensor:
    """Return the whole displacement of weights that received this gradient at step 1, then none.

    Same shape, float64; 0 where the gradient is 0. Raises ValueError unless the recipe is Adam's.
    """
    size = gradient.abs().double().clamp_min(1e-30)  # keeps 0 / 0 out where there is no gradient
    return -gradient.sign() * _drift(recipe, recipe.epsilon / size)


def movement(initial: Tensor, trained: Tensor, recipe: Recipe = POST,
             within: float = 0.01) -> Tensor:
    """Return the class of every weight's movement, an index into MOVEMENTS, of the same shape.

    0: never updated, the same bits; 1: coasted, moved by the learning rate times `adam_drift` up
    to the relative tolerance `within`; 2: trained. Raises ValueError unless the recipe is Adam's.
    """
    drift = _drift(recipe)
    checks.real("within", within, 0)
    near = (_difference(trained, initial).abs() / drift - 1).abs() <= within
    return torch.where(trained == initial, 0, torch.where(near, 1, 2))


def densest(values: Tensor, width: float = 0.01) -> tuple[float, float]:
    """Return the median of the fullest window [x, x (1 + width)], and the share of values in it.

    values: positive, of any shape. Finds a band without being told where to look.
    """
    values = values.flatten().double().sort().values
    if not values.numel() or not values[0] > 0:
        raise ValueError(f"values is {values}; expected positive numbers")
    ends = torch.searchsorted(values, values * (1 + checks.real("width", width, 0)), right=True)
    counts = ends - torch.arange(len(values))
    start = counts.argmax()
    return values[start:ends[start]].median().item(), counts[start].item() / len(values)


def correlation(a: Tensor, b: Tensor, where: Tensor | None = None) -> Tensor:
    """Return each network's Pearson correlation (networks,) over its weights (networks, ...).

    where: a mask of the weights that count, by default all; NaN where they do not vary.
    """
    _difference(a, b)  # refuses shapes that differ
    where = torch.ones_like(a, dtype=torch.bool) if where is None else where
    pairs = zip(a, b, where, strict=True)
    return torch.stack([torch.corrcoef(torch.stack([x[on], y[on]]))[0, 1] for x, y, on in pairs])


def last_updates(snapshots: Iterable[Networks], x: Tensor) -> list[Tensor]:
    """Return per kernel from which snapshot on a dead node cuts every weight off its gradient.

    Each is (networks, fan_out, fan_in), with 1 in place of inputs and logits, which do not die:
    the first snapshot from which on, to the last, the node before or after the weight is dead on
    all points x; the number of snapshots if neither is.
    """
    layers = [torch.stack(layer) for layer in zip(*(dead(n, x) for n in snapshots), strict=True)]
    # where a node is dead in the last k snapshots, the product is 1 for those k alone
    deaths = [len(layer) - layer.flip(0).cumprod(0).sum(0) for layer in layers]
    never = torch.full((layers[0].shape[1], 1), len(layers[0]))
    return [torch.minimum(before[:, None, :], after[:, :, None])
            for before, after in zip([never, *deaths], [*deaths, never], strict=True)]


def _difference(trained: Tensor, initial: Tensor) -> Tensor:
    if trained.shape != initial.shape:
        raise ValueError(f"weights have shapes {initial.shape} and {trained.shape}; expected one")
    return trained - initial


def _drift(recipe: Recipe, epsilon: float | Tensor = 0.0) -> Tensor:
    """Return `adam_drift` of a recipe in units of the weights."""
    if recipe.optimiser != "adam":
        raise ValueError(f"recipe.optimiser is {recipe.optimiser!r}; expected 'adam'")
    return recipe.learning_rate * adam_drift(*recipe.betas, epsilon, recipe.steps)
