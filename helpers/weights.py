"""The weight scatter: where the weights of both orders end up, and which of them only coasted.

A weight whose gradient vanishes after the first step is still carried on by Adam's running means,
by an amount that its own gradient hardly changes: it coasts.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from helpers import checks
from helpers.data import Problem
from helpers.draws import exchanged, pruned
from helpers.networks import Networks
from helpers.pruning import dead
from helpers.recipes import POST, Recipe
from helpers.square import Square, corner, other_order
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


def kernels(squares: Sequence[Square], layer: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Return `kernel_pairs` of several squares, their networks one after the other."""
    return tuple(map(torch.cat, zip(*(kernel_pairs(s, layer) for s in squares), strict=True)))


def changes(squares: Sequence[Square], layer: int = 1) -> tuple[Tensor, Tensor]:
    """Return how far training moved `kernels` of A and of B from their common initial values."""
    a, b, start = kernels(squares, layer)
    return a - start, b - start


def displacement(starts: Sequence[Networks], ends: Sequence[Networks], layer: int = 1) -> Tensor:
    """Return how far a kernel of all networks moved, float64 (networks, fan_out, fan_in)."""
    before, after = (torch.cat([networks.weights[layer].detach() for networks in groups]).double()
                     for groups in (starts, ends))
    return _difference(after, before)


def repeated(squares: Sequence[Square], problems: Sequence[Problem],
             recipe: Recipe) -> list[Square]:
    """Return the squares with B in the place of A and, in that of B, B trained once more (B').

    B' has another batch order. What A and B can have in common at best, for the two differ in
    nothing but chance.
    """
    starts = pruned(corner(squares, "initial"), [s.kept for s in squares], problems)
    return [replace(s, train_first=s.prune_first, prune_first=other) for s, other in
            zip(squares, other_order(starts, problems, recipe), strict=True)]


def with_another_seed(squares: Sequence[Square]) -> list[Square]:
    """Return the squares with the B of the network before, with which A has nothing in common."""
    return [replace(s, prune_first=other) for s, other in
            zip(squares, exchanged(corner(squares, "prune_first")), strict=True)]


def running_means(beta1: float, beta2: float, steps: int,
                  first: int = 1) -> tuple[Tensor, Tensor]:
    """Return Adam's running means m_t of a gradient and v_t of its square, float64 (steps,).

    The gradient is 1 at step t = first and 0 at all others; the means, from this step on, are
    corrected for their start at 0: m_t = (1 - beta1) beta1^(t - first) / (1 - beta1^t), v_t alike
    with beta2 (Kingma and Ba 2015).
    """
    age = torch.arange(checks.integer("steps", steps, 0), dtype=torch.float64)
    t = age + checks.integer("first", first, 1)
    m, v = ((1 - beta) * beta ** age / (1 - beta ** t) for beta in (beta1, beta2))
    return m, v


def adam_drift(beta1: float, beta2: float, epsilon: float | Tensor = 0.0,
               steps: int | None = None, first: int = 1) -> Tensor:
    """Return how far Adam moves a weight that receives a gradient g at step `first` only.

    D = sum over t >= first of m_t / (sqrt(v_t) + epsilon), in learning rates, with m_t and v_t as
    in `running_means`, in units of g and g^2; epsilon: in units of `|g|`, a number or a tensor;
    steps: terms of the sum, by default as many as change it.
    Raises ValueError unless beta1 < sqrt(beta2), without which the sum has no limit.
    """
    root = math.sqrt(checks.real("beta2", beta2, 0, 1))
    if checks.real("beta1", beta1, 0, 1) >= root:
        raise ValueError(f"beta1 is {beta1}; expected less than sqrt(beta2) = {root:.4f}")
    epsilon = torch.as_tensor(epsilon, dtype=torch.float64)
    if not (epsilon >= 0).all():
        raise ValueError(f"epsilon is {checks.shown(epsilon)}; expected numbers of at least 0, in "
                         "units of |g|")
    # terms shrink like (beta1 / root)^t: 36 factors of e lie below double precision
    last = 1 + math.ceil(36 / (1 - beta1 / root))
    last = last if steps is None else min(last, checks.integer("steps", steps, 0))
    total = torch.zeros_like(epsilon)
    for m, v in zip(*running_means(beta1, beta2, last, first), strict=True):
        total += m / (v.sqrt() + epsilon)
    return total


