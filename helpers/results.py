"""The small tables in results/ that the notebooks read, written anew by `make sweep`.

`headline.parquet` has a row for every network of the headline, `dense.parquet` and `cuts.parquet`
the estimates of every setting and cut; `helpers.bound_tables` adds the tables of bounds;
`provenance.json` says how they came about.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import fields, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from helpers import bound_tables, checks, files
from helpers.arms import Cut
from helpers.intervals import Estimate, estimate, median, sign_flip
from helpers.measures import MEASURED, SETTINGS
from helpers.progress import progress
from helpers.study import STUDY
from helpers.sweep import cluster, complete, finished, read, timing
from helpers.tasks import RESULT_VERSION

ROOT = Path(__file__).resolve().parents[1]
RESULTS, CACHE = ROOT / "results", ROOT / "build" / "sweep"
PACKAGES = ("torch", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn", "distributed")

CUT = [field.name for field in fields(Cut) if field.name != "arms"]
SETTING = [name for name in SETTINGS if name not in (*CUT, "data_seed", "seed")]
POST_SETTING = {
    "problem": "spirals", "hidden": "50-50", "scheme": "glorot_uniform", "optimiser": "adam",
    "learning_rate": 0.1, "batch_size": "32", "criterion": "std", "fraction": 0.5,
    "layers": "all", "compensation": "mean", "mask_source": "dense", "prune_times": "0",
    "optimiser_state": "fresh", "budget": "steps"}

DIFFERENCES = {
    f"{name}_{place}": (f"{pair}_{place}_disagreement", f"B_vs_other_order_{place}_disagreement")
    for name, pair in {"excess": "A_vs_B", "tuned_excess": "A_tuned_vs_B"}.items()
    for place in ("plane", "held_out")
} | {
    f"{arm}_gain": (f"{arm}_held_out_accuracy", "dense_held_out_accuracy")
    for arm in ("A", "A_tuned", "B")
} | {
    f"{arm}_gap": (f"{arm}_train_accuracy", f"{arm}_held_out_accuracy")
    for arm in ("dense", "A", "A_tuned", "B")
} | {
    "B_minus_A_tuned": ("B_held_out_accuracy", "A_tuned_held_out_accuracy"),
    "change_correlation_excess": ("change_correlation", "change_correlation_null"),
    "bound_slack": ("suffix_k", "mean_abs_loss_change"),
    "covariance_slack": ("covariance", "rms_logit_change")}
"""Paired differences, network by network: name -> (minuend, subtrahend).

