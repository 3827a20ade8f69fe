"""The kernel for GPUs computes what the engine computes, on batches counted by Philox.

Runs on a GPU, or in Triton's interpreter, which needs an older NumPy. In an environment of its own:

    pip install -e '.[test]' triton 'numpy<2.4'
    TRITON_INTERPRET=1 pytest -o addopts= tests/test_gpu.py
"""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from examples import MOONS, furthest, refuses, same_bits, three_classes, tiny
from helpers.compare import accuracy, loss
from helpers.data import spirals
from helpers.engine import Engine
from helpers.networks import Networks, initialise
from helpers.recipes import OPTIMISERS, POST, Recipe
from helpers.streams import PURPOSES
from helpers.training import train

gpu = pytest.importorskip("helpers.gpu", reason="needs triton", exc_type=ImportError)
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not (torch.cuda.is_available() or INTERPRETED):
    pytest.skip("needs a GPU or Triton's interpreter", allow_module_level=True)
if INTERPRETED:
    gpu.DEVICE = "cpu"
needs_a_gpu = pytest.mark.skipif(INTERPRETED, reason="takes too long in the interpreter")
BRIEF = replace(POST, steps=20)


def philox(key: int, *counter) -> np.ndarray:
    """The first word of Philox 4x32 with 10 rounds, after the paper (Salmon et al., SC 2011)."""
    a, b, c, d = (np.asarray(word, np.uint64) for word in np.broadcast_arrays(*counter))
    low, high, half, word = key % 2**32, key // 2**32, np.uint64(32), np.uint64(2**32 - 1)
    for _ in range(10):
        one, other = np.uint64(0xD2511F53) * a, np.uint64(0xCD9E8D57) * c
        a, c = other >> half ^ b ^ np.uint64(low), one >> half ^ d ^ np.uint64(high)
        b, d = other & word, one & word
        low, high = (low + 0x9E3779B9) % 2**32, (high + 0xBB67AE85) % 2**32
    return a


def test_philox_is_the_published_one():
    """Known answer of the authors' library (Random123, kat_vectors)."""
    assert hex(philox(0, 0, 0, 0, 0)) == "0x6627e8d5"
    counter = 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344
    assert hex(philox(0x299f31d0_a4093822, *counter)) == "0xd16cfe09"


def counted(seeds, steps: int, batch_size: int, points: int) -> torch.Tensor:
    """The points (steps, networks, samples) of every batch."""
    place = np.arange(steps * batch_size)
    drawn = np.stack([philox(seed, place, PURPOSES.index("batch order"), 0, 0) for seed in seeds])
    order = (drawn * np.uint64(points) >> np.uint64(32)).astype(np.int64)
    return torch.from_numpy(order.reshape(len(seeds), steps, batch_size)).transpose(0, 1)


def on_the_cpu(networks, problem, recipe, seeds):
    """Networks trained by the engine on the counted batches, and the losses of every step."""
    engine = Engine(networks, recipe.batch_size)
    optimiser = OPTIMISERS["adam"](recipe, [engine.parameters])
    losses = []
    for index in counted(seeds, recipe.steps, recipe.batch_size, len(problem.x_train)):
        x, y = problem.x_train[index].mT.contiguous(), problem.y_train[index]
        engine.backward(x, y[:, None].float())
        losses.append(engine.losses(y))
        optimiser.step()
    return engine.copy_networks(), torch.stack(losses, 1)


def moved(networks: Networks) -> Networks:
    return Networks(networks.weights, networks.biases, networks.seeds).to(gpu.DEVICE)


@pytest.mark.parametrize("widths", [(2, 50, 50, 1), (2, 25, 25, 1), (2, 7, 40, 1), (2, 64, 1, 1)])
@pytest.mark.parametrize("batch_size", [32, 21])
def test_20_steps_equal_the_engine(widths, batch_size):
    networks, problem = initialise(widths, (3, 2**40 + 5)), spirals()
    recipe = replace(BRIEF, batch_size=batch_size, betas=(0.8, 0.99))
    expected, losses = on_the_cpu(networks, problem, recipe, networks.seeds)
    run = gpu.train_whole(moved(networks), problem, recipe, loss_every=1)
    assert (run.losses.cpu() - losses).abs().max() < 1e-5
    assert run.loss_steps == tuple(range(20)) and run.networks.seeds == networks.seeds


