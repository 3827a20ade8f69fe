"""Stored estimates are those of `intervals`; what results/ holds is whole, small and of this study.
"""

import getpass
import json
import platform
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from examples import FEW
from helpers import bound_tables, ladders, results, sweep
from helpers.arms import ARMS, Cut, Setting, cuts
from helpers.intervals import Estimate, estimate, median, sign_flip
from helpers.results import (
    DIFFERENCES,
    HEADLINE,
    MARGIN,
    QUANTILES,
    RESAMPLES,
    along,
    commuting,
    draws_by_seeds,
    headline,
    one,
    p_value,
    provenance,
    spread_of,
    summarise,
    up_to_date,
    write,
)
from helpers.study import RESULTS, STUDY
from helpers.sweep import Grid, complete, read
from test_notebooks import FOLDERS

BRIEF = replace(FEW, steps=10)
MOONS = "moons n_train=60 n_test=40"
GRIDS = {
    "headline": Grid((MOONS,), (0, 1), ((6, 6),), recipes=(BRIEF,),
                     seeds=3, cuts=cuts(("std", "random"), arms=ARMS), extras=("weights",)),
    "small": Grid((MOONS,), (0, 3, 4), ((10, 6), (9, 6), (12,)),
                  recipes=(replace(BRIEF, learning_rate=0.1), BRIEF), seeds=4, floors=(),
                  cuts=cuts(("std", "random"), (0.3, 0.5), arms=("B",))),
    "tuned": Grid((MOONS,), (0, 1), ((6, 6),), recipes=(BRIEF,), seeds=2,
                  cuts=(Cut(fine_tune_steps=3, arms=("A_tuned",)), Cut(fine_tune_steps=4)))}
NUMBERS = {"median": median, "mean": np.mean}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished sweep over GRIDS."""
    folder = tmp_path_factory.mktemp("sweep")
    complete(GRIDS.values(), folder)
    return folder


@pytest.fixture(scope="module")
def tables(finished, tmp_path_factory):
    """A folder with the tables of GRIDS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "STUDY", GRIDS)
        patch.setattr(results, "RESULTS", tmp_path_factory.mktemp("tables") / "results")
        write(finished)
        return results.RESULTS


@pytest.fixture
def written(tables, monkeypatch):
    """GRIDS in the place of the study, and their tables in that of the stored ones."""
    monkeypatch.setattr(results, "STUDY", GRIDS)
    monkeypatch.setattr(results, "RESULTS", tables)
    kept = results._stored, results._parts, results.headline
    for function in kept:
        function.cache_clear()
    yield tables
    for function in kept:
        function.cache_clear()


def values(table, measure, **where):
    """A measure as (draws, seeds), or the difference of two, row by row."""
    for column, value in where.items():
        table = table[table[column] == value]
    if measure in DIFFERENCES:
        minuend, subtrahend = DIFFERENCES[measure]
        table = table.assign(**{measure: table[minuend] - table[subtrahend]})
    draws = table.data_seed.unique()
    return np.array([table[measure][table.data_seed == draw].to_numpy(float) for draw in draws])


@pytest.mark.parametrize("statistic", NUMBERS)
@pytest.mark.parametrize("measure", [
    "A_vs_B_plane_disagreement", "B_held_out_loss", "A_vs_B_held_out_distance", "B_gain", "A_gap"])
def test_estimates_of_cuts_are_those_of_intervals(statistic, measure, written, finished):
    table = read(GRIDS["small"], finished)
    for where in ({"hidden": "9-6", "learning_rate": 0.01, "criterion": "random", "fraction": 0.3},
                  {"hidden": "12", "learning_rate": 0.1, "criterion": "std", "fraction": 0.5}):
        own = values(table, measure, **where)
        assert own.shape == (3, 4) and np.ptp(own) > 0
        expected = estimate(own, NUMBERS[statistic], resamples=RESAMPLES)
        assert one(measure, "small", statistic, **where) == expected
        quantiles = np.quantile(own, (0, 0.25, 0.75, 1))
        assert list(spread_of(measure, "small", **where).values()) == pytest.approx(quantiles)


