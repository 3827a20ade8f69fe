"""One tidy row per network and cut: everything that is measured on the arms of a setting.

`COLUMNS` is the dictionary of all columns. What a setting or cut does not have is NaN.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor

from helpers.arms import Cut, Pruned, Setting, cut_arms, dense_arms, steps_of_b, training_flops
from helpers.bounds import ladder
from helpers.compare import barrier, classes_of, distance_of, plane, probabilities_of
from helpers.data import Problem
from helpers.losses import point_losses
from helpers.networks import Networks
from helpers.square import Square
from helpers.weights import correlation, kernel_pairs, movement, with_another_seed

RESOLUTION = 50  # of the plane: its 2500 points cost as much as the held-out ones

CORNERS = {"dense": "dense", "A": "train first", "A_tuned": "train first, then fine-tuned (A')",
           "B": "prune first"}
PLACES = {"train": "training points", "held_out": "held-out points", "plane": "the plane"}
PAIRS = {
    "A_vs_B": ("A", "B"), "A_tuned_vs_B": ("A_tuned", "B"), "dense_vs_A": ("dense", "A"),
    "dense_vs_B": ("dense", "B"), "dense_vs_other_order": ("dense", "other_order"),
    "dense_vs_other_seed": ("dense", "dense_other_seed"), "dense_vs_one_ulp": ("dense", "one_ulp"),
    "B_vs_other_order": ("B", "B_other_order"), "B_vs_other_seed": ("B", "B_other_seed")}
LAYERS = {"first": 0, "last": -1}
BOUNDS = ("suffix_k", "column_norms", "covariance", "centred_gate", "rms_logit_change",
          "mean_abs_logit_change", "mean_abs_loss_change", "loss_change")

SETTINGS = {
    "problem": "name of the problem with its settings", "data_seed": "draw of the data",
    "hidden": "hidden widths, from the inputs on", "scheme": "distribution of initial weights",
    "optimiser": "as in Recipe", "learning_rate": "as in Recipe", "betas": "as in Recipe",
    "epsilon": "as in Recipe", "momentum": "as in Recipe",
    "batch_size": "points per batch, or `full`", "steps": "training steps of the dense network",
    "criterion": "what ranks the nodes", "fraction": "share of nodes removed, in [0, 1)",
    "layers": "hidden layers pruned, counted from 0, or `all`",
    "compensation": "what stands in for removed nodes", "mask_source": "as in Cut",
    "prune_times": "shares of training after which B is pruned; 0: prune first",
    "optimiser_state": "of B after a later pruning: fresh or kept",
    "budget": "what B spends: as many `steps` as dense, or as many `flops` as A'",
    "fine_tune_steps": "steps of A' after pruning", "seed": "of the network"}


def _measured() -> dict[str, str]:
    """Return what the measured columns mean, with their units."""
    columns = {}
    for corner, name in CORNERS.items():
        for place in ("train", "held_out"):
            columns[f"{corner}_{place}_accuracy"] = f"{name}: share of {PLACES[place]} right"
            columns[f"{corner}_{place}_loss"] = f"{name}: mean cross-entropy, {PLACES[place]}, nats"
        columns[f"{corner}_diverged"] = f"{name}: 1 if a parameter is not finite"
        columns[f"{corner}_stuck"] = (f"{name}: 1 if the share of training points right is not "
                                      "half way from guessing to all")
        columns[f"{corner}_gigaflops"] = f"{name}: 10^9 operations of all training, with dense's"
    for pair, (a, b) in PAIRS.items():
        for place in ("held_out", "plane"):
            both = f"{a} against {b}, {PLACES[place]}"
            columns[f"{pair}_{place}_disagreement"] = f"{both}: share classified differently"
            columns[f"{pair}_{place}_distance"] = f"{both}: RMS difference of probabilities"
    for corner in ("dense", "B"):
        for layer in LAYERS:
            nodes = f"{CORNERS[corner]}, {layer} hidden layer: share of nodes"
            columns[f"{corner}_dead_{layer}"] = f"{nodes} giving 0 at all training points"
            columns[f"{corner}_constant_{layer}"] = f"{nodes} giving one value at all (dead too)"
        columns[f"{corner}_never_updated"] = (f"{CORNERS[corner]}, kernel 1: share of weights with "
                                              "the bits of the start (Adam alone)")
        columns[f"{corner}_coasted"] = (f"{CORNERS[corner]}, kernel 1: share of weights moved by "
                                        "Adam's drift of one gradient, to 1 % (Adam alone)")
    for kind, what in {"weight": "weights", "change": "changes since the start"}.items():
        columns[f"{kind}_correlation"] = f"Pearson correlation of A's and B's {what}, kernel 1"
        columns[f"{kind}_correlation_null"] = f"the same against the B of the seed before ({what})"
    columns["barrier"] = "largest excess of training loss on the line from A' to B, nats"
    columns |= {name: f"{name} of the ladder of bounds (A against dense), nats or logits"
                for name in BOUNDS}
    return columns


MEASURED = _measured()
COLUMNS = SETTINGS | MEASURED


def rows(setting: Setting, cuts: Sequence[Cut], extras: Sequence[str] = ()) -> pd.DataFrame:
    """Return one row per cut and network, with all COLUMNS, cut by cut.

    extras: of EXTRAS, measures that take longer. `other_seed` is the next network of the setting,
    the first one after the last: another initialisation and another order; a single network has
    none.
    """
    problem = setting.draw()
    points = _points(problem)
    dense = dense_arms(setting, problem)
    trained = {name: networks for name, networks in dense.items() if name != "initial"}
    seen = _answers(trained, points)
    shared = (_of_corner("dense", dense["dense"], seen, problem) | _of_pairs(seen, seen)
              | _of_nodes("dense", dense["dense"], problem) | _of_moves("dense", dense, setting))
    parts = []
    for pruned in cut_arms(setting, cuts, dense, problem):
        arms = pruned.arms
        answers = _answers(arms, points)
        columns = shared | _flops(setting, dense, pruned, problem)
        columns |= _of_pairs(answers, seen | answers)
        for name in [name for name in CORNERS if name in arms]:
            columns |= _of_corner(name, arms[name], answers, problem)
        if "B" in arms:
            columns |= _of_nodes("B", arms["B"], problem)
        for extra in extras:
            columns |= EXTRAS[extra](setting, dense, pruned, problem)
        part = pd.DataFrame({name: _numbers(values) for name, values in columns.items()},
                            columns=list(MEASURED), index=setting.seeds, dtype="float32")
        parts.append(_described(setting, pruned.cut, part))
    return pd.concat(parts, ignore_index=True)


def _points(problem: Problem) -> dict[str, Tensor]:
    points = {"train": problem.x_train, "held_out": problem.x_test}
    return points | ({"plane": plane(problem, RESOLUTION)} if problem.features == 2 else {})


class _Answer(NamedTuple):
    logits: Tensor
    probabilities: Tensor


@torch.no_grad()
def _answers(arms: dict[str, Networks], points: dict[str, Tensor]) -> dict[str, dict]:
    """Return what each arm answers at each place, and what the next seed's networks do."""
    found = {}
    for name, networks in arms.items():
        logits = {place: networks(x) for place, x in points.items()}
        found[name] = {place: _Answer(own, probabilities_of(own)) for place, own in logits.items()}
    for name in [name for name in ("dense", "B") if name in arms and len(arms[name]) > 1]:
        found[f"{name}_other_seed"] = {place: _Answer(*(values.roll(-1, 0) for values in answer))
                                       for place, answer in found[name].items()}
    return found