def test_weights_after_20_steps_equal_the_engine():
    """At a small learning rate, and with an epsilon that keeps rounding small."""
    networks, recipe = tiny(2, (2, 9, 6, 1)), replace(BRIEF, learning_rate=0.003, epsilon=1e-4)
    expected, _ = on_the_cpu(networks, MOONS, recipe, (7, 8))
    found = gpu.train_whole(moved(networks), MOONS, recipe, order_seeds=(7, 8)).networks
    assert furthest(networks, expected) > 0.03 and furthest(found.cpu(), expected) < 1e-5


def test_a_network_is_the_same_in_any_company_and_the_argument_stays():
    networks, before = moved(tiny(3, (2, 9, 6, 1))), moved(tiny(3, (2, 9, 6, 1)))
    run = gpu.train_whole(networks, MOONS, BRIEF)
    alone = gpu.train_whole(networks.select([2]), MOONS, BRIEF)
    assert same_bits(run.networks.select([2]), alone.networks)
    assert torch.equal(run.losses[2:], alone.losses) and run.loss_steps == (0, 10)
    assert same_bits(networks, before) and furthest(run.networks, networks) > 0.01


def test_divergence_is_reported():
    networks = tiny(2, (2, 9, 6, 1))
    networks.biases[0].data[1, 0] = torch.inf
    with pytest.warns(RuntimeWarning, match=r"1 of 2 networks diverged; seeds \[1\]") as caught:
        run = gpu.train_whole(moved(networks), MOONS, BRIEF)
    (told,) = (warning for warning in caught if "diverged" in str(warning.message))
    assert told.filename == __file__
    assert run.diverged.tolist() == [False, True]


@needs_a_gpu
def test_after_1500_steps_networks_are_those_of_the_cpu_in_distribution():
    """Quantiles of 512 networks lie within the spread that another batch order makes on the CPU."""
    networks, problem = initialise((2, 50, 50, 1), range(512)), spirals()
    found = gpu.train_whole(moved(networks), problem).networks.cpu()
    own, other = (train(networks, problem, order_seeds=range(start, start + 512)).networks
                  for start in (0, 2**32))
    share = torch.linspace(0.1, 0.9, 9)
    for measure in accuracy, loss:
        on_gpu, here, again = (measure(some, problem.x_test, problem.y_test).quantile(share)
                               for some in (found, own, other))
        assert (on_gpu - here).abs().max() <= 3 * (again - here).abs().max() + 1e-3


def small(device=gpu.DEVICE) -> Networks:
    return initialise((2, 5, 4, 1), (0,), device=device)


@refuses(
    (lambda: gpu.train_whole(moved(tiny(1, (2, 5, 1))), MOONS), ValueError, r"widths \(2, 5, 1\)"),
    (lambda: gpu.train_whole(moved(tiny(1, (2, 65, 4, 1))), MOONS), ValueError, "at most 64 nodes"),
    (lambda: gpu.train_whole(moved(tiny(1, (4, 5, 4, 3))), three_classes()), ValueError,
     "expected two inputs"),
    (lambda: gpu.train_whole(small().double(), MOONS), ValueError, "torch.float64"),
    (lambda: gpu.train_whole(small("meta"), MOONS), ValueError, "lie on meta"),
    (lambda: gpu.train_whole(small(), MOONS, Recipe("sgd")), ValueError, "expected 'adam'"),
    (lambda: gpu.train_whole(small(), MOONS, replace(POST, batch_size=None)), ValueError,
     "a batch_size of at most 64"),
    (lambda: gpu.train_whole(small(), MOONS, loss_every=0), ValueError, "loss_every is 0"),
    (lambda: gpu.train_whole(small(), MOONS, order_seeds=[2**63]), ValueError,
     r"order_seeds\[0\] is 9223372036854775808; expected an integer of at least 0"),
)
def test_what_the_kernel_is_not_made_for_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
