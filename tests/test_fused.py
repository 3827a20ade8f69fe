"""The compiled kernel trains as PyTorch does to rounding, and to the same bits in any company."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy.stats import ks_2samp

from examples import FEW, MOONS, double, furthest, parameters, same_bits, three_classes, tiny
from helpers import tasks, training
from helpers.arms import Setting
from helpers.compare import accuracy
from helpers.data import moons, spirals
from helpers.networks import initialise
from helpers.recipes import POST
from helpers.training import reference_engine, train, train_draws

pytest.importorskip("numba", reason="the extra `fast` (Numba) is not installed")
from helpers import fused, kernel  # noqa: E402

THREE = three_classes()
SMALL = replace(FEW, batch_size=32)
SHAPES = pytest.mark.parametrize("widths, problem", [
    ((2, 1), MOONS), ((2, 1, 1), MOONS), ((2, 50, 50, 1), MOONS), ((2, 70, 3, 33, 1), MOONS),
    ((4, 2, 1), replace(MOONS, x_train=MOONS.x_train.repeat(1, 2),
                        x_test=MOONS.x_test.repeat(1, 2))),
    ((2, 7, 2), MOONS), ((4, 6, 3), THREE), ((4, 3), THREE), ((4, 65, 9, 5, 3), THREE)])


def same_run(a, b):
    """Whether two runs of the same networks have the same bits in all they hold."""
    moments = [(own.moments.mean, own.moments.square) for own in (a, b)]
    return (torch.equal(a.losses, b.losses) and same_bits(a.networks, b.networks)
            and all(map(same_bits, a.snapshots, b.snapshots)) and all(map(same_bits, *moments))
            and a.moments.step == b.moments.step)


@pytest.fixture
def kernel_alone(monkeypatch):
    monkeypatch.setattr(training, "_run", None)


@SHAPES
@pytest.mark.parametrize("batch_size", [1, 7, 32, 45, None])
def test_twenty_steps_are_those_of_the_reference_to_rounding(widths, problem, batch_size):
    networks = tiny(3, widths)
    recipe = replace(SMALL, batch_size=batch_size, betas=(0.8, 0.99), epsilon=1e-3)
    found = train(networks, problem, recipe, loss_every=1)
    with reference_engine():
        expected = train(networks, problem, recipe, loss_every=1)
    torch.testing.assert_close(found.losses, expected.losses, rtol=2e-6, atol=1e-6)
    exact = train(double(networks), problem, recipe).networks
    assert furthest(double(found.networks), exact) < 5e-6
    assert furthest(found.networks, networks) > 1e-3
    for part in ("mean", "square"):
        assert furthest(getattr(found.moments, part), getattr(expected.moments, part)) < 1e-5


def test_losses_are_recorded_where_asked_for(kernel_alone):
    every = train(tiny(3), MOONS, FEW, loss_every=1, snapshots=4)
    for loss_every in 2, 7, 30:
        run = train(tiny(3), MOONS, FEW, loss_every=loss_every)
        assert torch.equal(run.losses, every.losses[:, ::loss_every])


def test_several_problems_train_as_each_would_alone(kernel_alone):
    problems = [moons(n_train=60, n_test=40, seed=seed) for seed in range(3)]
    groups, orders = [tiny(3), tiny(1), tiny(2)], [None, (9,), (1, 0)]
    runs = train_draws(groups, problems, FEW, orders, loss_every=5, snapshots=3)
    for run, group, problem, order in zip(runs, groups, problems, orders, strict=True):
        assert same_run(run, train(group, problem, FEW, order, loss_every=5, snapshots=3))


@pytest.mark.parametrize("widths, problem", [((2, 25, 17, 1), MOONS), ((4, 13, 3), THREE)])
@pytest.mark.parametrize("batch_size", [13, 45, None])
@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_in_any_company(widths, problem, batch_size, threads, monkeypatch, kernel_alone):
    networks, recipe = tiny(35, widths), replace(POST, steps=40, batch_size=batch_size)
    together = train(networks, problem, recipe, snapshots=3)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    places = [list(range(35))[::-1], [0], [13], [34]]
    for chunk in 1, 7, 33:
        monkeypatch.setattr(training, "_chunk_size", lambda *_, chunk=chunk: chunk)
        for place in places:
            run = train(networks.select(place), problem, recipe, snapshots=3)
            order = torch.tensor([networks.seeds.index(seed) for seed in run.networks.seeds])
            assert torch.equal(run.losses, together.losses[order])
            for own, whole in zip((run.networks, *run.snapshots),
                                  (together.networks, *together.snapshots), strict=True):
                values = [value[order] for value in parameters(whole)]
                assert all(map(torch.equal, parameters(own), values))


@pytest.mark.parametrize("batch_size", [8, None])
@pytest.mark.parametrize("piece", [1, 3, 500])
def test_pieces_have_the_bits_of_one_go(batch_size, piece, monkeypatch, kernel_alone):
    recipe = replace(POST, steps=30, batch_size=batch_size)
    whole = train(tiny(3), MOONS, recipe, loss_every=4, snapshots=2)
    monkeypatch.setattr(fused, "PIECE", piece)
    assert same_run(train(tiny(3), MOONS, recipe, loss_every=4, snapshots=2), whole)
    first = train(tiny(3), MOONS, replace(recipe, steps=11))
    rest = train(first.networks, MOONS, replace(recipe, steps=19), first_step=11,
                 moments=first.moments)
    assert same_bits(rest.networks, whole.networks)
    assert same_bits(rest.moments.square, whole.moments.square)


def test_trainings_side_by_side_do_not_disturb_each_other(kernel_alone):
    expected = train(tiny(20), MOONS, POST)
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: train(tiny(20), MOONS, POST), range(8)))
    assert all(same_run(run, expected) for run in runs)


def test_dead_nodes_leave_no_subnormal_numbers(kernel_alone):
    """Their running means decay below what single precision holds: 0.9**1500 is 2e-69."""
    networks = tiny(3)
    start = train(networks, MOONS, replace(FEW, steps=5))
    with torch.no_grad():
        start.networks.biases[0][:, :3] = -10
    run = train(start.networks, MOONS, replace(FEW, steps=1500), moments=start.moments)
    mean = torch.cat([value.flatten() for value in parameters(run.moments.mean)])
    assert (run.moments.mean.weights[0][:, :3] == 0).all()
    assert not ((mean != 0) & (mean.abs() < torch.finfo(torch.float32).tiny)).any()
    assert torch.tensor([1e-39]) * 1 != 0, "flushing ends with training"


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
@pytest.mark.parametrize("widths, problem", [((2, 7, 5, 1), MOONS), ((4, 6, 3), THREE)])
def test_divergence_is_that_of_the_reference(value, widths, problem):
    networks = tiny(3, widths)
    networks.weights[0].data[1] = value
    with pytest.warns(RuntimeWarning, match=r"1 of 3 networks diverged; seeds \[1\]"):
        run = train(networks, problem, FEW)
    with reference_engine(), pytest.warns(RuntimeWarning, match=r"seeds \[1\]"):
        expected = train(networks, problem, FEW)
    assert torch.equal(run.losses.isfinite(), expected.losses.isfinite())
    healthy = train(tiny(3, widths), problem, FEW)
    assert same_bits(run.networks.select([0, 2]), healthy.networks.select([0, 2]))


class Reached(Exception):
    """An engine was chosen."""


def chosen(monkeypatch, networks=None, recipe=FEW):
    """Return the name of the engine that trains, without training."""
    def spy(name):
        def stop(*_):
            raise Reached(name)
        return stop

    monkeypatch.setattr(training, "_run", spy("reference"))
    monkeypatch.setattr(fused, "train_chunk", spy("kernel"))
    with pytest.raises(Reached) as reached:
        train(networks or tiny(), MOONS, recipe)
    return str(reached.value)


def test_what_the_kernel_cannot_do_goes_to_the_reference(monkeypatch):
    assert chosen(monkeypatch) == "kernel"
    assert chosen(monkeypatch, double(tiny())) == "reference"
    for optimiser in "sgd", "momentum", "sign_sgd":
        assert chosen(monkeypatch, recipe=replace(FEW, optimiser=optimiser)) == "reference"
    with reference_engine():
        assert chosen(monkeypatch) == "reference"
    assert chosen(monkeypatch) == "kernel"
    monkeypatch.setitem(sys.modules, "numba", None)  # as without it
    assert chosen(monkeypatch) == "reference"


def test_networks_elsewhere_go_to_the_reference():
    assert training._fastest(initialise((2, 3, 1), (0,), device="meta"), FEW) is training._run


def test_sweeps_keep_to_the_reference(monkeypatch):
    used = []
    monkeypatch.setattr(tasks, "rows", lambda *_: used.append(training._fastest(tiny(), FEW)))
    with pytest.raises(RuntimeError):  # what `rows` gave is no table
        tasks.compute(tasks.Task(Setting(seeds=(0,)), (), ()))
    assert used == [training._run]


def fresh(code, **variables):
    """Return what a new process prints."""
    home = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | variables, text=True,
                          capture_output=True, cwd=home, check=True)
    return done.stdout.split("\n")[:-1]


DIGEST = """
import hashlib, torch
torch.set_num_threads(1)
from helpers.data import digits, spirals
from helpers.networks import initialise
from helpers.recipes import Recipe
from helpers.training import reference_engine, train
bits = hashlib.sha256()
for widths, problem, size in [((2, 50, 50, 1), spirals(), 32), ((2, 25, 25, 1), spirals(), None),
                              ((64, 20, 10), digits(), 45)]:
    run = train(initialise(widths, range(4)), problem, Recipe(batch_size=size, steps=300))
    for value in [run.losses, *run.networks.parameters(), *run.moments.square.parameters()]:
        bits.update(value.detach().numpy().tobytes())
