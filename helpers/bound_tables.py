"""The tables of bounds in results/: `bounds`, `bounds_in_training` and `lipschitz`.

Networks of the post's problem and shape at two learning rates. A task is one table of one draw of
the data; it is kept as a file, so what is finished is not computed again.
"""

import hashlib
import io
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from helpers import checks, ladders
from helpers.arms import Setting
from helpers.engine import at_most_threads
from helpers.files import writable, write, write_table
from helpers.progress import progress
from helpers.recipes import Recipe
from helpers.study import RESULTS
from helpers.sweep import SPACING, computed
from helpers.tasks import failed

VERSION = 1  # raise it when a change of code changes these tables
RATES, DRAWS, SEEDS = (0.1, 0.005), 10, 10
TABLES: dict[str, Callable[[Setting], pd.DataFrame]] = {
    "bounds": ladders.prunings, "bounds_in_training": ladders.in_training,
    "lipschitz": ladders.constants}
INDEX = ["learning_rate", "draw", "seed", "layers"]


@dataclass(frozen=True)
class Task:
    """One table of the networks of one setting."""

    table: str
    setting: Setting

    @property
    def name(self) -> str:
        """The name of the task's file: table and hash of all that it depends on."""
        text = json.dumps([VERSION, ladders.RANKED_BY, ladders.FRACTIONS, ladders.HELD_OUT,
                           ladders.MOMENTS, asdict(self)])
        return f"{self.table}-{hashlib.sha256(text.encode()).hexdigest()[:20]}.parquet"


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
    found = pd.read_parquet(RESULTS / f"{table}.parquet")
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
    """Return the tasks that have no file in a folder, or a damaged one."""
    return [task for task in tasks() if not _readable(Path(folder) / task.name)]


def complete(folder: Path, client=None) -> int:
    """Compute the missing tasks, as `sweep.complete`; return how many were missing."""
    folder = writable(folder)
    wanted = missing(folder)
    with (progress(len(wanted), "bounds") as bar,
          closing(computed(_content, wanted, folder, client)) as finished):
        for task, content in finished:
            write(folder / task.name, content)
            bar.update()
    return len(wanted)


def write_tables(folder: Path, results: Path = RESULTS) -> None:
    """Write TABLES from the finished tasks in a folder, in single precision."""
    results.mkdir(exist_ok=True)
    for name in TABLES:
        parts = [pd.read_parquet(folder / task.name).assign(
            learning_rate=task.setting.recipe.learning_rate, data_seed=task.setting.data_seed)
            for task in tasks() if task.table == name]
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


def _readable(path: Path) -> bool:
    try:
        pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError):
        return False
    return True


def _content(task: Task) -> bytes:
    """Return the table of a task as the content of its file; RuntimeError naming it if it fails."""
    content = io.BytesIO()
    try:
        with at_most_threads(1):
            table = TABLES[task.table](task.setting)
    except Exception as error:
        raise failed(task, error) from error
    table.to_parquet(content, index=False, write_page_checksum=True)
    return content.getvalue()
