"""Adam's drift against Adam itself, movements of constructed weights, kernels by plain loops."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.compare import same_roles
from helpers.data import spirals
from helpers.networks import Networks, initialise
from helpers.recipes import POST, Recipe
from helpers.square import commute
from helpers.training import train
from helpers.weights import (
    adam_drift,
    band,
    changes,
    coasting,
    correlation,
    densest,
    displacement,
    epsilon_conventions,
    first_gradients,
    gradients_of_draws,
    joint_movement,
    kernel_pairs,
    kernels,
    last_updates,
    movement,
    repeated,
    running_means,
    usual_moves,
    with_another_seed,
)

WIDTHS = (2, 12, 10, 1)
SHORT = replace(POST, steps=60)
BETAS = [(0.9, 0.999), (0.9, 0.99), (0.8, 0.999), (0.5, 0.9), (0.0, 0.999), (0.95, 0.999)]


@pytest.fixture(scope="module")
def problem():
    return spirals(n_train=100, n_test=100)


@pytest.fixture(scope="module")
def square(problem):
    return commute(initialise(WIDTHS, range(6)), problem, SHORT, "random", 0.5)


def drift_of_adam(gradient, betas, epsilon=0.0, steps=600, first=1):
    """Move one weight by PyTorch's Adam on g at step `first`, 0 at others, in learning rates."""
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimiser = torch.optim.Adam([weight], 1.0, betas, epsilon)
    for t in range(1, steps + 1):
        weight.grad = torch.full_like(weight, gradient if t == first else 0)
        optimiser.step()
    return -weight.item()


@pytest.mark.parametrize("betas", BETAS)
def test_drift_is_that_of_adam(betas):
    drift = adam_drift(*betas).item()
    assert drift == pytest.approx(drift_of_adam(0.3, betas), rel=1e-9)


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 30])
def test_drift_after_few_steps_is_that_of_adam(steps):
    expected = drift_of_adam(0.3, (0.9, 0.999), steps=steps)
    assert adam_drift(0.9, 0.999, steps=steps).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("first", [2, 3, 10])
def test_drift_of_a_later_gradient_is_that_of_adam(first):
    expected = drift_of_adam(0.3, (0.9, 0.999), 1e-12, first=first)  # 0 / 0 before the gradient
    assert adam_drift(0.9, 0.999, first=first).item() == pytest.approx(expected, rel=1e-9)


def test_epsilon_by_both_conventions():
    gradient = torch.tensor([-1e-6, 1e-3, 0.1], dtype=torch.float64)
    found = epsilon_conventions(gradient, replace(POST, steps=40))
    for i, g in enumerate(gradient.tolist()):
        expected = drift_of_adam(abs(g), POST.betas, POST.epsilon, 40)
        assert found["PyTorch's epsilon"][i].item() == pytest.approx(expected, rel=1e-9)
        weight, m, v = 0.0, 0.0, 0.0  # Keras corrects the learning rate instead of the means
        for t in range(1, 41):
            m, v = 0.9 * m + 0.1 * g * (t == 1), 0.999 * v + 0.001 * g ** 2 * (t == 1)
            rate = math.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t)
            weight -= rate * m / (math.sqrt(v) + POST.epsilon)
        assert found["Keras' epsilon"][i].item() == pytest.approx(abs(weight), rel=1e-9)


def test_gradients_of_draws_stand_one_after_the_other(problem):
    networks = initialise(WIDTHS, range(3))
    expected = first_gradients(networks, problem, SHORT)[2]
    found = gradients_of_draws([networks, networks], [problem, problem], SHORT, 2)
    assert torch.equal(found, torch.cat([expected, expected]))


def test_another_seed_takes_the_place_of_b(square):
    (other,) = with_another_seed([square])
    assert torch.equal(other.prune_first.weights[1][0], square.prune_first.weights[1][-1])
    assert other.prune_first.seeds == square.prune_first.seeds
    assert other.train_first is square.train_first