@pytest.mark.parametrize("measure", ["dense_held_out_loss", "dense_gap", "dense_dead_last"])
def test_estimates_of_dense_networks_count_each_once(measure, written, finished):
    """Every cut repeats them."""
    where = {"hidden": "10-6", "learning_rate": 0.01}
    own = values(read(GRIDS["small"], finished), measure, **where, criterion="std", fraction=0.3)
    assert one(measure, "small", **where) == estimate(own, resamples=RESAMPLES)


def test_p_values_are_those_of_sign_flips(written, finished):
    where = {"hidden": "9-6", "fraction": 0.3}
    own = values(read(GRIDS["small"], finished), "B_gain", **where, learning_rate=0.1,
                 criterion="std")
    assert p_value("B_gain", "small", **where) == sign_flip(own)
    with pytest.raises(ValueError, match="measure is 'barrier'; expected one of 'excess_plane'"):
        p_value("barrier", "small", **where)
    with pytest.raises(ValueError, match="B_gain of small where .*: 0 estimates; expected one"):
        p_value("B_gain", "small")


def test_differences_are_of_the_same_network(written, finished):
    table = read(GRIDS["headline"], finished)
    std = table[table.criterion == "std"]
    own = std.A_vs_B_plane_disagreement - std.B_vs_other_order_plane_disagreement
    assert one("excess_plane", "headline", "mean").value == pytest.approx(own.mean(), abs=1e-7)
    assert one("excess_plane", "headline").value == pytest.approx(own.median(), abs=1e-7)
    gains = std.B_held_out_accuracy - std.A_tuned_held_out_accuracy
    assert one("B_minus_A_tuned", "headline", "mean").value == pytest.approx(gains.mean(), abs=1e-7)


def test_networks_without_a_value_do_not_count(finished, monkeypatch):
    table = read(GRIDS["headline"], finished)
    gone = (table.criterion == "std") & (table.seed == 10_001)
    table.loc[gone, "B_held_out_loss"] = np.nan
    table.loc[table.criterion == "random", "B_train_loss"] = np.inf
    monkeypatch.setattr(results, "STUDY", GRIDS)
    monkeypatch.setattr(results, "read", lambda grid, folder: table.copy())
    _, found = summarise("headline", None)
    found = found.set_index(["criterion", "measure"])
    row, own = found.loc["std", "B_held_out_loss"], values(table, "B_held_out_loss",
                                                           criterion="std")
    there = np.isfinite(own)
    expected = estimate(np.where(there, own, 9), np.nanmean, there, RESAMPLES)
    assert (row["mean"], row.mean_low, row.mean_high) == pytest.approx(
        (expected.value, expected.low, expected.high))
    assert (row.networks, row.draws) == (5, 2) and row.highest == np.nanmax(own)
    assert found.loc["std", "B_train_loss"].networks == 6
    assert ("random", "B_train_loss") not in found.index


def test_one_defaults_to_the_posts_setting(written):
    whole = {"criterion": "std", "fraction": 0.5, "learning_rate": 0.1, "problem": MOONS,
             "hidden": "12", "layers": "all"}
    assert one("B_gain", "small", hidden="12") == one("B_gain", "small", **whole)
    assert one("B_gain", "small", hidden="12") != one("B_gain", "small", hidden="12", fraction=0.3)
    assert one("B_gain", "small", hidden="12").n == "12 networks, 3 data draws"


def test_along_gives_every_value_by_rising_numbers(written):
    widths = along("hidden", "B_gain", "small", fraction=0.3)
    assert list(widths) == ["9-6", "10-6", "12"]
    assert widths == {hidden: one("B_gain", "small", hidden=hidden, fraction=0.3)
                      for hidden in widths}
    rates = along("learning_rate", "B_gain", "small", "mean", hidden="12", criterion="random")
    assert list(rates) == [0.01, 0.1]
    assert rates[0.01] == one("B_gain", "small", "mean", hidden="12", criterion="random",
                              learning_rate=0.01)


