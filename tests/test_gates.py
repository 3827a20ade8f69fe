"""Changes through ReLU layers stay within their bounds for all gates, and some gates reach them."""

from itertools import product

import pytest
import torch

from helpers.gates import along_paths, half_passed, interval_after, interval_through

generator = torch.Generator().manual_seed(0)
DEPTHS = {1: (3, 2), 2: (3, 3, 2), 3: (3, 2, 2, 1)}


def drawn(*shape):
    return torch.randn(*shape, generator=generator, dtype=torch.double)


def layers(depth, networks=2):
    return [drawn(networks, fan_out, fan_in) for fan_in, fan_out
            in zip(DEPTHS[depth][:-1], DEPTHS[depth][1:], strict=True)]


def through(changes, weights, gates):
    """Return what becomes of changes (networks, points, nodes) at gates, a flat list of numbers."""
    for weight in weights:
        here, gates = gates[:weight.shape[2]], gates[weight.shape[2]:]
        changes = changes * here @ weight.mT
    return changes


def furthest(changes, weights):
    """Return the largest change of each output at each point, over all gates open or shut."""
    count = sum(weight.shape[2] for weight in weights)
    patterns = torch.tensor(list(product([0.0, 1.0], repeat=count)), dtype=torch.double)
    return torch.stack([through(changes, weights, gates).abs() for gates in patterns]).amax(0)


def rms(values):
    return values.square().mean(1).sqrt()


def of(changes):
    """The size of rows @ changes, as `half_passed` asks for it."""
    return lambda rows: rms(changes @ rows.mT)[..., None]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("points", [1, 5])
def test_no_gates_pass_more_than_half_passed_nor_that_more_than_all_paths(depth, points):
    weights = layers(depth)
    changes = drawn(2, points, 3)
    reached = furthest(changes, weights)  # gates of every point its own
    half = half_passed(of(changes), weights)[..., 0]
    assert (rms(reached) <= half + 1e-12).all()
    assert (half <= along_paths(rms(changes), weights) + 1e-12).all()
    assert (half < 0.95 * along_paths(rms(changes), weights)).any(), "signs are made use of"
    for _ in range(50):
        gates = torch.rand(sum(DEPTHS[depth][:-1]), generator=generator, dtype=torch.double)
        assert (through(changes, weights, gates).abs() <= reached + 1e-12).all()


def test_behind_one_layer_some_gates_pass_what_half_passed_says():
    weights, changes = layers(1), drawn(2, 1, 3)
    torch.testing.assert_close(half_passed(of(changes), weights)[..., 0],
                               furthest(changes, weights)[:, 0])


@pytest.mark.parametrize("depth", DEPTHS)
def test_where_all_signs_agree_open_gates_pass_all_paths(depth):
    weights, changes = [weight.abs() for weight in layers(depth)], drawn(2, 1, 3).abs()
    reached = furthest(changes, weights)[:, 0]
    torch.testing.assert_close(along_paths(rms(changes), weights), reached)
    torch.testing.assert_close(half_passed(of(changes), weights)[..., 0], reached)


def test_signs_of_one_row_can_be_met_by_the_changes():
    rows, sizes = drawn(2, 1, 3), drawn(2, 3).abs()
    changes = (sizes * rows[:, 0].sign())[:, None]
    torch.testing.assert_close(along_paths(sizes, [rows]), furthest(changes, [rows])[:, 0])


@pytest.mark.parametrize("bound", ["path", "half"])
def test_scales_of_nodes_do_not_matter(bound):
    first, second = layers(2)
    scale = drawn(2, 3).exp()
    changes = drawn(2, 4, 3)
    moved = [first * scale[..., None], second / scale[:, None]]
    one, two = (along_paths(rms(changes), weights) if bound == "path"
                else half_passed(of(changes), weights) for weights in ([first, second], moved))
    torch.testing.assert_close(one, two)


def test_several_changes_are_bounded_one_by_one():
    weights, several = layers(2), [drawn(2, 4, 3) for _ in range(3)]
    together = half_passed(lambda rows: torch.cat([of(one)(rows) for one in several], 2), weights)
    assert together.shape == (2, 2, 3)
    for k, one in enumerate(several):
        torch.testing.assert_close(together[..., k], half_passed(of(one), weights)[..., 0])


def ends():
    low, high = drawn(2, 200, 4), drawn(2, 200, 4)
    return torch.minimum(low, high), torch.maximum(low, high)


def test_a_relu_passes_the_hull_of_what_its_possible_gates_pass():
    inputs, (low, high) = drawn(2, 200, 4), ends()
    least, most = interval_after(inputs, low, high)
    after = torch.stack([inputs, inputs + low, inputs + high])
    may_open, may_shut = (after > 0).any(0), (after < 0).any(0)
    passed = torch.stack([low, high, 0 * low])
    passed = passed.where(torch.stack([may_open, may_open, may_shut]), torch.nan)
    expected = [passed.nan_to_num(sign * torch.inf) for sign in (1, -1)]
    torch.testing.assert_close(least, expected[0].amin(0))
    torch.testing.assert_close(most, expected[1].amax(0))
    cases = may_open & ~may_shut, may_shut & ~may_open, may_open & may_shut
    assert all(case.sum() > 100 for case in cases)


def test_what_a_relu_really_passes_is_inside():
    inputs, (low, high) = drawn(2, 200, 4), ends()
    least, most = interval_after(inputs, low, high)
    for share in torch.linspace(0, 1, 9):
        passed = (inputs + low + share * (high - low)).relu() - inputs.relu()
        assert (least - 1e-12 <= passed).all() and (passed <= most + 1e-12).all()


def test_a_node_on_the_edge_that_does_not_move_passes_nothing():
    zero = torch.zeros(1, 1, 1)
    assert interval_after(zero, zero, zero) == (zero, zero)


def test_intervals_of_sums_reach_their_corners():
    weight, (low, high) = drawn(2, 3, 4), ends()
    sums = torch.stack([torch.where(torch.tensor(upper), high, low) @ weight.mT
                        for upper in product([False, True], repeat=4)])
    least, most = interval_through(weight, low, high)
    torch.testing.assert_close(least, sums.amin(0))
    torch.testing.assert_close(most, sums.amax(0))