def _of_corner(name: str, networks: Networks, answers: dict, problem: Problem) -> dict:
    """Return accuracies, losses and flags of one corner."""
    columns = {}
    for place, y in ("train", problem.y_train), ("held_out", problem.y_test):
        logits = answers[name][place].logits
        columns[f"{name}_{place}_accuracy"] = (classes_of(logits) == y).double().mean(1)
        columns[f"{name}_{place}_loss"] = point_losses(logits, y).mean(1)
    guessing = problem.y_train.bincount().max() / len(problem.y_train)
    columns[f"{name}_stuck"] = columns[f"{name}_train_accuracy"] < (1 + guessing) / 2
    columns[f"{name}_diverged"] = _diverged(networks)
    return columns


def _diverged(networks: Networks) -> Tensor:
    return ~torch.stack([parameter.flatten(1).isfinite().all(1)
                         for parameter in networks.parameters()]).all(0)


def _of_pairs(new: dict, known: dict) -> dict:
    """Return the distances of all pairs that are known, at least one of the two being new."""
    columns = {}
    for pair, (a, b) in PAIRS.items():
        if a in known and b in known and (a in new or b in new):
            for place in [place for place in ("held_out", "plane") if place in known[a]]:
                one, two = known[a][place], known[b][place]
                differ = classes_of(one.logits) != classes_of(two.logits)
                columns[f"{pair}_{place}_disagreement"] = differ.double().mean(1)
                columns[f"{pair}_{place}_distance"] = distance_of(
                    one.probabilities, two.probabilities)
    return columns


def _of_nodes(name: str, networks: Networks, problem: Problem) -> dict:
    """Return the shares of dead and of constant nodes in the first and last hidden layer."""
    columns = {}
    with torch.no_grad():
        outputs = networks.activations(problem.x_train)
    for layer, place in LAYERS.items():
        least, most = outputs[place].amin(1), outputs[place].amax(1)
        columns[f"{name}_dead_{layer}"] = (most == 0).double().mean(1)
        columns[f"{name}_constant_{layer}"] = (least == most).double().mean(1)
    return columns