excess: of a gap between the orders over B's own noise floor; gain: over dense, held-out accuracy;
gap (of an arm): training minus held-out accuracy; slack: what a bound leaves above the change.
"""

STATISTICS = {"median": median, "mean": np.nanmean}
QUANTILES = {"lowest": 0, "quartile_1": 0.25, "quartile_3": 0.75, "highest": 1}
RESAMPLES, FLIPS = 500, 2000
MARGIN = 0.01  # an excess below one point in a hundred counts as none

HEADLINE = ["data_seed", "seed", "criterion", "compensation", *(
    f"{pair}_{place}_disagreement" for place in ("plane", "held_out") for pair in (
        "A_vs_B", "A_tuned_vs_B", "dense_vs_A", "dense_vs_B", "dense_vs_other_order",
        "dense_vs_other_seed", "B_vs_other_order", "B_vs_other_seed")),
    *(f"{corner}_{what}" for corner in ("dense", "A", "A_tuned", "B")
      for what in ("held_out_accuracy", "stuck")),
    "change_correlation", "change_correlation_null", "barrier", "dense_dead_first",
    "dense_dead_last", "B_coasted"]


def one(measure: str, grid: str, statistic: str = "median", **where) -> Estimate:
    """Return the stored estimate of a measure in one setting and cut of a grid of STUDY.

    where: columns of SETTINGS that differ from the post's setting (its half by std, compensated
    by the mean); statistic: `median` or `mean`. ValueError unless exactly one estimate is meant.
    """
    return _estimate(_row(measure, grid, where), statistic)


def along(axis: str, measure: str, grid: str, statistic: str = "median",
          **where) -> dict[object, Estimate]:
    """Return the stored estimates of a measure for all values of one column, by rising numbers.

    As `one` otherwise; ValueError if there is none, or more than one for some value.
    """
    checks.one_of("axis", axis, SETTINGS)
    found = _rows(measure, grid, where, free=axis)
    found = found.sort_values(axis, key=lambda values: values.map(_numbers_in), kind="stable")
    if found.empty or found[axis].duplicated().any():
        raise ValueError(f"{measure} of {grid} along {axis} where {where}: {len(found)} estimates; "
                         "expected one for each value")
    return {row[axis]: _estimate(row, statistic) for _, row in found.iterrows()}


def spread_of(measure: str, grid: str, **where) -> dict[str, float]:
    """Return lowest value, quartiles and highest value over networks, by QUANTILES; as `one`."""
    return _row(measure, grid, where)[list(QUANTILES)].to_dict()


def p_value(measure: str, grid: str, **where) -> float:
    """Return the stored sign-flip p-value of one of DIFFERENCES; as `one` otherwise."""
    checks.one_of("measure", measure, DIFFERENCES)
    return _row(measure, grid, where).p_value


def commuting(excess: Estimate) -> str:
    """Return whether two orders `commute`, `do not commute` or leave it `undecided`.

    excess: of their gap over the noise floor, as share of points. The rule, fixed in advance: the
    whole interval below MARGIN, the whole interval above it, or neither.
    """
    if excess.high < MARGIN:
        return "commute"
    return "do not commute" if excess.low > MARGIN else "undecided"


@cache
def headline() -> pd.DataFrame:
    """Return the columns HEADLINE of every headline network and cut."""
    return files.read_table(RESULTS / "headline.parquet")


def draws_by_seeds(table: pd.DataFrame, measure: str) -> np.ndarray:
    """Return a measure of rows with data_seed and seed as an array (draws, seeds)."""
    place = table.groupby("data_seed").cumcount()
    return table.assign(place=place).pivot(index="data_seed", columns="place",
                                           values=measure).to_numpy(float)


def provenance() -> dict:
    """Return how the stored tables came about."""
    return json.loads((RESULTS / "provenance.json").read_text())


def up_to_date() -> bool:
    """Tell whether the stored tables are those of the present settings and result version."""
    if not (RESULTS / "provenance.json").exists():
        return False
    stored = provenance()
    now = {"settings": _settings(), "result_version": RESULT_VERSION,
           "bounds": bound_tables.described()}
    return all(stored.get(name) == value for name, value in now.items())


def write(folder=CACHE, client=None) -> None:
    """Write all tables from a finished sweep in a folder."""
    RESULTS.mkdir(exist_ok=True)
    parts = []
    with progress(len(STUDY), "summaries") as bar:
        for part in _summaries(folder, client):
            parts.append(part)
            bar.update()
    for place, name in enumerate(("dense", "cuts")):
        table = pd.concat([part[place] for part in parts], ignore_index=True)
        files.write_table(RESULTS / f"{name}.parquet", table)
    files.write_table(RESULTS / "headline.parquet", read(STUDY["headline"], folder)[HEADLINE])
    provenance = json.dumps(_provenance(folder), indent=1) + "\n"
    files.write(RESULTS / "provenance.json", provenance.encode())


def _summaries(folder, client) -> Iterable[tuple[pd.DataFrame, pd.DataFrame]]:
    if client is None:
        return (summarise(grid, folder) for grid in STUDY)
    futures = client.map(summarise, list(STUDY), [folder] * len(STUDY))
    return (future.result() for future in futures)


def summarise(grid: str, folder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the estimates of a finished grid of STUDY: of its dense networks, and of its cuts."""
    table = read(checks.lookup("grid", grid, STUDY), folder)
    for name, (minuend, subtrahend) in DIFFERENCES.items():
        table[name] = table[minuend] - table[subtrahend]
    measured = [*MEASURED, *DIFFERENCES]
    of_dense = [name for name in measured if _is_dense(name)]
    of_cuts = [name for name in measured if not _is_dense(name)]
    each = [part for _, part in table.groupby(SETTING + CUT, sort=False)]
    first = [part for _, part in table.groupby(SETTING, sort=False)]
    first = [part.drop_duplicates(["data_seed", "seed"]) for part in first]
    return (_table(grid, first, of_dense, SETTING), _table(grid, each, of_cuts, SETTING + CUT))


def _is_dense(measure: str) -> bool:
    """Tell whether a measure is of the dense networks alone, the same for every cut."""
    return measure.startswith("dense_") and not measure.startswith(("dense_vs_A", "dense_vs_B"))


def _table(grid: str, parts: list[pd.DataFrame], measures: Iterable[str],
           named: list[str]) -> pd.DataFrame:
    return pd.DataFrame([
        {"grid": grid, **part.iloc[0][named], "measure": measure, **_statistics(part, measure)}
        for part in parts for measure in measures if np.isfinite(part[measure]).any()])


