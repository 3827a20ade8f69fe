"""The arms of a cut are the corners of the square; masks and budgets are what they say."""

from dataclasses import replace

import pytest
import torch

from examples import FEW, refuses, same_bits
from helpers.arms import (
    ARMS,
    MASK_SOURCES,
    Cut,
    Setting,
    cut_arms,
    cuts,
    dense_arms,
    parse_problem,
    steps_of_b,
    training_flops,
)
from helpers.data import PROBLEMS, moons
from helpers.networks import initialise, nudged
from helpers.pruning import choose, prune
from helpers.recipes import Recipe
from helpers.schedule import prune_during
from helpers.square import OTHER, commute, other_order
from helpers.training import train

RECIPE = replace(FEW, learning_rate=0.05)
SETTING = Setting("moons n_train=60 n_test=40", 3, (10, 6), "he_uniform", RECIPE, (5, 2, 7),
                  ("other_order", "one_ulp"))
MOONS = moons(n_train=60, n_test=40, seed=3)
INITIAL = initialise((2, 10, 6, 1), (5, 2, 7), "he_uniform")
DENSE = dense_arms(SETTING, MOONS)
ALL = Cut(fine_tune_steps=7, arms=ARMS)


def same_nodes(a, b):
    return all(map(torch.equal, a, b))


def the_arms(*several):
    return cut_arms(SETTING, several, DENSE, MOONS)


def kept_by(**fields):
    (found,) = the_arms(Cut(**fields))
    return found.kept


def test_a_setting_names_its_problem_and_networks():
    problem = SETTING.draw()
    assert torch.equal(problem.x_train, MOONS.x_train) and torch.equal(problem.y_test, MOONS.y_test)
    assert same_bits(SETTING.initial(problem), INITIAL)
    digits = PROBLEMS["digits"]()
    assert Setting("digits", hidden=(4,)).initial(digits).widths == (64, 4, 10)


def test_dense_arms_are_trainings_of_the_initial_networks():
    assert list(DENSE) == ["initial", "dense", "other_order", "one_ulp"]
    assert same_bits(DENSE["initial"], INITIAL)
    assert same_bits(DENSE["dense"], train(INITIAL, MOONS, RECIPE).networks)
    assert same_bits(DENSE["other_order"], other_order([INITIAL], [MOONS], RECIPE)[0])
    assert same_bits(DENSE["one_ulp"], train(nudged(INITIAL, 0), MOONS, RECIPE).networks)
    bare = dense_arms(replace(SETTING, floors=()), MOONS)
    assert list(bare) == ["initial", "dense"] and same_bits(bare["dense"], DENSE["dense"])


@pytest.mark.parametrize("source", ["dense", "initial"])
@pytest.mark.parametrize("compensation, layers", [("mean", None), ("none", (1,)), ("linear", (0,))])
def test_arms_are_the_corners_of_the_square(source, compensation, layers):
    """Alone, and beside cuts of the same and of other shapes."""
    cut = Cut("std", 0.4, compensation, layers, source, fine_tune_steps=7, arms=ARMS)
    square = commute(INITIAL, MOONS, RECIPE, "std", 0.4, compensation, layers, source, 7)
    pruned = prune(INITIAL, square.kept, MOONS, compensation)
    corners = {"A": square.train_first, "A_tuned": square.fine_tuned, "B": square.prune_first,
               "B_other_order": other_order([pruned], [MOONS], RECIPE)[0]}
    others = (replace(cut, criterion="random"), replace(cut, fraction=0.7),
              replace(cut, layers=(0, 1)), Cut())
    for found in the_arms(cut)[0], the_arms(*others, cut)[-1]:
        assert found.cut is cut and same_nodes(found.kept, square.kept)
        assert set(found.arms) == set(corners)
        for name, networks in corners.items():
            assert same_bits(found.arms[name], networks), name


@pytest.mark.parametrize("arms", [(), ("B",), ("A_tuned",), ("B_other_order",), ARMS])
def test_only_the_arms_asked_for_come_and_are_the_same(arms):
    (asked,), (whole,) = the_arms(replace(ALL, arms=arms)), the_arms(ALL)
    assert set(asked.arms) == {"A", *arms}
    assert all(same_bits(networks, whole.arms[name]) for name, networks in asked.arms.items())


def test_masks_come_from_their_source():
    assert same_nodes(kept_by(), choose(DENSE["dense"], MOONS, "std", 0.5))
    on_initial = choose(INITIAL, MOONS, "std", 0.5)
    assert same_nodes(kept_by(mask_source="initial"), on_initial)
    at_random = choose(INITIAL, MOONS, "random", 0.5)
    assert same_nodes(kept_by(mask_source="random"), at_random)
    assert same_nodes(kept_by(criterion="random"), at_random)
    every = [kept_by(mask_source=source) for source in MASK_SOURCES]
    assert not any(same_nodes(a, b) for k, a in enumerate(every) for b in every[:k])


