"""LipSDP: against a solver of semidefinite programs, closed forms, and the proof it must pass."""

import cvxpy
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from examples import MOONS, double, refuses, tiny
from helpers import lipsdp
from helpers.lipsdp import certified, lipschitz_bound, mean_square_bound, norm_product
from helpers.networks import Networks
from helpers.recipes import Recipe
from helpers.training import train
from strategies import tries

WIDTHS = [(2, 6, 1), (2, 5, 4, 1), (3, 6, 5, 2)]


@pytest.fixture(scope="module")
def trained():
    """Networks with dead nodes, small and large ones."""
    return train(tiny(4, (2, 12, 12, 1)), MOONS, Recipe(learning_rate=0.05, steps=300)).networks


def layers(networks, layer=None):
    """The weights after a hidden layer, or all."""
    after = 0 if layer is None else layer + 1
    return [weight.detach().double() for weight in networks.weights[after:]]


def with_weights(networks, weights) -> Networks:
    return Networks(weights, [bias.double() for bias in networks.biases], networks.seeds)


def inequality(weights, multipliers, first):
    """The whole matrix of the linear matrix inequality for one network, for cvxpy or NumPy."""
    sizes = [weight.shape[1] for weight in weights]
    blocks = [[np.zeros((row, column)) for column in sizes] for row in sizes]
    blocks[0][0] = first
    for k, values in enumerate(multipliers):
        diagonal = cvxpy.diag(values)
        blocks[k + 1][k + 1] = 2 * diagonal
        blocks[k + 1][k] = -(diagonal @ weights[k])
        blocks[k][k + 1] = blocks[k + 1][k].T
    blocks[-1][-1] = blocks[-1][-1] - weights[-1].T @ weights[-1]
    return cvxpy.bmat(blocks)


def solved(weights, moment=None):
    """The least L^2, or tr(X moment), and its multipliers, by an interior point method."""
    weights = [weight.numpy() for weight in weights]
    size = weights[0].shape[1]
    square = cvxpy.Variable() if moment is None else cvxpy.Variable((size, size), symmetric=True)
    multipliers = [cvxpy.Variable(len(weight)) for weight in weights[:-1]]
    whole = inequality(weights, multipliers, square * np.eye(size) if moment is None else square)
    least = square if moment is None else cvxpy.trace(square @ moment)
    problem = cvxpy.Problem(cvxpy.Minimize(least), [(whole + whole.T) / 2 >> 0])
    problem.solve(solver="CLARABEL", tol_gap_rel=1e-9, tol_feas=1e-9)
    assert problem.status == "optimal"
    return problem.value, [values.value for values in multipliers]


def solver_bound(networks, layer=None):
    return np.sqrt([solved([weight[i] for weight in layers(networks, layer)])[0]
                    for i in range(len(networks))])


def gates(networks, layer, count, seed=0):
    """Jacobians (networks, points, logits, nodes) from a hidden layer, or the inputs, to logits."""
    generator = torch.Generator().manual_seed(seed)
    x = 4 * torch.randn(count, networks.widths[0], generator=generator, dtype=torch.float64)
    weights, after = layers(networks, layer), 0 if layer is None else layer + 1
    product = weights[0][:, None]
    for weight, outputs in zip(weights[1:], networks.activations(x)[after:], strict=True):
        product = weight[:, None] @ ((outputs > 0)[..., None] * product)
    return product


@pytest.mark.parametrize("widths, layer, steps", [
    ((2, 6, 1), None, 300), ((2, 5, 4, 1), None, 1200), ((3, 6, 5, 2), None, 1200),
    ((3, 6, 5, 2), 0, 300), ((2, 5, 4, 3, 2), 0, 300)])
def test_the_optimum_is_the_solvers(widths, layer, steps):
    networks = double(tiny(2, widths))
    expected = solver_bound(networks, layer)
    found = lipschitz_bound(networks, layer, steps).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert (found >= expected * (1 - 1e-6)).all()
    assert (found < 0.97 * norm_product(networks, layer).numpy()).all()


@tries(12)
@given(widths=st.sampled_from([*WIDTHS, (2, 5, 4, 3, 2)]), seed=st.integers(0, 10**6),
       spread=st.floats(0, 3), steps=st.integers(0, 60), suffix=st.booleans())
