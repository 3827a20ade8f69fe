"""Distances between functions against scikit-learn and NumPy; what may be compared."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss

from examples import MOONS, double, refuses, three_classes, tiny
from helpers.compare import (
    accuracy,
    barrier,
    box,
    check_plane,
    cka,
    classify,
    disagreement,
    function_distance,
    loss,
    match_nodes,
    plane,
    probabilities,
)
from helpers.networks import Networks

THREE = three_classes()
X, Y = MOONS.x_test, MOONS.y_test
A, B = double(tiny(3)), Networks([2 * w for w in double(tiny(3, scheme="he_uniform")).weights],
                                 double(tiny(3)).biases, range(3))


def test_the_plane_runs_row_by_row_from_the_lower_left():
    grid, half = plane(MOONS, 5), 1.2 * MOONS.x_train.abs().max().item()
    steps = np.linspace(-half, half, 5)
    np.testing.assert_allclose(grid[:5, 0], steps, rtol=1e-6)
    np.testing.assert_allclose(grid[:5, 1], -half, rtol=1e-6)
    np.testing.assert_allclose(grid[::5, 1], steps, rtol=1e-6)
    np.testing.assert_allclose(grid[::5, 0], -half, rtol=1e-6)
    assert plane(MOONS).shape == (10000, 2)


@pytest.mark.parametrize("networks, problem", [
    (A, MOONS), (double(tiny(2, (2, 5, 2))), MOONS), (double(tiny(3, (4, 6, 3))), THREE)])
def test_probabilities_accuracy_and_loss_equal_scikit_learn(networks, problem):
    x, y = problem.x_test, problem.y_test
    found, chances = classify(networks, x), probabilities(networks, x)
    for i in range(len(networks)):
        logits = networks.to_sequential(i)(x.double()).detach().numpy()
        logits = logits if logits.shape[1] > 1 else np.hstack([0 * logits, logits])
        expected = softmax(logits, axis=1)
        np.testing.assert_allclose(chances[i], expected, rtol=1e-9)
        assert (found[i].numpy() == expected.argmax(1)).all()
        assert accuracy(networks, x, y)[i].item() == pytest.approx(accuracy_score(y, found[i]))
        expected = log_loss(y, expected, labels=range(problem.classes))
        assert loss(networks, x, y)[i].item() == pytest.approx(expected, rel=1e-9)


def test_disagreement_and_function_distance_by_hand():
    for i in range(3):
        p, q = (1 / (1 + np.exp(-n(X)[i].detach().numpy())) for n in (A, B))
        assert disagreement(A, B, X)[i].item() == pytest.approx(np.mean((p > 0.5) != (q > 0.5)))
        # both classes of two differ alike
        expected = np.sqrt(np.mean((p - q) ** 2))
        assert function_distance(A, B, X)[i].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("distance", [disagreement, function_distance])
def test_distances_are_of_pairs(distance):
    there = distance(A, B, X)
    assert (there > 0).any()
    assert torch.equal(distance(A.select([2, 0]), B.select([2, 0]), X), there[[2, 0]])


def test_opposite_certain_networks_are_at_distance_one():
    one, other = (Networks([torch.zeros(1, 1, 2)], [torch.full((1, 1), z)], [0])
                  for z in (90.0, -90.0))
    assert function_distance(one, other, X) == 1 == disagreement(one, other, X)


ONE = tiny(3, (2, 4, 3, 1))


@refuses(
    (lambda: plane(THREE), ValueError, "problem three has 4 features; expected 2"),
    (lambda: plane(X), TypeError, "problem is Tensor"),
    (lambda: box(THREE), ValueError, "problem three has 4 features; expected 2"),
    (lambda: check_plane(THREE), ValueError, "problem three has 4 features; expected 2: compare"),
    (lambda: check_plane(X), TypeError, "problem is Tensor; expected a Problem"),
    (lambda: plane(MOONS, 1), ValueError, "resolution is 1"),
    (lambda: classify(A, X[:, :1]), ValueError, "x has 1 features; expected 2"),
    (lambda: probabilities(A, X / 0), ValueError, "x holds NaN"),
    (lambda: accuracy(A, X, Y[:1]), ValueError, r"y has shape \(1,\); expected \(40,\)"),
    (lambda: accuracy(A, X, Y.float()), TypeError, "y is torch.float32; expected int64"),
    (lambda: loss(A, X, Y + 1), ValueError, "y holds labels from 1 to 2; expected 0 to 1"),
    (lambda: loss(A, X[:0], Y[:0]), ValueError, r"x has shape \(0, 2\)"),
    (lambda: disagreement(A, A.select([1, 0, 2]), X), ValueError, r"b has seeds \(1, 0, 2\)"),
    (lambda: disagreement(A, tiny(3, (2, 4, 3)), X), ValueError, "b tells 3 classes apart"),
    (lambda: function_distance(A, tiny(3, (2, 4, 3)), X), ValueError, "expected 2, as a does"),
    (lambda: function_distance(A, tiny(2), X), ValueError, r"b has seeds \(0, 1\); expected"),
    (lambda: function_distance("a", A, X), TypeError, "a is str; expected Networks"),
    (lambda: match_nodes(A, ONE, X), ValueError, r"b has widths \(2, 4, 3, 1\)"),
    (lambda: match_nodes(A, tiny(2), X), ValueError, "b has seeds"),
    (lambda: barrier(A, ONE, X, Y), ValueError, "b has widths"),
    (lambda: barrier(A, B, X, Y, 2), ValueError, "points is 2"),
    (lambda: cka(A, tiny(3, (2, 4, 1)), X), ValueError, "expected as many layers as a"),
    (lambda: cka(A, tiny(1), X), ValueError, "b has seeds"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_widths_may_differ_where_only_functions_are_compared():
    assert disagreement(A, double(ONE), X).shape == (3,)
    assert len(cka(A, double(ONE), X)) == 2
    assert replace(MOONS, name="other").features == 2
