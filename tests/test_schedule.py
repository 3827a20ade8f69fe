"""Pruning during training joins both orders at its ends, and is masked training in between."""

from dataclasses import replace
from itertools import pairwise

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
from helpers.pruning import choose, everything, prune
from helpers.schedule import prune_during
from helpers.square import close
from helpers.training import Run, batch_order, train

THREE = three_classes()
BOTH = pytest.mark.parametrize("widths, problem", [((2, 7, 5, 1), MOONS), ((4, 6, 5, 3), THREE)])


def untrained(networks):
    return Run(networks, torch.zeros(len(networks), 0), (), (), ())


def after(networks, problem, recipe, step):
    """The dense networks after some steps, as `prune_during` takes them."""
    return train(networks, problem, replace(recipe, steps=step)) if step else untrained(networks)


def stages_of(networks, problem, *fractions):
    """Nested sets: the nodes of lowest spread go first."""
    return [choose(networks, problem, "std", fraction) for fraction in fractions]


@BOTH
@pytest.mark.parametrize("compensation", ["none", "mean", "linear"])
@pytest.mark.parametrize("state", ["fresh", "kept"])
def test_the_ends_are_the_two_orders(widths, problem, compensation, state):
    initial, recipe = tiny(3, widths), replace(FEW, learning_rate=0.05)
    dense = train(initial, problem, recipe)
    (kept,) = stages_of(dense.networks, problem, 0.5)
    square = close(initial, dense.networks, kept, problem, recipe, compensation)
    settings = problem, recipe, compensation, state
    first = prune_during(untrained(initial), [kept], [0], *settings).networks
    last = prune_during(dense, [kept], [recipe.steps], *settings).networks
    assert same_bits(first, square.prune_first) and same_bits(last, square.train_first)


def test_gradual_stages_end_with_the_right_nodes():
    """With a learning rate of 0 nothing but pruning happens."""
    networks, still = tiny(3), replace(FEW, learning_rate=0.0)
    stages = stages_of(networks, MOONS, 0.2, 0.4, 0.8)
    run = prune_during(untrained(networks), stages, [0, 7, 12], MOONS, still, "none")
    assert same_bits(run.networks, prune(networks, stages[-1], MOONS, "none"))
    assert run.networks.widths == (2, 1, 1, 1)


def masks_of(network, kept):
    """Ones where both ends of a weight stay, per parameter of the plain model, else zeros."""
    stays = [torch.zeros(width).index_fill(0, stay[0], 1)
             for width, stay in zip(network.widths[1:-1], kept, strict=True)]
    ends = [torch.ones(network.widths[0]), *stays, torch.ones(network.widths[-1])]
    return [mask.double() for before, after in pairwise(ends)
            for mask in (torch.outer(after, before), after)]


@torch.no_grad()
def masked(model, adam, masks):
    """Zero what is removed: weights, and Adam's memory of them."""
    for parameter, mask in zip(model.parameters(), masks, strict=True):
        parameter *= mask
        for name in {"exp_avg", "exp_avg_sq"} & adam.state[parameter].keys():
            adam.state[parameter][name] *= mask


def masked_loop(network, stages, steps, problem, recipe, state):
    """Train one dense network in plain PyTorch, the removed nodes held at zero after every step."""
    model, masks = network.to_sequential(0), masks_of(network, everything(network))

    def fresh():
        return torch.optim.Adam(model.parameters(), recipe.learning_rate, recipe.betas,
                                recipe.epsilon)

    adam = fresh()
    order = batch_order(network.seeds, recipe.steps, recipe.batch_size, len(problem.x_train))
    for step, batch in enumerate(order):
        for kept in [kept for kept, when in zip(stages, steps, strict=True) if when == step]:
            masks = masks_of(network, kept)
            adam = adam if state == "kept" else fresh()
        masked(model, adam, masks)
        adam.zero_grad()
        textbook_loss(model(problem.x_train[batch].double()), problem.y_train[batch]).backward()
        adam.step()
    masked(model, adam, masks)
    return network.from_sequential(model, seeds=network.seeds)


