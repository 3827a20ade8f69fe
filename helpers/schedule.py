"""Pruning in the middle of training, at once or in stages: the path between the two orders.

Pruning at step 0 is prune first (B), after the last step train first (A). The nodes are fixed
beforehand, so that nothing but the moment of pruning differs.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch

from helpers import checks
from helpers.data import Problem
from helpers.pruning import Kept, check_kept, everything, prune
from helpers.recipes import Recipe, check_recipe
from helpers.training import Moments, Run, train

OPTIMISER_STATES = ("fresh", "kept")


def prune_during(reached: Run, stages: Sequence[Kept], steps: Sequence[int], problem: Problem,
                 recipe: Recipe, compensation: str = "mean",
                 optimiser_state: str = "fresh") -> Run:
    """Return networks pruned at some steps and trained, in between and after, to the recipe's end.

    reached: the dense networks trained for steps[0]; stages: which of the *initial* nodes stay
    after each pruning, every set within the one before; steps: when, increasing, at most
    recipe.steps. Batches go on in the seed's order. optimiser_state: after a pruning Adam starts
    `fresh`, or its running means of the nodes that stay are `kept` (slices of the old ones, as
    compensation has none). Raises TypeError or ValueError for steps that do not increase, nodes
    that were not there, or a state that the optimiser does not have.
    """
    checks.one_of("optimiser_state", optimiser_state, OPTIMISER_STATES)
    check_recipe(recipe)
    checks.paired(stages=stages, steps=steps)
    for kept in stages:
        check_kept(reached.networks, kept)
    for k, step in enumerate(steps):
        checks.integer(f"steps[{k}]", step, 0)
    ends = [*steps[1:], recipe.steps]
    if any(end < step for step, end in zip(steps, ends, strict=True)):
        raise ValueError(f"steps is {list(steps)}; expected increasing, at most {recipe.steps}")
    remembered = recipe.optimiser == "adam" and (reached.moments or not steps[0])
    if optimiser_state == "kept" and not remembered:
        raise ValueError(f"optimiser_state is 'kept' for {recipe.optimiser!r}; expected 'adam', "
                         "and its moments so far")
    places = [_places(kept, before)
              for before, kept in pairwise([everything(reached.networks), *stages])]
    for here, step, end in zip(places, steps, ends, strict=True):
        networks = prune(reached.networks, here, problem, compensation)
        moments = None
        if optimiser_state == "kept" and reached.moments:
            moments = _pruned_moments(reached.moments, here, problem)
        rest = replace(recipe, steps=end - step)
        reached = train(networks, problem, rest, loss_every=max(1, end), first_step=step,
                        moments=moments)
    return reached


def _places(kept: Kept, before: Kept) -> Kept:
    """Return where the kept nodes stand among those kept before."""
    places = tuple(torch.searchsorted(old, new) for old, new in zip(before, kept, strict=True))
    for layer, (old, new, place) in enumerate(zip(before, kept, places, strict=True)):
        if not torch.equal(old.gather(1, place.clamp_max(old.shape[1] - 1)), new):
            raise ValueError(f"stages keep nodes of hidden layer {layer} that had gone before; "
                             "expected every set within the one before")
    return places


def _pruned_moments(moments: Moments, kept: Kept, problem: Problem) -> Moments:
    """Return the running means of the nodes that stay: means have the shape of the networks."""
    mean, square = (prune(part, kept, problem, "none") for part in (moments.mean, moments.square))
    return Moments(mean, square, moments.step)