def test_shuffled_masks_keep_as_many_nodes_of_each_layer_but_others():
    for layers in (None, (1,)):
        kept, others = (kept_by(mask_source=source, layers=layers)
                        for source in ("dense", "shuffled"))
        assert [one.shape for one in kept] == [one.shape for one in others]
        for stay, width in zip(others, (10, 6), strict=True):
            assert (stay.diff(dim=1) > 0).all() and 0 <= stay.min() and stay.max() < width
        for i in range(3):
            assert not all(torch.equal(a[i], b[i]) for a, b in zip(kept, others, strict=True))


def test_shuffled_masks_hit_every_node_equally_often():
    """With the kept nodes the same in all networks, any other choice shows."""
    seeds = tuple(range(400))
    networks = initialise((2, 10, 6, 1), seeds)
    for weight in networks.weights:  # every network the first one
        weight.data[:] = weight.data[:1].clone()
    (found,) = cut_arms(replace(SETTING, seeds=seeds), [Cut(mask_source="shuffled")],
                        {"initial": networks, "dense": networks}, MOONS)
    for stay, width in zip(found.kept, (10, 6), strict=True):
        counts = torch.bincount(stay.flatten(), minlength=width)
        assert (counts - 200).abs().max() < 5 * 10, "five standard errors of a fair coin"


@pytest.mark.parametrize("state", ["fresh", "kept"])
def test_later_prune_times_are_pruning_during_training(state):
    """0.31 of 20 steps is step 6; the dense training goes on from there to later moments."""
    late = Cut("magnitude", prune_times=(0.31,), optimiser_state=state, arms=("B",))
    gradual = replace(late, fraction=0.6, prune_times=(0.0, 0.1, 0.55))
    last = replace(late, prune_times=(1.0,))
    found = the_arms(late, last, gradual, ALL)
    assert same_bits(found[1].arms["B"], found[1].arms["A"])
    kept = choose(DENSE["dense"], MOONS, "magnitude", 0.5)
    reached = train(INITIAL, MOONS, replace(RECIPE, steps=6))
    expected = prune_during(reached, [kept], [6], MOONS, RECIPE, "mean", state).networks
    assert same_bits(found[0].arms["B"], expected)
    stages = [choose(DENSE["dense"], MOONS, "magnitude", share) for share in (0.2, 0.4, 0.6)]
    start = train(INITIAL, MOONS, replace(RECIPE, steps=0))
    expected = prune_during(start, stages, [0, 2, 11], MOONS, RECIPE, "mean", state).networks
    assert same_bits(found[2].arms["B"], expected)
    assert same_nodes(found[2].kept, stages[-1])


def test_flops_are_counted_by_hand():
    """6 = multiply and add, once forward, twice backward: for inputs and for weights."""
    recipe = Recipe(batch_size=32, steps=1500)
    assert training_flops((2, 50, 50, 1), recipe, 500) == 6 * (100 + 2500 + 50) * 32 * 1500
    assert training_flops((2, 3, 1), replace(recipe, batch_size=None), 500) == 6 * 9 * 500 * 1500


@pytest.mark.parametrize("fraction, tuning", [(0.5, 7), (0.2, 0), (0.9, 500)])
def test_with_the_budget_of_flops_b_costs_what_fine_tuning_does(fraction, tuning):
    cut = Cut(fraction=fraction, budget="flops", fine_tune_steps=tuning)
    small = prune(DENSE["dense"], kept_by(fraction=fraction), MOONS)
    steps = steps_of_b(RECIPE, cut, DENSE["dense"], small)

    def cost(networks, steps):
        return training_flops(networks.widths, replace(RECIPE, steps=steps), 60)

    of_tuned = cost(DENSE["dense"], RECIPE.steps) + cost(small, tuning)
    assert abs(cost(small, steps) - of_tuned) <= cost(small, 1) / 2
    assert steps_of_b(RECIPE, replace(cut, budget="steps"), DENSE["dense"], small) == RECIPE.steps


def test_the_budget_of_flops_trains_b_for_longer():
    (found,) = the_arms(replace(ALL, budget="flops", arms=("B", "B_other_order")))
    start = prune(INITIAL, found.kept, MOONS)
    steps = steps_of_b(RECIPE, replace(ALL, budget="flops"), INITIAL, start)
    longer = replace(RECIPE, steps=steps)
    assert steps > RECIPE.steps + 7
    assert same_bits(found.arms["B"], train(start, MOONS, longer).networks)
    other = train(start, MOONS, longer, [seed + OTHER for seed in start.seeds]).networks
    assert same_bits(found.arms["B_other_order"], other)


def test_cuts_are_every_combination():
    made = cuts(("std", "random"), (0.2, 0.5), ("none", "mean"), ("dense", "initial"),
                ((0.0,), (0.5,)), layers=(0,), arms=("B",), optimiser_state="kept")
    assert len(set(made)) == len(made) == 32
    assert Cut("random", 0.2, "mean", (0,), "initial", (0.5,), "kept", arms=("B",)) in made
    assert cuts() == (Cut(),)


