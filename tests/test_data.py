"""Problems are standardised, split without overlap, and depend on their seed alone."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from examples import MOONS, refuses
from helpers.data import (
    PROBLEMS,
    Problem,
    circles,
    common_rows,
    digits,
    distance_to_training,
    mnist1d,
    moons,
    spirals,
    summary,
    xor,
)
from strategies import tries

SMALL = dict.fromkeys(("spirals", "moons", "circles", "xor"), {"n_train": 99, "n_test": 99}) | {
    "digits": {}, "mnist1d": {"n_train": 100, "n_test": 100}}
RANGE = np.arange(20.0).reshape(10, 2)
HALVES = [0, 1] * 5


def small(name, seed=0):
    return PROBLEMS[name](**SMALL[name], seed=seed)


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem(name):
    problem = small(name)
    assert problem.name == name
    x, y = problem.x_train.double().numpy(), problem.y_train
    varying = np.ptp(x, axis=0) > 0
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(np.std(x, axis=0, ddof=0), varying, atol=1e-6)
    assert varying.mean() > 0.8 and problem.x_test.isfinite().all()
    assert problem.x_train.dtype == torch.float32 and y.dtype == torch.int64
    assert set(y.tolist()) == set(range(problem.classes))
    assert len(problem.x_train) == SMALL[name].get("n_train", len(problem.x_train))
    assert len(problem.x_test) == SMALL[name].get("n_test", len(problem.x_test))
    rows = [set(map(tuple, part.tolist())) for part in (problem.x_train, problem.x_test)]
    assert not rows[0] & rows[1], "training and held-out points overlap"
    again, other = small(name), small(name, seed=1)
    assert torch.equal(again.x_train, problem.x_train)
    assert torch.equal(again.y_test, problem.y_test)
    assert not torch.equal(other.x_train, problem.x_train)
    assert not torch.equal(other.x_test, problem.x_test)


@pytest.mark.parametrize("name", PROBLEMS)
def test_global_random_state_is_left_alone(name):
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    torch.manual_seed(1)
    expected = np.random.random(), random.random(), torch.rand(1)  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    torch.manual_seed(1)
    small(name)
    assert (np.random.random(), random.random(), torch.rand(1)) == expected  # noqa: NPY002


def test_the_same_training_points_whatever_is_held_out():
    assert torch.equal(moons(50, 10).x_train, moons(50, 99).x_train)


def test_spiral_points_lie_on_their_arms():
    """Without noise and in the generator's own units, angle = 2 pi turns radius + pi label."""
    problem = spirals(n_train=400, noise=0, turns=1.5)
    label = problem.y_train.numpy()
    radius = np.sqrt(np.random.Generator(np.random.Philox(key=[0, 3])).random(400))
    angle = 2 * np.pi * 1.5 * radius + np.pi * label
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    np.testing.assert_allclose(problem.x_train, (x - x.mean(0)) / x.std(0), atol=1e-6)
    assert label.sum() == 200


def test_xor_labels_are_the_signs():
    x, y = xor(n_train=300, noise=0).x_test, xor(n_train=300, noise=0).y_test
    clear = (x.abs() > 0.2).all(1)  # standardising moves the axes a little
    assert (((x[:, 0] > 0) != (x[:, 1] > 0)).long() == y)[clear].all()


def test_noise_spreads_the_circles():
    def spread(noise):
        problem = circles(n_train=400, noise=noise)
        return problem.x_train[problem.y_train == 1].norm(dim=1).std().item()
    assert spread(0) < 0.05 < spread(0.1)


@pytest.mark.parametrize("name", ("spirals", "moons", "circles", "xor"))
def test_label_noise_flips_its_share_of_the_training_labels_alone(name):
    clean, before = small(name), set()
    assert torch.equal(PROBLEMS[name](**SMALL[name], label_noise=0).y_train, clean.y_train)
    for label_noise, count in (0.004, 0), (0.1, 10), (0.25, 25), (0.5, 50):
        noisy = PROBLEMS[name](**SMALL[name], label_noise=label_noise)
        for part in "x_train", "x_test", "y_test":
            assert torch.equal(getattr(noisy, part), getattr(clean, part)), part
        flipped = set((noisy.y_train != clean.y_train).nonzero()[:, 0].tolist())
        assert len(flipped) == count and before <= flipped
        before = flipped
    assert set(clean.y_train[list(before)].tolist()) == {0, 1}, "one class alone is flipped"
    other = [PROBLEMS[name](**SMALL[name], label_noise=noise, seed=1).y_train for noise in (0, 0.5)]
    assert set((other[0] != other[1]).nonzero()[:, 0].tolist()) != before, "seeds flip alike"


def test_digits_split_is_by_class_and_loses_nothing():
    problem, (x, y) = digits(held_out=0.25), load_digits(return_X_y=True)
    assert len(problem.x_train) + len(problem.x_test) == len(x)
    share = torch.bincount(problem.y_test) / torch.from_numpy(np.bincount(y))
    assert (share - 0.25).abs().max() < 0.01