def test_between_every_jacobian_and_the_product_of_norms(widths, seed, spread, steps, suffix):
    networks, generator = tiny(2, widths), torch.Generator().manual_seed(seed)
    networks = with_weights(networks, [
        weight * torch.exp(spread * torch.randn(weight.shape, generator=generator)).double()
        for weight in networks.weights])
    layer = 0 if suffix else None
    found, most = lipschitz_bound(networks, layer, steps), norm_product(networks, layer)
    slopes = torch.linalg.matrix_norm(gates(networks, layer, 200, seed), 2).amax(1)
    assert (slopes <= found * (1 + 1e-9)).all() and (found <= most).all()


def test_the_transposed_network_has_the_same_optimum():
    """Multipliers L^2 / D_k do for it what D_k does for the network; the ways there differ."""
    networks = double(tiny(4, (2, 20, 20, 1)))
    weights = [weight.mT for weight in layers(networks)[::-1]]
    biases = [torch.zeros(4, n).double() for n in (20, 20, 2)]
    transposed = Networks(weights, biases, networks.seeds)
    found = [lipschitz_bound(each) for each in (networks, transposed)]
    torch.testing.assert_close(*found, rtol=5e-3, atol=0)


def test_a_step_too_far_is_taken_back(monkeypatch):
    networks = tiny(4, (2, 6, 5, 1))
    found = lipschitz_bound(networks, steps=100)
    monkeypatch.setattr(lipsdp, "PATH", ((1, 1e-4), (0.001, 1e-4)))  # with large steps, no barrier
    assert (lipschitz_bound(networks, steps=100) / found).median() < 1.1


def test_the_product_of_norms_is_that_of_the_largest_singular_values():
    networks = tiny(3, (3, 6, 5, 2))
    for layer in None, 0, 1:
        largest = [np.linalg.svd(weight)[1][:, 0] for weight in layers(networks, layer)]
        np.testing.assert_allclose(norm_product(networks, layer), np.prod(largest, 0), rtol=1e-12)


def test_a_bound_known_by_hand():
    """|x| as two nodes: constant 1, norms multiply to 2; for x itself the optimum is 2 as well."""
    ends = torch.tensor([[1.0], [-1.0]]).expand(2, 2, 1), torch.tensor([[[1.0, 1]], [[1.0, -1]]])
    networks = Networks(ends, [torch.zeros(2, 2), torch.zeros(2, 1)], [0, 1])
    torch.testing.assert_close(norm_product(networks), torch.full((2,), 2.0).double())
    found = lipschitz_bound(networks)
    torch.testing.assert_close(found, torch.tensor([1.0, 2.0]).double(), rtol=1e-3, atol=0)
    assert found[0] > 1


@pytest.mark.parametrize("widths", WIDTHS)
def test_the_certificate_rejects_what_the_solver_cannot_reach(widths):
    weights = layers(double(tiny(1, widths)))
    square, multipliers = solved([weight[0] for weight in weights])
    multipliers = [torch.from_numpy(values)[None] for values in multipliers]
    best = torch.tensor([square]).sqrt()
    generator = torch.Generator().manual_seed(0)
    assert certified(weights, multipliers, best * (1 + 1e-4)).item()
    for spread in (0, 1e-3, 1e-2, 0.1, 1) * 20:
        near = [values * torch.exp(spread * torch.randn(values.shape, generator=generator))
                for values in multipliers]
        assert not certified(weights, near, 0.99 * best).item()


@pytest.mark.parametrize("factor", [1e-3, 1e3, 0, -1, torch.nan, torch.inf])
def test_the_certificate_rejects_infeasible_multipliers(trained, factor):
    weights = layers(trained)
    multipliers = lipsdp._optimised(weights, lipsdp._largest, 20)
    constants = norm_product(trained)
    assert certified(weights, multipliers, constants).all()
    for k in range(2):
        wrong = [values.clone() for values in multipliers]
        wrong[k][1] *= factor
        assert certified(weights, wrong, constants).tolist() == [True, False, True, True]


@tries(40)
@given(widths=st.sampled_from(WIDTHS), seed=st.integers(0, 10**6), constant=st.floats(0.01, 3))
def test_the_certificate_agrees_with_the_eigenvalues(widths, seed, constant):
    weights, generator = layers(double(tiny(1, widths))), torch.Generator().manual_seed(seed)
    multipliers = [0.1 + torch.rand(1, width, generator=generator) for width in widths[1:-1]]
    whole = inequality([weight[0].numpy() for weight in weights],
                       [values[0].numpy() for values in multipliers],
                       constant**2 * np.eye(widths[0])).value
    proven = certified(weights, multipliers, torch.tensor([constant])).item()
    least = np.linalg.eigvalsh(whole)[0]
    assert proven == (least > 0) or abs(least) < 1e-7


@pytest.mark.parametrize("name, wrong", [
    ("_optimised", lambda found: [values / 10 for values in found]),
    ("_eliminated", lambda found: (0.3 * found[0], *found[1:]))])
