"""Linear regions: counts and functions known by hand, and the network itself as the oracle."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from examples import double, refuses, tiny
from helpers.data import spirals
from helpers.networks import Networks, initialise
from helpers.pruning import choose, only_layer, prune
from helpers.recipes import Recipe
from helpers.regions import (
    difference_regions,
    linear_regions,
    local_lipschitz,
    max_difference,
    suffix_lipschitz,
)
from helpers.training import train
from strategies import tries

PROBLEM = spirals(n_train=100, n_test=2)
BOX = ((-2.0, 1.5), (-1.0, 2.5))
SQUARE = ((-2, 2), (-2, 2))
SHAPES = st.sampled_from([(2, 1), (2, 8, 1), (2, 6, 7, 1), (2, 5, 6, 4, 1), (2, 6, 5, 3)])
SCHEMES = st.sampled_from(["torch_default", "he_uniform", "glorot_uniform"])
SEEDS = st.integers(0, 10**6)


@pytest.fixture(scope="module")
def trained():
    return train(initialise((2, 16, 16, 1), range(4)), PROBLEM,
                 Recipe(learning_rate=0.02, steps=400)).networks.double()


def by_hand(*layers) -> Networks:
    """One network of given weights and biases, in float64."""
    return Networks([torch.tensor(weight, dtype=torch.float64)[None] for weight, _ in layers],
                    [torch.tensor(bias, dtype=torch.float64)[None] for _, bias in layers], [0])


def lines(normals, offsets) -> Networks:
    """One network whose hidden nodes are 0 on given lines."""
    return by_hand((normals, offsets), ([[1.0] * len(offsets)], [0.0]))


def grid(box, steps=300) -> torch.Tensor:
    """Points of a grid inside the box, in float64."""
    return torch.cartesian_prod(*(torch.linspace(*ends, steps, dtype=torch.float64)
                                  for ends in box))


def logits(networks: Networks, i: int, x) -> np.ndarray:
    """Logits (points, logits) of network i by PyTorch."""
    x = torch.as_tensor(x, dtype=torch.float64)
    return double(networks).to_sequential(i)(x).detach().numpy()


def jacobians(networks: Networks, i: int, x: torch.Tensor) -> np.ndarray:
    """Jacobians (points, logits, 2) of network i by autograd."""
    x = x.clone().requires_grad_()
    out = double(networks).to_sequential(i)(x).sum(0)
    return torch.stack([torch.autograd.grad(one, x, retain_graph=True)[0] for one in out],
                       1).numpy()


def fired(networks: Networks, i: int, x) -> list[np.ndarray]:
    """Which hidden nodes of network i fire at x, per layer, by more than rounding."""
    x = torch.as_tensor(x, dtype=torch.float64)
    return [(layer[i] > 1e-12).numpy() for layer in double(networks).activations(x)]


def inside(regions, seed=0) -> np.ndarray:
    """One random point (regions, 2) of every region."""
    generator = np.random.default_rng(seed)
    return np.array([generator.dirichlet(np.ones(len(polygon))) @ polygon
                     for polygon in regions.polygons])


def means(regions) -> np.ndarray:
    return np.array([polygon.mean(0) for polygon in regions.polygons])


def affine(regions, x) -> np.ndarray:
    """What the regions' own maps give at one point of each, (regions, logits)."""
    return (regions.slopes @ x[:, :, None])[..., 0] + regions.offsets


def check_tiling(regions, box):
    """Assert convex polygons, counter-clockwise, inside the box, whose areas add up to it."""
    (x0, x1), (y0, y1) = box
    assert regions.areas.min() > 0
    assert regions.areas.sum() == pytest.approx((x1 - x0) * (y1 - y0), rel=1e-9)
    assert len(regions.polygons) == len(regions) == len(regions.areas)
    for polygon in regions.polygons:
        edges = np.roll(polygon, -1, 0) - polygon
        turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
        assert len(polygon) > 2 and (turns > -1e-12).all() and np.abs(edges).max(1).min() > 0
        assert (polygon.min(0) >= [x0, y0]).all() and (polygon.max(0) <= [x1, y1]).all()


def check_function(regions, networks, i):
    """Assert that maps and patterns are those of the network, on one map per pattern."""
    for x in (means(regions), inside(regions)):
        np.testing.assert_allclose(affine(regions, x), logits(networks, i, x), atol=1e-11)
    for found, expected in zip(regions.patterns, fired(networks, i, means(regions)), strict=True):
        assert found.dtype == bool and np.array_equal(found, expected)
    together = np.concatenate([np.empty((len(regions), 0)), *regions.patterns], 1)
    assert len(np.unique(together, axis=0)) == len(regions)


