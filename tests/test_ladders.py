"""Tables of bounds: their rows are those of the functions they collect, whole and up to date."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from distributed import Client

from helpers import bound_tables, ladders, results
from helpers.arms import Setting
from helpers.bound_tables import node_sets, nodes, stored
from helpers.bounds import BOUNDS, CHAIN, certificate, ladder
from helpers.ladders import FRACTIONS, LAYERS, MOMENTS, RANKED_BY, VISIBLE
from helpers.looseness import violations
from helpers.pruning import choose
from helpers.recipes import Recipe
from helpers.removals import every_node
from helpers.replacements import stale_means
from helpers.tasks import tables

SETTING = Setting("spirals n_train=60 n_test=40", hidden=(6, 5), seeds=(3, 5), floors=(),
                  recipe=Recipe(learning_rate=0.02, steps=150))
PROBLEM = SETTING.draw()
NETWORKS = ladders.trained(SETTING, PROBLEM)
HELD_OUT = PROBLEM.x_test, PROBLEM.y_test
SINGLE = 1e-6  # rounding of the stored tables


@pytest.fixture(scope="module")
def prunings():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladders, "RANKED_BY", ("taylor", "random"))
        return ladders.prunings(SETTING)


@pytest.mark.parametrize("points, place", [(None, "train"), (HELD_OUT, "held-out")])
def test_every_node_of_every_network_has_its_row(prunings, points, place):
    table = prunings[(prunings.points == place) & prunings.criterion.isna()]
    expected = every_node(NETWORKS, PROBLEM, points).reset_index()
    assert list(table.layers) == list(expected.layer.map({0: "first", 1: "last"}))
    columns = expected.columns.drop("layer")
    np.testing.assert_allclose(table[columns].astype(float), expected[columns], rtol=1e-9)


def test_sets_come_by_criterion_fraction_layers_and_means(prunings):
    sets = prunings[(prunings.points == "held-out") & prunings.criterion.notna()]
    assert len(sets) == 2 * 2 * len(FRACTIONS) * (len(LAYERS) + 1)
    kept = choose(NETWORKS, PROBLEM, "taylor", 0.5)
    given = NETWORKS, kept, PROBLEM, stale_means, HELD_OUT
    expected = pd.concat([ladder(*given), certificate(*given)], axis=1).reset_index()
    row = sets.query("criterion == 'taylor' & fraction == 0.5 & means == 'stale'")
    np.testing.assert_allclose(row[expected.columns].astype(float), expected, rtol=1e-9)


def test_ratios_in_training_are_medians_over_the_nodes_of_the_first_layer(monkeypatch):
    monkeypatch.setattr(ladders, "MOMENTS", (0, 150))
    table = ladders.in_training(SETTING).set_index(["step", "seed"])
    alone = every_node(NETWORKS, PROBLEM, layers=[0]).loc[5]
    changed = alone[alone.mean_abs_loss_change > VISIBLE]
    row = table.loc[150, 5]
    assert len(table) == 4 and row.nodes == len(changed) > 2
    ratios = changed.suffix_k / changed.mean_abs_loss_change
    assert row.loss_ratio == pytest.approx(ratios.median())
    rises = changed[changed.loss_change > VISIBLE]
    assert row.harm_ratio == pytest.approx((rises.harm_side / rises.loss_change).median())
    norms = [np.linalg.norm(weight[1].detach(), 2) for weight in NETWORKS.weights]
    assert row.K == pytest.approx(norms[1] * norms[2], rel=1e-6)


def test_constants_lie_in_the_order_that_theory_gives_them():
    table = ladders.constants(SETTING)
    for what in ("whole", "suffix"):
        exact, lipsdp, product = table[what], table[f"lipsdp_{what}"], table[f"product_{what}"]
        assert (exact <= lipsdp * (1 + 1e-9)).all() and (lipsdp <= product * (1 + 1e-9)).all()
    assert (table.train_mean <= table.train_max).all() and (table.train_max <= table["sup"]).all()
    assert (1 < table.seen).all() and (table.seen < table.regions).all()
    patterns = torch.cat([layer[1] > 0 for layer in NETWORKS.activations(PROBLEM.x_train)], 1)
    assert table.seen[1] == len({tuple(row) for row in patterns.tolist()})


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Tables of two draws of SETTING, in folders of their own."""
    stored.cache_clear()
    monkeypatch.setattr(ladders, "MOMENTS", (10,))
    monkeypatch.setattr(bound_tables, "TABLES", {"bounds_in_training": ladders.in_training})
    monkeypatch.setattr(bound_tables, "RESULTS", tmp_path)
    settings = [replace(SETTING, data_seed=draw) for draw in (0, 1)]
    found = [bound_tables.Task("bounds_in_training", setting) for setting in settings]
    monkeypatch.setattr(bound_tables, "tasks", lambda: found)
    yield tmp_path
    stored.cache_clear()


