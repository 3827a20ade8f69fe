"""The loss equals PyTorch's cross-entropy and keeps its digits at large margins."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from examples import refuses
from helpers.losses import point_losses
from strategies import tries

logits = st.floats(-30, 30)
CUT = 3e-9  # PyTorch's softplus(x) is x above 20, where log(1 + exp(-x)) is at most this


@tries(50)
@given(arrays(float, (2, 4), elements=logits), arrays(np.int64, 4, elements=st.integers(0, 1)))
def test_one_logit_is_the_binary_cross_entropy(z, y):
    z, y = torch.from_numpy(z), torch.from_numpy(y)
    expected = binary_cross_entropy_with_logits(z, y.double().expand(2, 4), reduction="none")
    torch.testing.assert_close(point_losses(z, y), expected, rtol=1e-12, atol=CUT)


@tries(50)
@given(arrays(float, (2, 4, 3), elements=logits), arrays(np.int64, 4, elements=st.integers(0, 2)))
def test_many_logits_are_the_cross_entropy(z, y):
    z, y = torch.from_numpy(z), torch.from_numpy(y)
    expected = cross_entropy(z.flatten(0, 1), y.repeat(2), reduction="none").view(2, 4)
    torch.testing.assert_close(point_losses(z, y), expected, rtol=1e-9, atol=CUT)


def test_labels_may_differ_between_networks():
    z, y = torch.randn(2, 5, 3, dtype=torch.double), torch.tensor([[0, 1, 2, 0, 1], [2] * 5])
    expected = torch.stack([cross_entropy(*pair, reduction="none")
                            for pair in zip(z, y, strict=True)])
    torch.testing.assert_close(point_losses(z, y), expected)


@pytest.mark.parametrize("margin", [50.0, 65.0, 80.0])
def test_the_loss_keeps_its_digits_where_log_softmax_gives_zero(margin):
    """At margin m two equal logits below the true one cost log(1 + 2 exp(-m))."""
    z, y = torch.tensor([[[margin, 0.0, 0.0]]]), torch.tensor([0])
    assert cross_entropy(z[0], y) == 0
    torch.testing.assert_close(point_losses(z, y).double(),
                               torch.tensor([[2 * np.exp(-margin)]]), rtol=1e-5, atol=0)
    torch.testing.assert_close(point_losses(z[..., 0], y + 1).double(),
                               torch.tensor([[np.exp(-margin)]]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("margin", [100.0, 200.0, 700.0])
def test_double_precision_reaches_further(margin):
    z = torch.tensor([[margin, -margin]], dtype=torch.double)
    small, large = point_losses(z, torch.tensor([1, 1]))[0]
    assert small == pytest.approx(np.exp(-margin), rel=1e-9)
    assert large == pytest.approx(margin)


@refuses(
    (lambda: point_losses(torch.zeros(2, 3), torch.zeros(4).long()), ValueError,
     r"y has shape \(4,\) for logits \(2, 3\)"),
    (lambda: point_losses(torch.zeros(2, 3, 2), torch.zeros(1).long()), ValueError,
     r"y has shape \(1,\)"),
    (lambda: point_losses(torch.zeros(3), torch.zeros(3).long()), ValueError, r"logits \(3,\)"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def slopes(logits, y):
    """Return the gradients of the loss at many logits (1, points, classes or none)."""
    logits = logits.requires_grad_()
    return torch.autograd.grad(point_losses(logits, y).sum(), logits)[0][0]


def test_one_logit_changes_the_loss_by_at_most_itself():
    z = torch.linspace(-30, 30, 2001, dtype=torch.double)[None]
    slope = slopes(z, torch.ones(2001).long()).abs()
    assert (slope <= 1).all() and slope.max() > 1 - 1e-12


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_logits_change_the_loss_by_at_most_root_two_of_their_norm(classes):
    """And by at most 2 of the largest, by at most the largest change against the true one."""
    generator = torch.Generator().manual_seed(classes)
    z = 6 * torch.randn(1, 5000, classes, generator=generator, dtype=torch.double)
    y = torch.randint(classes, (5000,), generator=generator)
    slope = slopes(z.clone(), y)
    norms, sums = slope.norm(dim=1), slope.abs().sum(1)
    assert (norms <= 2**0.5 + 1e-12).all() and norms.max() > 0.999 * 2**0.5
    assert (sums <= 2 + 1e-12).all() and sums.max() > 1.999
    change = torch.randn(z.shape, generator=generator, dtype=torch.double)
    losses = (point_losses(z + change, y) - point_losses(z, y))[0]
    against = change[0] - change[0].gather(1, y[:, None])
    spread = change[0].amax(1) - change[0].amin(1)
    assert (losses <= against.amax(1) + CUT).all()
    assert (losses.abs() <= against.abs().amax(1) + CUT).all()
    assert (losses.abs() / spread).max() > 0.9 and (spread <= 2**0.5 * change[0].norm(dim=1)).all()