@tries(40)
@given(widths=SHAPES, scheme=SCHEMES, seed=SEEDS)
def test_regions_tile_the_box_and_their_maps_are_the_network(widths, scheme, seed):
    networks = initialise(widths, [seed, seed + 1], scheme)
    regions = linear_regions(networks, 1, BOX)
    check_tiling(regions, BOX)
    check_function(regions, networks, 1)
    assert regions.slopes.shape == (len(regions), widths[-1], 2)
    assert regions.offsets.shape == (len(regions), widths[-1])


@tries(30)
@given(widths=st.sampled_from([(2, 5, 1), (2, 5, 4, 1), (2, 4, 4, 4, 2)]), seed=SEEDS)
def test_lines_that_meet_in_points_or_coincide_do_no_harm(widths, seed):
    # small whole numbers: many lines are the same, parallel, or through one point
    generator = torch.Generator().manual_seed(seed)
    networks = by_hand(*((torch.randint(-2, 3, (o, i), generator=generator).tolist(),
                          torch.randint(-1, 2, (o,), generator=generator).tolist())
                         for i, o in zip(widths, widths[1:], strict=False)))
    regions = linear_regions(networks, 0, SQUARE)
    check_tiling(regions, SQUARE)
    check_function(regions, networks, 0)


def test_trained_networks_are_tiled_too(trained):
    for i in range(len(trained)):
        regions = linear_regions(trained, i, BOX)
        assert len(regions) > 100
        check_tiling(regions, BOX)
        check_function(regions, trained, i)


@tries(30)
@given(count=st.integers(0, 12), seed=SEEDS)
def test_lines_in_general_position_make_one_more_than_lines_and_crossings(count, seed):
    generator = np.random.default_rng(seed)
    angles = generator.permutation(np.pi * np.arange(count) / max(count, 1))
    normals = np.stack([np.cos(angles), np.sin(angles)], 1) * generator.uniform(1, 9, (count, 1))
    offsets = generator.normal(size=count)
    crossings = [np.linalg.solve(normals[[i, j]], -offsets[[i, j]])
                 for i, j in combinations(range(count), 2)]
    half = 10 + 2 * np.abs(crossings).max(initial=0)
    network = lines(normals.reshape(count, 2).tolist() or [[0.0, 0.0]], offsets.tolist() or [1.0])
    regions = linear_regions(network, 0, ((-half, half), (-half, half)))
    assert len(regions) == 1 + count + count * (count - 1) // 2


@pytest.mark.parametrize("normals, offsets, areas", [
    ([[1, 0], [1, 0], [0, 1]], [1, -1, 0], [2, 2, 2, 2, 4, 4]),       # x = -1, x = 1, y = 0
    ([[1, 0], [-3, 0], [0.1, 0]], [-1, 3, -0.1], [4, 12]),            # one line three times
    ([[1, 1], [1, -1], [1, 0], [0, 1]], [0, 0, 0, 0], [2] * 8),       # through one point
    ([[1, 0], [0, 1], [1, 1]], [2, -2, -4], [16]),                    # edges and a corner
    ([[1, 0], [1, 2]], [3, -7], [16]),                                # outside
    ([[0, 0], [0, 0]], [1, 0], [16])])                                # no lines
def test_known_arrangements(normals, offsets, areas):
    regions = linear_regions(lines(normals, offsets), 0, SQUARE)
    np.testing.assert_allclose(np.sort(regions.areas), areas)


def test_one_layer_is_one_region_and_the_largest_logit_may_be_any():
    regions = linear_regions(by_hand(([[1, 0], [0, -3], [1, 1]], [0, -1, 0])), 0, SQUARE)
    assert len(regions) == 1 and not regions.patterns and regions.areas.tolist() == [16]
    point, value = regions.largest()
    assert point[1] == 2 and value == 7


def diamond() -> Networks:
    """max(0, |x| + |y| - 1): zero inside a diamond, four slopes outside."""
    return by_hand(([[1, 0], [-1, 0], [0, 1], [0, -1]], [0] * 4), ([[1] * 4], [-1]), ([[1]], [0]))


