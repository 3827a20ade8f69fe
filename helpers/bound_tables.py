"""The tables of bounds in results/: `bounds`, `bounds_in_training` and `lipschitz`.

Networks of the post's problem and shape at two learning rates. A task is one table of one draw of
the data; it is kept as a file, so what is finished is not computed again.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa

from helpers import checks, ladders
from helpers.arms import Setting
from helpers.bounds import BOUNDS, SIGNED
from helpers.files import read_table, write_table
from helpers.recipes import Recipe
from helpers.study import RESULTS
from helpers.sweep import SPACING, finish
from helpers.tasks import NUMBERS, TEXT, check_origin, digest, lacking, tables

VERSION = 1  # raise it when a change of code changes these tables
RATES, DRAWS, SEEDS = (0.1, 0.005), 10, 10
TABLES: dict[str, Callable[[Setting], pd.DataFrame]] = {
    "bounds": ladders.prunings, "bounds_in_training": ladders.in_training,
    "lipschitz": ladders.constants}
COLUMNS = {
    "bounds": ["points", "seed", "node", *BOUNDS, *SIGNED, "rms_logit_change",
               "mean_abs_logit_change", "mean_abs_loss_change", "loss_change", "std",
               "norms_before", "first_order", "second_order", "layers", "dense", "pruned",
               "certified", "criterion", "fraction", "means"],
    "bounds_in_training": ["step", "seed", "nodes", "logit_ratio", "loss_ratio", "harm_ratio", "K"],
    "lipschitz": ["seed", "product_whole", "product_suffix", "lipsdp_whole", "lipsdp_suffix",
                  "train_max", "train_mean", "whole", "regions", "suffix", "seen", "sup"]}
WORDS = ("points", "layers", "criterion", "means")  # columns of text; the others hold numbers
TYPES = {table: {name: TEXT if name in WORDS else NUMBERS for name in names}
         for table, names in COLUMNS.items()}
INDEX = ["learning_rate", "draw", "seed", "layers"]


@dataclass(frozen=True)
class Task:
    """One table of the networks of one setting."""

    table: str
    setting: Setting

    @property
    def text(self) -> str:
        """All that the table depends on, as JSON."""
        return json.dumps([VERSION, ladders.RANKED_BY, ladders.FRACTIONS, ladders.HELD_OUT,
                           ladders.MOMENTS, asdict(self)])

    @property
    def name(self) -> str:
        """The name of the task's file: table and hash of all that it depends on."""
        return f"{self.table}-{digest(self.text)}.parquet"

    def measure(self) -> pd.DataFrame:
        """Compute the table."""
        return TABLES[self.table](self.setting)

    def check(self, table: pa.Table) -> None:
        """Raise ValueError for the table of something else."""
        check_origin(table, self.text, TYPES[self.table])
        if Counter(table["seed"].to_pylist()) != dict.fromkeys(self.setting.seeds, self._rows()):
            raise ValueError("its rows are not those of the task")

    def _rows(self) -> int:
        """Return how many rows the table has for each network."""
        sets = len(ladders.RANKED_BY) * len(ladders.FRACTIONS) * (len(ladders.LAYERS) + 1)
        return {"bounds": 2 * (sum(self.setting.hidden) + sets), "lipschitz": 1,
                "bounds_in_training": len(ladders.MOMENTS)}[self.table]


def tasks() -> list[Task]:
    """Return the tasks of all tables."""
    seeds = {draw: tuple(SPACING * draw + i for i in range(SEEDS)) for draw in range(DRAWS)}
    return [Task(table, Setting(data_seed=draw, recipe=Recipe(learning_rate=rate),
                                seeds=seeds[draw], floors=()))
            for table in TABLES for rate in RATES for draw in range(DRAWS)]


@cache
def stored(table: str) -> pd.DataFrame:
    """Return a stored table, in double precision; ValueError for a name not in TABLES."""
    checks.one_of("table", table, TABLES)
    found = read_table(RESULTS / f"{table}.parquet")
    return found.astype(dict.fromkeys(found.select_dtypes("float32").columns, "float64"))


def nodes(points: str = "train") -> pd.DataFrame:
    """Return the stored ladders of nodes removed alone, measured at `train` or `held-out` points.

    Indexed by learning_rate, draw, seed, layers (`first` or `last`) and node.
    """
    table = _at(points, stored("bounds"))
    table = table[table.criterion.isna()].astype({"node": int})
    return table.set_index([*INDEX, "node"]).sort_index()


def node_sets(points: str = "train", means: str = "fresh") -> pd.DataFrame:
    """Return the stored ladders of sets of nodes, with `fresh` means (as `prune`) or `stale` ones.

    Indexed by learning_rate, draw, seed, layers (`first`, `last`, `both`), criterion and fraction.
    Stale means are for both layers alone.
    """
    checks.one_of("means", means, ladders.MEANS)
    table = _at(points, stored("bounds"))
    return table[table.means == means].set_index(
        [*INDEX, "criterion", "fraction"]).sort_index()


def missing(folder: Path) -> list[Task]:
    """Return the tasks that have no sound file in a folder; damaged ones are named in a warning."""
    return lacking(tasks(), Path(folder))


def complete(folder: Path, client=None) -> int:
    """Compute the missing tasks, as `sweep.complete`; return how many were missing."""
    return finish(tasks(), folder, client, "bounds")


def write_tables(folder: Path, results: Path = RESULTS) -> None:
    """Write TABLES from the finished tasks in a folder, in single precision."""
    results.mkdir(exist_ok=True)
    for name in TABLES:
        of_table = [task for task in tasks() if task.table == name]
        parts = [table.to_pandas().assign(learning_rate=task.setting.recipe.learning_rate,
                                          data_seed=task.setting.data_seed)
                 for task, table in zip(of_table, tables(of_table, Path(folder)), strict=True)]
        table = pd.concat(parts, ignore_index=True)
        single = table.select_dtypes("float64").columns.drop(["learning_rate", "fraction"],
                                                             errors="ignore")
        table = table.astype(dict.fromkeys(single, "float32"))
        write_table(results / f"{name}.parquet", table)


def described() -> dict:
    """Return the size of the tables' study, and a digest of all it depends on."""
    names = " ".join(task.name for task in tasks())
    return {"draws": DRAWS, "networks_per_draw": SEEDS, "learning_rates": list(RATES),
            "tasks": len(tasks()), "digest": hashlib.sha256(names.encode()).hexdigest()[:16]}


def _at(points: str, table: pd.DataFrame) -> pd.DataFrame:
    checks.one_of("points", points, table.points.unique())
    return table[table.points == points].rename(columns={"data_seed": "draw"})
