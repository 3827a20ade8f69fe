"""Node matching, barrier and CKA against slow oracles."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from examples import MOONS, double, tiny
from helpers.compare import barrier, cka, loss, match_nodes
from helpers.networks import Networks
from strategies import tries

X, Y = MOONS.x_test, MOONS.y_test
A, B = double(tiny(3)), double(tiny(3, scheme="he_uniform"))


def permuted(networks, order):
    """The same functions with the nodes of hidden layer 0 in another order per network."""
    w, b, rows = list(networks.weights), list(networks.biases), torch.arange(len(networks))[:, None]
    w[0], b[0] = w[0][rows, order], b[0][rows, order]
    w[1] = w[1].mT[rows, order].mT
    return Networks(w, b, networks.seeds)


@tries(15)
@given(st.integers(0, 10**6))
def test_a_known_permutation_is_recovered(seed):
    generator = torch.Generator().manual_seed(seed)
    networks = double(tiny(2, (2, 7, 5, 1)))
    x = 3 * torch.randn(80, 2, generator=generator)
    order = torch.stack([torch.randperm(7, generator=generator) for _ in range(2)])
    shuffled = permuted(networks, order)
    torch.testing.assert_close(shuffled(x), networks(x))
    (first, correlation), (second, others) = match_nodes(networks, shuffled, x)
    alive = networks.activations(x)[0].std(1) > 0
    assert torch.equal(first[alive], order.argsort(1)[alive])
    torch.testing.assert_close(correlation, alive.double())
    assert torch.equal(second[others > 0.5], torch.arange(5).repeat(2, 1)[others > 0.5])


def test_matching_is_the_best_assignment_of_correlations():
    for layer, (partner, correlation) in enumerate(match_nodes(A, B, X)):
        for i in range(3):
            p, q = (n.activations(X)[layer][i].detach().numpy() for n in (A, B))
            p, q = p - p.mean(0), q - q.mean(0)
            norms = np.linalg.norm(p, axis=0)[:, None] * np.linalg.norm(q, axis=0)
            table = np.divide(p.T @ q, norms, out=np.zeros_like(norms), where=norms > 0)
            rows, columns = linear_sum_assignment(table, maximize=True)
            assert correlation[i].sum().item() == pytest.approx(table[rows, columns].sum())
            np.testing.assert_allclose(correlation[i], table[rows, partner[i]], atol=1e-12)
            assert sorted(partner[i].tolist()) == list(rows)


def test_the_barrier_is_the_largest_excess_on_the_line():
    assert barrier(A, A, X, Y).abs().max() < 1e-12
    shares = np.linspace(0, 1, 5)
    on_line = np.array([[loss(Networks([(1 - s) * p + s * q for p, q in
                                        zip(A.weights, B.weights, strict=True)],
                                       [(1 - s) * p + s * q for p, q in
                                        zip(A.biases, B.biases, strict=True)], range(3)),
                              X, Y)[i].item() for s in shares] for i in range(3)])
    chord = np.outer(on_line[:, 0], 1 - shares) + np.outer(on_line[:, -1], shares)
    np.testing.assert_allclose(barrier(A, B, X, Y, 5), (on_line - chord).max(1), atol=1e-12)


def test_cka_is_the_alignment_of_centred_kernels():
    for layer, value in enumerate(cka(A, B, X)):
        for i in range(3):
            p, q = (n.activations(X)[layer][i].detach().numpy() for n in (A, B))
            centre = np.eye(len(X)) - 1 / len(X)
            k, m = (centre @ z @ z.T @ centre for z in (p, q))
            expected = (k * m).sum() / np.linalg.norm(k) / np.linalg.norm(m)
            assert value[i].item() == pytest.approx(expected, rel=1e-9)


def test_cka_sees_neither_order_nor_scale_and_is_zero_for_constants():
    order = torch.stack([torch.randperm(7) for _ in range(3)])
    for other in A, permuted(A, order), Networks([5 * w for w in A.weights],
                                                 [5 * b for b in A.biases], A.seeds):
        torch.testing.assert_close(cka(A, other, X)[0], torch.ones(3).double())
    dead = Networks(A.weights, [b - 99 for b in A.biases], A.seeds)
    assert all((value == 0).all() for value in cka(A, dead, X))
