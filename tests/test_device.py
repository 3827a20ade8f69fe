"""Networks are trained, pruned and compared where they lie.

The device `meta` holds shapes alone and refuses to mix with the processor; a GPU is used where
there is one.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from examples import FEW, MOONS, furthest, refuses, three_classes, tiny
from helpers import checks, draws
from helpers.compare import accuracy, barrier, disagreement, function_distance, plane, same_roles
from helpers.criteria import CRITERIA
from helpers.engine import Engine
from helpers.networks import Networks, initialise
from helpers.pruning import COMPENSATIONS, choose, everything, prune
from helpers.replacements import removed
from helpers.schedule import prune_during
from helpers.square import commute, noise_floor
from helpers.training import train

THREE = three_classes()
needs_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
SHAPES = [((2, 7, 5, 1), MOONS), ((4, 7, 5, 3), THREE)]


def on_meta(widths) -> Networks:
    return initialise(widths, range(3), device="meta")


@pytest.mark.parametrize("widths, problem", SHAPES)
def test_logits_scores_and_nodes_lie_with_the_networks(widths, problem):
    networks = on_meta(widths)
    assert networks.device.type == "meta"
    tensors = [networks(problem.x_train), *networks.activations(problem.x_train),
               *everything(networks), *removed(networks, everything(networks)),
               *(layer for score in CRITERIA.values() for layer in score(networks, problem)),
               *networks.select(torch.tensor([True, False, True])).weights]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert networks.to_sequential(1)[0].weight.device.type == "meta"


@pytest.mark.parametrize("widths, problem", SHAPES)
def test_gradients_lie_with_the_networks(widths, problem):
    networks = on_meta(widths)
    engine = Engine(networks, 8)
    x = torch.empty(3, widths[0], 8, device="meta")
    engine.backward(x, torch.empty(3, widths[-1], 8, device="meta"))
    assert {pair[0].device.type for pair in engine.gradients} == {"meta"}


def test_one_device_for_all_layers():
    networks = tiny()
    with pytest.raises(ValueError, match=r"lie on \['cpu', 'meta'\]; expected one device"):
        Networks([networks.weights[0].to("meta"), *networks.weights[1:]], networks.biases, range(3))


@refuses(
    (lambda: initialise((2, 1), (0,), device="gpu"), ValueError, "device is 'gpu'; expected a dev"),
    (lambda: initialise((2, 1), (0,), device="cuda:99"), ValueError, "device is 'cuda:99'"),
    (lambda: draws.untrained((2, 1), 1, 1, device=3), TypeError, "device is 3; expected a device"),
    (lambda: checks.device("place", None), TypeError, "place is None"),
)
def test_a_device_that_is_not_there_is_refused(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@needs_a_gpu
@pytest.mark.parametrize("widths, problem", SHAPES)
@pytest.mark.parametrize("batch_size", [8, None])
@pytest.mark.parametrize("optimiser", ["adam", "sgd", "momentum", "sign_sgd"])
def test_training_on_a_gpu_equals_the_cpu(widths, problem, batch_size, optimiser):
    recipe = replace(FEW, optimiser=optimiser, batch_size=batch_size, learning_rate=0.003,
                     epsilon=1e-4)
    here = train(initialise(widths, range(3)), problem, recipe, loss_every=1, snapshots=3)
    there = train(initialise(widths, range(3), device="cuda"), problem, recipe, loss_every=1,
                  snapshots=3)
    assert there.networks.device.type == there.losses.device.type == "cuda"
    assert (there.losses.cpu() - here.losses).abs().max() < 1e-5
    assert there.first_below(0.5).tolist() == here.first_below(0.5).tolist()
    for one, other in zip(here.snapshots, there.snapshots, strict=True):
        assert furthest(one, other.cpu()) < 1e-4


@needs_a_gpu
@pytest.mark.parametrize("widths, problem", SHAPES)
@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("compensation", COMPENSATIONS)
def test_pruning_on_a_gpu_equals_the_cpu(widths, problem, criterion, compensation):
    here, there = (initialise(widths, range(3), device=device) for device in ("cpu", "cuda"))
    kept = choose(here, problem, criterion, 0.4)
    assert all(map(torch.equal, kept, (stay.cpu() for stay in
                                       choose(there, problem, criterion, 0.4))))
    found = prune(there, [stay.cuda() for stay in kept], problem, compensation)
    assert found.device.type == "cuda"
    assert furthest(prune(here, kept, problem, compensation), found.cpu()) < 1e-4


@needs_a_gpu
def test_a_square_on_a_gpu_equals_the_cpu():
    recipe = replace(FEW, learning_rate=0.003, epsilon=1e-4)
    found = {}
    for device in ("cpu", "cuda"):
        initial = draws.untrained((2, 7, 5, 1), 1, 6, device=device)[0]
        square = commute(initial, MOONS, recipe, "std", 0.4, fine_tune_steps=5)
        a, b, x = square.train_first, square.prune_first, plane(MOONS)
        floor = noise_floor(initial, MOONS, recipe)[0]
        reached = train(initial, MOONS, replace(recipe, steps=10))
        late = prune_during(reached, [square.kept], [10], MOONS, recipe, optimiser_state="kept")
        found[device] = [*draws.accuracies([a, b], [MOONS] * 2),
                         *draws.disagreements([a], [b], [MOONS]),
                         *draws.role_shares([a], [b], [MOONS]),
                         *draws.dead_shares([a], [MOONS]),
                         function_distance(a, b, x).cpu(),
                         disagreement(floor, square.dense, x).cpu(),
                         same_roles(a, square.fine_tuned, MOONS.x_test)[0].cpu(),
                         barrier(a, b, MOONS.x_test, MOONS.y_test).cpu(),
                         accuracy(late.networks, MOONS.x_test, MOONS.y_test).cpu()]
    for here, there in zip(*found.values(), strict=True):
        np.testing.assert_allclose(np.asarray(here), np.asarray(there), atol=2e-3)
