"""The benchmark compares like with like, and says so when it does not."""

import dataclasses
import json
import os
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import contenders as ways
from benchmarks import costs, growth, playground, processes, profiles, records, sweep, targets
from benchmarks import training as bench
from benchmarks.contenders import (
    CONTENDERS,
    LOOP,
    OURS,
    PRODUCTS,
    WORKLOADS,
    Contender,
    Workload,
    disagreements,
)
from helpers.arms import Cut
from helpers.recipes import Recipe
from helpers.sweep import Grid

TINY = {"batches": Workload((2, 6, 5, 1), Recipe(batch_size=8, steps=20)),
        "full batch": Workload((2, 6, 5, 1), Recipe(batch_size=None, steps=20))}
HERE = {name: dataclasses.replace(contender, networks=2, on_all_points=2)
        for name, contender in CONTENDERS.items() if name not in ways.missing(CONTENDERS)}
FEW = {name: HERE[name] for name in (OURS, LOOP, PRODUCTS)}  # of one process
SIZES = {"networks": (1, 2, 64), "width": (3,), "depth": (1, 2), "points": (40, 60)}


def hasty(networks, problem, recipe, loss_every):
    """The project's own training at a learning rate 1 % too high."""
    recipe = dataclasses.replace(recipe, learning_rate=1.01 * recipe.learning_rate)
    return ways.with_torch(networks, problem, recipe, loss_every)


def diverging(networks, problem, recipe, loss_every):
    return lambda: torch.full((len(networks), recipe.steps), torch.nan)


class Inline:
    """A worker that is this very process."""

    def submit(self, function, *arguments):
        self.result = lambda: function(*arguments)
        return self


@pytest.fixture
def inline(monkeypatch):
    """Let benchmarks work in this process, which has two cores."""
    monkeypatch.setattr(processes, "worker", lambda count: nullcontext(Inline()))
    monkeypatch.setattr(processes, "cores", lambda: [0, 1])


@pytest.fixture
def folders(tmp_path):
    """Where a benchmark writes, instead of the repository."""
    return {"bench": tmp_path / "bench", "results": tmp_path / "speed.json"}


@pytest.mark.parametrize("name", [name for name, way in CONTENDERS.items() if way.trains])
@pytest.mark.parametrize("workload", [*TINY.values(), *WORKLOADS.values()])
def test_contenders_compute_the_same_losses(name, workload):
    contender = CONTENDERS[name]
    if contender.needs:
        pytest.importorskip(contender.needs)
    found = disagreements({name: contender}, workload)
    assert found[name] <= bench.TOLERANCE


@pytest.mark.parametrize("name", [name for name in HERE if HERE[name].trains])
def test_losses_are_those_of_every_tenth_step(name):
    networks, problem = ways.initialise((2, 6, 5, 1), range(2)), ways.spirals(60)
    recipe = Recipe(batch_size=8, steps=21)
    each, tenth = (HERE[name].prepare(networks, problem, recipe, every)() for every in (1, 10))
    torch.testing.assert_close(tenth, each[:, ::10], rtol=0, atol=1e-6, check_dtype=False)


def test_scikit_learn_differs_by_the_place_of_its_epsilon(monkeypatch):
    """With its own epsilon, added before the bias correction, it trains otherwise."""
    monkeypatch.setattr(ways.math, "sqrt", lambda correction: 1)
    found = disagreements({"wrong": HERE[ways.SKLEARN]}, WORKLOADS["batch 32"])
    assert found["wrong"] > bench.TOLERANCE


@pytest.mark.parametrize("wrong", [hasty, diverging])
def test_a_wrong_contender_fails_the_benchmark_by_name(wrong, folders, capsys, inline):
    contenders = {**FEW, "wrong one": Contender(wrong, 2, 2)}
    assert bench.main(contenders, TINY, rounds=1, **folders) == 1
    assert capsys.readouterr().err == "not the same computation: wrong one\n"
    assert not folders["results"].exists() and not folders["bench"].exists()


def test_rows_are_complete_and_a_slow_engine_is_no_failure(folders, capsys, monkeypatch, inline):
    impossible = targets.Target("batches: fast", (LOOP, "batches", 1), (OURS, "batches", 1), 1e9, 1)
    monkeypatch.setattr(bench, "judged", lambda times: targets.judged(times, [impossible]))
    monkeypatch.setattr(bench, "PROFILED", 5)
    assert bench.main(FEW, TINY, rounds=2, **folders) == 0
    found = json.loads((folders["bench"] / "training.json").read_text())
    assert json.loads(folders["results"].read_text()) == {"training": found}
    assert {(row["contender"], row["workload"], row["cores"]) for row in found["rows"]} == {
        (contender, workload, count) for contender in FEW for workload in TINY for count in (1, 2)}
    assert all(0 < row["fastest"] <= row["us_per_network_step"] <= row["slowest"]
               for row in found["rows"])
    assert len(found["profiles"]) == len(TINY) * 2 * len(profiles.PARTS)
    assert found["left_out"] == [] and found["versions"]["torch"] == version("torch")
    assert "batches: fast" in capsys.readouterr().out and not found["targets"][0]["met"]


