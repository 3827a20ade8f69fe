"""What pruning does: margins, logits of mean 0, and intervals that hold at every point."""

import pytest
import torch

from examples import MOONS, double, louder, refuses, three_classes, tiny
from helpers.change import change_of, whole_at, with_centred_logits
from helpers.losses import point_losses
from helpers.pruning import choose
from helpers.replacements import fresh_fits, fresh_means

THREE = three_classes()
CASES = [(tiny(3, (2, 8, 7, 6, 1)), MOONS), (tiny(3, (2, 8, 7, 2)), MOONS),
         (louder(tiny(3, (4, 8, 7, 6, 3)), 2), THREE)]
cases = pytest.mark.parametrize("networks, problem", CASES)


def changed(networks, problem, layers=None, stand_in=fresh_means):
    kept = choose(networks, problem, "random", 0.5, layers)
    return change_of(networks, kept, problem, stand_in, (problem.x_test, problem.y_test))


@cases
def test_centred_logits_change_no_loss_and_have_mean_zero(networks, problem):
    centred = with_centred_logits(networks)
    logits = centred(problem.x_test)
    assert logits.dtype == torch.double and logits.shape[2] == max(2, networks.widths[-1])
    torch.testing.assert_close(logits.sum(2), torch.zeros_like(logits[..., 0]))
    torch.testing.assert_close(point_losses(logits, problem.y_test),
                               point_losses(double(networks)(problem.x_test), problem.y_test))
    assert networks.weights[0].dtype == torch.float32


@cases
def test_margins_and_losses_of_the_whole_networks(networks, problem):
    change, logits = changed(networks, problem), with_centred_logits(networks)(problem.x_test)
    right = change.whole.margins > 0
    torch.testing.assert_close(right, logits.argmax(2) == problem.y_test)
    ordered = logits.sort(2).values
    torch.testing.assert_close(change.whole.margins[right],
                               (ordered[..., -1] - ordered[..., -2])[right])
    torch.testing.assert_close(change.whole.losses,
                               point_losses(logits, problem.y_test))


def losses_to_others(change):
    """Return what each label loses to every other one, (networks, points, others), by pruning."""
    moved = change.pruned - change.whole.inputs[-1]
    labels = change.whole.y.tolist()
    return torch.stack([moved[:, n, [k for k in range(moved.shape[2]) if k != label]]
                        - moved[:, n, [label]] for n, label in enumerate(labels)], 1)


@cases
@pytest.mark.parametrize("stand_in", [fresh_means, fresh_fits])
def test_no_label_loses_more_than_the_intervals_say(networks, problem, stand_in):
    change = changed(networks, problem, stand_in=stand_in)
    loses, (either, lost) = losses_to_others(change), change.differences()
    assert (loses.amax(2) <= lost + 1e-12).all() and (lost <= either).all()
    assert (loses.abs().amax(2) <= either + 1e-12).all()
    assert (loses.amax(2) < lost - 1e-3).any(), "gates switch"


@cases
def test_behind_the_last_hidden_layer_the_intervals_are_what_happens(networks, problem):
    change = changed(networks, problem, [len(networks.widths) - 3])
    loses, (either, lost) = losses_to_others(change), change.differences()
    torch.testing.assert_close(lost, loses.amax(2))
    torch.testing.assert_close(either, loses.abs().amax(2))
    assert (lost < 0).any(), "some labels gain"


@cases
def test_deviations_are_of_removed_nodes_alone(networks, problem):
    change = changed(networks, problem)
    outputs = double(networks).activations(problem.x_test)
    for mask, layer, deviations in zip(change.gone, outputs, change.deviations, strict=True):
        assert (deviations.mT[~mask] == 0).all() and (deviations.mT[mask] != 0).any()
        held = (deviations + layer).mT[mask]  # at one value
        torch.testing.assert_close(held, held[:, :1].expand_as(held))


A, POINTS = tiny(), (MOONS.x_test, MOONS.y_test)
HALF = choose(A, MOONS, "random", 0.5)


def at(x=POINTS[0], y=POINTS[1]):
    return lambda: whole_at(A, MOONS, (x, y))


@refuses(
    (lambda: whole_at("nets", MOONS, POINTS), TypeError, "networks is str; expected Networks"),
    (lambda: whole_at(A, THREE, POINTS), ValueError, "problem.x_train has 4 features; expected 2"),
    (lambda: whole_at(tiny(1, (2, 1)), MOONS, POINTS), ValueError, r"\(2, 1\); expected a hidden"),
    (lambda: whole_at(A, MOONS, POINTS[0]), TypeError, r"points is tensor\(.*; expected a pair of"),
    (at(THREE.x_test), ValueError, "x has 4 features; expected 2"),
    (at(POINTS[0] / 0), ValueError, "x holds NaN or infinite values"),
    (at(y=POINTS[1][:3]), ValueError, r"y has shape \(3,\); expected \(40,\), one per point"),
    (at(y=POINTS[1] + 1), ValueError, "y holds labels from 1 to 2; expected 0 to 1"),
    (lambda: change_of(A, HALF[:1], MOONS, fresh_means, POINTS), ValueError, "kept has 1 layers"),
    (lambda: change_of(A, HALF, MOONS, fresh_means, POINTS[:1]), TypeError, r"points is \(tensor"),
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
