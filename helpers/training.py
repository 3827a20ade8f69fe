"""Train many networks at once, each on its own batches, with the same bits in any company."""

import math
import warnings
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import currentframe
from traceback import walk_stack

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from helpers import checks
from helpers.data import Problem
from helpers.engine import Engine, at_most_threads
from helpers.networks import Networks, check_fit, join
from helpers.progress import progress
from helpers.recipes import OPTIMISERS, POST, Recipe, check_recipe
from helpers.streams import stream

CACHE = 8 * 2**20  # bytes that one chunk of networks may fill on a processor: measured optimum
MEMORY = 2**30  # and on other devices, whose many cores want many networks
_reference = ContextVar("_reference", default=False)  # whether only PyTorch may train


@dataclass(frozen=True, eq=False)
class Moments:
    """Adam's running means after some steps, in the shape of the networks they belong to.

    mean: of every parameter's gradient; square: of the gradient's square; step: steps taken.
    """

    mean: Networks
    square: Networks
    step: int


@dataclass(frozen=True, eq=False)
class Run:
    """Trained networks and how they got there.

    losses: (networks, records), the batch loss before each recorded step `loss_steps`;
    snapshots: the networks at `snapshot_steps`, from the start to the end; moments: what Adam
    needs to go on, None for other optimisers, where no step was taken or they were not kept.
    """

    networks: Networks
    losses: Tensor
    loss_steps: tuple[int, ...]
    snapshots: tuple[Networks, ...]
    snapshot_steps: tuple[int, ...]
    moments: Moments | None = None

    @property
    def diverged(self) -> Tensor:
        """Which networks (networks,) ended with a parameter that is not finite."""
        return ~torch.stack([parameter.detach().flatten(1).isfinite().all(1)
                             for parameter in self.networks.parameters()]).all(0)

    def first_below(self, level: float) -> Tensor:
        """Return the first recorded step (networks,) with a loss below a level, else the last.

        Raises ValueError where no loss was recorded.
        """
        if not self.loss_steps:
            raise ValueError("losses is empty; expected at least one recorded step")
        below = self.losses < checks.real("level", level, 0)
        below[:, -1] = True
        return torch.tensor(self.loss_steps)[below.int().argmax(1).cpu()]


def train(networks: Networks, problem: Problem, recipe: Recipe = POST,
          order_seeds: Iterable[int] | None = None, loss_every: int = 10,
          snapshots: int = 0, first_step: int = 0, moments: Moments | None = None) -> Run:
    """Return the networks trained by a recipe; the argument stays as it was.

    order_seeds: seeds of the batch order, by default the networks' own; loss_every: steps between
    recorded losses; snapshots: how many copies to keep, evenly spaced, at least 2 if any;
    first_step: where in the batch order to begin; moments: Adam's running means to go on from,
    by default fresh ones. With both, training in parts gives the bits of training in one go.
    Training happens where the networks lie. On the CPU a network's result has the same bits
    whichever others are trained with it, on any number of threads. Networks that diverge are named
    in a warning and marked in `Run.diverged`. Raises TypeError or ValueError, before any work, for
    arguments that do not fit together.
    """
    return train_draws([networks], [problem], recipe, [order_seeds], loss_every, snapshots,
                       first_step, None if moments is None else [moments])[0]


def train_draws(groups: Sequence[Networks], problems: Sequence[Problem], recipe: Recipe = POST,
                order_seeds: Sequence[Iterable[int] | None] | None = None, loss_every: int = 10,
                snapshots: int = 0, first_step: int = 0,
                moments: Sequence[Moments] | None = None) -> list[Run]:
    """Return what `train` gives for each group of networks on its own problem, all trained at once.

    Small groups, such as a few networks on each of many data draws, train several times faster
    together. The groups have equal widths and the problems equal sizes; a seed may come back in
    another group. order_seeds, moments: per group as in `train`, moments of one step. Errors as
    `train`'s.
    """
    groups, problems = checks.paired(groups=groups, problems=problems)
    order_seeds = [None] * len(groups) if order_seeds is None else order_seeds
    groups, order_seeds = checks.paired(groups=groups, order_seeds=order_seeds)
    orders = [check_training(networks, problem, recipe, order, loss_every, snapshots)
              for networks, problem, order in zip(groups, problems, order_seeds, strict=True)]
    _check_alike(groups, problems)
    checks.integer("first_step", first_step, 0)
    _check_moments(groups, moments, recipe)
    keep = np.linspace(0, recipe.steps, snapshots).round().astype(int).tolist()
    pool = _Pool(groups, problems, orders, first_step, moments)
    chunks = _chunks(pool.networks, recipe.batch_size or pool.points)
    run = _fastest(pool.networks, recipe)
    with progress(len(pool.networks) * recipe.steps, "training") as bar, _flushed_denormals():
        parts = [_train_chunk(run, pool, chunk, recipe, loss_every, keep, bar) for chunk in chunks]
    ends, losses, kept, states = zip(*parts, strict=True)
    end, losses = join(ends), torch.cat(losses)
    copies = [join(chunks) for chunks in zip(*kept, strict=True)]
    after = [join(chunks) for chunks in zip(*states, strict=True)]
    taken = recipe.steps + (pool.moments.step if pool.moments else 0)
    records = tuple(range(0, recipe.steps, loss_every))
    runs = [Run(_part(end, place, group.seeds), losses[place], records,
                tuple(_part(copy, place, group.seeds) for copy in copies), tuple(keep),
                Moments(*(_part(m, place, group.seeds) for m in after), taken) if after else None)
            for group, place in zip(groups, pool.places, strict=True)]
    for run in runs:
        warn_if_diverged(run)
    return runs


