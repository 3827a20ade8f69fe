"""Dead nodes can go before or after training alike; constant ones can not."""

from dataclasses import replace

import pytest
import torch

from examples import FEW, MOONS, double, furthest, tiny
from helpers.pruning import COMPENSATIONS, dead, everything, linear, prune
from helpers.training import train

X = MOONS.x_train


def with_layer_0(bias=None, weight=None, nodes=(0, 2, 3)):
    """Networks (float64) some of whose first nodes get another bias or weight."""
    networks = double(tiny(3))
    with torch.no_grad():
        if weight is not None:
            networks.weights[0][:, nodes] = weight
        networks.biases[0][:, nodes] = bias
    kept = torch.tensor([n for n in range(7) if n not in nodes]).repeat(3, 1)
    return networks, (kept, everything(networks)[1])


@pytest.mark.parametrize("compensation", COMPENSATIONS)
@pytest.mark.parametrize("optimiser", ["adam", "momentum"])
def test_pruning_dead_nodes_commutes_with_training(compensation, optimiser):
    """A node with bias -10 gives 0 at every point, so no gradient ever reaches it."""
    networks, kept = with_layer_0(bias=-10)
    recipe = replace(FEW, optimiser=optimiser)
    after = prune(train(networks, MOONS, recipe).networks, kept, MOONS, compensation)
    before = train(prune(networks, kept, MOONS, compensation), MOONS, recipe).networks
    assert dead(networks, X)[0][:, [0, 2, 3]].all()
    assert furthest(after, before) < 1e-10
    assert furthest(prune(networks, kept, MOONS), before) > 1e-2, "nothing was trained"


def test_constant_nodes_can_go_but_do_not_commute_with_training():
    """A constant node is replaced exactly at first, yet it would have been trained."""
    networks, kept = with_layer_0(bias=0.5, weight=0)
    torch.testing.assert_close(prune(networks, kept, MOONS)(MOONS.x_test), networks(MOONS.x_test))
    after = prune(train(networks, MOONS, FEW).networks, kept, MOONS)
    before = train(prune(networks, kept, MOONS), MOONS, FEW).networks
    assert (after(X) - before(X)).abs().amax(1).min() > 1e-3


def test_linear_compensation_does_not_fit_the_rounding_of_collinear_nodes():
    generator = torch.Generator().manual_seed(0)
    node, removed = torch.rand(2, 1, 50, 1, generator=generator)
    slope, _ = linear(torch.cat([node, node / 3], 2), removed)
    assert slope.abs().max() < 1


def test_linear_compensation_is_stable_and_exact_for_duplicates_and_dead_nodes():
    networks = tiny(3)
    with torch.no_grad():
        for node in 1, 2:  # 1 and 2 repeat node 0, 3 is twice node 0, 4 and 5 are dead
            networks.weights[0][:, node] = networks.weights[0][:, 0]
            networks.biases[0][:, node] = networks.biases[0][:, 0]
        networks.weights[0][:, 3] = 2 * networks.weights[0][:, 0]
        networks.biases[0][:, 3] = 2 * networks.biases[0][:, 0]
        networks.biases[0][:, 4:6] = -10
    kept = (torch.tensor([0, 1, 4, 6]).repeat(3, 1), everything(networks)[1])
    pruned = prune(networks, kept, MOONS, "linear")
    torch.testing.assert_close(pruned(MOONS.x_test), networks(MOONS.x_test), rtol=1e-5, atol=1e-5)
    limit = 4 * max(weight.abs().max() for weight in networks.weights)
    assert max(weight.abs().max() for weight in pruned.weights) < limit
