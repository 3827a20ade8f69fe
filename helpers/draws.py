"""One setting on many draws of the data: a group of networks for each draw, with its own problem.

Functions take the groups and the problems in step. One draw of the data is one sample, so measures
come as arrays (draws, seeds), from which `intervals` makes estimates.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
import torch

from helpers import checks
from helpers.compare import accuracy, classify, disagreement, plane, same_roles
from helpers.data import PROBLEMS, Problem
from helpers.networks import Networks, initialise
from helpers.pruning import Kept, choose, dead, prune
from helpers.recipes import Recipe
from helpers.training import Run, train_draws


def problems(name: str, count: int, **settings) -> list[Problem]:
    """Return `count` draws of a problem in PROBLEMS, of seeds 0, 1, ..., with its settings."""
    count = checks.integer("count", count, 1)
    problem = checks.lookup("problem", name, PROBLEMS)
    return [problem(seed=seed, **settings) for seed in range(count)]


def untrained(widths: Sequence[int], count: int, seeds: int,
              scheme: str = "glorot_uniform", device="cpu") -> list[Networks]:
    """Return `count` groups of `seeds` untrained networks on a device, no seed twice."""
    checks.integer("count", count, 1)
    checks.integer("seeds", seeds, 1)
    return [initialise(widths, range(seeds * draw, seeds * (draw + 1)), scheme, device)
            for draw in range(count)]


def trained(groups: Sequence[Networks], problems: Sequence[Problem],
            recipe: Recipe) -> list[Networks]:
    """Return each group trained on its own problem."""
    return [run.networks for run in train_draws(groups, problems, recipe)]


def chosen(groups: Sequence[Networks], problems: Sequence[Problem], criterion: str,
           fraction: float, layers: Iterable[int] | None = None) -> list[Kept]:
    """Return the nodes of each group that stay, as `choose`."""
    groups, problems = checks.paired(groups=groups, problems=problems)
    layers = None if layers is None else checks.several("layers", layers)
    return [choose(networks, problem, criterion, fraction, layers)
            for networks, problem in zip(groups, problems, strict=True)]


def pruned(groups: Sequence[Networks], kept: Sequence[Kept], problems: Sequence[Problem],
           compensation: str = "mean") -> list[Networks]:
    """Return each group without the nodes that go, as `prune`."""
    groups, kept, problems = checks.paired(groups=groups, kept=kept, problems=problems)
    return [prune(networks, nodes, problem, compensation)
            for networks, nodes, problem in zip(groups, kept, problems, strict=True)]


def per_draw(function: Callable, *draws) -> np.ndarray:
    """Return what a function gives of every draw, stacked: (draws, seeds).

    draws: sequences of equal length, e.g. groups and problems; function takes one of each.
    """
    found = (function(*items) for items in zip(*draws, strict=True))
    return np.stack([values.cpu() if isinstance(values, torch.Tensor) else values
                     for values in found])


def table(function: Callable, *draws) -> pd.DataFrame:
    """Return the tables that a function gives of every draw as one; outermost index: draw.

    draws: as in `per_draw`.
    """
    return pd.concat({draw: function(*items) for draw, items in
                      enumerate(zip(*draws, strict=True))}, names=["draw"])


def accuracies(groups: Sequence[Networks], problems: Sequence[Problem]) -> np.ndarray:
    """Return the held-out accuracy (draws, seeds)."""
    return per_draw(lambda networks, p: accuracy(networks, p.x_test, p.y_test), groups, problems)


def disagreements(a: Sequence[Networks], b: Sequence[Networks],
                  problems: Sequence[Problem]) -> np.ndarray:
    """Return the share of the plane (draws, seeds) that paired networks classify differently."""
    return per_draw(lambda one, other, p: disagreement(one, other, plane(p)), a, b, problems)


def role_shares(a: Sequence[Networks], b: Sequence[Networks],
                problems: Sequence[Problem]) -> tuple[np.ndarray, np.ndarray]:
    """Return which share of the comparable hidden nodes kept their role, and which is comparable.

    Both (draws, seeds), by `same_roles` at the held-out points; 0 of 0 nodes counts as 0.
    """
    counts = per_draw(lambda one, other, p: torch.stack(same_roles(one, other, p.x_test)),
                      a, b, problems)
    same, comparable = counts[:, 0], counts[:, 1]
    return same / np.maximum(comparable, 1), comparable / sum(a[0].widths[1:-1])


def exchanged(groups: Sequence[Networks]) -> list[Networks]:
    """Return each group with every network in the place, and under the seed, of the next."""
    moved = [networks.select(torch.arange(len(networks)).roll(1)) for networks in groups]
    return [Networks(other.weights, other.biases, networks.seeds)
            for other, networks in zip(moved, groups, strict=True)]


def dead_shares(groups: Sequence[Networks], problems: Sequence[Problem]) -> list[np.ndarray]:
    """Return per hidden layer the share of nodes (draws, seeds) dead at all training points."""
    shares = per_draw(lambda networks, p: torch.stack(
        [layer.float().mean(1) for layer in dead(networks, p.x_train)], 1), groups, problems)
    return list(np.moveaxis(shares, 2, 0))


def plane_classes(groups: Sequence[Networks], problems: Sequence[Problem],
                  resolution: int = 30) -> np.ndarray:
    """Return the class that networks give the points of the plane, (draws, seeds, points)."""
    return per_draw(lambda networks, p: classify(networks, plane(p, resolution)).to(torch.int8),
                    groups, problems)


def over_time(measure: Callable, runs: Sequence[Run], problems: Sequence[Problem]) -> np.ndarray:
    """Return a measure of groups and problems, such as `accuracies`, stacked over the snapshots."""
    moments = zip(*(run.snapshots for run in runs), strict=True)
    return np.stack([measure(groups, problems) for groups in moments])