def test_two_layers_by_hand():
    regions = linear_regions(diamond(), 0, SQUARE)
    np.testing.assert_allclose(np.sort(regions.areas), [0.5] * 4 + [3.5] * 4)
    slopes = {tuple(slope) for slope in regions.slopes[:, 0]}
    assert slopes == {(0, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)}
    within = ((-0.4, 0.4), (-0.5, 0.5))
    assert local_lipschitz(diamond(), 0, SQUARE) == pytest.approx(2**0.5)
    assert local_lipschitz(diamond(), 0, within) == 0
    assert suffix_lipschitz(diamond(), 0, SQUARE, 0) == pytest.approx(2)
    assert suffix_lipschitz(diamond(), 0, within, 0) == 0
    assert suffix_lipschitz(diamond(), 0, within, 1) == 1
    point, value = linear_regions(diamond(), 0, ((-1, 0), (-2, 1))).largest()
    assert point.tolist() == [-1, -2] and value == 2


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_folding_doubles_the_pieces_with_every_layer(depth):
    # a tent folds [0, 1] onto itself (Montúfar et al. 2014)
    fold = [[2, -4], [2, -4]], [0, -0.5]
    network = by_hand(([[1, 0], [1, 0]], [0, -0.5]), *[fold] * (depth - 1), ([[2, -4]], [0]))
    regions = linear_regions(network, 0, ((0, 1), (0, 3)))
    np.testing.assert_allclose(regions.areas, 3 / 2**depth)
    assert len(regions) == 2**depth and local_lipschitz(network, 0, ((0, 1), (0, 3))) == 2**depth


@pytest.mark.parametrize("widths", [(2, 12, 1), (2, 10, 8, 1), (2, 8, 6, 6, 2)])
def test_every_sampled_pattern_is_a_region_and_every_large_region_is_sampled(widths):
    networks = tiny(2, widths)
    regions = linear_regions(networks, 1, BOX)
    sampled = np.unique(np.concatenate(fired(networks, 1, grid(BOX)), 1), axis=0)
    there = {row.tobytes() for row in np.concatenate(regions.patterns, 1)}
    found = {row.tobytes() for row in sampled}
    assert found <= there
    large = np.concatenate(regions.patterns, 1)[regions.areas > 5e-2]
    assert len(large) > 5 and {row.tobytes() for row in large} <= found


@pytest.mark.parametrize("widths", [(2, 1), (2, 10, 1), (2, 8, 7, 1), (2, 8, 7, 3)])
def test_local_lipschitz_is_the_largest_gradient_of_dense_samples(widths):
    networks = tiny(3, widths)
    for i in range(3):
        exact = local_lipschitz(networks, i, BOX)
        sampled = np.linalg.norm(jacobians(networks, i, grid(BOX, 120)), 2, (1, 2)).max()
        assert 0.97 * exact < sampled <= exact * (1 + 1e-9)
        centres = torch.from_numpy(means(linear_regions(networks, i, BOX)))
        everywhere = np.linalg.norm(jacobians(networks, i, centres), 2, (1, 2)).max()
        assert exact == pytest.approx(everywhere, rel=1e-9)


@pytest.mark.parametrize("widths", [(2, 6, 5, 1), (2, 6, 5, 4, 1), (2, 5, 6, 4, 3)])
def test_suffix_lipschitz_is_the_largest_product_over_patterns(widths):
    networks = tiny(2, widths)
    weights = [weight[1].detach().double().numpy() for weight in networks.weights]
    patterns = np.unique(np.concatenate(fired(networks, 1, grid(BOX, 200)), 1), axis=0)
    for layer in range(len(widths) - 2):
        exact, found = suffix_lipschitz(networks, 1, BOX, layer), []
        for pattern in patterns:
            gates = np.split(pattern, np.cumsum(widths[1:-1])[:-1])
            jacobian = weights[layer + 1]
            for gate, weight in zip(gates[layer + 1:], weights[layer + 2:], strict=True):
                jacobian = weight @ np.diag(gate.astype(float)) @ jacobian
            found.append(np.linalg.norm(jacobian, 2))
        assert 0.97 * exact < max(found) <= exact * (1 + 1e-9)
    assert exact == pytest.approx(np.linalg.norm(weights[-1], 2))


def test_norms_multiply_to_at_least_the_exact_constants(trained):
    for i in range(len(trained)):
        norms = [np.linalg.norm(weight[i].detach().numpy(), 2) for weight in trained.weights]
        suffix = suffix_lipschitz(trained, i, BOX, 0)
        assert local_lipschitz(trained, i, BOX) <= norms[0] * suffix * (1 + 1e-9)
        assert 0 < suffix <= norms[1] * norms[2] * (1 + 1e-9)


