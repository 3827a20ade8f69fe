"""Train many networks at once, each on its own batches, with the same bits in any company."""

import warnings
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from helpers import checks
from helpers.data import Problem
from helpers.engine import Engine
from helpers.networks import Networks, check_fit, join
from helpers.progress import progress
from helpers.recipes import OPTIMISERS, POST, Recipe
from helpers.streams import stream

CACHE = 8 * 2**20  # bytes that one chunk of networks may fill: measured optimum


@dataclass(frozen=True, eq=False)
class Run:
    """Trained networks and how they got there.

    losses: (networks, records), the batch loss before each recorded step `loss_steps`;
    snapshots: the networks at `snapshot_steps`, from the start to the end.
    """

    networks: Networks
    losses: Tensor
    loss_steps: tuple[int, ...]
    snapshots: tuple[Networks, ...]
    snapshot_steps: tuple[int, ...]

    @property
    def diverged(self) -> Tensor:
        """Which networks (networks,) ended with a parameter that is not finite."""
        return ~torch.stack([parameter.detach().flatten(1).isfinite().all(1)
                             for parameter in self.networks.parameters()]).all(0)


def train(networks: Networks, problem: Problem, recipe: Recipe = POST,
          order_seeds: Iterable[int] | None = None, loss_every: int = 10,
          snapshots: int = 0) -> Run:
    """Return the networks trained by a recipe; the argument stays as it was.

    order_seeds: seeds of the batch order, by default the networks' own; loss_every: steps between
    recorded losses; snapshots: how many copies to keep, evenly spaced, at least 2 if any.
    A network's result has the same bits whichever others are trained with it, on any number of
    threads. Networks that diverge are named in a warning and marked in `Run.diverged`. Raises
    TypeError or ValueError, before any work, for arguments that do not fit together.
    """
    order_seeds = _checked(networks, problem, recipe, order_seeds, loss_every, snapshots)
    keep = np.linspace(0, recipe.steps, snapshots).round().astype(int).tolist()
    size = _chunk_size(networks, recipe.batch_size or len(problem.x_train))
    chunks = [slice(k, k + size) for k in range(0, len(networks), size)]
    with progress(len(networks) * recipe.steps, "training") as bar, _flushed_denormals():
        parts = [_train_chunk(networks.select(chunk), problem, recipe, order_seeds[chunk],
                              loss_every, keep, bar) for chunk in chunks]
    ends, losses, kept = zip(*parts, strict=True)
    run = Run(join(ends), torch.cat(losses), tuple(range(0, recipe.steps, loss_every)),
              tuple(join(copies) for copies in zip(*kept, strict=True)), tuple(keep))
    if run.diverged.any():
        lost = [seed for seed, gone in zip(networks.seeds, run.diverged, strict=True) if gone]
        warnings.warn(f"{len(lost)} of {len(networks)} networks diverged; seeds {lost}",
                      RuntimeWarning, stacklevel=2)
    return run


def _checked(networks, problem, recipe, order_seeds, loss_every, snapshots) -> tuple[int, ...]:
    """Return the order seeds, after checking that everything fits together."""
    check_fit(networks, problem)
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe is {recipe!r}; expected a Recipe")
    if (recipe.batch_size or 0) > len(problem.x_train):
        raise ValueError(f"batch_size is {recipe.batch_size}; expected at most the "
                         f"{len(problem.x_train)} training points")
    checks.integer("loss_every", loss_every, 1)
    if checks.integer("snapshots", snapshots, 0) == 1:
        raise ValueError("snapshots is 1; expected 0, or at least 2 for the start and the end")
    if order_seeds is None:
        return networks.seeds
    order_seeds = checks.seeds("order_seeds", order_seeds)
    if len(order_seeds) != len(networks):
        raise ValueError(f"order_seeds holds {len(order_seeds)} seeds; expected {len(networks)}")
    return order_seeds


def _train_chunk(networks, problem, recipe, order_seeds, loss_every, keep, bar):
    """Train networks that fit into the cache together; return them, losses and snapshots."""
    batches = _Batches(problem, networks, recipe, order_seeds)
    engine = Engine(networks, batches.size)
    optimiser = OPTIMISERS[recipe.optimiser](recipe, [engine.parameters])
    losses, copies = [], []
    for step in range(recipe.steps):
        if step in keep:
            copies += [engine.copy_networks()] * keep.count(step)
        x, targets, y = batches[step]
        engine.backward(x, targets)
        if step % loss_every == 0:
            losses.append(engine.losses(y))
            bar.update(len(networks) * min(loss_every, recipe.steps - step))
        optimiser.step()
    copies += [engine.copy_networks()] * keep.count(recipe.steps)
    losses = torch.stack(losses, 1) if losses else networks.weights[0].new_empty(len(networks), 0)
    return engine.copy_networks(), losses, copies


class _Batches:
    """The batch of every step for a chunk of networks: (x, targets, y), feature-major."""

    def __init__(self, problem: Problem, networks: Networks, recipe: Recipe, order_seeds):
        points = len(problem.x_train)
        self.count, self.size = len(networks), recipe.batch_size or points
        one_logit = networks.widths[-1] == 1
        labels = problem.y_train
        targets = labels[:, None] if one_logit else one_hot(labels, problem.classes)
        like = networks.weights[0].detach()
        self.x, self.targets, self.y = problem.x_train.to(like), targets.to(like), labels
        if recipe.batch_size is None:
            everything = torch.arange(points).repeat(self.count)
            self.order = everything.expand(recipe.steps, -1)
        else:
            self.order = _batch_order(order_seeds, recipe.steps, self.size, points)

    def __getitem__(self, step: int):
        index = self.order[step]
        x, targets = (values.index_select(0, index).view(self.count, self.size, -1).mT
                      for values in (self.x, self.targets))
        return x, targets, self.y.index_select(0, index).view(self.count, self.size)


def _batch_order(seeds, steps: int, batch_size: int, points: int) -> Tensor:
    """Return the points (steps, networks * batch_size) that each network sees at each step."""
    narrow = np.uint16 if points <= 2**16 else np.uint32
    drawn = [stream(seed, "batch order").integers(points, size=(steps, batch_size), dtype=narrow)
             for seed in seeds]
    return torch.from_numpy(np.stack(drawn, 1).astype(np.int32).reshape(steps, -1))


def _chunk_size(networks: Networks, batch_size: int) -> int:
    """Return how many networks to train together so that their state stays in the cache.

    Per network: parameters, gradients and Adam's two moments, activations and their errors.
    """
    parameters = sum(parameter[0].numel() for parameter in networks.parameters())
    numbers = 4 * parameters + 2 * sum(networks.widths[1:]) * batch_size
    return max(16, CACHE // (4 * numbers) // 16 * 16)


@contextmanager
def _flushed_denormals():
    """Treat subnormal numbers as 0: nodes that died leave such moments in Adam, and they crawl."""
    before = bool(torch.tensor([1e-39]) * 1 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