@pytest.mark.parametrize("text, parsed", [
    ("spirals", ("spirals", {})), ("moons noise=0.2", ("moons", {"noise": 0.2})),
    ("spirals n_train=50 label_noise=.2", ("spirals", {"n_train": 50, "label_noise": 0.2})),
    (" xor  noise=1e-2 ", ("xor", {"noise": 0.01})), ("xor noise=-3", ("xor", {"noise": -3}))])
def test_problems_are_parsed(text, parsed):
    assert parse_problem(text) == parsed
    assert [type(value) for value in parse_problem(text)[1].values()] == [
        type(value) for value in parsed[1].values()]


@refuses(
    (lambda: parse_problem("rings"), ValueError, "problem is 'rings'; expected one of 'spirals'"),
    (lambda: parse_problem(""), ValueError, "problem is ''; expected one of 'spirals'"),
    (lambda: parse_problem("moons noise"), ValueError, "problem is 'moons noise'; expected `name"),
    (lambda: parse_problem("moons noise=much"), ValueError, "problem is 'moons noise=much'"),
    (lambda: parse_problem("moons noise=--2"), ValueError, "problem is 'moons noise=--2'"),
    (lambda: Setting("rings"), ValueError, "problem is 'rings'"),
    (lambda: Setting(data_seed=-1), ValueError, "data_seed is -1"),
    (lambda: Setting(hidden=()), ValueError, "hidden is empty; expected at least one"),
    (lambda: Setting(hidden=50), TypeError, "hidden is 50; expected several"),
    (lambda: Setting(hidden=(5, 0)), ValueError, r"hidden\[1\] is 0; expected an integer"),
    (lambda: Setting(scheme="zeros"), ValueError, "scheme is 'zeros'; expected one of 'glorot"),
    (lambda: Setting(recipe="post"), TypeError, "recipe is 'post'; expected a Recipe"),
    (lambda: Setting(seeds=()), ValueError, "seeds is empty; expected at least one"),
    (lambda: Setting(seeds=(1, 1)), ValueError, r"seeds holds \[1\] more than once"),
    (lambda: Setting(floors=("ulp",)), ValueError, "floors is 'ulp'; expected one of 'other_order"),
    (lambda: Setting(floors="one_ulp"), TypeError, "floors is 'one_ulp'; expected several"),
    (lambda: Cut("snip"), ValueError, "criterion is 'snip'; expected one of 'random'"),
    (lambda: Cut(fraction=1), ValueError, r"fraction is 1; expected a number in \[0, 1\)"),
    (lambda: Cut(fraction="half"), TypeError, "fraction is 'half'; expected a number"),
    (lambda: Cut(compensation="median"), ValueError, "compensation is 'median'; .* 'none'"),
    (lambda: Cut(layers=(-1,)), ValueError, r"layers\[0\] is -1; expected an integer"),
    (lambda: Cut(layers=(1, 0.0)), TypeError, r"layers\[1\] is 0.0; expected an integer"),
    (lambda: Cut(layers=1), TypeError, "layers is 1; expected a tuple"),
    (lambda: Cut(layers=[0]), TypeError, r"layers is \[0\]; expected a tuple"),
    (lambda: Cut(mask_source="before"), ValueError, "mask_source is 'before'; .* 'shuffled'"),
    (lambda: Cut(prune_times=()), ValueError, r"prune_times is \(\); expected increasing"),
    (lambda: Cut(prune_times=0.5), TypeError, "prune_times is 0.5; expected a tuple"),
    (lambda: Cut(prune_times=[0.0]), TypeError, r"prune_times is \[0.0\]; expected a tuple"),
    (lambda: Cut(prune_times=(0.5, 0.2)), ValueError, r"prune_times is \(0.5, 0.2\); expected inc"),
    (lambda: Cut(prune_times=(0.5, 0.5)), ValueError, r"prune_times is \(0.5, 0.5\); expected inc"),
    (lambda: Cut(prune_times=(0, 1.1)), ValueError, r"prune_times\[1\] is 1.1; expected a number"),
    (lambda: Cut(optimiser_state="lost"), ValueError, "optimiser_state is 'lost'; .*'kept'"),
    (lambda: Cut(budget="time"), ValueError, "budget is 'time'; expected one of 'steps', 'flops'"),
    (lambda: Cut(fine_tune_steps=-1), ValueError, "fine_tune_steps is -1; expected an integer"),
    (lambda: Cut(arms=("C",)), ValueError, "arms is 'C'; expected one of 'A_tuned', 'B'"),
    (lambda: Cut(arms="B"), TypeError, "arms is 'B'; expected"),
    (lambda: Cut(prune_times=(0.5,), budget="flops"), ValueError,
     r"prune_times is \(0.5,\); expected \(0.0,\) for budget 'flops'"),
    (lambda: Cut(prune_times=(0.5,), arms=("B_other_order",)), ValueError,
     r"prune_times is \(0.5,\); expected \(0.0,\) .* B_other_order"),
    (lambda: cuts(fraction=(0.2,)), TypeError, "fraction"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