@pytest.mark.parametrize("layers", [[0], [1], [0, 1]])
def test_the_supremum_is_above_dense_samples_and_reached(trained, layers):
    pruned = prune(trained, choose(trained, PROBLEM, "random", 0.5, layers), PROBLEM)
    x = grid(BOX, 320)
    for i in range(2):
        regions = difference_regions(trained, pruned, i, BOX)
        check_tiling(regions, BOX)
        for inner in (means(regions), inside(regions)):
            difference = logits(pruned, i, inner) - logits(trained, i, inner)
            np.testing.assert_allclose(affine(regions, inner), difference, atol=1e-9)
        (point, value), exact = regions.largest(), max_difference(trained, pruned, i, BOX)
        there = logits(pruned, i, point[None]) - logits(trained, i, point[None])
        sampled = np.abs(logits(pruned, i, x) - logits(trained, i, x)).max()
        assert exact == value == pytest.approx(np.abs(there).item(), rel=1e-9)
        assert 0.95 * exact < sampled <= exact * (1 + 1e-9)


def test_the_supremum_of_a_peak_inside_the_box_is_found():
    # less the diamond's bump max(0, 1 - 5 |x - 0.3| - 5 |y|), of width 0.4 and height 1
    bump = by_hand(([[1, 0], [-1, 0], [0, 1], [0, -1]], [-0.3, 0.3, 0, 0]), ([[-5] * 4], [1]),
                   ([[1]], [0]))
    flat = by_hand(([[0, 0]], [0]), ([[0]], [0]), ([[0]], [0]))
    point, value = difference_regions(flat, bump, 0, BOX).largest()
    np.testing.assert_allclose(point, [0.3, 0], atol=1e-12)
    assert value == pytest.approx(1) and max_difference(bump, flat, 0, BOX) == pytest.approx(1)


@tries(25)
@given(widths=SHAPES, scheme=SCHEMES, seed=SEEDS)
def test_a_network_differs_from_itself_nowhere_and_its_lines_cut_once(widths, scheme, seed):
    networks = initialise(widths, [seed], scheme)
    both, one = (difference_regions(networks, networks, 0, BOX), linear_regions(networks, 0, BOX))
    assert len(both) == len(one) and both.largest()[1] < 1e-12
    np.testing.assert_allclose(np.sort(both.areas), np.sort(one.areas), rtol=1e-9)
    for twice, once in zip(both.patterns, one.patterns, strict=True):
        half = once.shape[1]
        assert np.array_equal(twice[:, :half], twice[:, half:])


def test_pruning_the_last_layer_keeps_the_lines_of_the_first(trained):
    kept = only_layer(trained, choose(trained, PROBLEM, "random", 0.5), 1)
    pruned = prune(trained, kept, PROBLEM)
    for i in range(len(trained)):
        # nodes that stay switch where they did, and nodes that went add no line of their own
        assert len(difference_regions(trained, pruned, i, BOX)) == len(
            linear_regions(trained, i, BOX))


def test_the_difference_of_several_logits_is_the_largest_of_any(trained):
    a, b = tiny(2, (2, 6, 5, 3)), tiny(2, (2, 4, 7, 3), "he_uniform")
    regions = difference_regions(a, b, 1, BOX)
    check_tiling(regions, BOX)
    x = means(regions)
    np.testing.assert_allclose(affine(regions, x), logits(b, 1, x) - logits(a, 1, x), atol=1e-12)
    sampled = np.abs(logits(b, 1, grid(BOX)) - logits(a, 1, grid(BOX))).max()
    exact = max_difference(a, b, 1, BOX)
    assert 0.97 * exact < sampled <= exact * (1 + 1e-9)
    assert exact == pytest.approx(max_difference(b, a, 1, BOX), rel=1e-12)


def test_dead_nodes_and_zero_weights_count_as_if_they_were_not_there():
    whole = double(tiny(1, (2, 6, 5, 1)))
    with torch.no_grad():
        whole.biases[0][:, 4] = -100
        whole.weights[1][:, 2] = whole.biases[1][:, 2] = 0
    regions = linear_regions(whole, 0, BOX)
    check_tiling(regions, BOX)
    check_function(regions, whole, 0)
    assert not regions.patterns[0][:, 4].any() and not regions.patterns[1][:, 2].any()
    one, two = [0, 1, 2, 3, 5], [0, 1, 3, 4]
    (first, second, last), biases = whole.weights, whole.biases
    smaller = Networks([first[:, one], second[:, two][:, :, one], last[:, :, two]],
                       [biases[0][:, one], biases[1][:, two], biases[2]], [0])
    np.testing.assert_allclose(regions.areas, linear_regions(smaller, 0, BOX).areas, rtol=1e-9)
    assert max_difference(whole, smaller, 0, BOX) < 1e-12


def test_a_network_of_zeros_has_one_region_and_no_slope():
    nothing = Networks([0 * weight for weight in tiny(1).weights],
                       [0 * bias for bias in tiny(1).biases], [0])
    assert len(linear_regions(nothing, 0, BOX)) == 1 and local_lipschitz(nothing, 0, BOX) == 0
    assert suffix_lipschitz(nothing, 0, BOX, 0) == 0