@pytest.mark.parametrize("size", [1e-8, 1e-6, 1e-3])
def test_drift_feels_epsilon_as_adam_does(size):
    drift = adam_drift(0.9, 0.999, torch.tensor([1e-7 / size], dtype=torch.float64))
    assert drift.item() == pytest.approx(drift_of_adam(size, (0.9, 0.999), 1e-7), rel=1e-9)


def test_drift_without_memory_is_one_learning_rate():
    assert adam_drift(0.0, 0.999).item() == 1


@given(st.floats(1e-6, 1e3), st.floats(1e-6, 1e3))
def test_drift_depends_on_the_sign_of_the_gradient_alone(one, other):
    ends = coasting(torch.tensor([one, -other], dtype=torch.float64), replace(POST, epsilon=0.0))
    assert ends[0].item() == -ends[1].item() == pytest.approx(-0.1 * 6.0055, abs=1e-5)


@given(st.floats(0, 0.97), st.floats(0.95, 0.9999))
def test_drift_grows_with_steps_to_its_limit(beta1, beta2):
    sums = [adam_drift(beta1, beta2, steps=steps).item() for steps in (1, 2, 5, 50)]
    assert sums[0] == pytest.approx(1)
    assert sums == sorted(sums) and sums[-1] <= adam_drift(beta1, beta2).item()


def test_first_gradients_are_those_of_autograd(problem):
    networks = initialise(WIDTHS, range(3))
    order = [np.random.Generator(np.random.Philox(key=[seed, 1])) for seed in networks.seeds]
    for i, generator in enumerate(order):
        batch = generator.integers(len(problem.x_train), size=32, dtype=np.uint16)
        batch = torch.from_numpy(batch.astype(np.int64))
        model = networks.to_sequential(i).double()
        logits = model(problem.x_train[batch].double())[:, 0]
        torch.nn.functional.binary_cross_entropy_with_logits(
            logits, problem.y_train[batch].double()).backward()
        for layer, gradient in zip(model[::2], first_gradients(networks, problem), strict=True):
            torch.testing.assert_close(gradient[i], layer.weight.grad, rtol=1e-9, atol=1e-12)


def test_weights_cut_off_after_the_first_step_end_where_coasting_says(problem):
    networks = initialise(WIDTHS, range(30))
    every_step = train(networks, problem, SHORT, snapshots=SHORT.steps + 1).snapshots
    cut = last_updates(every_step, problem.x_train)[1] <= 1
    expected = coasting(first_gradients(networks, problem, SHORT)[1], SHORT)
    moved = (every_step[-1].weights[1] - networks.weights[1]).detach().double()
    torch.testing.assert_close(moved[cut], expected[cut], rtol=1e-4, atol=1e-6)
    assert (cut & (moved != 0)).sum() > 100, "without a single coasting weight nothing is tested"


def test_movement_classes_constructed_weights():
    start = torch.tensor([0.1, -0.2, 0.3, 0.0, 0.2, -0.1])
    drift = 0.1 * adam_drift(0.9, 0.999).item()
    shift = torch.tensor([0.0, drift, -drift, 1.02 * drift, 0.98 * drift, 1e-7])
    assert movement(start, start + shift).tolist() == [0, 1, 1, 2, 2, 2]
    assert movement(start, start + shift, within=0.03).tolist() == [0, 1, 1, 1, 1, 2]
    slow = replace(POST, learning_rate=0.05)
    assert movement(start, start + shift / 2, slow).tolist()[:5] == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_kernel_pairs_by_plain_loops(square, layer):
    a, b, start = kernel_pairs(square, layer)
    for i in range(len(square.initial)):
        rows = square.kept[layer][i].tolist() if layer < 2 else [0]
        columns = square.kept[layer - 1][i].tolist() if layer else [0, 1]
        for j, row in enumerate(rows):
            for k, column in enumerate(columns):
                assert start[i, j, k] == square.initial.weights[layer][i, row, column]
                assert a[i, j, k] == square.dense.weights[layer][i, row, column]
                assert b[i, j, k] == square.prune_first.weights[layer][i, j, k]
    assert a.shape == b.shape == start.shape == (6, len(rows), len(columns))


