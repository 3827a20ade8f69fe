"""The commuting square: train then prune, against prune then train::

    initial --- train ---> dense
       |                     |
     prune                 prune        (the same nodes, the same batches, the same seed)
       v                     v
     pruned  --- train --->  B | A --- fine-tune ---> A'

All corners carry the seeds of the initial networks, so they are compared pair by pair.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from helpers import checks
from helpers.data import Problem
from helpers.draws import chosen, pruned, trained
from helpers.networks import SCHEMES, Networks, initialise
from helpers.pruning import COMPENSATIONS, Kept
from helpers.recipes import Recipe, check_recipe
from helpers.training import train_draws

OTHER = 2**32  # added to a seed, it gives the seed of its noise floor


@dataclass(frozen=True, eq=False)
class Square:
    """The corners of the square, paired network by network.

    dense: trained; train_first: dense, then pruned (A); fine_tuned: A trained further (A');
    prune_first: the same nodes removed from `initial`, then trained (B). problem, recipe,
    compensation: what they were made with; None in a square made by hand.
    """

    initial: Networks
    dense: Networks
    kept: Kept
    train_first: Networks
    fine_tuned: Networks
    prune_first: Networks
    problem: Problem | None = None
    recipe: Recipe | None = None
    compensation: str | None = None


def commute(initial: Networks, problem: Problem, recipe: Recipe, criterion: str, fraction: float,
            compensation: str = "mean", layers: Iterable[int] | None = None,
            scored_on: str = "dense", fine_tune_steps: int = 0) -> Square:
    """Return the whole square of one setting.

    scored_on: the networks whose scores choose the nodes, `dense` (hindsight: the nodes removed
    from the untrained network are chosen after training) or `initial`. Criterion, fraction and
    layers as in `choose`, compensation as in `prune`; errors as theirs and `train`'s.
    """
    return commute_draws([initial], [problem], recipe, criterion, fraction, compensation, layers,
                         scored_on, fine_tune_steps)[0]


def commute_draws(initials: Sequence[Networks], problems: Sequence[Problem], recipe: Recipe,
                  criterion: str, fraction: float, compensation: str = "mean",
                  layers: Iterable[int] | None = None, scored_on: str = "dense",
                  fine_tune_steps: int = 0) -> list[Square]:
    """Return what `commute` gives for each group of networks on its own problem, trained together.

    As `train_draws`; arguments and errors as in `commute`.
    """
    checks.one_of("scored_on", scored_on, ("dense", "initial"))
    checks.one_of("compensation", compensation, COMPENSATIONS)
    checks.integer("fine_tune_steps", fine_tune_steps, 0)
    check_recipe(recipe)
    initials, problems = checks.paired(initials=initials, problems=problems)
    layers = None if layers is None else checks.several("layers", layers)
    on_initial = chosen(initials, problems, criterion, fraction, layers)  # refuses nonsense first
    dense = trained(initials, problems, recipe)
    kept = on_initial
    if scored_on == "dense":
        kept = chosen(dense, problems, criterion, fraction, layers)
    return close_draws(initials, dense, kept, problems, recipe, compensation, fine_tune_steps)


def close(initial: Networks, dense: Networks, kept: Kept, problem: Problem, recipe: Recipe,
          compensation: str = "mean", fine_tune_steps: int = 0) -> Square:
    """Return the square of networks already trained and nodes already chosen.

    All arms use the seed's own batch order from its start; fine-tuning starts with a fresh
    optimiser state. Errors are those of `prune` and `train`, or seeds that differ.
    """
    return close_draws([initial], [dense], [kept], [problem], recipe, compensation,
                       fine_tune_steps)[0]


def close_draws(initials: Sequence[Networks], dense: Sequence[Networks], kept: Sequence[Kept],
                problems: Sequence[Problem], recipe: Recipe, compensation: str = "mean",
                fine_tune_steps: int = 0) -> list[Square]:
    """Return what `close` gives for each group of networks on its own problem, trained together."""
    check_recipe(recipe)
    tuning = replace(recipe, steps=checks.integer("fine_tune_steps", fine_tune_steps, 0))
    initials, dense, kept, problems = checks.paired(
        initials=initials, dense=dense, kept=kept, problems=problems)
    for start, end in zip(initials, dense, strict=True):
        checks.same_networks(start, end, ("initial", "dense"))
    train_first = pruned(dense, kept, problems, compensation)
    fine_tuned = trained(train_first, problems, tuning)
    prune_first = trained(pruned(initials, kept, problems, compensation), problems, recipe)
    return [Square(*corners, recipe, compensation) for corners in
            zip(initials, dense, kept, train_first, fine_tuned, prune_first, problems, strict=True)]


def corner(squares: Sequence[Square], name: str) -> list[Networks]:
    """Return one corner of every square: `initial`, `dense`, `train_first`, and so on."""
    checks.one_of("name", name, ("initial", "dense", "train_first", "fine_tuned", "prune_first"))
    return [getattr(square, name) for square in squares]


def noise_floor(initial: Networks, problem: Problem, recipe: Recipe,
                scheme: str = "glorot_uniform") -> tuple[Networks, Networks]:
    """Return the initial networks trained in two other ways: how far training is from itself.

    First the same initialisation with another batch order, then another initialisation drawn with
    `scheme` and the same order. Both carry the seeds of `initial`, to be compared pair by pair.
    """
    checks.one_of("scheme", scheme, SCHEMES)
    return (other_order([initial], [problem], recipe)[0],
            other_initialisation([initial], [problem], recipe, scheme)[0])


def other_seeds(networks: Networks) -> list[int]:
    """Return the seeds of the networks' noise floors; ValueError for a seed too large to have one.
    """
    return [OTHER + checks.integer(f"seeds[{i}]", seed, 0, checks.LARGEST_SEED - OTHER)
            for i, seed in enumerate(networks.seeds)]


def other_order(initials: Sequence[Networks], problems: Sequence[Problem],
                recipe: Recipe) -> list[Networks]:
    """Return each group of networks trained on its own problem with another batch order."""
    orders = [other_seeds(initial) for initial in initials]
    return [run.networks for run in train_draws(initials, problems, recipe, orders)]


def other_initialisation(initials: Sequence[Networks], problems: Sequence[Problem], recipe: Recipe,
                         scheme: str = "glorot_uniform") -> list[Networks]:
    """Return each group trained on its own problem from weights drawn anew with a scheme."""
    fresh = [initialise(initial.widths, other_seeds(initial), scheme) for initial in initials]
    return trained([Networks(new.weights, new.biases, initial.seeds)
                    for new, initial in zip(fresh, initials, strict=True)], problems, recipe)
