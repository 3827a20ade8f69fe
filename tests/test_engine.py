"""The gradient by hand equals autograd's, for every depth, width and number of logits."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from examples import double, parameters, same_bits, tiny
from helpers.engine import Engine

WIDTHS = [(2, 1), (3, 4, 1), (2, 7, 5, 1), (5, 3, 8, 2, 6, 1), (2, 6, 2), (2, 1, 1), (4, 6, 3),
          (3, 9, 4, 7, 10)]


def batch(networks, samples, seed=0):
    """Inputs (networks, samples, features) and labels of every network's own batch."""
    generator = torch.Generator().manual_seed(seed)
    features, *_, logits = networks.widths
    x = torch.randn(len(networks), samples, features, generator=generator).to(networks.weights[0])
    y = torch.randint(max(2, logits), (len(networks), samples), generator=generator)
    return x, y, y[..., None] if logits == 1 else one_hot(y, logits)


def oracle(network, x, y):
    """Loss and gradients of one network at its batch, by autograd through plain modules."""
    module = network.to_sequential(0)
    logits = module(x)
    loss = (binary_cross_entropy_with_logits(logits[:, 0], y.to(logits))
            if logits.shape[1] == 1 else cross_entropy(logits, y))
    return loss, torch.autograd.grad(loss, list(module.parameters()))


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("count, samples", [(1, 1), (3, 9), (2, 40)])
def test_gradient_and_loss_equal_autograd(widths, count, samples):
    networks = double(tiny(count, widths))
    x, y, targets = batch(networks, samples)
    engine = Engine(networks, samples)
    for _ in range(2):  # the second call must not add to the first
        engine.backward(x.mT, targets.to(x).mT)
    for i in range(count):
        loss, gradients = oracle(networks.select(i), x[i], y[i])
        assert engine.losses(y)[i].item() == pytest.approx(loss.item(), rel=1e-12)
        own = [own for pair in engine.gradients for own in (pair[0][i], pair[1][i, :, 0])]
        for gradient, expected in zip(own, gradients, strict=True):
            torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-13)


def test_huge_logits_give_a_finite_gradient():
    networks = tiny(2, (4, 6, 3))
    for weight in networks.weights:
        weight.data *= 100
    x, y, targets = batch(networks, 9)
    engine = Engine(networks, 9)
    engine.backward(x.mT, targets.to(x).mT)
    for i in range(2):
        _, gradients = oracle(networks.select(i), x[i], y[i])
        torch.testing.assert_close(engine.gradients[0][0][i], gradients[0], rtol=1e-4, atol=1e-4)


def test_a_node_at_exactly_zero_passes_no_gradient():
    """ReLU's derivative at 0 is 0, as in PyTorch: such a node is never updated."""
    networks = tiny(1, (2, 3, 1))
    networks.weights[0].data[0, 1] = 0
    networks.biases[0].data[0, 1] = 0
    x, _, targets = batch(networks, 9)
    engine = Engine(networks, 9)
    engine.backward(x.mT, targets.to(x).mT)
    weight, bias = engine.gradients[0]
    assert (weight[0, 1] == 0).all() and bias[0, 1] == 0 and (weight[0] != 0).any()


def test_padding_stays_zero_and_views_cover_the_buffer():
    networks = tiny(3, (2, 7, 5, 1))
    engine = Engine(networks, 9)
    x, _, targets = batch(networks, 9)
    engine.backward(x.mT, targets.to(x).mT)
    total = sum(view.numel() for pair in engine.gradients for view in pair)
    assert total == 3 * (2 * 7 + 7 + 7 * 5 + 5 + 5 + 1)
    assert (engine.parameters.grad != 0).sum() <= total
    inside = sum((view != 0).sum() for pair in engine.gradients for view in pair)
    assert (engine.parameters.grad != 0).sum() == inside


def test_networks_go_in_and_out_unchanged():
    networks = tiny(3)
    engine = Engine(networks, 4)
    assert same_bits(engine.copy_networks(), networks)
    copied = engine.copy_networks()
    engine.parameters.data += 1
    assert same_bits(copied, networks), "the copy moved with the engine"
    moved = engine.copy_networks()
    assert all(map(torch.equal, parameters(moved), (p + 1 for p in parameters(networks))))
