"""What holds for every training: company, parts, files of its state, the corners of the square."""

import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from examples import same_bits
from helpers.networks import Networks
from helpers.pruning import choose, prune
from helpers.square import commute
from helpers.training import Moments, train, train_draws
from strategies import (
    SEEDS,
    cases,
    compensations,
    criteria,
    fractions,
    random_numbers,
    recipes,
    tries,
)


def trained(*arguments, **keywords):
    """Train, and discard the example if a network diverged: NaN is not even itself."""
    run = train(*arguments, **keywords)
    assume(not run.diverged.any())
    return run


def same_moments(a, b):
    if a is None or b is None:
        return a is b
    return a.step == b.step and same_bits(a.mean, b.mean) and same_bits(a.square, b.square)


def redrawn(problem, seed):
    """Another draw of as many points."""
    generator = random_numbers(seed)
    y = torch.randint(problem.classes, problem.y_train.shape, generator=generator)
    return replace(problem, x_train=torch.randn(problem.x_train.shape, generator=generator),
                   y_train=y)


@tries(100)
@given(cases(count=5), recipes, st.data())
def test_order_and_company_change_no_bit_of_a_network(case, recipe, data):
    networks, problem = case
    whole = trained(networks, problem, recipe, loss_every=2)
    order = data.draw(st.lists(st.integers(0, len(networks) - 1), min_size=1, unique=True))
    with patch("helpers.training._chunk_size", return_value=data.draw(st.integers(1, 5))):
        part = train(networks.select(order), problem, recipe, loss_every=2)
        runs = train_draws([networks, networks.select(order)],
                           [redrawn(problem, data.draw(SEEDS)), problem], recipe, loss_every=2)
    for run in part, runs[1]:
        assert same_bits(run.networks, whole.networks.select(order))
        rounding = 1e-14 if run.losses.dtype == torch.float64 else 0  # records, not what trains
        torch.testing.assert_close(run.losses, whole.losses[order], rtol=rounding, atol=0)
        assert run.moments is whole.moments is None or same_moments(
            run.moments, Moments(whole.moments.mean.select(order),
                                 whole.moments.square.select(order), recipe.steps))


def reloaded(networks):
    with tempfile.TemporaryDirectory() as folder:
        networks.save(Path(folder) / "state")
        return Networks.load(Path(folder) / "state")


@tries(100)
@given(cases(), recipes, st.integers(0, 9))
def test_training_in_parts_from_files_gives_the_bits_of_one_go(case, recipe, first):
    """Momentum is left out: its state is not handed on."""
    networks, problem = case
    recipe = replace(recipe, optimiser="adam" if recipe.optimiser == "momentum"
                     else recipe.optimiser)
    first = min(first, recipe.steps)
    whole = trained(networks, problem, recipe)
    half = train(networks, problem, replace(recipe, steps=first))
    state = half.moments and Moments(reloaded(half.moments.mean), reloaded(half.moments.square),
                                     half.moments.step)
    still = train(half.networks, problem, replace(recipe, steps=0), moments=state)
    assert same_bits(still.networks, half.networks) and same_moments(still.moments, half.moments)
    rest = train(reloaded(half.networks), problem, replace(recipe, steps=recipe.steps - first),
                 first_step=first, moments=state)
    assert same_bits(rest.networks, whole.networks) and same_moments(rest.moments, whole.moments)


@tries(100)
@given(cases(), recipes, criteria, fractions, compensations, st.sampled_from(["dense", "initial"]),
       st.integers(0, 5), st.data())
def test_every_corner_follows_from_the_one_before(case, recipe, criterion, fraction, compensation,
                                                  scored_on, fine_tune_steps, data):
    initial, problem = case
    hidden = range(len(initial.widths) - 2)
    layers = data.draw(st.none() | st.lists(st.sampled_from(hidden), unique=True))
    dense = trained(initial, problem, recipe).networks
    square = commute(initial, problem, recipe, criterion, fraction, compensation, layers,
                     scored_on, fine_tune_steps)
    assert square.initial is initial and same_bits(square.dense, dense)
    expected = choose(getattr(square, scored_on), problem, criterion, fraction, layers)
    assert all(map(torch.equal, square.kept, expected))
    assert same_bits(square.train_first, prune(dense, square.kept, problem, compensation))
    tuning = replace(recipe, steps=fine_tune_steps)
    assert same_bits(square.fine_tuned, train(square.train_first, problem, tuning).networks)
    pruned = prune(initial, square.kept, problem, compensation)
    assert same_bits(square.prune_first, trained(pruned, problem, recipe).networks)
    assert square.problem is problem and square.recipe is recipe
    assert square.compensation == compensation and square.prune_first.seeds == initial.seeds