def test_a_missing_package_is_said_and_its_contender_left_out(folders, capsys, monkeypatch, inline):
    monkeypatch.setattr(bench, "PROFILED", 5)
    absent = Contender(diverging, 2, 2, needs="no_such_package")
    some = {"full batch": TINY["full batch"]}
    assert bench.main({**FEW, "another": absent}, some, rounds=1, **folders) == 0
    assert "another is left out: no_such_package is not installed\n" in capsys.readouterr().out
    found = json.loads(folders["results"].read_text())["training"]
    assert found["left_out"] == ["another"]
    assert {row["contender"] for row in found["rows"]} == set(FEW)


def test_times_are_per_network_and_step(monkeypatch):
    """By a clock that moves on by 12 seconds at every look, each contender takes 12 seconds."""
    ticks = iter(range(0, 1000, 12))
    monkeypatch.setattr(ways.time, "perf_counter", lambda: next(ticks))
    idle = Contender(diverging, 4, 3)
    assert ways.visit(idle, TINY["batches"]) == pytest.approx(12e6 / 4 / 20)
    assert ways.visit(idle, TINY["full batch"]) == pytest.approx(12e6 / 3 / 20)


CASES = {(OURS, "batches", 1): [1.0, 2.0, 4.0], (LOOP, "batches", 1): [9.0, 10.0, 100.0],
         (OURS, "batches", 2): [1.0, 1.0, 1.0]}


def test_ratios_are_taken_within_rounds_and_on_as_many_cores():
    found = bench.rows(CASES, FEW, TINY)
    assert [row["ratio"] for row in found] == [1, 9, 1]  # of 9, 5, 25; a ratio of medians is 5
    assert [row["us_per_network_step"] for row in found] == [2, 10, 1]


@pytest.mark.parametrize("wanted, least, met, said", [
    (9, 9, True, "w: 9.00 (met)"), (9.5, 8, False, "w: 9.00 (missed)"),
    (20, 10, False, "w: 9.00 (missed, and below the least, 10)")])
def test_targets_are_judged_by_ratios_within_rounds(wanted, least, met, said):
    target = targets.Target("w", (LOOP, "batches", 1), (OURS, "batches", 1), wanted, least)
    absent = targets.against("nobody", "batches", 1)
    (found,) = targets.judged(CASES, [absent, target])
    assert (found["measured"], found["lowest"], found["highest"]) == (9, 5, 25)
    assert found["met"] is met and targets.sentence(found) == said


def test_all_targets_are_of_contenders_and_workloads_that_there_are():
    for target in targets.TARGETS:
        for name, workload, cores in (target.slow, target.fast):
            assert name in CONTENDERS and workload in WORKLOADS and cores in bench.CORES


def test_the_products_are_those_of_a_step():
    """Forward, weights and inputs: twice as many operations as numbers in every product."""
    products = ways._fastest_products((2, 6, 5, 1), 3, 8)
    sizes = sorted(left.shape[1] * left.shape[2] * right.shape[2] for left, right, _ in products)
    assert sizes == sorted([2 * 6 * 8, 6 * 5 * 8, 5 * 8] * 2 + [6 * 5 * 8, 5 * 8])
    for left, right, out in products:
        assert torch.equal(torch.bmm(left, right, out=out), left @ right)


def test_every_layout_of_a_product_is_tried_and_gives_it():
    layouts = list(ways._layouts(3, 4, 5, 6))
    for left, right, out in layouts:
        assert torch.equal(torch.bmm(left, right, out=out), torch.full_like(out, 5))
    forms = {tuple(tensor.is_contiguous() for tensor in (left, right)) + tuple(out.shape)
             for left, right, out in layouts}
    assert len(forms) == 8


@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_sees_its_cores_and_no_other(count):
    if count > len(before := processes.cores()):
        pytest.skip("the machine has one core")
    threads = dict(os.environ)
    with processes.worker(count) as pool:
        assert len(pool.submit(processes.cores).result()) == count
        assert pool.submit(torch.get_num_threads).result() == count
        assert pool.submit(os.getpid).result() != os.getpid()
    assert processes.cores() == before and dict(os.environ) == threads


@pytest.mark.slow
def test_fresh_processes_remember_nothing():
    assert len(set(processes.in_fresh_processes(own_process, range(3)))) == 3


