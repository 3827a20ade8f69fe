"""Estimates equal derivatives of the loss along the replacement, and the loss where it is small."""

import pytest
import torch

from examples import MOONS, double, louder, three_classes, tiny
from helpers.criteria import oracle
from helpers.estimates import first_order, second_order
from helpers.losses import point_losses
from helpers.networks import Networks

CASES = [(louder(double(tiny(2, widths)), 2), problem) for widths, problem in (
    ((2, 6, 4, 1), MOONS), ((2, 6, 4, 2), MOONS), ((4, 5, 4, 3), three_classes()))]
cases = pytest.mark.parametrize("networks, problem", CASES)


def along(networks, problem, layer, node):
    """Return the mean loss as a function of how far a node has come to its mean, 0 to 1."""
    outputs = networks.activations(problem.x_train)[layer].detach()
    way = torch.zeros_like(outputs)
    way[..., node] = outputs[..., node].mean(1, keepdim=True) - outputs[..., node]

    def mean_loss(share):
        moved = outputs + share[:, None, None] * way
        return point_losses(networks.logits_from(layer, moved), problem.y_train).mean(1)

    return mean_loss


def nodes(networks):
    return [(layer, node) for layer, width in enumerate(networks.widths[1:-1])
            for node in range(width)]


@cases
def test_they_are_the_derivatives_by_autograd(networks, problem):
    first, second = first_order(networks, problem), second_order(networks, problem)
    for layer, node in nodes(networks):
        share = torch.zeros(2, dtype=torch.double, requires_grad=True)
        mean_loss = along(networks, problem, layer, node)(share).sum()
        slope, = torch.autograd.grad(mean_loss, share, create_graph=True)
        bend, = torch.autograd.grad(slope.sum(), share)
        torch.testing.assert_close(first[layer][:, node], slope.detach())
        torch.testing.assert_close(second[layer][:, node], slope.detach() + bend / 2)
    assert any((values < -1e-4).any() for values in first), "an estimate may be negative"


@cases
def test_they_are_finite_differences(networks, problem):
    """Second differences where they are settled: no gate switches within the steps."""
    first, second = first_order(networks, problem), second_order(networks, problem)
    settled = 0
    for layer, node in nodes(networks):
        mean_loss = along(networks, problem, layer, node)
        losses = {step: mean_loss(torch.full((2,), step, dtype=torch.double)).detach()
                  for step in (-2e-4, -1e-4, 0, 1e-4, 2e-4)}
        slope = (losses[1e-4] - losses[-1e-4]) / 2e-4
        bend, wider = ((losses[step] - 2 * losses[0] + losses[-step]) / step**2
                       for step in (1e-4, 2e-4))
        same = (bend - wider).abs() < 1e-3 * bend.abs() + 1e-6
        settled += same.sum()
        torch.testing.assert_close(first[layer][same, node], slope[same], rtol=1e-4, atol=1e-6)
        estimate = slope + bend / 2
        torch.testing.assert_close(second[layer][same, node], estimate[same], rtol=1e-3, atol=1e-5)
    assert settled > 10


@cases
def test_first_order_is_minus_the_covariance_of_gradient_and_output(networks, problem):
    for layer, values in enumerate(first_order(networks, problem)):
        outputs = networks.activations(problem.x_train)[layer].detach().requires_grad_()
        loss = point_losses(networks.logits_from(layer, outputs), problem.y_train).sum()
        gradient = torch.autograd.grad(loss, outputs)[0]
        covariance = (gradient * outputs).mean(1) - gradient.mean(1) * outputs.mean(1)
        torch.testing.assert_close(values, -covariance.detach())


@cases
def test_the_error_falls_with_the_square_and_the_cube_of_a_small_effect(networks, problem):
    """Nodes of the last hidden layer, their outgoing weights made small and then half of it."""
    def errors(scale):
        weights = [*networks.weights[:-1], networks.weights[-1] * scale]
        uneven = torch.eye(networks.widths[-1])[0]  # third derivatives are 0 at even chances
        small = Networks(weights, [*networks.biases[:-1], uneven.double().repeat(2, 1)],
                         networks.seeds)
        exact = oracle(small, problem)[-1]
        return [(exact - estimate(small, problem)[-1]).detach()
                for estimate in (first_order, second_order)]

    for power, whole, half in zip((2, 3), errors(0.04), errors(0.02), strict=True):
        large = whole.abs() > 1e-10
        assert large.sum() >= 4
        expected = torch.full_like(whole[large], 2.0**power)
        torch.testing.assert_close(whole[large] / half[large], expected, rtol=0.2, atol=0)


def test_one_logit_is_the_difference_of_two():
    two, problem = CASES[1]
    one = Networks([*two.weights[:-1], two.weights[-1].diff(dim=1)],
                   [*two.biases[:-1], two.biases[-1].diff(dim=1)], two.seeds)
    for estimate in first_order, second_order:
        for a, b in zip(estimate(one, problem), estimate(two, problem), strict=True):
            torch.testing.assert_close(a, b)


def test_dead_nodes_have_no_effect():
    networks = double(tiny(2, (2, 6, 4, 1)))
    networks.biases[0].data[:, 3] = -100
    for estimate in first_order, second_order:
        assert (estimate(networks, MOONS)[0][:, 3] == 0).all()
