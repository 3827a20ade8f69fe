"""Upper bounds on what pruning does to the training loss, from standard deviations and norms.

A removed node becomes its mean. Weights enlarge its deviations by at most their operator norm, ReLU
and the loss of one logit by at most 1: a bound is a size of deviations times norms of later layers,
added up over pruned layers. Means are over training points, in float64. Proofs: notebook 06.
"""

import copy
from collections.abc import Iterable
from math import prod

import pandas as pd
import torch
from torch import Tensor

from helpers import checks
from helpers.criteria import std
from helpers.data import Problem
from helpers.losses import point_losses
from helpers.networks import BLOCK, Networks, check_fit
from helpers.pruning import Kept, everything, prune

BOUNDS = ("suffix_k", "column_norms", "covariance", "centred_gate")  # from loose to tight
ROUNDING = 1e-9  # what float64 may add to a measured change, relative and absolute


@torch.no_grad()
def ladder(networks: Networks, kept: Kept, problem: Problem) -> pd.DataFrame:
    """Return bounds on the change that `prune(networks, kept, problem)` makes, and the change.

    One row per network (index: seeds), in nats or logits; any depth. From loose to tight `suffix_k`
    >= `column_norms` >= `covariance` >= `centred_gate` (less only where one hidden layer follows),
    each >= the measured `rms_logit_change` >= `mean_abs_logit_change` >= `mean_abs_loss_change` >=
    `|loss_change|`. Raises ValueError for several logits, TypeError or ValueError as `prune` does.
    """
    check_fit(networks, problem)
    if networks.widths[-1] != 1:
        raise ValueError(f"networks have {networks.widths[-1]} logits; expected 1")
    networks = copy.deepcopy(networks).double()
    pruned = prune(networks, kept, problem)
    return pd.concat([_block(networks.select(block), pruned.select(block),
                             [stay[block] for stay in kept], problem)
                      for block in torch.arange(len(networks)).split(BLOCK)])


def without_node(networks: Networks, layer: int, node: int) -> Kept:
    """Return the kept set that removes one node of a hidden layer from every network.

    Both count from 0; ValueError where there is no such node.
    """
    layer = checks.integer("layer", layer, 0, len(networks.widths) - 3)
    node = checks.integer("node", node, 0, networks.widths[layer + 1] - 1)
    kept = list(everything(networks))
    kept[layer] = torch.cat([kept[layer][:, :node], kept[layer][:, node + 1:]], 1)
    return tuple(kept)


@torch.no_grad()
def every_node(networks: Networks, problem: Problem) -> pd.DataFrame:
    """Return the ladders of all hidden nodes removed alone, one row per (seed, layer, node).

    One more column: the node's standard deviation `std`, the X of the bound K X (ddof = 0).
    """
    networks = copy.deepcopy(networks).double()
    table = pd.concat({(layer, node): ladder(networks, without_node(networks, layer, node), problem)
                       for layer, width in enumerate(networks.widths[1:-1])
                       for node in range(width)}, names=["layer", "node"])
    table["std"] = torch.cat(std(networks, problem), 1).T.flatten().numpy()
    return table.reorder_levels(["seed", "layer", "node"]).sort_index()


def violations(table: pd.DataFrame, measured="mean_abs_loss_change", shrink=1.0) -> pd.Series:
    """Count per bound the rows of a ladder where `shrink` times it is below a measured change.

    Theory says 0 at shrink 1; smaller factors show how large a mistake the count would notice.
    """
    limits = shrink * table[list(BOUNDS)] * (1 + ROUNDING) + ROUNDING
    return limits.lt(table[measured], axis=0).sum()


def rescaled(networks: Networks, layer: int, scale: float) -> Networks:
    """Return the same functions, a hidden layer's outputs divided by `scale` (at least 1e-9).

    ReLU commutes with positive factors: the next layer's weights make up for it.
    """
    layer = checks.integer("layer", layer, 0, len(networks.widths) - 3)
    scale = checks.real("scale", scale, 1e-9)
    networks = copy.deepcopy(networks).double()
    with torch.no_grad():
        networks.weights[layer] /= scale
        networks.biases[layer] /= scale
        networks.weights[layer + 1] *= scale
    return networks


@torch.no_grad()
def rescaling(networks: Networks, layer: int, node: int, problem: Problem,
              scales: Iterable[float]) -> pd.DataFrame:
    """Return the ladders of one node's removal after `rescaled` by each scale, by (scale, seed).

    One more column: `all_layers`, K X with K the product of the norms of all layers; not a bound.
    """
    tables = {}
    for scale in scales:
        same = rescaled(networks, layer, scale)
        tables[scale] = ladder(same, without_node(same, layer, node), problem)
        before = prod(torch.linalg.matrix_norm(weight, 2) for weight in same.weights[:layer + 1])
        tables[scale]["all_layers"] = tables[scale].suffix_k * before.numpy()
    return pd.concat(tables, names=["scale"])


