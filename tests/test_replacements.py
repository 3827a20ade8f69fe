"""What stands in for removed nodes equals what pruning folds away, and masking by hand."""

import numpy as np
import pytest
import torch

from examples import MOONS, double, three_classes, tiny
from helpers.pruning import choose, everything, prune
from helpers.replacements import fresh_fits, fresh_means, held_logits, removed, stale_means

THREE = three_classes()
CASES = [(double(tiny(3, (2, 8, 7, 6, 1))), MOONS), (double(tiny(3, (4, 6, 5, 3))), THREE)]
cases = pytest.mark.parametrize("networks, problem", CASES)


def masked(network, gone, problem, x, statistic):
    """Return logits of one network with nodes held at means, layer by layer, in NumPy."""
    seen, shown = problem.x_train.double().numpy(), x.double().numpy()
    whole = [layer[0].detach().numpy().mean(0) for layer in network.activations(problem.x_train)]
    for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        w, b = w[0].detach().numpy(), b[0].detach().numpy()
        seen, shown = seen @ w.T + b, shown @ w.T + b
        if layer < len(gone):
            seen, shown = np.maximum(seen, 0), np.maximum(shown, 0)
            value = {"fresh": seen.mean(0), "stale": whole[layer]}[statistic]
            seen, shown = (np.where(gone[layer], value, outputs) for outputs in (seen, shown))
    return shown


@cases
@pytest.mark.parametrize("stand_in, compensation", [(fresh_means, "mean"), (fresh_fits, "linear")])
def test_fresh_values_are_those_of_prune(networks, problem, stand_in, compensation):
    kept = choose(networks, problem, "random", 0.5)
    pruned = prune(networks, kept, problem, compensation)
    for x in problem.x_train, problem.x_test:
        held = held_logits(networks, kept, stand_in(networks, kept, problem, x), 0,
                           networks.activations(x)[0])
        torch.testing.assert_close(held, pruned(x), rtol=1e-9, atol=1e-9)
        assert (held - networks(x)).abs().max() > 1e-3


@cases
@pytest.mark.parametrize("stand_in", [fresh_means, stale_means])
def test_means_are_those_of_the_training_points_held_by_hand(networks, problem, stand_in):
    kept = choose(networks, problem, "random", 0.5)
    values = stand_in(networks, kept, problem, problem.x_test)
    assert [value.shape for value in values] == [(3, 1, width) for width in networks.widths[1:-1]]
    held = held_logits(networks, kept, values, 0, networks.activations(problem.x_test)[0])
    held = held.view(3, len(problem.x_test), -1)
    for i in range(3):
        gone = [mask[i].numpy() for mask in removed(networks, kept)]
        expected = masked(networks.select(i), gone, problem, problem.x_test,
                          "fresh" if stand_in is fresh_means else "stale")
        np.testing.assert_allclose(held[i].detach(), expected, atol=1e-12)


def test_fresh_and_stale_means_differ_behind_a_pruned_layer_alone():
    networks, _ = CASES[0]
    kept = choose(networks, MOONS, "random", 0.5, [0])
    fresh, stale = (one(networks, kept, MOONS, MOONS.x_test) for one in (fresh_means, stale_means))
    torch.testing.assert_close(fresh[0], stale[0])
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(fresh[1:], stale[1:], strict=True))


def test_fits_predict_a_copied_node_exactly_at_any_point():
    networks = double(tiny(2, (2, 6, 1)))
    networks.weights[0].data[:, 5], networks.biases[0].data[:, 5] = (
        2 * networks.weights[0][:, 1], 2 * networks.biases[0][:, 1])
    kept = (torch.arange(5).repeat(2, 1),)
    value, = fresh_fits(networks, kept, MOONS, MOONS.x_test)
    torch.testing.assert_close(value[..., 5], networks.activations(MOONS.x_test)[0][..., 5])


def test_removed_nodes_are_the_others():
    networks = tiny(2, (2, 4, 3, 1))
    gone = removed(networks, (torch.tensor([[0, 3], [1, 2]]), everything(networks)[1]))
    assert gone[0].tolist() == [[False, True, True, False], [True, False, False, True]]
    assert not gone[1].any() and gone[1].shape == (2, 3)
