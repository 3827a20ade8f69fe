"""Tasks: what one worker computes at a time, and the file that keeps it.

Every finished task is one Parquet file, named by a hash of what it holds. A task of any kind has a
`text`, which stands in its file, the file's `name`, `measure()` for its table, and `check(table)`,
which raises ValueError for the table of something else. `Task` is that of a sweep.
"""

import hashlib
import io
import json
import os
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from helpers.arms import Cut, Setting
from helpers.engine import at_most_threads
from helpers.measures import MEASURED, SETTINGS, rows
from helpers.training import reference_engine

RESULT_VERSION = 1  # raise it when a change of code changes results: older files are left behind
COMPRESSION = "zstd"

# types that a column may have in a file
TEXT, NUMBERS, SINGLE = {pa.string(), pa.large_string()}, {pa.int64(), pa.float64()}, {pa.float32()}
NUMBERED = ("data_seed", "learning_rate", "epsilon", "momentum", "steps", "fraction",
            "fine_tune_steps", "seed")  # settings that are numbers; the others are text
TYPES = {name: NUMBERS if name in NUMBERED else TEXT for name in SETTINGS} | dict.fromkeys(
    MEASURED, SINGLE)


@dataclass(frozen=True)
class Task:
    """A chunk of seeds of one setting, with all its cuts; what one worker computes at a time."""

    setting: Setting
    cuts: tuple[Cut, ...]
    extras: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """What the task holds, as JSON: it stands in the file, and its hash in the file's name."""
        return json.dumps({"version": RESULT_VERSION, **asdict(self)}, sort_keys=True)

    @cached_property
    def name(self) -> str:
        """The name of the task's file."""
        return f"{digest(self.text)}.parquet"

    def measure(self) -> pd.DataFrame:
        """Compute the table."""
        return rows(self.setting, self.cuts, self.extras)

    def check(self, table: pa.Table) -> None:
        """Raise ValueError for the table of something else."""
        check_origin(table, self.text, TYPES)
        if table["seed"].to_pylist() != [*self.setting.seeds] * len(self.cuts):
            raise ValueError("its rows are not those of the task")
        seconds_of(table.schema)

    def __str__(self) -> str:
        setting = self.setting
        return (f"{setting.problem}, data seed {setting.data_seed}, hidden {setting.hidden}, "
                f"{setting.recipe}, seeds {setting.seeds[0]} to {setting.seeds[-1]}")


def digest(text: str) -> str:
    """Return the hash that stands in the name of a task's file."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def compute(task) -> bytes:
    """Return the table of a task as the content of its file; RuntimeError naming it if it fails."""
    start = time.perf_counter()
    try:
        with at_most_threads(1), reference_engine():  # the same bits with the extra `fast`
            table = pa.Table.from_pandas(task.measure(), preserve_index=False)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise RuntimeError(f"{task}: {type(error).__name__}: {reason}") from error
    table = table.replace_schema_metadata(
        {**table.schema.metadata, "task": task.text, "seconds": f"{time.perf_counter() - start}"})
    content = io.BytesIO()
    pq.write_table(table, content, compression=COMPRESSION, write_page_checksum=True)
    return content.getvalue()


def seconds_of(schema: pa.Schema) -> float:
    """Return how long a task took, as its file says; ValueError if it does not."""
    try:
        return float((schema.metadata or {}).get(b"seconds", b""))
    except ValueError:
        raise ValueError("it does not say how long its task took") from None


def check_origin(table: pa.Table, text: str, types: dict[str, set]) -> None:
    """Raise ValueError unless a table is of the task of this text, with columns of these types.

    No checksum of a file is of its columns' names and types.
    """
    if (table.schema.metadata or {}).get(b"task") != text.encode():
        raise ValueError("it holds something else")
    wrong = [field for field in table.schema if field.type not in types.get(field.name, ())]
    if table.schema.names != list(types) or wrong:
        raise ValueError("its columns are not those of the table")


def tables(tasks: list, folder: Path) -> list[pa.Table]:
    """Return the tables of finished tasks; FileNotFoundError if some of them are missing."""
    found = load(tasks, folder)
    if missing := sum(table is None for table in found):
        raise FileNotFoundError(f"{folder} lacks {missing} of {len(tasks)} tasks; run it again to "
                                "compute them")
    return found


def lacking(tasks: list, folder: Path) -> list:
    """Return the tasks of which a folder has no sound file."""
    found = load(tasks, folder)
    return [task for task, table in zip(tasks, found, strict=True) if table is None]


def load(tasks: list, folder: Path) -> list[pa.Table | None]:
    """Return the tables of tasks, None where there is none or it is damaged."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Parquet is read outside the interpreter lock
        return list(pool.map(lambda task: load_one(task, folder / task.name), tasks))


def load_one(task, path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    try:
        # older versions make columns of names of folders such as seeds=3
        table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
        task.check(table)
    except (pa.ArrowException, OSError, ValueError) as error:
        warnings.warn(f"{path} is damaged or foreign and will be computed again: {error}",
                      RuntimeWarning, stacklevel=2)
        return None
    return table.replace_schema_metadata()