def test_a_mistake_of_the_optimisation_gives_what_norms_give(trained, monkeypatch, name, wrong):
    moment = torch.eye(12).double().expand(4, 12, 12)
    weights = layers(trained, 0)
    by_norms = (torch.linalg.matrix_norm(weights[0]) * torch.linalg.matrix_norm(weights[1])) ** 2
    assert (mean_square_bound(trained, 0, moment, 9) < 0.99 * by_norms).all()
    assert (lipschitz_bound(trained, steps=9) < 0.99 * norm_product(trained)).all()
    right = getattr(lipsdp, name)
    monkeypatch.setattr(lipsdp, name, lambda *given: wrong(right(*given)))
    torch.testing.assert_close(mean_square_bound(trained, 0, moment, 0), by_norms)
    assert torch.equal(lipschitz_bound(trained, steps=0), norm_product(trained))


def moments(nodes, moved, seed=0):
    """Changes (networks, points, nodes) of some nodes and their second moments."""
    changes = torch.randn(4, 300, nodes, generator=torch.Generator().manual_seed(seed)).double()
    changes = changes * torch.linspace(0.1, 3, nodes) + 0.5 * changes.mean(2, keepdim=True)
    changes[:, :, moved:] = 0
    return changes, changes.mT @ changes / 300


@pytest.mark.parametrize("moved", [12, 5, 1])
def test_the_mean_square_optimum_is_its_closed_form(trained, moved):
    """With one hidden layer between and one logit it is ((P + sqrt V) / 2)^2."""
    changes, moment = moments(12, moved)
    moment.requires_grad_()  # as those of activations do
    into, out = layers(trained, 0)
    after = into @ moment @ into.mT
    paths = (out[:, 0].abs() * after.diagonal(dim1=1, dim2=2).clamp_min(0).sqrt()).sum(1)
    together = (out @ after @ out.mT)[:, 0, 0]
    found = mean_square_bound(trained, 0, moment)
    torch.testing.assert_close(found, ((paths + together.sqrt()) / 2) ** 2, rtol=1e-6, atol=0)


