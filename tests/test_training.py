"""Training many networks equals a plain PyTorch loop, bit for bit the same in any company."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from examples import (
    FEW,
    MOONS,
    double,
    furthest,
    refuses,
    same_bits,
    textbook_loss,
    three_classes,
    tiny,
)
from helpers.compare import loss
from helpers.data import moons
from helpers.networks import Networks
from helpers.own import commute_with, train_with
from helpers.recipes import POST
from helpers.square import commute, noise_floor
from helpers.streams import stream
from helpers.training import _chunks, train, train_draws

THREE = three_classes()
OPTIMISERS = {
    "adam": lambda p, r: torch.optim.Adam(p, r.learning_rate, r.betas, r.epsilon),
    "sgd": lambda p, r: torch.optim.SGD(p, r.learning_rate),
    "momentum": lambda p, r: torch.optim.SGD(p, r.learning_rate, momentum=r.momentum),
    "sign_sgd": lambda p, r: None}


def plain_loop(network, problem, recipe, order_seed):
    """Train one network as a textbook would; return it and the loss before every step."""
    model = network.to_sequential(0)
    points = len(problem.x_train)
    order = stream(order_seed, "batch order").integers(
        points, size=(recipe.steps, recipe.batch_size or 1), dtype=np.uint16)
    optimiser = OPTIMISERS[recipe.optimiser](model.parameters(), recipe)
    losses = []
    for batch in order:
        batch = slice(None) if recipe.batch_size is None else torch.from_numpy(batch.astype(int))
        x, y = problem.x_train[batch].double(), problem.y_train[batch]
        value = textbook_loss(model(x), y)
        losses.append(value.item())
        model.zero_grad()
        value.backward()
        if optimiser:
            optimiser.step()
        else:
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter -= recipe.learning_rate * parameter.grad.sign()
    return network.from_sequential(model, seeds=network.seeds), losses


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("batch_size", [8, None])
@pytest.mark.parametrize("widths, problem", [((2, 7, 5, 1), MOONS), ((4, 6, 3), THREE)])
def test_training_equals_a_plain_loop(optimiser, batch_size, widths, problem):
    networks = double(tiny(2, widths))
    recipe = replace(FEW, optimiser=optimiser, batch_size=batch_size, betas=(0.8, 0.99),
                     epsilon=1e-3, momentum=0.7)
    run = train(networks, problem, recipe, order_seeds=(0, 9), loss_every=1)
    for i, order_seed in enumerate((0, 9)):
        expected, losses = plain_loop(networks.select(i), problem, recipe, order_seed)
        assert furthest(run.networks.select(i), expected) < 1e-12
        np.testing.assert_allclose(run.losses[i], losses, rtol=1e-10)


def test_order_seeds_choose_the_batches_alone():
    networks = tiny(3)
    own = train(networks, MOONS, FEW).networks
    assert same_bits(train(networks, MOONS, FEW, order_seeds=(0, 1, 2)).networks, own)
    other = train(networks, MOONS, FEW, order_seeds=(0, 5, 2)).networks
    assert same_bits(other.select([0, 2]), own.select([0, 2]))
    assert furthest(other.select(1), own.select(1)) > 1e-6
    full = replace(FEW, batch_size=None)
    assert same_bits(train(networks, MOONS, full, order_seeds=(7, 8, 9)).networks,
                     train(networks, MOONS, full).networks)


def test_the_argument_is_left_alone():
    networks, before = tiny(2), tiny(2)
    assert furthest(train(networks, MOONS, FEW).networks, before) > 0.01
    assert same_bits(networks, before)


def test_snapshots_run_from_the_start_to_the_end():
    networks = tiny(3)
    run = train(networks, MOONS, FEW, snapshots=5)
    assert run.snapshot_steps == (0, 5, 10, 15, 20) and len(run.snapshots) == 5
    assert same_bits(run.snapshots[0], networks) and same_bits(run.snapshots[-1], run.networks)
    assert same_bits(run.snapshots[2], train(networks, MOONS, replace(FEW, steps=10)).networks)
    assert train(networks, MOONS, FEW).snapshots == ()


def test_no_steps_change_nothing():
    run = train(tiny(2), MOONS, replace(FEW, steps=0), snapshots=2)
    assert same_bits(run.networks, tiny(2)) and run.losses.shape == (2, 0)
    assert run.snapshot_steps == (0, 0) and same_bits(run.snapshots[1], tiny(2))


def test_recorded_losses_are_those_of_the_snapshots():
    run = train(tiny(3), MOONS, replace(FEW, batch_size=None), loss_every=5, snapshots=5)
    assert run.loss_steps == (0, 5, 10, 15) and run.losses.shape == (3, 4)
    for k in range(4):
        torch.testing.assert_close(
            run.losses[:, k], loss(run.snapshots[k], MOONS.x_train, MOONS.y_train))


def test_divergence_is_reported_per_network():
    networks = tiny(3).select([2, 0, 1])
    networks.weights[0].data[1] = torch.inf
    with pytest.warns(RuntimeWarning, match=r"1 of 3 networks diverged; seeds \[0\]"):
        run = train(networks, MOONS, FEW)
    assert run.diverged.tolist() == [False, True, False]
    healthy = train(tiny(3), MOONS, FEW).networks
    assert same_bits(run.networks.select([0, 2]), healthy.select([2, 1]))


def lost() -> Networks:
    """One network that has diverged."""
    networks = tiny(1)
    networks.biases[0].data[0, 0] = torch.nan
    return networks


@pytest.mark.parametrize("call", [
    lambda: train(lost(), MOONS, FEW),
    lambda: train_draws([lost()], [MOONS], FEW),
    lambda: commute(lost(), MOONS, FEW, "std", 0.5),
    lambda: noise_floor(lost(), MOONS, FEW),
    lambda: train_with(lambda *_: None, lost(), MOONS),
    lambda: commute_with(lambda *_: None, lost(), MOONS, "std", 0.5)],
    ids=["train", "train_draws", "commute", "noise_floor", "train_with", "commute_with"])
def test_divergence_is_reported_at_the_line_that_called(call):
    with pytest.warns(RuntimeWarning, match="1 of 1 networks diverged") as caught:
        call()
    code = call.__code__
    assert {(w.filename, w.lineno) for w in caught} == {(code.co_filename, code.co_firstlineno)}


def test_one_parameter_that_is_not_finite_is_divergence():
    networks = tiny(3)
    networks.biases[1].data[1, 2] = torch.nan
    with pytest.warns(RuntimeWarning, match=r"seeds \[1\]"):
        run = train(networks, MOONS, replace(FEW, steps=0))
    assert run.diverged.tolist() == [False, True, False]


def test_the_post_trains_to_a_small_loss():
    run = train(tiny(8, (2, 20, 1)), MOONS, replace(POST, learning_rate=0.03, steps=300))
    assert run.losses[:, -5:].mean(1).median() < 0.3 * run.losses[:, 0].median()


@refuses(
    (lambda: train(tiny().to_sequential(0), MOONS), TypeError, "networks is Sequential"),
    (lambda: train(tiny(), MOONS.x_train), TypeError, "problem is Tensor"),
    (lambda: train(tiny(1, (3, 1)), MOONS), ValueError, "x_train has 2 features; expected 3"),
    (lambda: train(tiny(), MOONS, "post"), TypeError, "recipe is 'post'; expected a Recipe"),
    (lambda: train(tiny(), MOONS, replace(FEW, batch_size=61)), ValueError,
     "batch_size is 61; expected at most the 60"),
    (lambda: train(tiny(), MOONS, FEW, (1, 2)), ValueError, "order_seeds holds 2 seeds"),
    (lambda: train(tiny(), MOONS, FEW, (1, 2, 2)), ValueError, r"order_seeds holds \[2\]"),
    (lambda: train_draws([tiny()], [MOONS] * 2), ValueError, "groups, problems have 1, 2 entries"),
    (lambda: train_draws([tiny()], [MOONS], FEW, [None] * 2), ValueError, "order_seeds have 1, 2"),
    (lambda: train_draws(tiny(), [MOONS]), TypeError, r"groups is Networks(.|\n)*expected several"),
    (lambda: train_draws([tiny(), tiny(1, (2, 1))], [MOONS] * 2, FEW), ValueError,
     r"groups\[1\] has widths \(2, 1\)"),
    (lambda: train_draws([tiny(), double(tiny())], [MOONS] * 2, FEW), ValueError,
     r"groups\[1\] has widths \(2, 7, 5, 1\), torch.float64 on cpu; expected as the first"),
    (lambda: train_draws([tiny()] * 2, [MOONS, moons(n_train=50)], FEW), ValueError,
     r"problems\[1\] has 2 classes and training points \(50, 2\)"),
    (lambda: train(tiny(), MOONS, FEW, loss_every=0), ValueError, "loss_every is 0"),
    (lambda: train(tiny(), MOONS, FEW, snapshots=1), ValueError, "snapshots is 1"),
    (lambda: train(tiny(), MOONS, FEW, snapshots=-1), ValueError, "snapshots is -1"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_first_step_below_a_level():
    run = train(tiny(3), MOONS, FEW, loss_every=2)
    level = run.losses.median().item()
    for losses, step in zip(run.losses, run.first_below(level).tolist(), strict=True):
        place = run.loss_steps.index(step)
        assert (losses[:place] >= level).all()
        assert losses[place] < level or step == run.loss_steps[-1]
    assert (run.first_below(0) == run.loss_steps[-1]).all()


@pytest.mark.parametrize("count, largest", [(1, 16), (16, 16), (17, 16), (128, 112), (300, 112)])
def test_chunks_are_even_and_no_larger_than_fits(count, largest, monkeypatch):
    monkeypatch.setattr("helpers.training._chunk_size", lambda *_: largest)
    chunks = _chunks(range(count), 32)
    sizes = [len(range(count)[chunk]) for chunk in chunks]
    assert sum(sizes) == count and max(sizes) <= largest
    assert len(sizes) == -(-count // largest), "as few as possible"
    assert max(sizes) - min(sizes) < len(sizes), "of about equal size"