def _statistics(part: pd.DataFrame, measure: str) -> dict:
    """Return the estimates of a measure of one setting, whose rows come draw by draw.

    Networks without a finite value (diverged) do not count: `networks` says how many do.
    """
    values = part[measure].to_numpy(float).reshape(part.data_seed.nunique(), -1)
    where = np.isfinite(values)
    values = np.where(where, values, 0)
    found = {}
    for name, statistic in STATISTICS.items():
        e = estimate(values, statistic, None if where.all() else where, RESAMPLES)
        found |= {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
    found |= dict(zip(QUANTILES, np.quantile(values[where], list(QUANTILES.values())), strict=True))
    found |= {"networks": e.networks, "draws": e.draws}
    return found | {"p_value": sign_flip(values, FLIPS) if measure in DIFFERENCES else np.nan}


def _rows(measure: str, grid: str, where: dict, free: str | None = None) -> pd.DataFrame:
    """Return the stored rows of a measure, the columns not in `where` as in the post's setting.

    A column of which the grid knows one value alone needs no naming.
    """
    checks.one_of("grid", grid, STUDY)
    table, places = _parts("dense" if _is_dense(measure) else "cuts")
    found = table.iloc[places.get((grid, measure), [])]
    for column in where:
        checks.one_of("where", column, found.columns)
    for column, usual in (POST_SETTING | where).items():
        if column in found and column != free and (column in where or len(set(found[column])) > 1):
            found = found[found[column] == usual]
    return found


def _numbers_in(value) -> list[float]:
    """Return the numbers in a value such as `10-10` or `spirals noise=0.1`, to sort by."""
    return [float(number) for number in re.findall(r"\d+\.?\d*(?:e-?\d+)?", str(value))]


def _row(measure: str, grid: str, where: dict) -> pd.Series:
    found = _rows(measure, grid, where)
    if len(found) != 1:
        raise ValueError(f"{measure} of {grid} where {where}: {len(found)} estimates; expected one")
    return found.iloc[0]


@cache
def _stored(name: str) -> pd.DataFrame:
    return files.read_table(RESULTS / f"{name}.parquet")


@cache
def _parts(name: str) -> tuple[pd.DataFrame, dict]:
    """Return a stored table, and where it speaks of each grid and measure."""
    table = _stored(name)
    # rows are picked several times as fast from plain strings, all columns of a type side by side
    table = table.astype(dict.fromkeys(table.select_dtypes("string").columns, object)).copy()
    return table, table.groupby(["grid", "measure"], sort=False).indices


def _estimate(row: pd.Series, statistic: str) -> Estimate:
    checks.one_of("statistic", statistic, STATISTICS)
    return Estimate(row[statistic], row[f"{statistic}_low"], row[f"{statistic}_high"],
                    int(row.networks), int(row.draws))


def _provenance(folder) -> dict:
    """Return settings, versions, commit, times and processor; no user, host or path."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    seconds = {name: round(timing([grid], folder)[0]) for name, grid in STUDY.items()}
    on_one_core, from_first_to_last = timing(STUDY.values(), folder)
    return {"command": "make sweep", "result_version": RESULT_VERSION,
            "commit": commit.stdout.strip() or "unknown", "processor": processor(),
            "seconds_on_one_core": round(on_one_core),
            "seconds_from_first_to_last_task": round(from_first_to_last),
            "bounds": bound_tables.described(), "versions": {"python": platform.python_version(),
                         **{name: version(name) for name in PACKAGES}},
            "seconds_by_grid": seconds, "settings": _settings()}


def _settings() -> dict[str, dict]:
    """Return the size of every grid and a digest of its settings, which `helpers.study` spells out.
    """
    found = {}
    for name, grid in STUDY.items():
        tasks = grid.tasks()
        digest = hashlib.sha256(" ".join(task.name for task in tasks).encode()).hexdigest()[:16]
        found[name] = {"draws": len(grid.data_seeds), "networks_per_draw": grid.seeds,
                       "settings": len({replace(task.setting, data_seed=0, seeds=(0,))
                                        for task in tasks}),
                       "cuts": len(grid.cuts), "tasks": len(tasks), "digest": digest}
    return found


def processor() -> str:
    """Return the processor's model name, as far as the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main(arguments: list[str] | None = None) -> None:
    """Measure what is missing of the study, then write the tables."""
    parser = argparse.ArgumentParser("python -m helpers.results", description=main.__doc__)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes here")
    parser.add_argument("--scheduler", help="address of a Dask scheduler instead")
    parser.add_argument("--folder", type=Path, default=CACHE, help="keeps the finished tasks")
    given = parser.parse_args(arguments)
    computed = 0
    try:
        missing = bound_tables.missing(given.folder)
        if missing or not (up_to_date() and finished(STUDY.values(), given.folder)):
            with cluster(given.workers, given.scheduler) as client:
                computed = complete(STUDY.values(), given.folder, client)
                computed += bound_tables.complete(given.folder, client)
                # it says that all tables are of these tasks: gone first, written last
                (RESULTS / "provenance.json").unlink(missing_ok=True)
                bound_tables.write_tables(given.folder, RESULTS)
                write(given.folder, client)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"{parser.prog}: {error}")
    print(f"{computed} tasks computed; results/ is up to date")


if __name__ == "__main__":
    from helpers.results import main as imported_main  # workers must find functions by name

    imported_main()
