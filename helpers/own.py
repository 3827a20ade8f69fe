"""The commuting square with a training of one's own, one plain PyTorch model at a time.

A training is a function of (model, x, y, seed) that trains a plain `nn.Sequential` in place. x are
the training points (points, features), y their int64 labels, both copies. The model ends in logits:
one for two classes, or one per class. It is called once per network and corner, with a network's
own seed each time: whoever draws batches from it gives the same batches to dense and to B. So does
whoever draws them from PyTorch's global generator, which starts from that seed in every call. The
model holds Linear and ReLU alone: whoever trains with Dropout applies it inside of the function.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from helpers import checks
from helpers.data import Problem
from helpers.networks import Networks, check_fit
from helpers.pruning import COMPENSATIONS, choose, prune
from helpers.square import Square, other_seeds
from helpers.streams import stream
from helpers.training import Run, warn_if_diverged

Training = Callable[[nn.Sequential, Tensor, Tensor, int], None]


def commute_with(training: Training, initial: Networks, problem: Problem, criterion: str,
                 fraction: float, compensation: str = "mean",
                 layers: Iterable[int] | None = None, fine_tune: Training | None = None) -> Square:
    """Return the square of a training of one's own, nodes chosen on the dense networks.

    As `helpers.square.commute`, for a function instead of a recipe; fine_tune: a training that
    makes A' of A, by default none (A' is A). Raises what `choose`, `prune` and `train_with` do,
    for arguments that do not fit before any training.
    """
    _check_callable("training", training)
    if fine_tune is not None:
        _check_callable("fine_tune", fine_tune)
    checks.one_of("compensation", compensation, COMPENSATIONS)
    layers = None if layers is None else checks.several("layers", layers)
    choose(initial, problem, criterion, fraction, layers)  # refuses nonsense first
    dense = train_with(training, initial, problem)
    kept = choose(dense, problem, criterion, fraction, layers)
    train_first = prune(dense, kept, problem, compensation)
    fine_tuned = train_first
    if fine_tune is not None:
        fine_tuned = train_with(fine_tune, train_first, problem)
    prune_first = train_with(training, prune(initial, kept, problem, compensation), problem)
    return Square(initial, dense, kept, train_first, fine_tuned, prune_first, problem,
                  compensation=compensation)


def noise_floor_with(training: Training, networks: Networks, problem: Problem) -> Networks:
    """Return networks trained with other seeds: how far a training of one's own is from itself.

    networks: untrained, the initial ones or, for the floor of B, these without the nodes that go.
    The result carries their own seeds, to be compared pair by pair. Errors are `train_with`'s.
    """
    check_fit(networks, problem)
    # PyTorch takes 32 bits of a seed: those of the other seed itself would be the seed's own
    others = [int(stream(seed, "batch order").integers(2**32)) for seed in other_seeds(networks)]
    return train_with(training, networks, problem, others)


def train_with(training: Training, networks: Networks, problem: Problem,
               order_seeds: Iterable[int] | None = None) -> Networks:
    """Return the networks trained one after the other by a function; the argument stays as it was.

    order_seeds: what the function gets as seeds, by default the networks' own. Networks that
    diverge are named in a warning. Raises TypeError or ValueError for what is no function, or for
    one that returns another model or changes the layers of its own.
    """
    _check_callable("training", training)
    check_fit(networks, problem)
    seeds = networks.seeds if order_seeds is None else checks.seeds("order_seeds", order_seeds)
    if len(seeds) != len(networks):
        raise ValueError(f"order_seeds holds {len(seeds)} seeds; expected {len(networks)}")
    models = [_trained(training, networks.to_sequential(i), problem, seed)
              for i, seed in enumerate(seeds)]
    result = Networks.from_sequential(*models, seeds=networks.seeds)
    warn_if_diverged(Run(result, result.weights[0].new_empty(len(result), 0), (), (), ()))
    return result


def _check_callable(name: str, training) -> None:
    if not callable(training):
        raise TypeError(f"{name} is {checks.shown(training)}; expected a function of model, x, y "
                        "and seed")


def _trained(training: Training, model: nn.Sequential, problem: Problem,
             seed: int) -> nn.Sequential:
    """Train one model by the function, and check that it is still the same model."""
    like, layers = model[0].weight.detach(), list(map(str, model))
    x, y = problem.x_train.to(like, copy=True), problem.y_train.to(like.device, copy=True)
    with torch.random.fork_rng(range(torch.cuda.device_count())):  # manual_seed seeds them all
        torch.manual_seed(seed)
        returned = training(model, x, y, seed)
    if isinstance(returned, nn.Module) and returned is not model:
        raise TypeError(f"training returned another {type(returned).__name__}; expected it to "
                        "train the model that it is given, in place")
    model.to(like)  # wherever it was trained, and in whichever type
    if list(map(str, model)) != layers:
        raise ValueError(f"training left layers {list(map(str, model))}; expected them as they "
                         f"were, {layers}")
    return model