@pytest.mark.slow
def test_memory_is_that_of_the_training_and_grows_with_the_networks():
    few, many = processes.in_fresh_processes(growth.peak_with_torch, (256, 2048))
    state = 4 * 2751  # bytes of the parameters of one network
    assert 3 * state < (many - few) / (2048 - 256) < 50 * state


def own_process(_) -> int:
    return os.getpid()


def test_a_profile_adds_up_and_holds_what_a_step_does():
    parts = profiles.step_parts(TINY["batches"], 3, 30)
    assert tuple(parts) == profiles.PARTS and min(parts.values()) > 0
    assert parts[profiles.PRODUCTS] < sum(parts.values())


def test_results_keep_what_other_benchmarks_found(folders):
    records.store("costs", {"a": 1}, **folders)
    records.store("training", {"b": 2}, **folders)
    records.store("costs", {"a": 3}, **folders)
    stored = json.loads(folders["results"].read_text())
    here = records.machine()
    assert stored == {"costs": here | {"a": 3}, "training": here | {"b": 2}}
    assert json.loads((folders["bench"] / "costs.json").read_text()) == stored["costs"]
    assert not any(trace in json.dumps(stored) for trace in (str(Path.home()), os.getcwd()))


def test_a_straight_line_is_told_from_a_bent_one():
    x = np.array([256, 1024, 2048, 4096])
    assert growth.straight(x, 1e8 + 140e3 * x) == pytest.approx((140e3, 0), abs=1e-6)
    assert growth.straight(x, 1e8 + 40 * x**2)[1] > growth.STRAIGHT
    assert growth.straight(x, 1e8 + 140e3 * x + [0, 0, 4e7, 0])[1] == pytest.approx(
        4e7 * bend(x, 2) / (140e3 * (4096 - 256)), rel=1e-6)


def bend(x, place: int) -> float:
    """How far the farthest point is from the line fitted to a unit bump, by the normal equations.
    """
    bump = np.eye(len(x))[place]
    design = np.stack([x, np.ones(len(x))], 1).astype(float)
    return abs(bump - design @ np.linalg.solve(design.T @ design, design.T @ bump)).max()


def test_even_times_are_judged_by_the_worst_of_many_networks():
    times = {1: [50, 50], 64: [11, 22], 256: [10, 20], 1024: [12, 23]}
    found = [{"job": OURS, "along": "networks", "value": count, "rounds": own}
             for count, own in times.items()]
    judged = growth.evenness(found, OURS)
    assert judged["measured"] == pytest.approx((0.2 + 0.15) / 2) and not judged["met"]
    assert (judged["best_at"], judged["worst_at"]) == (256, 1024)
    found[-1]["rounds"] = [10.9, 21.8]
    found[1]["rounds"] = [10.5, 21]
    judged = growth.evenness(found, OURS)
    assert judged["measured"] == pytest.approx(0.09) and judged["met"]


@pytest.mark.slow
def test_the_benchmark_runs_in_processes_of_its_own(folders):
    some = {"full batch": TINY["full batch"]}
    assert bench.main(FEW, some, rounds=1, **folders) == 0
    found = json.loads(folders["results"].read_text())["training"]
    assert {row["cores"] for row in found["rows"]} == {1, 2} & {*range(len(processes.cores()) + 1)}


def test_costs_are_complete(folders, capsys, monkeypatch, inline):
    monkeypatch.setattr(growth, "MANY", 1)  # few networks differ in time by far more than allowed
    monkeypatch.setattr(costs, "POST", Recipe(steps=10))
    monkeypatch.setattr(processes, "in_fresh_processes", lambda function, values: [
        10**8 + 1000 * value for value in values])
    assert costs.main(SIZES, (64, 128, 192), 1, **folders) == 0
    found = json.loads(folders["results"].read_text())["costs"]
    named = {row["what"] for row in found["costs"]}
    for part in (*costs.CRITERIA, *costs.COMPENSATIONS, "whole square", "plane"):
        assert any(part in name for name in named), part
    for job in (OURS, *growth.JOBS):
        grown = {(row["along"], row["value"]) for row in found["growth"] if row["job"] == job}
        assert grown == {(along, value) for along, values in SIZES.items() for value in values}
    assert {row["networks"] for row in found["profiles"]} == {
        found["targets"][0]["best_at"], found["targets"][0]["worst_at"]}
    assert found["memory"][0]["per_network"] == pytest.approx(1000)
    assert "kB per network" in capsys.readouterr().out


@pytest.mark.slow
def test_64_networks_train_many_times_as_fast_as_one_by_one():
    ours, loop = Contender(ways.with_torch, 64, 64), CONTENDERS[LOOP]
    ratios = [ways.visit(loop, WORKLOADS["batch 32"]) / ways.visit(ours, WORKLOADS["batch 32"])
              for _ in range(5)]
    assert np.median(ratios) >= 8  # about 30 on a quiet core; a busy one must not fail the test


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