def test_untrained_squares_have_equal_kernels(problem):
    still = commute(initialise(WIDTHS, range(3)), problem, replace(POST, steps=0), "std", 0.5)
    a, b, start = kernel_pairs(still, 1)
    assert torch.equal(a, start) and torch.equal(b, start)


def test_kernels_of_several_squares_and_their_changes(square):
    a, b, start = (torch.cat([part, part]) for part in kernel_pairs(square, 1))
    assert all(map(torch.equal, kernels([square, square]), (a, b, start)))
    assert all(map(torch.equal, changes([square, square]), (a - start, b - start)))


def test_displacement_is_what_training_added(square):
    before, after = square.initial.weights[2].detach(), square.dense.weights[2].detach()
    moved = displacement([square.initial] * 2, [square.dense] * 2, 2)
    assert moved.dtype == torch.float64 and len(moved) == 2 * len(square.initial)
    assert torch.equal(moved[:6] + before.double(), after.double())


def test_repeated_squares_differ_in_the_batch_order_alone(square, problem):
    (again,) = repeated([square], [problem], SHORT)
    assert again.train_first is square.prune_first
    b, other, start = kernel_pairs(again, 1)
    assert torch.equal(b, kernel_pairs(square, 1)[1]) and not torch.equal(b, other)
    assert torch.equal(start, kernel_pairs(square, 1)[2])
    (still,) = repeated([square], [problem], replace(SHORT, learning_rate=0.0))
    assert torch.equal(kernel_pairs(still, 1)[1], start)


def test_running_means_by_their_recursion():
    m, v = running_means(0.9, 0.99, 5)
    first, second = 0.0, 0.0
    for t in range(1, 6):
        first, second = 0.9 * first + 0.1 * (t == 1), 0.99 * second + 0.01 * (t == 1)
        assert m[t - 1].item() == pytest.approx(first / (1 - 0.9 ** t))
        assert v[t - 1].item() == pytest.approx(second / (1 - 0.99 ** t))


def test_joint_movement_splits_all_weights():
    masks = joint_movement(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 2, 0]))
    assert {name: mask.nonzero().item() for name, mask in masks.items()} == {
        "never updated": 0, "coasted": 1, "trained": 2, "one of each": 3}


def test_band_and_flanks():
    values = torch.tensor([1.0, 1.09, 0.91, 1.15, 0.85, 1.25, -1.0, 0.0])
    inside, flanks = band(values, 1.0, 0.1)
    assert inside.tolist() == [True] * 3 + [False] * 5
    assert flanks.tolist() == [False] * 3 + [True] * 2 + [False] * 3
    inside, flanks = band(values, torch.tensor([2.0, 1.1, -0.9, 1.0, 0.9, 0.0, -1.0, 0.0]), 0.1)
    assert inside.tolist() == [False, True, False, False, True, False, True, False]
    assert flanks.nonzero().tolist() == [[3]]


@given(st.integers(0, 100))
def test_flanks_hold_what_chance_puts_into_the_band(seed):
    even = torch.rand(20000, generator=torch.Generator().manual_seed(seed))
    inside, flanks = band(even, 0.5, 0.1)
    assert inside.double().mean().item() == pytest.approx(0.1, abs=0.02)
    assert flanks.double().mean().item() == pytest.approx(0.1, abs=0.02)


def test_usual_moves_of_each_network():
    moved = torch.zeros(2, 10, 10)
    moved[0, :5], moved[1, :3] = -0.3, 0.7
    moved[:, 9] = torch.linspace(1, 2, 10)
    assert usual_moves(moved).tolist() == pytest.approx([0.3, 0.7])


def test_correlation_is_numpys():
    a, b = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    where = a > -0.5
    for i, found in enumerate(correlation(a, b, where)):
        expected = np.corrcoef(a[i][where[i]], b[i][where[i]])[0, 1]
        assert found.item() == pytest.approx(expected)
    assert correlation(a, -2 * a).tolist() == pytest.approx([-1] * 3)


def test_densest_finds_a_band_in_a_cloud():
    cloud = torch.linspace(0.001, 1, 1000, dtype=torch.float64)
    band = torch.linspace(0.3, 0.302, 50, dtype=torch.float64)
    place, share = densest(torch.cat([cloud, band]))
    assert place == pytest.approx(0.301, rel=5e-3) and 50 / 1050 <= share < 60 / 1050