def test_only_what_is_missing_or_damaged_is_computed(small):
    folder = small / "sweep"
    assert bound_tables.complete(folder) == 2
    bound_tables.write_tables(folder, small)
    whole = stored("bounds_in_training")
    assert bound_tables.complete(folder) == 0
    first, second = (folder / task.name for task in bound_tables.tasks())
    first.write_bytes(first.read_bytes()[:-100])
    content = second.read_bytes()
    second.write_bytes(content[:20] + bytes(60) + content[80:])
    with pytest.warns(RuntimeWarning, match="is damaged or foreign"):
        assert bound_tables.complete(folder) == 2
    bound_tables.write_tables(folder, small)
    stored.cache_clear()
    pd.testing.assert_frame_equal(stored("bounds_in_training"), whole)
    assert list(whole.data_seed) == [0, 0, 1, 1] and whole.K.dtype == float


def test_a_client_computes_the_same(small):
    with Client(processes=False, n_workers=1, dashboard_address=":0") as client:
        assert bound_tables.complete(small / "a", client) == 2
    bound_tables.complete(small / "b")
    found, expected = (tables(bound_tables.tasks(), small / folder) for folder in "ab")
    assert all(map(pa.Table.equals, found, expected))


def test_a_task_that_fails_is_named_and_what_was_finished_stays(small, monkeypatch):
    first, second = bound_tables.tasks()

    def failing(setting):
        if setting.data_seed == 1:
            raise ValueError("no such\nthing")
        return ladders.in_training(setting)

    monkeypatch.setattr(bound_tables, "TABLES", {"bounds_in_training": failing})
    with pytest.raises(RuntimeError, match="data_seed=1.*ValueError: no such thing$"):
        bound_tables.complete(small)
    assert bound_tables.missing(small) == [second]


def test_a_task_is_named_by_all_that_it_depends_on(monkeypatch):
    task = bound_tables.tasks()[0]
    names = {task.name, replace(task, table="lipschitz").name,
             replace(task, setting=replace(task.setting, data_seed=7)).name}
    for module, name, value in ((ladders, "FRACTIONS", (0.1,)), (bound_tables, "VERSION", -1)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            names.add(task.name)
    assert len(names) == 5


def test_stored_tables_are_of_these_settings_and_whole():
    draws, seeds = bound_tables.DRAWS, bound_tables.SEEDS
    networks = len(bound_tables.RATES) * draws * seeds
    assert json.loads(json.dumps(bound_tables.described())) == results.provenance()["bounds"]
    assert draws * seeds >= 100 and len(bound_tables.RATES) >= 2
    assert len(nodes()) == len(nodes("held-out")) == 100 * networks
    assert len(node_sets()) == networks * len(RANKED_BY) * len(FRACTIONS) * len(LAYERS)
    assert len(node_sets(means="stale")) == networks * len(RANKED_BY) * len(FRACTIONS)
    assert len(stored("lipschitz")) == networks
    assert len(stored("bounds_in_training")) == networks * len(MOMENTS)


def test_no_stored_pruning_breaks_a_bound_and_spoilt_bounds_are_noticed():
    table = stored("bounds")
    assert len(table) > 10_000 and not violations(table, rounding=SINGLE).any()
    steps = table[list(CHAIN[:-1])].to_numpy() * (1 + SINGLE) + SINGLE - table[list(CHAIN[1:])]
    assert (steps.to_numpy() >= 0).all()
    spoilt = violations(table, shrink=0.5, rounding=SINGLE)
    assert spoilt.harm_side > 1000 and spoilt.margin_aware > 1000
    assert (violations(table, shrink=0.01, rounding=SINGLE)[list(BOUNDS)] > 100).all()


def test_unknown_tables_and_points_are_refused():
    with pytest.raises(ValueError, match="table is 'gates'; expected one of 'bounds'"):
        stored("gates")
    with pytest.raises(ValueError, match="points is 'test'; expected one of 'train', 'held-out'"):
        nodes("test")
