"""The commuting square: train then prune, against prune then train.

    initial --- train ---> dense
       |                     |
     prune                 prune        (the same nodes, the same batches, the same seed)
       v                     v
     pruned  --- train --->  B | A --- fine-tune ---> A'
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from helpers import checks
from helpers.data import Problem
from helpers.networks import Networks, initialise
from helpers.pruning import Kept, choose, prune
from helpers.training import Recipe, train

OTHER = 2**32  # added to a seed, it gives the seed of its noise floor


@dataclass(frozen=True, eq=False)
class Square:
    """The corners of the square, paired network by network.

    dense: trained; train_first: dense, then pruned (A); fine_tuned: A trained further (A');
    prune_first: the same nodes removed from `initial`, then trained (B).
    """

    initial: Networks
    dense: Networks
    kept: Kept
    train_first: Networks
    fine_tuned: Networks
    prune_first: Networks


def commute(initial: Networks, problem: Problem, recipe: Recipe, criterion: str, fraction: float,
            compensation: str = "mean", layers: Iterable[int] | None = None,
            scored_on: str = "dense", fine_tune_steps: int = 0) -> Square:
    """Return the whole square of one setting.

    scored_on: the networks whose scores choose the nodes, `dense` (hindsight: the nodes removed
    from the untrained network are chosen after training) or `initial`. Criterion, fraction and
    layers as in `choose`, compensation as in `prune`; errors as theirs and `train`'s.
    """
    checks.one_of("scored_on", scored_on, ("dense", "initial"))
    choose(initial, problem, criterion, fraction, layers)  # refuse nonsense before training
    dense = train(initial, problem, recipe).networks
    scored = dense if scored_on == "dense" else initial
    kept = choose(scored, problem, criterion, fraction, layers)
    return close(initial, dense, kept, problem, recipe, compensation, fine_tune_steps)


def close(initial: Networks, dense: Networks, kept: Kept, problem: Problem, recipe: Recipe,
          compensation: str = "mean", fine_tune_steps: int = 0) -> Square:
    """Return the square of networks already trained and nodes already chosen.

    All arms use the seed's own batch order from its start; fine-tuning starts with a fresh
    optimiser state.
    """
    train_first = prune(dense, kept, problem, compensation)
    tuning = replace(recipe, steps=fine_tune_steps)
    return Square(initial, dense, kept, train_first,
                  train(train_first, problem, tuning).networks,
                  train(prune(initial, kept, problem, compensation), problem, recipe).networks)


def noise_floor(initial: Networks, problem: Problem, recipe: Recipe,
                scheme: str = "glorot_uniform") -> tuple[Networks, Networks]:
    """Return the dense networks trained twice more: how far training is from itself.

    First the same initialisation with another batch order, then another initialisation drawn with
    `scheme` and the same order. Both carry the seeds of `initial`, to be compared pair by pair.
    """
    others = [seed + OTHER for seed in initial.seeds]
    fresh = initialise(initial.widths, others, scheme)
    fresh = Networks(fresh.weights, fresh.biases, initial.seeds)
    return (train(initial, problem, recipe, order_seeds=others).networks,
            train(fresh, problem, recipe).networks)