def test_shuffled_networks_keep_their_own_roles_only_where_left_alone(problem):
    networks = initialise(WIDTHS, range(4))
    same, comparable = same_roles(networks, networks, problem.x_test)
    assert torch.equal(same, comparable) and same.min() > 10
    order = torch.arange(12).roll(1)
    first, second, last = networks.weights
    shuffled = Networks([first[:, order], second[..., order], last],
                        [networks.biases[0][:, order], *networks.biases[1:]], networks.seeds)
    same, of_both = same_roles(networks, shuffled, problem.x_test)
    layers = networks.activations(problem.x_test)
    alive = [(layer.amax(1) > layer.amin(1)).sum(1) for layer in layers]
    assert torch.equal(same, alive[1]) and torch.equal(of_both, comparable)


@pytest.mark.parametrize("shift", [-100, 100])
def test_constant_nodes_have_no_role(problem, shift):
    networks = initialise(WIDTHS, range(2))
    weights, biases = ([part.detach().clone() for part in parts]
                       for parts in (networks.weights, networks.biases))
    weights[0][:, :5], biases[0][:, :5] = 0, shift  # dead, or of one value above 0
    constant = Networks(weights, biases, networks.seeds)
    _, comparable = same_roles(networks, constant, problem.x_test)
    layers = constant.activations(problem.x_test)
    assert comparable.tolist() == (7 + (layers[1].amax(1) > layers[1].amin(1)).sum(1)).tolist()


def test_last_updates_of_constructed_deaths(problem):
    networks = initialise(WIDTHS, range(1))

    def with_dead(first, second):
        biases = [bias.detach().clone() for bias in networks.biases]
        biases[0][0, first], biases[1][0, second] = -100, -1000
        return Networks(networks.weights, biases, networks.seeds)

    # node 3 before dies for a moment, then for good; node 4 after dies from the second on
    cuts = last_updates([with_dead([3], []), with_dead([], [4]), with_dead([3], [4])],
                        problem.x_train)
    before = torch.full((12,), 3)
    before[3] = 2
    after = torch.full((10,), 3)
    after[4] = 1
    natural = last_updates([networks] * 3, problem.x_train)
    assert torch.equal(cuts[0][0], torch.minimum(before[:, None], natural[0][0]))
    expected = torch.minimum(torch.minimum(before[None], after[:, None]), natural[1][0])
    assert torch.equal(cuts[1][0], expected)
    assert torch.equal(cuts[2][0], torch.minimum(after[None], natural[2][0]))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: adam_drift(0.999, 0.9), "beta1 is 0.999; expected less than"),
    (lambda: adam_drift(0.9, 1.0), "beta2 is 1.0"),
    (lambda: adam_drift(0.9, 0.999, -1.0), "epsilon is"),
    (lambda: adam_drift(0.9, 0.999, math.nan), "epsilon is"),
    (lambda: adam_drift(0.9, 0.999, steps=-1), "steps is -1"),
    (lambda: movement(torch.zeros(2), torch.zeros(3)), "expected one"),
    (lambda: movement(torch.zeros(2), torch.zeros(2), within=-1), "within is -1"),
    (lambda: movement(torch.zeros(2), torch.zeros(2), Recipe("sgd")), "optimiser is 'sgd'"),
    (lambda: coasting(torch.zeros(2), Recipe("sgd")), "optimiser is 'sgd'"),
    (lambda: correlation(torch.zeros(2, 3), torch.zeros(2, 4)), "expected one"),
    (lambda: band(torch.ones(2), 1.0, -0.1), "within is -0.1"),
    (lambda: running_means(0.9, 0.999, -1), "steps is -1"),
    (lambda: densest(torch.zeros(3)), "expected positive"),
    (lambda: densest(torch.zeros(0)), "expected positive"),
])
def test_nonsense_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_unknown_kernels_are_named(square):
    with pytest.raises(ValueError, match="layer is 3"):
        kernel_pairs(square, 3)