def _of_moves(name: str, dense: dict[str, Networks], setting: Setting) -> dict:
    """Return which shares of kernel 1 were never updated or coasted."""
    if setting.recipe.optimiser != "adam":
        return {}
    start, end = (dense[arm].weights[1].detach() for arm in ("initial", "dense"))
    return _shares_moved(name, start, end, setting)


def _shares_moved(name: str, start: Tensor, end: Tensor, setting: Setting) -> dict:
    moved = movement(start, end, setting.recipe).flatten(1)
    return {f"{name}_{what}": (moved == k).double().mean(1)
            for k, what in enumerate(("never_updated", "coasted"))}


def _flops(setting: Setting, dense: dict, pruned: Pruned, problem: Problem) -> dict:
    """Return what each arm's training costs; not for B pruned later, which changes its size."""
    arms, cut, recipe = pruned.arms, pruned.cut, setting.recipe
    steps = {"A_tuned": cut.fine_tune_steps,
             "B": steps_of_b(recipe, cut, dense["dense"], arms["A"])}
    own = {arm: training_flops(arms[arm].widths, replace(recipe, steps=steps[arm]),
                               len(problem.x_train)) / 1e9 for arm in steps if arm in arms}
    whole = training_flops(dense["dense"].widths, recipe, len(problem.x_train)) / 1e9
    columns = {"dense_gigaflops": whole, "A_gigaflops": whole}
    if "A_tuned" in own:
        columns["A_tuned_gigaflops"] = whole + own["A_tuned"]
    if "B" in own and cut.prune_times == (0.0,):
        columns["B_gigaflops"] = own["B"]
    return columns


def _weights(setting: Setting, dense: dict, pruned: Pruned, problem: Problem) -> dict:
    """Return the correlations of kernel 1 with their nulls, and how B's weights moved."""
    arms, cut = pruned.arms, pruned.cut
    if "B" not in arms or cut.compensation == "linear" or cut.prune_times != (0.0,):
        return {}  # A and B have no common initial weights
    square = Square(dense["initial"], dense["dense"], pruned.kept, arms["A"], arms["A"], arms["B"])
    pairs = {"": square}
    if len(dense["dense"]) > 1:
        pairs["_null"] = with_another_seed([square])[0]
    columns = {}
    for suffix, one in pairs.items():
        a, b, start = kernel_pairs(one, 1)
        columns[f"weight_correlation{suffix}"] = correlation(a, b)
        columns[f"change_correlation{suffix}"] = correlation(a - start, b - start)
    if setting.recipe.optimiser == "adam":
        a, b, start = kernel_pairs(square, 1)
        columns |= _shares_moved("B", start, b, setting)
    return columns


def _barrier(setting: Setting, dense: dict, pruned: Pruned, problem: Problem) -> dict:
    arms = pruned.arms
    if "A_tuned" not in arms or "B" not in arms:
        return {}
    return {"barrier": barrier(arms["A_tuned"], arms["B"], problem.x_train, problem.y_train)}


def _bounds(setting: Setting, dense: dict, pruned: Pruned, problem: Problem) -> dict:
    """Return the ladder of bounds, which speaks of one logit and compensation `mean`."""
    networks, whole = dense["dense"], ~_diverged(dense["dense"])
    if networks.widths[-1] != 1 or pruned.cut.compensation != "mean" or not whole.any():
        return {}
    kept = tuple(stay[whole] for stay in pruned.kept)  # of what diverged bounds say nothing
    return ladder(networks.select(whole), kept, problem)[list(BOUNDS)].to_dict("series")


EXTRAS = {"weights": _weights, "barrier": _barrier, "bounds": _bounds}
"""Measures that take longer, by name: each takes setting, dense arms, cut and problem."""


def _described(setting: Setting, cut: Cut, measured: pd.DataFrame) -> pd.DataFrame:
    """Return the measured columns with the columns of SETTINGS before them."""
    recipe, each = setting.recipe, asdict(cut) | asdict(setting.recipe)
    named = {key: each[key] for key in SETTINGS if key in each} | {
        "problem": setting.problem, "data_seed": setting.data_seed, "scheme": setting.scheme,
        "hidden": "-".join(map(str, setting.hidden)),
        "betas": " ".join(f"{beta:g}" for beta in recipe.betas),
        "batch_size": str(recipe.batch_size or "full"),
        "layers": "all" if cut.layers is None else " ".join(map(str, cut.layers)),
        "prune_times": " ".join(f"{time:g}" for time in cut.prune_times),
        "seed": list(setting.seeds)}
    described = pd.DataFrame({key: named[key] for key in SETTINGS})
    return pd.concat([described, measured.reset_index(drop=True)], axis=1)


def _numbers(values):
    return values.detach().numpy() if isinstance(values, Tensor) else values