class _Pool:
    """All networks of all groups side by side, numbered anew, with the training points of all."""

    def __init__(self, groups: list[Networks], problems: list[Problem], orders: list[tuple],
                 first_step: int, moments: Sequence[Moments] | None):
        counts = [len(group) for group in groups]
        ends = np.cumsum(counts).tolist()
        self.places = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
        self.networks = self._joined(groups)
        self.moments = None if moments is None else Moments(
            self._joined([m.mean for m in moments]), self._joined([m.square for m in moments]),
            moments[0].step)
        self.first_step = first_step
        self.order_seeds = [seed for order in orders for seed in order]
        self.points, self.classes = len(problems[0].x_train), problems[0].classes
        self.x = torch.cat([problem.x_train for problem in problems])
        self.y = torch.cat([problem.y_train for problem in problems])
        draw = torch.repeat_interleave(torch.arange(len(groups)), torch.tensor(counts))
        self.first_point = self.points * draw

    def _joined(self, groups: list[Networks]) -> Networks:
        return join(_part(group, slice(None), range(place.start, place.stop))
                    for group, place in zip(groups, self.places, strict=True))


def _part(networks: Networks, place: slice, seeds) -> Networks:
    """Return some of the networks under the given seeds."""
    return Networks([weight[place] for weight in networks.weights],
                    [bias[place] for bias in networks.biases], seeds)


def warn_if_diverged(run: Run) -> None:
    """Name the networks that diverged, in a warning of the line that called this package."""
    if run.diverged.any():
        seeds = run.networks.seeds
        lost = [seed for seed, gone in zip(seeds, run.diverged, strict=True) if gone]
        warnings.warn(f"{len(lost)} of {len(seeds)} networks diverged; seeds {lost}",
                      RuntimeWarning, stacklevel=_level_outside())


def _level_outside() -> int:
    """Return the `stacklevel`, for a warning of the caller, of the first line outside the package.
    """
    frames = (frame for frame, _ in walk_stack(currentframe().f_back))
    modules = (frame.f_globals.get("__name__", "") for frame in frames)
    return next((k for k, name in enumerate(modules, 1) if not name.startswith("helpers.")), 1)


def _check_alike(groups: list[Networks], problems: list[Problem]) -> None:
    """Raise ValueError unless all groups and all problems have the shapes of the first."""
    for draw, (group, problem) in enumerate(zip(groups, problems, strict=True)):
        if _kind(group) != _kind(groups[0]):
            raise ValueError(f"groups[{draw}] has {_kind(group)}; expected as the first, "
                             f"{_kind(groups[0])}")
        shape, first = problem.x_train.shape, problems[0].x_train.shape
        if shape != first or problem.classes != problems[0].classes:
            raise ValueError(f"problems[{draw}] has {problem.classes} classes and training points "
                             f"{tuple(shape)}; expected {problems[0].classes} and {tuple(first)}")


def _kind(networks: Networks) -> str:
    return f"widths {networks.widths}, {networks.weights[0].dtype} on {networks.device}"


def _check_moments(groups: list[Networks], moments, recipe: Recipe) -> None:
    """Raise unless there are no moments, or Adam's of one step for every group."""
    if moments is None:
        return
    if recipe.optimiser != "adam":
        raise ValueError(f"moments are given for {recipe.optimiser!r}; expected 'adam'")
    checks.paired(groups=groups, moments=moments)
    for draw, (group, own) in enumerate(zip(groups, moments, strict=True)):
        if not isinstance(own, Moments):
            raise TypeError(f"moments[{draw}] is {checks.shown(own)}; expected Moments")
        found = [(_kind(part), part.seeds) for part in (own.mean, own.square)]
        if found != [(_kind(group), group.seeds)] * 2 or own.step != moments[0].step:
            raise ValueError(f"moments[{draw}] belong to other networks or another step; expected "
                             f"{_kind(group)}, step {moments[0].step}")


def check_training(networks, problem, recipe, order_seeds, loss_every: int,
                   snapshots: int) -> tuple[int, ...]:
    """Return the order seeds, after checking that everything fits together."""
    check_fit(networks, problem)
    if networks.device.type == "meta":
        raise ValueError("networks lie on meta, without numbers; expected another device")
    check_recipe(recipe)
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


