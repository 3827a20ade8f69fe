"""Every measured column equals a direct computation; a row does not depend on the others."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from examples import FEW
from helpers import measures
from helpers.arms import ARMS, Cut, Setting, cuts, training_flops
from helpers.bounds import ladder
from helpers.compare import accuracy, barrier, disagreement, function_distance, loss, plane
from helpers.criteria import CRITERIA
from helpers.data import digits, moons
from helpers.measures import BOUNDS, COLUMNS, EXTRAS, MEASURED, SETTINGS, rows
from helpers.networks import Networks, initialise, nudged
from helpers.pruning import dead, prune
from helpers.square import commute, noise_floor, other_order
from helpers.training import train
from helpers.weights import MOVEMENTS, movement

RECIPE = replace(FEW, learning_rate=0.3, steps=40)
SEEDS = (4, 11, 0, 7, 9, 2, 1, 3)
SETTING = Setting("moons n_train=60 n_test=40", 3, (10, 6), "he_uniform", RECIPE, SEEDS,
                  ("other_order", "one_ulp"))
MOONS = moons(n_train=60, n_test=40, seed=3)
WHOLE = Cut(fine_tune_steps=7, arms=ARMS)
FOUND = rows(SETTING, [WHOLE], tuple(EXTRAS))


def initial():
    return initialise((2, 10, 6, 1), SEEDS, "he_uniform")


def turned(networks, by):
    """Every network in the place of another one: network i becomes network i + by."""
    order = [(i + by) % len(networks) for i in range(len(networks))]
    other = networks.select(order)
    return Networks(other.weights, other.biases, networks.seeds)


@pytest.fixture(scope="module")
def arms():
    """All arms by the functions for single squares."""
    square = commute(initial(), MOONS, RECIPE, "std", 0.5, fine_tune_steps=7)
    small = prune(initial(), square.kept, MOONS)
    return {
        "initial": initial(), "dense": square.dense, "A": square.train_first,
        "A_tuned": square.fine_tuned, "B": square.prune_first,
        "other_order": noise_floor(initial(), MOONS, RECIPE)[0],
        "one_ulp": train(nudged(initial(), 0), MOONS, RECIPE).networks,
        "B_other_order": other_order([small], [MOONS], RECIPE)[0],
        "dense_other_seed": turned(square.dense, 1), "B_other_seed": turned(square.prune_first, 1),
        "kept": square.kept}


def agrees(columns, found=FOUND, varied=True):
    """Compare columns with what was found; each must hold more than one value to compare."""
    for name, expected in columns.items():
        expected = np.asarray(expected, dtype=float)
        np.testing.assert_allclose(found[name], expected, rtol=2e-5, atol=2e-6, err_msg=name)
        assert not varied or np.ptp(expected) > 0, f"{name} is the same for all networks"


def test_columns_come_in_order_and_in_seeds():
    assert list(FOUND.columns) == list(COLUMNS) == [*SETTINGS, *MEASURED]
    assert all(COLUMNS.values()), "every column is explained"
    assert FOUND.seed.tolist() == list(SEEDS)
    assert (FOUND.dtypes[list(MEASURED)] == "float32").all()
    assert FOUND[list(MEASURED)].notna().all(axis=None)


@pytest.mark.parametrize("corner", ["dense", "A", "A_tuned", "B"])
def test_corners(arms, corner):
    networks, columns = arms[corner], {}
    for place, x, y in (("train", MOONS.x_train, MOONS.y_train),
                        ("held_out", MOONS.x_test, MOONS.y_test)):
        columns[f"{corner}_{place}_accuracy"] = accuracy(networks, x, y)
        columns[f"{corner}_{place}_loss"] = loss(networks, x, y)
    agrees(columns)
    stuck = accuracy(networks, MOONS.x_train, MOONS.y_train) < 0.75  # of two equal classes
    agrees({f"{corner}_stuck": stuck, f"{corner}_diverged": torch.zeros(8)}, varied=False)


def test_stuck_is_less_than_half_way_from_guessing():
    """Classes of 10 and of 1 in 3: guessing is right where the larger class is."""
    found = rows(Setting("digits", recipe=FEW, hidden=(4,), seeds=tuple(range(8))), [Cut()])
    shares = np.bincount(digits().y_train) / len(digits().y_train)
    level = (1 + shares.max()) / 2
    for corner in "dense", "A":
        assert (found[f"{corner}_stuck"] == (found[f"{corner}_train_accuracy"] < level)).all()


@pytest.mark.parametrize("pair, a, b", [
    ("A_vs_B", "A", "B"), ("A_tuned_vs_B", "A_tuned", "B"), ("dense_vs_A", "dense", "A"),
    ("dense_vs_B", "dense", "B"), ("dense_vs_other_order", "dense", "other_order"),
    ("dense_vs_other_seed", "dense", "dense_other_seed"),
    ("dense_vs_one_ulp", "dense", "one_ulp"), ("B_vs_other_order", "B", "B_other_order"),
    ("B_vs_other_seed", "B", "B_other_seed")])
def test_pairs(arms, pair, a, b):
    columns = {}
    for place, x in (("held_out", MOONS.x_test), ("plane", plane(MOONS, 50))):
        columns[f"{pair}_{place}_disagreement"] = disagreement(arms[a], arms[b], x)
        columns[f"{pair}_{place}_distance"] = function_distance(arms[a], arms[b], x)
    agrees(columns, varied=pair != "dense_vs_one_ulp")


@pytest.mark.parametrize("corner", ["dense", "B"])
def test_dead_and_constant_nodes(arms, corner):
    gone = dead(arms[corner], MOONS.x_train)
    outputs = [layer.detach().numpy() for layer in arms[corner].activations(MOONS.x_train)]
    agrees({f"{corner}_dead_{place}": gone[k].double().mean(1)
            for place, k in (("first", 0), ("last", 1))})
    agrees({f"{corner}_constant_{place}": (np.ptp(outputs[k], axis=1) == 0).mean(1)
            for place, k in (("first", 0), ("last", 1))})


def test_a_node_of_one_value_above_zero_is_constant_but_not_dead():
    networks = initial()
    networks.weights[0].data[:, :3], networks.biases[0].data[:, :3] = 0, 1
    found = measures._of_nodes("B", networks, MOONS)
    live = found["B_constant_first"] - found["B_dead_first"]
    torch.testing.assert_close(live, torch.full((len(networks),), 0.3, dtype=torch.float64))


def kernel_1(arms, name, i):
    """Kernel 1 of one network, of the nodes that stay."""
    kernel = arms[name].weights[1][i].detach()
    first, last = (stay[i] for stay in arms["kept"])
    return kernel[last][:, first] if name in ("initial", "dense") else kernel


def test_movements(arms):
    moved = movement(arms["initial"].weights[1], arms["dense"].weights[1], RECIPE).flatten(1)
    agrees({f"dense_{what}": (moved == MOVEMENTS.index(name)).double().mean(1) for what, name in
            (("never_updated", "never updated"), ("coasted", "coasted"))})
    moved = [movement(kernel_1(arms, "initial", i), kernel_1(arms, "B", i), RECIPE)
             for i in range(8)]
    agrees({f"B_{what}": [(m == MOVEMENTS.index(name)).double().mean() for m in moved]
            for what, name in (("never_updated", "never updated"), ("coasted", "coasted"))})


def test_correlations(arms):
    """The null pairs A with the B of another network of the setting, the one before."""
    columns = {name: [] for name in ("weight_correlation", "weight_correlation_null",
                                     "change_correlation", "change_correlation_null")}
    for i in range(8):
        start, a = (kernel_1(arms, name, i) for name in ("initial", "A"))
        for suffix, j in (("", i), ("_null", (i - 1) % 8)):
            b = kernel_1(arms, "B", j)
            for what, one, two in (("weight", a, b), ("change", a - start, b - start)):
                found = np.corrcoef(one.flatten(), two.flatten())[0, 1]
                columns[f"{what}_correlation{suffix}"].append(found)
    agrees(columns)


def test_barrier_and_bounds(arms):
    agrees({"barrier": barrier(arms["A_tuned"], arms["B"], MOONS.x_train, MOONS.y_train)})
    table = ladder(arms["dense"], arms["kept"], MOONS)
    assert table.index.tolist() == list(SEEDS)
    agrees({name: table[name] for name in BOUNDS})


def test_costs():
    """6 operations per weight, sample and step; A costs what dense does, A' its tuning too."""
    dense, small = 6 * (20 + 60 + 6) * 8 / 1e9, 6 * (10 + 15 + 3) * 8 / 1e9
    expected = {"dense": 40 * dense, "A": 40 * dense, "A_tuned": 40 * dense + 7 * small,
                "B": 40 * small}
    agrees({f"{arm}_gigaflops": [cost] * 8 for arm, cost in expected.items()}, varied=False)
    found = rows(SETTING, [replace(WHOLE, budget="flops")])
    assert (found.B_gigaflops - found.A_tuned_gigaflops).abs().max() <= small / 2 * (1 + 1e-4)
    whole = rows(replace(SETTING, recipe=replace(RECIPE, batch_size=None)), [Cut()])
    agrees({"dense_gigaflops": [training_flops((2, 10, 6, 1), RECIPE, 60) * 60 / 8e9] * 8},
           whole, varied=False)


