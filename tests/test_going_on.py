"""Training in parts, handing Adam's running means on, gives the bits of training in one go."""

from dataclasses import replace

import pytest
import torch

from examples import (
    FEW,
    MOONS,
    double,
    furthest,
    parameters,
    refuses,
    same_bits,
    textbook_loss,
    three_classes,
    tiny,
)
from helpers.data import moons
from helpers.training import Moments, batch_order, train, train_draws

THREE = three_classes()
WHOLE = replace(FEW, steps=20, learning_rate=0.05)
FORMS = pytest.mark.parametrize("widths, problem, batch_size", [
    ((2, 7, 5, 1), MOONS, 8), ((4, 6, 3), THREE, 8), ((2, 7, 5, 1), MOONS, None),
    ((4, 6, 3), THREE, None)], ids=["one logit", "logits", "full batch", "logits, full batch"])


def in_parts(networks, problem, recipe, ends, **changes):
    """Train up to each of some steps, going on from the one before."""
    run, start = train(networks, problem, replace(recipe, steps=ends[0])), ends[0]
    for end in ends[1:]:
        state = {"first_step": start, "moments": run.moments} | changes
        run = train(run.networks, problem, replace(recipe, steps=end - start), **state)
        start = end
    return run


def same_moments(a, b):
    return a.step == b.step and same_bits(a.mean, b.mean) and same_bits(a.square, b.square)


@FORMS
@pytest.mark.parametrize("ends", [(1, 20), (13, 20), (4, 9, 20), (20, 20)])
def test_training_in_parts_gives_the_bits_of_one_go(widths, problem, batch_size, ends):
    networks, recipe = tiny(3, widths), replace(WHOLE, batch_size=batch_size)
    whole, parts = train(networks, problem, recipe), in_parts(networks, problem, recipe, ends)
    assert same_bits(parts.networks, whole.networks)
    assert same_moments(parts.moments, whole.moments) and whole.moments.step == 20


def test_parts_may_be_cut_into_other_chunks_and_groups(monkeypatch):
    problems = [moons(n_train=60, n_test=40, seed=seed) for seed in range(2)]
    groups, half = [tiny(3), tiny(5)], replace(WHOLE, steps=10)
    whole = train_draws(groups, problems, WHOLE)
    monkeypatch.setattr("helpers.training._chunk_size", lambda *_: 3)
    runs = train_draws(groups, problems, half)
    runs = train_draws([run.networks for run in runs], problems, half, first_step=10,
                       moments=[run.moments for run in runs])
    for run, expected in zip(runs, whole, strict=True):
        assert same_bits(run.networks, expected.networks)
        assert same_moments(run.moments, expected.moments)


@pytest.mark.parametrize("changes", [{"moments": None}, {"first_step": 0}, {"first_step": 9}])
def test_without_its_state_or_place_training_goes_elsewhere(changes):
    whole = train(tiny(2), MOONS, WHOLE).networks
    other = in_parts(tiny(2), MOONS, WHOLE, (10, 20), **changes).networks
    assert all(furthest(other.select(i), whole.select(i)) > 1e-4 for i in range(2))


@pytest.mark.parametrize("optimiser", ["sgd", "sign_sgd"])
def test_optimisers_without_memory_need_no_state(optimiser):
    recipe = replace(WHOLE, optimiser=optimiser)
    parts = in_parts(tiny(2), MOONS, recipe, (7, 20))
    assert parts.moments is None
    assert same_bits(parts.networks, train(tiny(2), MOONS, recipe).networks)


@FORMS
def test_moments_are_those_of_a_plain_loop(widths, problem, batch_size):
    """PyTorch's own Adam, one network at a time, in double precision."""
    recipe = replace(WHOLE, batch_size=batch_size, betas=(0.8, 0.99), epsilon=1e-3)
    networks = double(tiny(2, widths))
    found = train(networks, problem, recipe).moments
    points, size = len(problem.x_train), batch_size or len(problem.x_train)
    for i, seed in enumerate(networks.seeds):
        model = networks.to_sequential(i)
        adam = torch.optim.Adam(model.parameters(), recipe.learning_rate, recipe.betas,
                                recipe.epsilon)
        for batch in batch_order([seed], recipe.steps, size, points):
            batch = slice(None) if batch_size is None else batch
            adam.zero_grad()
            textbook_loss(model(problem.x_train[batch].double()), problem.y_train[batch]).backward()
            adam.step()
        states = [adam.state[parameter] for parameter in model.parameters()]
        for part, name in ((found.mean, "exp_avg"), (found.square, "exp_avg_sq")):
            kernels, offsets = part.select(i).weights, part.select(i).biases
            own = [value[0] for pair in zip(kernels, offsets, strict=True) for value in pair]
            for value, state in zip(own, states, strict=True):
                torch.testing.assert_close(value.detach(), state[name], rtol=1e-9, atol=1e-14)
        assert found.step == states[0]["step"]


def test_no_step_makes_no_moments_and_leaves_given_ones():
    none = replace(WHOLE, steps=0)
    assert train(tiny(2), MOONS, none).moments is None
    run = train(tiny(2), MOONS, WHOLE)
    again = train(run.networks, MOONS, none, moments=run.moments)
    assert same_bits(again.networks, run.networks) and same_moments(again.moments, run.moments)


def test_going_on_leaves_the_given_moments_alone():
    run = train(tiny(2), MOONS, WHOLE)
    before = [value.clone() for value in parameters(run.moments.mean)]
    train(run.networks, MOONS, WHOLE, first_step=20, moments=run.moments)
    assert all(map(torch.equal, before, parameters(run.moments.mean)))
    assert run.moments.step == 20


def moments(count=3, widths=(2, 7, 5, 1), step=20):
    return Moments(tiny(count, widths), tiny(count, widths), step)


def going_on(given, recipe=FEW, networks=None, **kwargs):
    return lambda: train(networks or tiny(), MOONS, recipe, moments=given, **kwargs)


@refuses(
    (going_on(moments(widths=(2, 5, 7, 1))), ValueError,
     r"moments\[0\] belong to other networks .* expected widths \(2, 7, 5, 1\), .* step 20"),
    (going_on(moments(2)), ValueError, r"moments\[0\] belong to other networks"),
    (going_on(moments(), networks=tiny().select([2, 0, 1])), ValueError,
     r"moments\[0\] belong to other networks"),
    (going_on(Moments(tiny(), tiny(3, (2, 5, 7, 1)), 20)), ValueError, r"moments\[0\] belong"),
    (going_on(moments(), replace(FEW, optimiser="sgd")), ValueError,
     "moments are given for 'sgd'; expected 'adam'"),
    (going_on((tiny(), tiny())), TypeError, r"moments\[0\] is .*expected Moments"),
    (lambda: train_draws([tiny()] * 2, [MOONS] * 2, FEW, moments=[moments(), moments(step=19)]),
     ValueError, r"moments\[1\] belong to other networks or another step; .*step 20"),
    (lambda: train_draws([tiny()] * 2, [MOONS] * 2, FEW, moments=[moments()]), ValueError,
     "groups, moments have 2, 1 entries"),
    (lambda: train_draws([tiny()], [MOONS], FEW, moments=moments()), TypeError,
     "moments is Moments.*expected several"),
    (going_on(None, first_step=-1), ValueError, "first_step is -1"),
    (going_on(None, first_step=1.0), TypeError, "first_step is 1.0"),
)
def test_nonsense_is_refused_before_any_training(call, error, message, monkeypatch):
    monkeypatch.setattr("helpers.training._train_chunk", None)
    with pytest.raises(error, match="(?s)" + message):
        call()