@contextmanager
def reference_engine():
    """Train with PyTorch in this thread, as without the extra `fast`: the bits of stored results.
    """
    token = _reference.set(True)
    try:
        yield
    finally:
        _reference.reset(token)


def _fastest(networks: Networks, recipe: Recipe):
    """Return what trains a chunk: the compiled kernel if it is installed and fits, else PyTorch."""
    fits = networks.device.type == "cpu" and networks.weights[0].dtype == torch.float32
    if not fits or recipe.optimiser != "adam" or _reference.get() or find_spec("numba") is None:
        return _run
    from helpers.fused import train_chunk  # imports Numba and compiles, seconds at first

    return train_chunk


def _train_chunk(run, pool: _Pool, chunk: slice, recipe: Recipe, loss_every: int, keep, bar):
    """Train networks that fit into the cache; return them, losses, snapshots, Adam's means.

    On no more threads than networks: the product of a lone one would be split, and round otherwise.
    """
    moments = pool.moments and Moments(
        pool.moments.mean.select(chunk), pool.moments.square.select(chunk), pool.moments.step)
    batches = _Batches(pool, chunk, recipe)
    with at_most_threads(batches.count):
        return run(pool.networks.select(chunk), moments, batches, recipe, loss_every, keep, bar)


def _run(networks: Networks, moments: Moments | None, batches: "_Batches", recipe: Recipe,
         loss_every: int, keep, bar):
    """Train with PyTorch, on any device."""
    engine = Engine(networks, batches.size)
    optimiser = OPTIMISERS[recipe.optimiser](recipe, [engine.parameters])
    if moments:
        optimiser.state[engine.parameters] = {
            "step": torch.tensor(float(moments.step), device=networks.device),
            "exp_avg": engine.flat(moments.mean), "exp_avg_sq": engine.flat(moments.square)}
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
    state = optimiser.state.get(engine.parameters, {})
    means = [engine.unpacked(state[name]) for name in ("exp_avg", "exp_avg_sq") if name in state]
    return engine.copy_networks(), losses, copies, means


class _Batches:
    """The batch of every step for a chunk of the pool: (x, targets, y), feature-major."""

    def __init__(self, pool: _Pool, chunk: slice, recipe: Recipe):
        like = pool.networks.weights[0].detach()
        self.count = len(pool.order_seeds[chunk])
        self.size = recipe.batch_size or pool.points
        one_logit = pool.networks.widths[-1] == 1
        targets = pool.y[:, None] if one_logit else one_hot(pool.y, pool.classes)
        # features by points: gathered with the samples last, which the matrix products want
        self.x, self.targets = (values.to(like).T.contiguous() for values in (pool.x, targets))
        self.y = pool.y.to(like.device)
        if recipe.batch_size is None:
            order = torch.arange(pool.points, dtype=torch.int32).repeat(self.count)
            order = order.expand(recipe.steps, -1)
        else:
            last = pool.first_step + recipe.steps
            order = batch_order(pool.order_seeds[chunk], last, self.size, pool.points)
            order = order[pool.first_step:]
        self.order = order.to(like.device)
        self.first_point = pool.first_point[chunk].repeat_interleave(self.size).to(like.device)

    def __getitem__(self, step: int):
        index = self.order[step] + self.first_point
        x, targets = (values.index_select(1, index).view(-1, self.count, self.size).transpose(0, 1)
                      for values in (self.x, self.targets))
        return x, targets, self.y.index_select(0, index).view(self.count, self.size)


def batch_order(seeds, steps: int, batch_size: int, points: int) -> Tensor:
    """Return the points (steps, networks * batch_size) that each network sees at each step.

    seeds: one per network; every batch is drawn uniformly with replacement.
    """
    narrow = np.uint16 if points <= 2**16 else np.uint32
    order = np.empty((steps, len(seeds), batch_size), np.int32)
    for place, seed in enumerate(seeds):
        order[:, place] = stream(seed, "batch order").integers(
            points, size=(steps, batch_size), dtype=narrow)
    return torch.from_numpy(order).flatten(1)


def _chunks(networks: Networks, batch_size: int) -> list[slice]:
    """Return slices of about equal size: a small remainder would train as slowly as a full one."""
    largest = _chunk_size(networks, batch_size)
    even = math.ceil(len(networks) / math.ceil(len(networks) / largest))
    return [slice(k, k + even) for k in range(0, len(networks), even)]


def _chunk_size(networks: Networks, batch_size: int) -> int:
    """Return how many networks to train together so that a processor's cache holds their state.

    Per network: parameters, gradients and Adam's two moments, activations and their errors.
    """
    parameters = sum(parameter[0].numel() for parameter in networks.parameters())
    room = CACHE if networks.device.type == "cpu" else MEMORY
    numbers = 4 * parameters + 2 * sum(networks.widths[1:]) * batch_size
    return max(16, room // (4 * numbers) // 16 * 16)


@contextmanager
def _flushed_denormals():
    """Treat subnormal numbers as 0: nodes that died leave such moments in Adam, and they crawl."""
    before = bool(torch.tensor([1e-39]) * 1 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
