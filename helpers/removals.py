"""Hidden nodes removed one at a time: their ladders, and the nodes that deviation misjudges."""

import copy
from collections.abc import Iterable

import pandas as pd
import torch
from torch import Tensor

from helpers import checks
from helpers.bounds import rungs
from helpers.change import held, operator_norms, whole_at
from helpers.criteria import std
from helpers.data import Problem
from helpers.estimates import first_order, second_order
from helpers.networks import Networks, check_fit
from helpers.pruning import Kept, everything
from helpers.replacements import stale_means


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
def every_node(networks: Networks, problem: Problem, points: tuple[Tensor, Tensor] | None = None,
               layers: Iterable[int] | None = None) -> pd.DataFrame:
    """Return the ladders of hidden nodes removed alone, one row per (seed, layer, node).

    More columns: the node's standard deviation `std` over the training points, the X of the bound
    K X (ddof = 0); `norms_before`, the product of the norms of the layers up to the node's; and the
    estimates `first_order` and `second_order` of `loss_change`. points: as in `ladder`; layers:
    hidden layers, by default all.
    """
    check_fit(networks, problem)
    networks, hidden = copy.deepcopy(networks).double(), range(len(networks.widths) - 2)
    layers = list(hidden) if layers is None else checks.several("layers", layers)
    layers = [checks.one_of("layers", checks.integer("layers", layer, 0), hidden)
              for layer in layers]
    nodes = [(layer, node) for layer in layers for node in range(networks.widths[layer + 1])]
    points = (problem.x_train, problem.y_train) if points is None else points
    whole = whole_at(networks, problem, points)
    # nothing goes before a node that goes alone, so its mean is that of the whole network
    means = stale_means(whole.networks, everything(networks), problem, problem.x_train)
    if not nodes:
        raise ValueError("layers is empty; expected at least one hidden layer")
    ladders = [rungs(held(whole, without_node(networks, *place), means)) for place in nodes]
    rows = [(*place, seed) for place in nodes for seed in networks.seeds]
    table = pd.DataFrame({name: torch.cat([each[name] for each in ladders]).numpy()
                          for name in ladders[0]},
                         pd.MultiIndex.from_tuples(rows, names=["layer", "node", "seed"]))
    norms = torch.stack(list(map(operator_norms, networks.weights[:-1])))
    before = [norm[:, None].expand(-1, width) for norm, width
              in zip(norms.cumprod(0), networks.widths[1:-1], strict=True)]
    for name, values in {"std": std(networks, problem), "norms_before": before,
                         "first_order": first_order(networks, problem),
                         "second_order": second_order(networks, problem)}.items():
        table[name] = torch.cat([values[layer] for layer in layers], 1).T.flatten().numpy()
    return table.reorder_levels(["seed", "layer", "node"]).sort_index()


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