from helpers import kernel
print(bits.hexdigest(), sum(kernel.train.stats.cache_hits.values()))
"""


@pytest.mark.slow
def test_compiled_anew_or_read_from_the_cache_the_bits_are_the_same(tmp_path):
    (cold,), (again,) = (fresh(DIGEST, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert cold.split()[1] == "0" and again.split()[1] == "1", "compiled, then read"
    assert cold.split()[0] == again.split()[0]


@pytest.mark.slow
def test_without_a_folder_for_compiled_code_the_kernel_still_trains(tmp_path):
    code = ("import numba.core.caching as caching\n"
            "caching.CacheImpl._locator_classes = []\n" + DIGEST)
    (line,), (usual,) = fresh(code), fresh(DIGEST, NUMBA_CACHE_DIR=str(tmp_path))
    assert line.split()[0] == usual.split()[0]


@pytest.mark.slow
def test_the_products_use_vectors(tmp_path):
    code = ("from helpers import kernel\n"
            "print(kernel.LANES, *kernel._product.inspect_asm().values())")
    asm = "\n".join(fresh(code, NUMBA_CACHE_DIR=str(tmp_path)))
    if "+fma" not in kernel.FEATURES:
        pytest.skip("this processor has no fused multiply-add of vectors")
    register = "zmm" if asm.startswith("32 ") else "ymm"
    assert len(re.findall(rf"vfmadd\w+ps\s.*%{register}", asm)) >= 2 * kernel.ROWS
    assert not re.findall(r"vfmadd\w+ss", asm), "a product is computed number by number"


@pytest.mark.slow
def test_long_trainings_end_alike():
    """At this learning rate rounding grows until single networks differ; their spread does not."""
    networks, problem = initialise((2, 50, 50, 1), range(64)), spirals()
    found = train(networks, problem, POST)
    with reference_engine():
        expected = train(networks, problem, POST)
    assert not same_bits(found.networks, expected.networks)
    losses = [run.losses[:, -20:].mean(1).numpy() for run in (found, expected)]
    scores = [accuracy(run.networks, problem.x_test, problem.y_test).numpy()
              for run in (found, expected)]
    assert ks_2samp(*losses).pvalue > 0.05 and ks_2samp(*scores).pvalue > 0.05
    worse = replace(POST, learning_rate=0.05)
    other = train(networks, problem, worse)
    assert ks_2samp(losses[1], other.losses[:, -20:].mean(1).numpy()).pvalue < 0.05, "no power"
