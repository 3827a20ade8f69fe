"""The benchmark compares like with like, and says so when it does not."""

import dataclasses
import json

import pandas as pd
import pytest
import torch

from benchmarks import playground, sweep
from benchmarks import training as bench
from helpers.arms import Cut
from helpers.recipes import Recipe
from helpers.sweep import Grid

TINY = {
    "batches": bench.Workload((2, 6, 5, 1), Recipe(batch_size=8, steps=20), {bench.LOOP: 1e9}),
    "full batch": bench.Workload((2, 6, 5, 1), Recipe(batch_size=None, steps=20), {}),
}
FEW = {name: dataclasses.replace(contender, networks=2)
       for name, contender in bench.CONTENDERS.items()}


def hasty(networks, problem, recipe, loss_every):
    """The project's own training at a learning rate 1 % too high."""
    recipe = dataclasses.replace(recipe, learning_rate=1.01 * recipe.learning_rate)
    return bench.project(networks, problem, recipe, loss_every)


def diverging(networks, problem, recipe, loss_every):
    return lambda: torch.full((len(networks), recipe.steps), torch.nan)


@pytest.mark.parametrize("workload", [*TINY.values(), *bench.WORKLOADS.values()])
def test_contenders_compute_the_same_losses(workload):
    recipe = dataclasses.replace(workload.recipe, steps=20)
    found = bench.disagreements(bench.CONTENDERS, workload.widths, recipe)
    assert set(found) == set(bench.CONTENDERS)
    assert max(found.values()) <= bench.TOLERANCE


@pytest.mark.parametrize("wrong", [hasty, diverging])
def test_a_wrong_contender_fails_the_benchmark_by_name(wrong, tmp_path, capsys):
    contenders = {**FEW, "wrong one": bench.Contender(wrong, 2)}
    assert bench.main(contenders, TINY, rounds=1, path=tmp_path / "training.json") == 1
    assert capsys.readouterr().err == "not the same computation: wrong one\n"
    assert not (tmp_path / "training.json").exists()


def test_results_are_rows_and_a_slow_engine_is_no_failure(tmp_path, capsys):
    path = tmp_path / "new" / "training.json"
    assert bench.main(FEW, TINY, rounds=2, path=path) == 0
    found = json.loads(path.read_text())
    assert set(found) == {"processor", "processor_cores", "versions", "rounds", "rows"}
    assert {(row["contender"], row["workload"]) for row in found["rows"]} == {
        (contender, workload) for contender in FEW for workload in TINY}
    assert all(row["cores"] == 1 and row["us_per_network_step"] > 0 for row in found["rows"])
    assert "missed" in capsys.readouterr().out  # no engine is 1e9 times as fast


def test_times_are_per_network_and_step(monkeypatch):
    """By a clock that moves on by 12 seconds at every look, each contender takes 12 seconds."""
    ticks = iter(range(0, 1000, 12))
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(ticks))
    idle = {name: bench.Contender(diverging, networks)
            for name, networks in ((bench.OURS, 4), (bench.LOOP, 1))}
    ours, loop = bench.measure(idle, {"batches": TINY["batches"]}, rounds=3)
    assert ours["us_per_network_step"] == pytest.approx(12e6 / 4 / 20)
    assert ours["ratio"] == 1 and loop["ratio"] == pytest.approx(4)


@pytest.mark.slow
def test_64_networks_train_many_times_as_fast_as_one_by_one():
    contenders = {bench.OURS: bench.Contender(bench.project, 64),
                  bench.LOOP: bench.CONTENDERS[bench.LOOP]}
    rows = bench.measure(contenders, {"batch 32": bench.WORKLOADS["batch 32"]}, rounds=5)
    assert rows[1]["ratio"] >= 8  # about 30 on a quiet core; a busy one must not fail the test


def test_the_sweep_benchmark_takes_ratios_within_rounds():
    times = pd.DataFrame({"bare": [1.0, 2, 4], "this process": [1.5, 3, 6],
                          "one worker": [2.0, 4, 8], "two workers": [1.0, 4, 4]})
    assert sweep.ratios(times) == {"overhead in this process": 0.5, "overhead of one worker": 1,
                                   "speed-up of two workers": 2}


@pytest.mark.slow
def test_the_sweep_benchmark_runs_and_writes_every_contender(tmp_path, capsys):
    grid = Grid(hidden=((4,),), recipes=(Recipe(steps=5),), seeds=2, cuts=(Cut(),))
    assert sweep.main(grid, 1, tmp_path / "bench" / "sweep.json") == 0
    written = json.loads((tmp_path / "bench" / "sweep.json").read_text())
    assert set(written["seconds"]) == {"bare", "this process", "one worker", "two workers"}
    assert "two workers" in capsys.readouterr().out


@pytest.fixture
def three(monkeypatch):
    """Results of the playground's modules for three networks, timed once."""
    monkeypatch.setattr(playground, "NETWORKS", 3)
    monkeypatch.setattr(playground, "ROUNDS", 1)
    return playground.under_node()


@pytest.mark.slow
def test_the_playground_is_held_against_pytorch(three):
    apart = playground.differences(three["agreement"])
    assert all(len(values) == 3 and 0 < values.max() < 1e-5 for values in apart.values())
    spoiled = [[logit + 1e-3 for logit in three["agreement"][0]], *three["agreement"][1:]]
    worse = playground.differences(spoiled)["the playground", "PyTorch"]
    assert (worse > 1e-4).tolist() == [True, False, False]


@pytest.mark.slow
def test_what_was_measured_of_the_playground_stands_in_words(three):
    rows = playground.rows(three, frames=31.4, seconds=4.04)
    assert all(set(row) == {"what", "measured", "wanted"} for row in rows)
    said = {row["what"]: row["measured"] for row in rows}
    assert said["Frames meanwhile"] == "31 per second"
    assert said["Both orders and the noise floor, shown on the page"] == "4.0 s"
    gap = next(text for what, text in said.items() if what.startswith("Gap after 1500 steps"))
    assert gap.count("[") == 2  # an interval here, one in PyTorch