def slack(table: pd.DataFrame) -> pd.DataFrame:
    """Return four factors that multiply to `suffix_k` / `mean_abs_loss_change`, and that ratio.

    table: rows of a ladder whose loss changed; every factor is at least 1, and named by its cause.
    """
    return pd.DataFrame({
        "direction: K X / centred gate": table.suffix_k / table.centred_gate,
        "ReLU: centred gate / rms logit change": table.centred_gate / table.rms_logit_change,
        "Jensen: rms / mean logit change": table.rms_logit_change / table.mean_abs_logit_change,
        "margins: logit / loss change": table.mean_abs_logit_change / table.mean_abs_loss_change,
        "all: K X / loss change": table.suffix_k / table.mean_abs_loss_change})


def misjudged(table: pd.DataFrame) -> pd.DataFrame:
    """Mark nodes that their standard deviation misjudges, among the others of network and layer.

    table: the live nodes of `every_node`, perhaps with more index levels. Columns: `ignored`, std
    in the top quarter and mean `|logit change|` in the lower half; `actively bad`, std in the upper
    half and the loss falls by over 1e-6 nats; `amplified`, std in the lowest quarter and mean
    `|loss change|` in the top quarter.
    """
    place = table.groupby([name for name in table.index.names if name != "node"]).rank(pct=True)
    large, small = place["std"] > 0.75, place["std"] <= 0.25
    return pd.DataFrame({"ignored": large & (place.mean_abs_logit_change <= 0.5),
                         "actively bad": (place["std"] > 0.5) & (table.loss_change < -1e-6),
                         "amplified": small & (place.mean_abs_loss_change > 0.75)})


def _block(networks: Networks, pruned: Networks, kept, problem: Problem) -> pd.DataFrame:
    before, after = networks(problem.x_train), pruned(problem.x_train)
    losses = point_losses(after, problem.y_train) - point_losses(before, problem.y_train)
    measured = {"rms_logit_change": _rms(after - before),
                "mean_abs_logit_change": (after - before).abs().mean(1),
                "mean_abs_loss_change": losses.abs().mean(1), "loss_change": losses.mean(1)}
    bounds = {name: torch.zeros_like(before[:, 0]) for name in BOUNDS}
    for part in _layer_bounds(networks, kept, problem):
        bounds = {name: bound + part[name] for name, bound in bounds.items()}
    return pd.DataFrame({name: column.numpy() for name, column in (bounds | measured).items()},
                        index=pd.Index(networks.seeds, name="seed"))


def _layer_bounds(networks: Networks, kept, problem: Problem):
    """Yield what every pruned layer adds to each bound.

    A removed node is a constant, its mean after the layers before were pruned (as in `prune`), so
    a change travels on through kept nodes alone: weights of removed ones are set to 0.
    """
    outputs, weights = networks.activations(problem.x_train), list(networks.weights)
    stays = [torch.zeros_like(layer[:, 0]).scatter_(1, stay, 1)
             for layer, stay in zip(outputs, kept, strict=True)]
    into = [weight * stay[:, :, None] for weight, stay in zip(weights[:-1], stays, strict=True)]
    into.append(weights[-1])
    between = [weight * stay[:, None] for weight, stay in zip(into[1:], stays, strict=True)]
    for layer, stay in enumerate(stays):
        if not stay.all():
            seen = outputs
            if not all(earlier.all() for earlier in stays[:layer]):
                partly = prune(networks, (*kept[:layer], *everything(networks)[layer:]), problem)
                seen = partly.activations(problem.x_train)
            deviations = (seen[layer].mean(1, keepdim=True) - outputs[layer]) * (1 - stay[:, None])
            yield _rungs(deviations, into[layer + 1], between[layer + 1:], weights[layer + 1:])


def _rungs(deviations: Tensor, into: Tensor, between: list[Tensor], suffix: list[Tensor]) -> dict:
    """Return bounds on what deviations (networks, points, nodes) from the constants do to a logit.

    into: the next layer's weights; between: later weights; both of kept nodes only; suffix: all
    weights after the layer. The centred gate needs one hidden layer after the pruned one, whose
    ReLU passes half of a change, give or take half; elsewhere it is the covariance bound.
    """
    norm, all_norms = (prod(torch.linalg.matrix_norm(weight, 2) for weight in layers)
                       for layers in (between, suffix))
    sizes, changes = _rms(deviations), deviations @ into.mT
    covariance = centred = norm * changes.square().sum(2).mean(1).sqrt()
    if len(between) == 1:
        paths, together = _rms(changes) * between[0][:, 0].abs(), changes @ between[0].mT
        centred = (paths.sum(1) + _rms(together)[:, 0]) / 2
    return {"suffix_k": all_norms * sizes.sum(1),
            "column_norms": norm * (sizes * into.norm(dim=1)).sum(1),
            "covariance": covariance, "centred_gate": centred}


def _rms(values: Tensor) -> Tensor:
    return values.square().mean(1).sqrt()