@pytest.mark.parametrize("problem", ["moons n_train=60 n_test=40", "digits"])
def test_a_network_alone_has_the_row_it_has_in_company(problem):
    setting = replace(SETTING, problem=problem, seeds=(4, 11, 0))
    several = [WHOLE, Cut("random", 0.3, "linear", arms=("B",)),
               Cut("taylor", prune_times=(0.25, 0.5), optimiser_state="kept", arms=("B",)),
               Cut(mask_source="shuffled", layers=(0,))]
    together = rows(setting, several, tuple(EXTRAS))
    alone = rows(replace(setting, seeds=(11,)), several, tuple(EXTRAS))
    within = together[together.seed == 11].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone[list(SETTINGS)], within[list(SETTINGS)])
    of_others = [name for name in MEASURED if "_other_seed" in name or name.endswith("_null")]
    assert alone[of_others].isna().all(axis=None)
    own = [name for name in MEASURED if name not in of_others]
    pd.testing.assert_frame_equal(alone[own], within[own], rtol=1e-6, atol=1e-6)


def absent(setting, cut, extras):
    """The measured columns that a setting and a cut do not have."""
    plain = cut.prune_times == (0.0,) and cut.compensation != "linear"
    with_weights = "weights" in extras and "B" in cut.arms and plain
    adam, several = setting.recipe.optimiser == "adam", len(setting.seeds) > 1
    arms, floors, logits = cut.arms, setting.floors, setting.problem.startswith("digits")

    def missing(name):
        yield "plane" in name and logits
        yield name.startswith("A_tuned") and "A_tuned" not in arms
        yield (name.startswith("B_") or "_vs_B_" in name) and "B" not in arms
        yield name.startswith("B_vs_other_order") and "B_other_order" not in arms
        yield name.startswith("dense_vs_other_order") and "other_order" not in floors
        yield name.startswith("dense_vs_one_ulp") and "one_ulp" not in floors
        yield ("other_seed" in name or name.endswith("_null")) and not several
        yield name == "B_gigaflops" and cut.prune_times != (0.0,)
        yield name.endswith(("never_updated", "coasted")) and not adam
        yield ("correlation" in name or name in ("B_never_updated", "B_coasted")
               ) and not with_weights
        yield name == "barrier" and not ("barrier" in extras and {"A_tuned", "B"} <= {*arms})
        yield name in BOUNDS and ("bounds" not in extras or logits or cut.compensation != "mean")

    return {name for name in MEASURED if any(missing(name))}