def epsilon_conventions(gradient: Tensor, recipe: Recipe = POST) -> dict[str, Tensor]:
    """Return the drift of weights of this first gradient, for each place where epsilon is added.

    In learning rates, of the gradient's shape. PyTorch adds epsilon to the root of the corrected
    mean; Keras to the uncorrected one, which acts as epsilon / sqrt(1 - beta2^t).
    """
    epsilon = recipe.epsilon / gradient.abs().double()
    uncorrected = torch.zeros_like(epsilon)
    for t, (m, v) in enumerate(zip(*running_means(*recipe.betas, recipe.steps), strict=True), 1):
        uncorrected += m / (v.sqrt() + epsilon / math.sqrt(1 - recipe.betas[1] ** t))
    corrected = adam_drift(*recipe.betas, epsilon, recipe.steps)
    return {"PyTorch's epsilon": corrected, "Keras' epsilon": uncorrected}


def gradients_of_draws(groups: Sequence[Networks], problems: Sequence[Problem],
                       recipe: Recipe = POST, layer: int = 1) -> Tensor:
    """Return `first_gradients` of one kernel for all networks of all draws."""
    return torch.cat([first_gradients(networks, problem, recipe)[layer]
                      for networks, problem in zip(groups, problems, strict=True)])


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


def joint_movement(moved_a: Tensor, moved_b: Tensor) -> dict[str, Tensor]:
    """Return masks of the weights that moved alike in A and B, by name, then of `one of each`."""
    alike = {name: (moved_a == k) & (moved_b == k) for k, name in enumerate(MOVEMENTS)}
    return alike | {"one of each": moved_a != moved_b}


def band(values: Tensor, place: float | Tensor, within: float) -> tuple[Tensor, Tensor]:
    """Return masks of the values in the band place (1 +- within), and in its two flanks.

    The flanks lie just outside and are together as wide: what they hold is what chance would put
    into the band. place: a number or one for each value; 0 has no band.
    """
    off = (values / torch.as_tensor(place).to(values) - 1).abs()
    checks.real("within", within, 0, 0.5)
    return off <= within, (off > within) & (off <= 2 * within)


def densest(values: Tensor, width: float = 0.01) -> tuple[float, float]:
    """Return the median of the fullest window [x, x (1 + width)], and the share of values in it.

    values: positive, of any shape. Finds a band without being told where to look.
    """
    values = values.flatten().double().sort().values
    if not values.numel() or not (values > 0).all():
        raise ValueError(f"values is {checks.shown(values)}; expected positive numbers")
    ends = torch.searchsorted(values, values * (1 + checks.real("width", width, 0)), right=True)
    counts = ends - torch.arange(len(values))
    start = counts.argmax()
    return values[start:ends[start]].median().item(), counts[start].item() / len(values)


def usual_moves(moved: Tensor) -> Tensor:
    """Return where each network's moves are `densest` (networks,), those of size 0 left out."""
    return torch.tensor([densest(move[move > 0])[0] for move in moved.abs()])


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
        raise ValueError(f"weights have shapes {tuple(initial.shape)} and {tuple(trained.shape)}; "
                         "expected one")
    return trained - initial


def _drift(recipe: Recipe, epsilon: float | Tensor = 0.0) -> Tensor:
    """Return `adam_drift` of a recipe in units of the weights."""
    if recipe.optimiser != "adam":
        raise ValueError(f"recipe.optimiser is {recipe.optimiser!r}; expected 'adam'")
    return recipe.learning_rate * adam_drift(*recipe.betas, epsilon, recipe.steps)