@tries(25)
@given(st.integers(0, 99), st.floats(0.2, 0.8), st.integers(2, 4))
def test_from_arrays_keeps_every_point_once(seed, held_out, classes):
    x = np.random.default_rng(seed).normal(3, 5, (60, 3))
    y = np.arange(60) % classes
    problem = Problem.from_arrays(x, np.array(list("dcba"))[y], held_out, seed)
    together = torch.cat([problem.x_train, problem.x_test]).double().numpy()
    labels = torch.cat([problem.y_train, problem.y_test]).numpy()
    slope, intercept = np.polyfit(np.sort(together[:, 0]), np.sort(x[:, 0]), 1)
    origin = np.abs(slope * together[:, :1] + intercept - x[:, 0]).argmin(1)
    assert sorted(origin) == list(range(60)), "a point is lost or doubled"
    assert (labels == np.unique(np.array(list("dcba"))[y], return_inverse=True)[1][origin]).all()
    np.testing.assert_allclose(problem.x_train.mean(0), 0, atol=1e-6)
    assert problem.classes == classes and problem.features == 3


def test_a_constant_feature_becomes_zero():
    x = np.column_stack([np.arange(10.0), np.full(10, 0.1)])
    problem = Problem.from_arrays(x, HALVES)
    assert (problem.x_train[:, 1].abs() < 1e-6).all() and problem.x_test.isfinite().all()


@refuses(
    (lambda: PROBLEMS["mnist"], ValueError, "problem is 'mnist'; expected one of 'spirals'"),
    (lambda: spirals(n_train=3), ValueError, "n_train is 3"),
    (lambda: spirals(n_test=0), ValueError, "n_test is 0"),
    (lambda: spirals(turns=-1), ValueError, "turns is -1"),
    (lambda: xor(noise=-1), ValueError, "noise is -1"),
    (lambda: circles(noise="loud"), TypeError, "noise is 'loud'"),
    (lambda: xor(label_noise=0.51), ValueError, "label_noise is 0.51"),
    (lambda: moons(label_noise=-0.1), ValueError, "label_noise is -0.1"),
    (lambda: circles(label_noise=None), TypeError, "label_noise is None; expected a number"),
    (lambda: moons(seed=-1), ValueError, "seed is -1"),
    (lambda: moons(n_train=10.5), TypeError, "n_train is 10.5"),
    (lambda: digits(held_out=0), ValueError, "held_out is 0"),
    (lambda: digits(held_out=1), ValueError, r"held_out is 1; expected a number in \[0, 1\)"),
    (lambda: mnist1d(n_train=15), ValueError, "n_train [+] n_test is 1015; expected a multiple"),
    (lambda: Problem.from_arrays(RANGE / 0, HALVES, name="a\nb"), ValueError,
     r"name is 'a\\nb'; expected a text on one line"),
    (lambda: replace(MOONS, name="a\n"), ValueError, r"name is 'a\\n'; expected a text on one"),
    (lambda: replace(MOONS, name=""), ValueError, "name is ''; expected a text on one line"),
    (lambda: replace(MOONS, name=3), TypeError, "name is 3; expected a text"),
    (lambda: Problem.from_arrays([["a"]], [0]), TypeError, "x is list; expected numbers"),
    (lambda: Problem.from_arrays([], []), ValueError, r"x has shape \(0,\)"),
    (lambda: Problem.from_arrays([1, 2], [0, 1]), ValueError, r"x has shape \(2,\)"),
    (lambda: Problem.from_arrays(RANGE, [0, 1]), ValueError, r"y has shape \(2,\)"),
    (lambda: Problem.from_arrays(RANGE / 0, HALVES), ValueError, "x holds NaN or infinite"),
    (lambda: Problem.from_arrays(RANGE, [np.nan] * 10), ValueError, "y holds NaN"),
    (lambda: Problem.from_arrays(RANGE, [3] * 10), ValueError, "y holds 1 class .*3"),
    (lambda: Problem.from_arrays(RANGE, [0] * 9 + [1]), ValueError, "smallest class having 1"),
    (lambda: Problem.from_arrays(RANGE, HALVES, 0.05), ValueError, "held_out is 0.05 for 10"),
    (lambda: replace(MOONS, x_train=MOONS.x_train / 0), ValueError, "x_train holds NaN"),
    (lambda: replace(MOONS, x_test=MOONS.x_test[:, :1]), ValueError, "x_test has 1 features"),
    (lambda: replace(MOONS, y_train=MOONS.y_train + 1), ValueError, "y_train holds labels"),
    (lambda: replace(MOONS, y_test=MOONS.y_train), ValueError, r"y_test has shape \(60,\)"),
    (lambda: replace(MOONS, classes=1), ValueError, "classes is 1"),
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_summary_counts_and_guesses_the_most_frequent_class():
    x, y = np.arange(24.0).reshape(12, 2), [0] * 8 + [1] * 4
    problem = Problem.from_arrays(x, y, 0.5)
    assert summary(problem) == pytest.approx({
        "features": 2, "classes": 2, "training points": 6, "held-out points": 6,
        "smallest class": 1 / 3, "largest class": 2 / 3, "guessing": 2 / 3})


def test_planted_training_points_are_found():
    planted = torch.cat([MOONS.x_test, MOONS.x_train[:3], MOONS.x_train[:1]])
    spoiled = replace(MOONS, x_test=planted, y_test=torch.zeros(len(planted), dtype=torch.int64))
    assert common_rows(MOONS) == 0 and common_rows(spoiled) == 3
    expected = torch.cdist(planted.double(), MOONS.x_train.double()).min(1).values
    np.testing.assert_allclose(distance_to_training(MOONS, planted), expected, atol=1e-6)


def test_guessing_answers_the_majority_of_training_on_held_out_points():
    x_train, x_test = torch.randn(5, 2), torch.randn(4, 2)
    problem = Problem("made", x_train, torch.tensor([1, 1, 1, 0, 0]), x_test,
                      torch.tensor([0, 0, 0, 1]), 2)
    assert summary(problem)["guessing"] == 0.25