FEWER = replace(SETTING, seeds=(4, 11), floors=())


@pytest.mark.parametrize("setting, cut, extras", [
    (SETTING, WHOLE, EXTRAS), (SETTING, WHOLE, ()), (FEWER, WHOLE, ("weights", "bounds")),
    (SETTING, Cut(), EXTRAS), (FEWER, Cut(arms=("B",)), EXTRAS),
    (FEWER, Cut(arms=("A_tuned",)), EXTRAS), (FEWER, Cut(arms=("A_tuned", "B")), ("barrier",)),
    (FEWER, replace(WHOLE, compensation="linear"), EXTRAS),
    (FEWER, replace(WHOLE, compensation="none"), EXTRAS),
    (FEWER, Cut(prune_times=(0.5,), arms=("A_tuned", "B")), EXTRAS),
    (replace(SETTING, seeds=(4,)), WHOLE, EXTRAS),
    (replace(FEWER, recipe=replace(RECIPE, optimiser="sgd")), WHOLE, EXTRAS),
    (replace(SETTING, problem="digits", seeds=(4, 11)), WHOLE, EXTRAS),
], ids=["all", "no extras", "no floors", "no arms", "B", "A'", "A' and B", "linear", "none",
        "later", "alone", "sgd", "several logits"])
def test_only_what_is_not_asked_for_is_missing(setting, cut, extras):
    found = rows(setting, [cut], tuple(extras))[list(MEASURED)]
    assert set(found.columns[found.isna().all()]) == absent(setting, cut, extras)
    assert (found.isna().any() == found.isna().all()).all()


