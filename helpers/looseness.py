"""How far bounds are from what they bound: violations, factors of looseness, rescaled networks."""

import copy
from collections.abc import Iterable
from math import prod

import pandas as pd
import torch

from helpers import checks
from helpers.bounds import BOUNDS, SIGNED, ladder
from helpers.change import operator_norms
from helpers.data import Problem
from helpers.networks import Networks
from helpers.removals import without_node

ROUNDING = 1e-9  # what float64 may add to a measured change, relative and absolute

FACTORS = {
    "layers before the node": ("all_layers", "suffix_k"),
    "its direction": ("suffix_k", "covariance"),
    "scale of later nodes": ("covariance", "path_covariance"),
    "signs behind the gates": ("path_covariance", "centred_gate"),
    "Jensen, open and shut gates": ("centred_gate", "interval"),
    "switching gates": ("interval", "mean_abs_logit_change"),
    "margins": ("mean_abs_logit_change", "mean_abs_loss_change"),
    "points that gain": ("mean_abs_loss_change", "loss_change")}
"""What K X over all layers gives away, step by step down to the loss change: names of columns."""


def violations(table: pd.DataFrame, measured: str | None = None, shrink: float = 1.0,
               rounding: float = ROUNDING) -> pd.Series:
    """Count per bound the rows of a ladder where `shrink` times it is below what was measured.

    measured: a column, by default what each bound speaks of: `mean_abs_loss_change` of BOUNDS,
    `loss_change` of SIGNED. Theory says 0 at shrink 1; smaller factors show how large a mistake
    the count would notice. rounding: relative and absolute, of the table's numbers.
    """
    found = {}
    for names, usual in (BOUNDS, "mean_abs_loss_change"), (SIGNED, "loss_change"):
        for name in names:
            limit = shrink * table[name] + rounding * (1 + table[name].abs())
            found[name] = int((limit < table[measured or usual]).sum())
    return pd.Series(found)


def slack(table: pd.DataFrame) -> pd.DataFrame:
    """Return the FACTORS between K X over all layers and the loss change, row by row.

    table: rows of `every_node` whose loss rose; the factors multiply to `all_layers` /
    `loss_change`. Each is at least 1, except the first, the norms of the layers before the node,
    and of three classes or more `switching gates`: the interval is of the true logit's changes
    against others, which may be less than the largest of a difference.
    """
    table = table.assign(all_layers=table.suffix_k * table.norms_before)
    return pd.DataFrame({name: table[looser] / table[tighter]
                         for name, (looser, tighter) in FACTORS.items()})


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
        before = prod(map(operator_norms, same.weights[:layer + 1]))
        tables[scale]["all_layers"] = tables[scale].suffix_k * before.numpy()
    return pd.concat(tables, names=["scale"])