@pytest.mark.parametrize("call, message", [
    (lambda: one("A_train_loss", "tuned"), "A_train_loss of tuned .* 2 estimates; expected one"),
    (lambda: one("B_gain", "small"), "B_gain of small where {}: 0 estimates; expected one"),
    (lambda: one("B_gain", "small", hidden="7"), "'hidden': '7'}: 0 estimates; expected one"),
    (lambda: one("barrier", "small", hidden="12"), "barrier of small .* 0 estimates"),
    (lambda: one("B_gain", "large"), "grid is 'large'; expected one of 'headline', 'small'"),
    (lambda: one("B_gain", "small", width=3), "where is 'width'; expected one of 'grid', 'prob"),
    (lambda: one("dense_gap", "small", criterion="std"), "where is 'criterion'; expected one of"),
    (lambda: one("B_gain", "small", "mode", hidden="12"), "statistic is 'mode'; expected one of"),
    (lambda: along("width", "B_gain", "small"), "axis is 'width'; expected one of 'problem'"),
    (lambda: along("fraction", "B_gain", "small"), "along fraction where {}: 0 estimates"),
    (lambda: along("fraction", "barrier", "small"), "along fraction where {}: 0 estimates"),
    (lambda: along("criterion", "A_train_loss", "tuned"), "along criterion .*: 2 estimates"),
    (lambda: spread_of("A_train_loss", "tuned"), "A_train_loss of tuned .* 2 estimates"),
])
def test_what_is_ambiguous_or_missing_is_refused(call, message, written):
    with pytest.raises(ValueError, match=message):
        call()


ABOVE, BELOW = np.nextafter(MARGIN, 1), np.nextafter(MARGIN, 0)


@pytest.mark.parametrize("low, high, verdict", [
    (-0.5, BELOW, "commute"), (0.0, 0.0, "commute"), (-0.5, -0.2, "commute"),
    (ABOVE, 0.5, "do not commute"), (0.2, 0.3, "do not commute"),
    (BELOW, ABOVE, "undecided"), (-0.1, MARGIN, "undecided"), (MARGIN, 0.5, "undecided"),
    (MARGIN, MARGIN, "undecided"), (0.0, 0.02, "undecided")])
def test_orders_commute_where_the_whole_interval_is_below_the_margin(low, high, verdict):
    assert MARGIN == 0.01
    assert commuting(Estimate((low + high) / 2, low, high, 100, 10)) == verdict


def test_draws_by_seeds_puts_every_draw_into_a_row():
    table = pd.DataFrame({"data_seed": [3, 3, 1, 1], "seed": [30, 31, 10, 11],
                          "loss": [1.0, 2.0, 3.0, np.nan]}, index=[9, 4, 2, 7])
    found = draws_by_seeds(table, "loss")
    np.testing.assert_array_equal(found, [[3, np.nan], [1, 2]])


def test_the_headline_has_a_row_per_network_and_cut(written, finished):
    table = read(GRIDS["headline"], finished)
    pd.testing.assert_frame_equal(headline(), table[HEADLINE])
    assert len(headline()) == 2 * 3 * 2


def test_results_are_up_to_date_for_these_settings_and_version_alone(written, monkeypatch):
    assert up_to_date()
    for name, value in (("RESULT_VERSION", results.RESULT_VERSION + 1),
                        ("RESULTS", written / "nowhere"),
                        ("STUDY", GRIDS | {"small": replace(GRIDS["small"], seeds=5)}),
                        ("STUDY", GRIDS | {"small": replace(GRIDS["small"], data_seeds=(0, 1, 4))}),
                        ("STUDY", GRIDS | {"more": GRIDS["small"]})):
        with monkeypatch.context() as patch:
            patch.setattr(results, name, value)
            assert not up_to_date(), name
    assert up_to_date()