def test_rows_come_cut_by_cut_with_the_settings_in_words():
    recipe = replace(RECIPE, betas=(0.8, 0.99), batch_size=None)
    setting = replace(SETTING, recipe=recipe, seeds=(4, 11))
    late = Cut("random", 0.25, "none", (1,), "initial", (0.25, 0.5), "kept", fine_tune_steps=3,
               arms=("B",))
    found = rows(setting, [WHOLE, late])
    assert found.seed.tolist() == [4, 11, 4, 11]
    assert found[list(SETTINGS)].iloc[2].to_dict() == {
        "problem": "moons n_train=60 n_test=40", "data_seed": 3, "hidden": "10-6",
        "scheme": "he_uniform", "optimiser": "adam", "learning_rate": 0.3, "betas": "0.8 0.99",
        "epsilon": 1e-7, "momentum": 0.9, "batch_size": "full", "steps": 40,
        "criterion": "random", "fraction": 0.25, "layers": "1", "compensation": "none",
        "mask_source": "initial", "prune_times": "0.25 0.5", "optimiser_state": "kept",
        "budget": "steps", "fine_tune_steps": 3, "seed": 4}
    assert found[["layers", "prune_times", "budget"]].iloc[0].tolist() == ["all", "0", "steps"]


@pytest.mark.filterwarnings("ignore:.*networks diverged", "ignore:overflow:RuntimeWarning")
def test_networks_that_diverge_are_marked_and_stop_nobody():
    wild = replace(SETTING, recipe=replace(RECIPE, optimiser="sgd", learning_rate=1e3))
    several = cuts(CRITERIA, arms=("A_tuned", "B")) + cuts(compensations=("none", "linear"))
    together = rows(wild, several, tuple(EXTRAS))
    lost = together.dense_diverged == 1
    assert 0 < lost.mean() < 0.5
    assert together[lost][["dense_train_loss", *BOUNDS]].isna().all(axis=None)
    found = together[together.seed == SEEDS[0]].reset_index(drop=True)
    alone = rows(replace(wild, seeds=SEEDS[:1]), several, tuple(EXTRAS))
    own = [name for name in alone if alone[name].notna().any()]
    pd.testing.assert_frame_equal(alone[own], found[own], rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*networks diverged", "ignore:overflow:RuntimeWarning")
def test_a_setting_in_which_all_diverge_is_measured():
    wild = replace(SETTING, recipe=replace(RECIPE, optimiser="sgd", learning_rate=1e30))
    found = rows(wild, [WHOLE], tuple(EXTRAS))
    for corner in "dense", "A", "A_tuned", "B":
        assert (found[f"{corner}_diverged"] == 1).all()
        assert found[f"{corner}_train_loss"].isna().all()
