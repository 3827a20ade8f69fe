"""The corners of the square are what the single steps give, paired network by network."""

from dataclasses import replace

import pytest
import torch

from examples import FEW, MOONS, furthest, refuses, same_bits, tiny
from helpers.data import moons
from helpers.networks import initialise
from helpers.pruning import everything
from helpers.square import (
    OTHER,
    Square,
    close,
    close_draws,
    commute,
    commute_draws,
    corner,
    noise_floor,
    other_initialisation,
    other_order,
)
from helpers.training import train

INITIAL = tiny(4).select([3, 1, 0])
KEPT = everything(INITIAL)


def same_nodes(a, b):
    return all(map(torch.equal, a, b))


@pytest.mark.parametrize("name", ["initial", "dense", "train_first", "fine_tuned", "prune_first"])
def test_corner_picks_the_same_of_every_square(name):
    square = commute(INITIAL, MOONS, FEW, "std", 0.4, fine_tune_steps=3)
    assert corner([square, square], name) == [getattr(square, name)] * 2


def test_corner_names_what_is_not_there():
    with pytest.raises(ValueError, match="name is 'kept'; expected one of 'initial', 'dense'"):
        corner([], "kept")


def test_scores_before_and_after_training_choose_differently():
    before, after = (commute(INITIAL, MOONS, replace(FEW, learning_rate=0.1), "std", 0.4,
                             scored_on=on) for on in ("initial", "dense"))
    assert not same_nodes(before.kept, after.kept)


def test_without_fine_tuning_its_corner_is_the_one_before():
    square = commute(INITIAL, MOONS, FEW, "random", 0.5)
    assert same_bits(square.fine_tuned, square.train_first)


def test_removing_nothing_closes_the_square():
    square = commute(INITIAL, MOONS, FEW, "std", 0)
    assert same_bits(square.train_first, square.prune_first)
    assert furthest(square.prune_first, INITIAL) > 0.01


def test_squares_of_several_draws_are_those_of_each():
    initials, problems = [INITIAL, tiny(2)], [MOONS, moons(n_train=60, n_test=40, seed=1)]
    squares = commute_draws(initials, problems, FEW, "std", 0.5, "linear", iter([1]), "initial", 5)
    for square, initial, problem in zip(squares, initials, problems, strict=True):
        alone = commute(initial, problem, FEW, "std", 0.5, "linear", [1], "initial", 5)
        assert square.initial is initial and same_nodes(square.kept, alone.kept)
        assert square.problem is problem and square.compensation == "linear"
        for name in "dense", "train_first", "fine_tuned", "prune_first":
            assert same_bits(getattr(square, name), getattr(alone, name))
    floors = zip(other_order(initials, problems, FEW),
                 other_initialisation(initials, problems, FEW), strict=True)
    for floor, initial, problem in zip(floors, initials, problems, strict=True):
        assert all(map(same_bits, floor, noise_floor(initial, problem, FEW)))


def test_a_square_made_by_hand_needs_its_corners_only():
    square = Square(INITIAL, INITIAL, KEPT, INITIAL, INITIAL, INITIAL)
    assert square.problem is square.recipe is square.compensation is None


def test_the_noise_floor_trains_twice_more():
    dense = train(INITIAL, MOONS, FEW).networks
    same, other = noise_floor(INITIAL, MOONS, FEW, "torch_default")
    assert same.seeds == other.seeds == INITIAL.seeds
    shifted = [seed + OTHER for seed in INITIAL.seeds]
    expected = train(INITIAL, MOONS, FEW, order_seeds=shifted).networks
    assert same_bits(same, expected) and furthest(same, dense) > 1e-4
    started = noise_floor(INITIAL, MOONS, replace(FEW, steps=0), "torch_default")
    fresh = initialise(INITIAL.widths, shifted, "torch_default")
    assert same_bits(started[0], INITIAL) and furthest(started[1], fresh) == 0
    ours = train(fresh, MOONS, FEW, order_seeds=INITIAL.seeds).networks
    assert furthest(other, ours) == 0


def broken(problem=MOONS, recipe=FEW, criterion="std", fraction=0.5, **kwargs):
    return lambda: commute(INITIAL, problem, recipe, criterion, fraction, **kwargs)


@refuses(
    (broken(problem=MOONS.x_train), TypeError, "problem is Tensor"),
    (broken(recipe="post"), TypeError, "recipe is 'post'; expected a Recipe"),
    (broken(criterion="snip"), ValueError, "criterion is 'snip'.*'std'"),
    (broken(fraction=1), ValueError, "fraction is 1"),
    (broken(layers=[5]), ValueError, "layers is 5"),
    (broken(scored_on="pruned"), ValueError, "scored_on is 'pruned'; .*'dense', 'initial'"),
    (broken(compensation="median"), ValueError, "compensation is 'median'.*'linear'"),
    (broken(fine_tune_steps=-1), ValueError, "fine_tune_steps is -1"),
    (lambda: close(INITIAL, tiny(3), KEPT, MOONS, FEW), ValueError,
     r"dense has seeds \(0, 1, 2\); expected those of initial, \(3, 1, 0\)"),
    (lambda: close(INITIAL, INITIAL, KEPT[:1], MOONS, FEW), ValueError, "kept has 1"),
    (lambda: close(INITIAL, INITIAL, KEPT, MOONS, "post"), TypeError, "recipe is 'post'"),
    (lambda: close_draws([INITIAL], [INITIAL], [KEPT] * 2, [MOONS], FEW), ValueError,
     "initials, dense, kept, problems have 1, 1, 2, 1 entries"),
    (lambda: commute_draws([INITIAL], [MOONS] * 2, FEW, "std", 0.5), ValueError, "have 1, 2 entr"),
    (lambda: other_order([INITIAL], [MOONS] * 2, FEW), ValueError, "have 1, 2 entries"),
    (lambda: noise_floor(INITIAL, MOONS, FEW, "zeros"), ValueError, "scheme is 'zeros'"),
    (lambda: noise_floor(INITIAL, MOONS, None), TypeError, "recipe is None"),
)
def test_nonsense_is_refused_before_any_training(call, error, message, monkeypatch):
    monkeypatch.setattr("helpers.training._train_chunk", None)
    with pytest.raises(error, match=message):
        call()
