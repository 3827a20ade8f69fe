"""What the bounds say of the networks of one setting: ladders, their course, exact constants.

Each function trains the networks and returns a table with a row per network and removal, moment of
training, or network; `helpers.bound_tables` collects them over draws and learning rates.
"""

from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor

from helpers.arms import Setting
from helpers.bounds import certificate, ladder
from helpers.compare import box
from helpers.data import Problem
from helpers.lipsdp import lipschitz_bound, norm_product
from helpers.networks import Networks
from helpers.pruning import choose, prune
from helpers.regions import linear_regions, max_difference, suffix_lipschitz
from helpers.removals import every_node
from helpers.replacements import fresh_means, stale_means
from helpers.training import train

RANKED_BY = ("random", "std", "contribution", "taylor", "oracle", "centred_gate",
             "covariance_greedy")
FRACTIONS = (0.25, 0.5, 0.8)
LAYERS = {"first": (0,), "last": (1,), "both": None}
MEANS = {"fresh": fresh_means, "stale": stale_means}
HELD_OUT = 500  # held-out points that bounds are measured on too
MOMENTS = (0, 50, 100, 200, 400, 800, 1500)  # training steps
VISIBLE = 1e-3  # nats: changes below are too small for a ratio


def prunings(setting: Setting) -> pd.DataFrame:
    """Return a ladder for every hidden node alone and for sets by every criterion, by points."""
    problem = setting.draw()
    networks = trained(setting, problem)
    held_out = problem.x_test[:HELD_OUT], problem.y_test[:HELD_OUT]
    places = {"train": (problem.x_train, problem.y_train), "held-out": held_out}
    tables = {}
    for place, points in places.items():
        alone = every_node(networks, problem, points).reset_index()
        alone["layers"] = alone.pop("layer").map({0: "first", 1: "last"})
        tables[place] = pd.concat([alone, sets(networks, problem, points)])
    return pd.concat(tables, names=["points"]).reset_index("points")


def sets(networks: Networks, problem: Problem, points: tuple[Tensor, Tensor]) -> pd.DataFrame:
    """Return ladder and certificate of sets by RANKED_BY, FRACTIONS and LAYERS, and by MEANS."""
    parts = []
    for criterion in RANKED_BY:
        for fraction in FRACTIONS:
            for where, layers in LAYERS.items():
                kept = choose(networks, problem, criterion, fraction, layers)
                for means in MEANS if where == "both" else ("fresh",):
                    given = networks, kept, problem, MEANS[means], points
                    table = pd.concat([ladder(*given), certificate(*given)], axis=1)
                    parts.append(table.assign(criterion=criterion, fraction=fraction, means=means,
                                              layers=where))
    return pd.concat(parts).reset_index()


def in_training(setting: Setting) -> pd.DataFrame:
    """Return medians over the nodes of the first hidden layer, at MOMENTS of training.

    `nodes`: how many change the loss by more than VISIBLE; `logit_ratio`, `loss_ratio`: K X over
    the mean absolute change; `harm_ratio`: `harm_side` over the loss change, where it rises.
    """
    problem = setting.draw()
    parts = {}
    for step in MOMENTS:
        networks = trained(replace(setting, recipe=replace(setting.recipe, steps=step)), problem)
        parts[step] = _first_layer_ratios(every_node(networks, problem, layers=(0,)))
        parts[step]["K"] = norm_product(networks, 0).numpy()
    return pd.concat(parts, names=["step"]).reset_index()


def constants(setting: Setting) -> pd.DataFrame:
    """Return Lipschitz constants over the plane: products of norms, LipSDP and the exact ones.

    `whole`: from the inputs; `suffix`: from the first hidden layer. `regions`: how many linear
    regions; `seen`: how many of them hold training points; `sup`, `train_max` and `train_mean`:
    of the absolute logit change by the half of smallest std, over the plane and training points.
    """
    problem = setting.draw()
    networks = trained(setting, problem).double()
    pruned = prune(networks, choose(networks, problem, "std", 0.5), problem)
    change = (pruned(problem.x_train) - networks(problem.x_train)).detach().abs()
    columns = {"product_whole": norm_product(networks), "product_suffix": norm_product(networks, 0),
               "lipsdp_whole": lipschitz_bound(networks),
               "lipsdp_suffix": lipschitz_bound(networks, 0),
               "train_max": change.amax(1), "train_mean": change.mean(1)}
    table = pd.DataFrame({"seed": networks.seeds, **columns})
    exact = [_exact(networks, pruned, i, problem) for i in range(len(networks))]
    return pd.concat([table, pd.DataFrame(exact)], axis=1)


def trained(setting: Setting, problem: Problem) -> Networks:
    """Return the trained networks of a setting."""
    return train(setting.initial(problem), problem, setting.recipe).networks


def _first_layer_ratios(table: pd.DataFrame) -> pd.DataFrame:
    changed = table[table.mean_abs_loss_change > VISIBLE]
    rises = changed[changed.loss_change > VISIBLE]
    medians = {"logit_ratio": changed.suffix_k / changed.mean_abs_logit_change,
               "loss_ratio": changed.suffix_k / changed.mean_abs_loss_change,
               "harm_ratio": rises.harm_side / rises.loss_change}
    seeds = table.index.unique("seed")
    return pd.DataFrame({"nodes": changed.groupby("seed").size()} | {
        name: values.groupby("seed").median() for name, values in medians.items()}, index=seeds)


def _exact(networks: Networks, pruned: Networks, i: int, problem: Problem) -> dict:
    """Return what only the linear regions tell of network i."""
    plane = box(problem)
    regions = linear_regions(networks, i, plane)
    outputs = networks.select(i).activations(problem.x_train)
    patterns = torch.cat([layer[0] > 0 for layer in outputs], 1)
    return {"whole": float(regions.steepness.max()), "regions": len(regions),
            "suffix": suffix_lipschitz(networks, i, plane, 0),
            "seen": len(patterns.unique(dim=0)), "sup": max_difference(networks, pruned, i, plane)}