def test_the_command_computes_and_writes_only_what_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(results, "STUDY", {"headline": GRIDS["headline"]})
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    bounds = bound_tables.Task("bounds_in_training", Setting(
        MOONS, hidden=(6, 6), recipe=BRIEF, floors=()))
    monkeypatch.setattr(bound_tables, "tasks", lambda: [bounds])
    monkeypatch.setattr(bound_tables, "TABLES", {bounds.table: bound_tables.TABLES[bounds.table]})
    monkeypatch.setattr(ladders, "MOMENTS", (5,))
    arguments = ["--workers", "1", "--folder", str(tmp_path / "sweep")]
    results.main(arguments)
    assert capsys.readouterr().out == "3 tasks computed; results/ is up to date\n"
    names = {"headline.parquet", "dense.parquet", "cuts.parquet", "provenance.json",
             "bounds_in_training.parquet"}
    assert {path.name for path in results.RESULTS.iterdir()} == names
    for path in results.RESULTS.iterdir():
        path.chmod(0o400)
    monkeypatch.setattr(results, "write", None)
    monkeypatch.setattr(sweep, "compute", None)
    results.main(arguments)
    assert capsys.readouterr().out == "0 tasks computed; results/ is up to date\n"
    with pytest.raises(SystemExit, match="python -m helpers.results: workers is 0; expected"):
        results.main(["--workers", "0"])


def traces(text):
    """What in a text speaks of one machine: folders, the user's name, the host's."""
    names = {getpass.getuser(), platform.node()} - {""}
    words = [rf"(?<!\w){re.escape(name)}(?!\w)" for name in names]
    return re.findall("|".join([FOLDERS, *words]), text)


def test_provenance_leaves_no_trace_of_the_machine(written):
    assert traces((written / "provenance.json").read_text()) == []
    assert traces('"folder": "/home/ada/x"') and traces(f'"by {getpass.getuser()}"')
    assert traces(f"on {platform.node()}.")


# What results/ stores


def test_stored_results_are_small():
    assert sum(path.stat().st_size for path in RESULTS.rglob("*")) <= 8e6
    assert {path.name for path in RESULTS.iterdir()} == {
        "headline.parquet", "dense.parquet", "cuts.parquet", "provenance.json", "playground.json",
        "speed.json", "gpu.json",
        *(f"{table}.parquet" for table in bound_tables.TABLES)}


def test_stored_provenance_is_of_this_study_and_of_no_machine():
    for name in ("provenance.json", "playground.json", "speed.json", "gpu.json"):
        assert traces((RESULTS / name).read_text()) == []
    assert set(provenance()) == {
        "command", "result_version", "commit", "processor", "seconds_on_one_core",
        "seconds_from_first_to_last_task", "versions", "seconds_by_grid", "settings",
        "bounds"}
    assert json.loads(json.dumps(results._settings())) == provenance()["settings"]
    assert up_to_date(), "`make sweep` writes them anew"


def test_stored_headline_has_a_hundred_networks_on_a_hundred_draws_for_every_cut():
    assert list(headline()) == HEADLINE
    assert headline().groupby(["criterion", "compensation"]).ngroups == len(STUDY["headline"].cuts)
    for _, rows in headline().groupby(["criterion", "compensation"]):
        per_draw = rows.groupby("data_seed").seed.nunique()
        assert len(per_draw) >= 100 and per_draw.min() >= 100
        assert not rows.seed.duplicated().any()


@pytest.mark.parametrize("name", ["dense", "cuts"])
def test_stored_estimates_come_from_enough_networks(name):
    """Of those that can be measured; at most one in ten diverged or has no value."""
    table = results._stored(name)
    assert set(table.grid) == set(STUDY)
    for grid, rows in table.groupby("grid"):
        networks, draws = (1000, 20) if grid == "post" else (256, 8)
        assert rows.draws.min() >= draws and rows.networks.max() >= networks, grid
        assert rows.networks.min() >= 0.9 * networks, grid


def test_stored_estimates_are_those_of_the_stored_networks():
    for criterion, compensation in (("std", "mean"), ("random", "mean"), ("random", "linear")):
        where = {"criterion": criterion, "compensation": compensation}
        rows = headline()[(headline()[list(where)] == list(where.values())).all(axis=1)]
        for measure in "A_vs_B_plane_disagreement", "dense_vs_B_held_out_disagreement", "B_stuck":
            own = draws_by_seeds(rows, measure)
            assert one(measure, "headline", **where).value == np.median(own)
            assert one(measure, "headline", "mean", **where).value == pytest.approx(own.mean())
    assert list(QUANTILES) == ["lowest", "quartile_1", "quartile_3", "highest"]