@pytest.mark.parametrize("layer, scale", [(0, 2.0**40), (1, 2.0**40), (0, 2.0**-40)])
def test_rescaling_a_layer_changes_no_bit(trained, layer, scale):
    # powers of 2 round nothing, so tolerances have to scale along
    weights, biases = list(trained.weights), list(trained.biases)
    weights[layer], biases[layer] = weights[layer] * scale, biases[layer] * scale
    weights[layer + 1] = weights[layer + 1] / scale
    before = linear_regions(trained, 0, BOX)
    after = linear_regions(Networks(weights, biases, trained.seeds), 0, BOX)
    assert np.array_equal(after.vertices, before.vertices)
    assert np.array_equal(after.slopes, before.slopes)


@pytest.mark.parametrize("width", [1e-3, 1e-9, 1e-11])
def test_thin_strips_are_regions_too(width):
    regions = linear_regions(lines([[1, 0], [-1, 0]], [0, width]), 0, SQUARE)
    np.testing.assert_allclose(np.sort(regions.areas), [4 * width, 8 - 4 * width, 8], rtol=1e-4)


def test_networks_are_told_apart_and_left_as_they_were():
    networks = tiny(3, (2, 6, 5, 1))
    alone = linear_regions(networks.select(2), 0, BOX)
    assert np.array_equal(linear_regions(networks, 2, BOX).vertices, alone.vertices)
    assert len(linear_regions(networks, 1, BOX)) != len(alone)
    assert networks.weights[0].dtype == torch.float32 and alone.slopes.dtype == np.float64


A = tiny(2, (2, 4, 3, 1))
BROKEN = Networks([*A.weights[:2], A.weights[2] * torch.nan], A.biases, A.seeds)


@refuses(
    (lambda: linear_regions("A", 0, BOX), TypeError, "networks is str; expected Networks"),
    (lambda: linear_regions(tiny(1, (3, 4, 1)), 0, BOX), ValueError, "networks have 3 inputs"),
    (lambda: linear_regions(BROKEN, 1, BOX), ValueError, "networks hold NaN or infinite"),
    (lambda: linear_regions(A, 2, BOX), ValueError, "i is 2"),
    (lambda: local_lipschitz(A, -1, BOX), ValueError, "i is -1"),
    (lambda: local_lipschitz(A, 0.0, BOX), TypeError, "i is 0.0"),
    (lambda: linear_regions(A, 0, ((0, 1), (1, 1))), ValueError, "box is ((0, 1), (1, 1))"),
    (lambda: linear_regions(A, 0, ((1, 0), (0, 1))), ValueError, "box is ((1, 0), (0, 1))"),
    (lambda: linear_regions(A, 0, ((1, 1), (0, 1))), ValueError, "box is ((1, 1), (0, 1))"),
    (lambda: linear_regions(A, 0, ((-np.inf, 1), (0, 1))), ValueError, "box is ((-inf, 1)"),
    (lambda: linear_regions(A, 0, (0, 1)), ValueError, "box is (0, 1)"),
    (lambda: linear_regions(A, 0, None), ValueError, "box is None"),
    (lambda: linear_regions(A, 0, ((0, 1), (0, np.inf))), ValueError, "(0, inf))"),
    (lambda: linear_regions(A, 0, ((0, 1), (np.nan, 1))), ValueError, "(nan, 1))"),
    (lambda: suffix_lipschitz(A, 0, ((0, 1), (0, 1), (0, 1)), 0), ValueError, "box is ((0, 1), (0"),
    (lambda: suffix_lipschitz(A, 0, BOX, 2), ValueError, "layer is 2"),
    (lambda: suffix_lipschitz(A, 0, BOX, -1), ValueError, "layer is -1"),
    (lambda: max_difference(A, A.select([1, 0]), 0, BOX), ValueError, "b has seeds (1, 0)"),
    (lambda: max_difference(A, tiny(2, (2, 4, 3, 2)), 0, BOX), ValueError, "b has widths"),
    (lambda: difference_regions(A, tiny(2, (2, 4, 1)), 0, BOX), ValueError, "(2, 4, 1); expected"),
    (lambda: difference_regions(A, 3, 0, BOX), TypeError, "b is int; expected Networks"),
    (lambda: difference_regions(A, tiny(2, (5, 4, 3, 1)), 0, BOX), ValueError, "b have 5 inputs"),
    (lambda: difference_regions(A, BROKEN, 0, BOX), ValueError, "b hold NaN"),
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)
