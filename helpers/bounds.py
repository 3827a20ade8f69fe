"""Upper bounds on what pruning does to the loss, from deviations, norms, gates and margins.

A removed node is held at a value, mostly its mean. What its deviations from it do to the logits is
bounded layer by layer; what the logits do to the loss, by its slope or by the margins. Everything
in float64, over the training points unless others are given. Proofs: notebook 06.
"""

from math import prod, sqrt

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import softplus

from helpers.change import Change, change_of, operator_norms
from helpers.data import Problem
from helpers.gates import along_paths, half_passed
from helpers.losses import point_losses
from helpers.networks import BLOCK, Networks, check_fit
from helpers.pruning import Kept, check_kept
from helpers.replacements import StandIn, fresh_means

BOUNDS = ("suffix_k", "suffix_k_rms", "column_norms", "covariance", "path_covariance",
          "centred_gate", "interval")  # on the mean absolute loss change
SIGNED = ("margin_aware", "harm_side")  # on the loss change
CHAIN = ("suffix_k", *BOUNDS[2:], *SIGNED)  # from loose to tight
SLOPE = sqrt(2)  # of the loss in the logits, Euclidean norm; the supremum


@torch.no_grad()
def ladder(networks: Networks, kept: Kept, problem: Problem, stand_in: StandIn = fresh_means,
           points: tuple[Tensor, Tensor] | None = None) -> pd.DataFrame:
    """Return bounds on the change that `prune(networks, kept, problem)` makes, and the change.

    One row per network (index: seeds), in nats or logits; any depth, any number of classes. BOUNDS
    hold for `mean_abs_loss_change`, `margin_aware` and `harm_side` for `loss_change`; CHAIN falls,
    and `suffix_k_rms` lies between `suffix_k` and `covariance`. `mean_abs_logit_change` and
    `rms_logit_change`: of the largest change of a difference of two logits. stand_in: what removed
    nodes are held at, of `helpers.replacements`; points: x and y to take the means over, by default
    the training points. A network that diverged has NaN. Raises TypeError or ValueError as `prune`
    does.
    """
    return _by_block(networks, kept, problem, stand_in, points, rungs)


@torch.no_grad()
def certificate(networks: Networks, kept: Kept, problem: Problem, stand_in: StandIn = fresh_means,
                points: tuple[Tensor, Tensor] | None = None) -> pd.DataFrame:
    """Return per network the accuracy before and after pruning, and how much of it is certain.

    `certified` is the share of points whose margin, true logit minus the largest other, is above
    what `reach` says it may lose; it is at most `pruned`. Arguments and errors as `ladder`.
    """
    return _by_block(networks, kept, problem, stand_in, points, accuracies)


@torch.no_grad()
def reach(networks: Networks, kept: Kept, problem: Problem,
          points: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return at each point the margin of its label, and the most that pruning may take from it.

    Both (networks, points). The most is known from which gates may switch, not from by how much
    (`interval_after`). Errors as `ladder`.
    """
    change = change_of(networks, kept, problem, fresh_means, points)
    return change.whole.margins, change.differences()[1]


@torch.no_grad()
def rungs(change: Change) -> dict[str, Tensor]:
    """Return the columns of the `ladder`; in deep networks no rung is above one before it."""
    parts = list(_layer_bounds(change))
    found = {name: sum((part[name] for part in parts), change.pruned.new_zeros(len(change.pruned)))
             for name in BOUNDS[:-1]}
    either, lost = change.differences()
    found["interval"] = either.mean(1)
    for name, most in zip(SIGNED, (either, lost), strict=True):
        found[name] = (softplus(change.whole.disadvantage + most) - change.whole.losses).mean(1)
    for looser, tighter in zip(CHAIN[:-1], CHAIN[1:], strict=True):
        found[tighter] = torch.minimum(found[looser], found[tighter])
    return found | _measured(change)


@torch.no_grad()
def accuracies(change: Change) -> dict[str, Tensor]:
    """Return the columns of the `certificate`."""
    margins, pruned, y = change.whole.margins, change.pruned.argmax(2), change.whole.y
    right = {"dense": margins > 0, "pruned": pruned == y,
             "certified": margins > change.differences()[1]}
    whole = margins.isfinite().all(1)  # of a network that diverged nothing is known
    return {name: points.double().mean(1).where(whole, torch.nan) for name, points in right.items()}


def _by_block(networks, kept, problem, stand_in, points, measure) -> pd.DataFrame:
    check_fit(networks, problem)
    check_kept(networks, kept)
    points = (problem.x_train, problem.y_train) if points is None else points
    tables = [pd.DataFrame(
        {name: column.numpy() for name, column in measure(change_of(
            networks.select(block), [stay[block] for stay in kept], problem, stand_in, points)
        ).items()}) for block in torch.arange(len(networks)).split(BLOCK)]
    return pd.concat(tables).set_axis(pd.Index(networks.seeds, name="seed"))


def _measured(change: Change) -> dict[str, Tensor]:
    whole, y = change.whole.inputs[-1], change.whole.y
    moved = change.pruned - whole
    moved = moved.amax(2) - moved.amin(2)
    losses = point_losses(change.pruned, y) - point_losses(whole, y)
    return {"rms_logit_change": _rms(moved), "mean_abs_logit_change": moved.mean(1),
            "mean_abs_loss_change": losses.abs().mean(1), "loss_change": losses.mean(1)}


def _layer_bounds(change: Change):
    """Yield what every pruned layer adds to each bound.

    A removed node is held, so a change of an earlier layer travels on through kept nodes alone:
    weights from and to removed ones are set to 0.
    """
    weights = list(change.whole.networks.weights)
    stays = [(~mask).double() for mask in change.gone]
    into = [weight * stay[:, :, None] for weight, stay in
            zip(weights[:-1], stays, strict=True)] + weights[-1:]
    between = [weight * stay[:, None] for weight, stay in zip(into[1:], stays, strict=True)]
    for layer, deviations in enumerate(change.deviations):
        if change.gone[layer].any():
            suffix = SLOPE * prod(change.whole.norms[layer + 1:])
            yield _layer_bound(deviations, into[layer + 1], between[layer + 1:], suffix)


def _layer_bound(deviations: Tensor, into: Tensor, between: list[Tensor],
                 suffix: Tensor) -> dict[str, Tensor]:
    """Return bounds on what deviations (networks, points, nodes) of one layer do to the loss.

    into: the next layer's weights; between: later weights; both of kept nodes only; suffix: the
    norms of all weights after the layer, multiplied, times SLOPE.
    """
    norm = SLOPE * prod(map(operator_norms, between))
    sizes, changes = _rms(deviations), deviations @ into.mT
    paths = along_paths(_rms(changes), between)
    centred = paths if not between else half_passed(
        lambda rows: _rms(changes @ rows.mT)[..., None], between)[..., 0]
    return {"suffix_k": suffix * sizes.sum(1), "suffix_k_rms": suffix * sizes.norm(dim=1),
            "column_norms": norm * (sizes * into.norm(dim=1)).sum(1),
            "covariance": norm * _rms(changes).norm(dim=1),
            "path_covariance": SLOPE * paths.norm(dim=1),
            "centred_gate": SLOPE * centred.norm(dim=1)}


def _rms(values: Tensor) -> Tensor:
    return values.square().mean(1).sqrt()