@pytest.mark.parametrize("widths", [(2, 12, 12, 1), (2, 6, 5, 3), (2, 6, 5, 4, 2)])
def test_no_change_in_a_layer_does_more_than_the_mean_square_bound(widths):
    networks = double(tiny(4, widths))
    changes, moment = moments(widths[1], widths[1] // 2)
    before = networks.activations(torch.randn(300, 2).double())[0]
    logits = [networks.logits_from(0, outputs) for outputs in (before, before + changes)]
    measured = (logits[1] - logits[0]).square().reshape(4, 300, -1).sum(2).mean(1)
    found = mean_square_bound(networks, 0, moment, steps=100)
    at_once = lipschitz_bound(networks, 0, steps=100).square() * lipsdp._trace(moment)
    assert (measured <= found).all() and (found <= at_once).all()


def test_the_mean_square_optimum_is_the_solvers_for_more_layers_and_logits():
    networks = double(tiny(2, (2, 4, 4, 3, 2)))
    moment = moments(4, 3)[1][:2]
    expected = [solved([weight[i] for weight in layers(networks, 0)], moment[i].numpy())[0]
                for i in range(2)]
    found = mean_square_bound(networks, 0, moment).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_without_a_hidden_layer_it_is_the_norm(trained):
    last = layers(trained, 1)[0]
    norms = torch.linalg.matrix_norm(last, 2)
    torch.testing.assert_close(lipschitz_bound(trained, 1), norms, rtol=1e-15, atol=0)
    torch.testing.assert_close(norm_product(trained, 1), norms, rtol=1e-15, atol=0)
    assert certified([last], [], norms * (1 + 1e-6)).all()
    assert not certified([last], [], norms * (1 - 1e-6)).any()
    moment = moments(12, 7)[1]
    torch.testing.assert_close(mean_square_bound(trained, 1, moment),
                               (last @ moment @ last.mT)[:, 0, 0], rtol=1e-12, atol=0)


def rescaled(networks, scales) -> Networks:
    """The same functions, the outputs of the first hidden layer divided by scales (nodes,)."""
    first, second, *rest = layers(networks)
    biases = [networks.biases[0] / scales, *networks.biases[1:]]
    return Networks([first / scales[:, None], second * scales, *rest], biases, networks.seeds)


def test_rescaling_nodes_changes_the_product_of_norms_but_not_the_bound(trained):
    scales = torch.logspace(-1, 1, 12, dtype=torch.float64)
    same = rescaled(double(trained), scales)
    assert (norm_product(same) > 1.5 * norm_product(trained)).all()
    found = [lipschitz_bound(networks, steps=600) for networks in (trained, same)]
    torch.testing.assert_close(*found, rtol=2e-3, atol=0)


@pytest.mark.parametrize("function", [
    lambda networks, *layer: lipschitz_bound(networks, *layer, steps=40), norm_product])
def test_rescaling_a_layer_moves_the_suffix_alone(trained, function):
    same = rescaled(double(trained), torch.full((12,), 1000.0).double())
    torch.testing.assert_close(function(same), function(trained), rtol=1e-9, atol=0)
    torch.testing.assert_close(function(same, 0), 1000 * function(trained, 0), rtol=1e-9, atol=0)


def test_dead_and_unused_nodes_change_nothing():
    networks = double(tiny(3, (2, 6, 5, 1)))
    first, second, last = (weight.detach().clone() for weight in networks.weights)
    first[:, 2] = 0
    second[:, 1], second[:, :, 4] = 0, 0
    last[:, :, 3] = 0
    stay, go_on = [0, 1, 3, 5], [0, 2, 4]
    fewer = [first[:, stay], second[:, go_on][:, :, stay], last[:, :, go_on]]
    fewer = Networks(fewer, [torch.zeros(3, n).double() for n in (4, 3, 1)], networks.seeds)
    networks = with_weights(networks, [first, second, last])
    found = [lipschitz_bound(each, steps=600) for each in (networks, fewer)]
    torch.testing.assert_close(*found, rtol=1e-3, atol=0)


@pytest.mark.parametrize("place", range(3))
def test_a_layer_of_zeros_has_the_bound_zero(place):
    networks = double(tiny(2, (2, 6, 5, 2)))
    weights = [weight.detach().clone() for weight in networks.weights]
    weights[place][1] = 0
    networks = with_weights(networks, weights)
    moment = torch.eye(6).expand(2, 6, 6)
    with torch.autograd.set_detect_anomaly(True):
        found = lipschitz_bound(networks, steps=50)
    for bound in found, norm_product(networks):
        assert bound[0] > 0 and bound[1] == 0
    assert (mean_square_bound(networks, 0, moment, 50) > 0).tolist() == [True, place == 0]
    assert not mean_square_bound(networks, 0, torch.zeros(2, 6, 6), 50).any()


def test_a_network_has_its_value_in_any_company(trained):
    moment = moments(12, 5)[1]
    together = lipschitz_bound(trained, steps=60), mean_square_bound(trained, 0, moment, 60)
    with torch.no_grad():
        for i in (0, 3):
            alone = trained.select(i)
            found = lipschitz_bound(alone, None, 60), mean_square_bound(alone, 0, moment[[i]], 60)
            for one, all_of_them in zip(found, together, strict=True):
                torch.testing.assert_close(one[0], all_of_them[i], rtol=1e-9, atol=0)


def broken():
    networks = tiny(2)
    networks.weights[1].data[1, 0, 0] = torch.nan
    return networks


@refuses(
    (lambda: lipschitz_bound(torch.ones(2)), TypeError, "networks is Tensor"),
    (lambda: norm_product(broken()), ValueError, "networks hold NaN"),
    (lambda: lipschitz_bound(tiny(), 2), ValueError, "layer is 2; expected .* at most 1"),
    (lambda: lipschitz_bound(tiny(), -1), ValueError, "layer is -1"),
    (lambda: norm_product(tiny(), "first"), TypeError, "layer is 'first'"),
    (lambda: lipschitz_bound(tiny(), steps=-1), ValueError, "steps is -1"),
    (lambda: lipschitz_bound(tiny(), 1, steps=0.5), TypeError, "steps is 0.5"),
    (lambda: mean_square_bound(tiny(), None, torch.eye(7)), TypeError, "layer is None"),
    (lambda: mean_square_bound(tiny(), 0, torch.eye(7)), ValueError,
     r"moment has shape \(7, 7\); expected \(3, 7, 7\)"),
    (lambda: mean_square_bound(tiny(), 0, -torch.eye(7).expand(3, 7, 7)), ValueError,
     "moment has the eigenvalue -1.0"),
    (lambda: certified(layers(tiny()), [torch.ones(3, 7)], torch.ones(3)), ValueError,
     r"expected \[\(3, 7\), \(3, 5\), \(3,\)\]"),
    (lambda: certified(layers(tiny()), [torch.ones(3, 7), torch.ones(3, 5)], torch.ones(1)),
     ValueError, r"\(1,\)\]; expected"))
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