@BOTH
@pytest.mark.parametrize("state", ["fresh", "kept"])
@pytest.mark.parametrize("fractions, steps", [
    ((0.4,), (3,)), ((0.4,), (0,)), ((0.2, 0.6), (3, 7)), ((0.2, 0.4, 0.8), (0, 4, 9))])
def test_pruning_is_training_with_masks(widths, problem, state, fractions, steps):
    initial = double(tiny(2, widths))
    recipe = replace(FEW, learning_rate=0.05, steps=10, betas=(0.8, 0.99), epsilon=1e-3)
    stages = stages_of(initial, problem, *fractions)
    reached = after(initial, problem, recipe, steps[0])
    found = prune_during(reached, stages, steps, problem, recipe, "none", state).networks
    for i in range(2):
        own = [tuple(stay[i:i + 1] for stay in kept) for kept in stages]
        oracle = masked_loop(initial.select(i), own, steps, problem, recipe, state)
        small = prune(oracle, own[-1], problem, "none")
        assert furthest(found.select(i), small) < 1e-12


def test_a_kept_state_makes_a_difference():
    reached = after(tiny(3), MOONS, FEW, 5)
    (kept,) = stages_of(reached.networks, MOONS, 0.5)
    fresh, same = (prune_during(reached, [kept], [5], MOONS, FEW, "mean", state).networks
                   for state in ("fresh", "kept"))
    assert all(furthest(fresh.select(i), same.select(i)) > 1e-4 for i in range(3))


DENSE = after(tiny(), MOONS, FEW, 5)
MORE, FEWER = stages_of(DENSE.networks, MOONS, 0.2, 0.6)
OTHER = tuple(width - 1 - stay.flip(1) for stay, width in zip(FEWER, (7, 5), strict=True))


def during(stages=(MORE, FEWER), steps=(5, 9), reached=DENSE, recipe=FEW, **kwargs):
    return lambda: prune_during(reached, list(stages), list(steps), MOONS, recipe, **kwargs)


@refuses(
    (during(optimiser_state="lost"), ValueError,
     "optimiser_state is 'lost'; expected one of 'fresh', 'kept'"),
    (during(compensation="median"), ValueError, "compensation is 'median'"),
    (during(steps=[5]), ValueError, "stages, steps have 2, 1 entries"),
    (during(stages=[], steps=[]), ValueError, "stages, steps have 0, 0 entries"),
    (during(steps=[9, 5]), ValueError, r"steps is \[9, 5\]; expected increasing, at most 20"),
    (during(steps=[5, 21]), ValueError, r"steps is \[5, 21\]; expected increasing, at most 20"),
    (during([FEWER], [5], after(tiny(), MOONS, replace(FEW, optimiser="sgd"), 5),
            replace(FEW, optimiser="sgd"), optimiser_state="kept"), ValueError,
     "optimiser_state is 'kept' for 'sgd'; expected 'adam'"),
    (during([FEWER], [0], untrained(tiny()), replace(FEW, optimiser="momentum"),
            optimiser_state="kept"), ValueError, "optimiser_state is 'kept' for 'momentum'"),
    (during(reached=replace(DENSE, moments=None), optimiser_state="kept"), ValueError,
     "optimiser_state is 'kept' for 'adam'; .* moments so far"),
    (during((FEWER, MORE)), ValueError, "stages keep nodes of hidden layer 0 that had gone"),
    (during((FEWER, OTHER)), ValueError, "stages keep nodes of hidden layer 0 that had gone"),
)
def test_nonsense_is_refused_before_any_training(call, error, message, monkeypatch):
    monkeypatch.setattr("helpers.training._train_chunk", None)
    with pytest.raises(error, match=message):
        call()
