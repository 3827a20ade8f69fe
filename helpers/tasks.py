"""Tasks of a sweep: what one worker computes at a time, and the file that keeps it.

Every finished task is one Parquet file, named by a hash of what it holds.
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

import pyarrow as pa
import pyarrow.parquet as pq

from helpers.arms import Cut, Setting
from helpers.engine import at_most_threads
from helpers.measures import COLUMNS, SETTINGS, rows
from helpers.training import reference_engine

RESULT_VERSION = 1  # raise it when a change of code changes results: older files are left behind
COMPRESSION = "zstd"


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
        return hashlib.sha256(self.text.encode()).hexdigest()[:20] + ".parquet"

    def __str__(self) -> str:
        setting = self.setting
        return (f"{setting.problem}, data seed {setting.data_seed}, hidden {setting.hidden}, "
                f"{setting.recipe}, seeds {setting.seeds[0]} to {setting.seeds[-1]}")


def compute(task: Task) -> bytes:
    """Return the rows of a task as the content of its file; RuntimeError naming it if it fails."""
    start = time.perf_counter()
    try:
        with at_most_threads(1), reference_engine():  # the same bits with the extra `fast`
            table = pa.Table.from_pandas(rows(task.setting, task.cuts, task.extras),
                                         preserve_index=False)
    except Exception as error:
        raise failed(task, error) from error
    table = table.replace_schema_metadata(
        {**table.schema.metadata, "task": task.text, "seconds": f"{time.perf_counter() - start}"})
    content = io.BytesIO()
    pq.write_table(table, content, compression=COMPRESSION, write_page_checksum=True)
    return content.getvalue()


def failed(task, error: Exception) -> RuntimeError:
    """Return an error of one line that names a task and what it failed of."""
    return RuntimeError(f"{task}: {type(error).__name__}: {' '.join(str(error).split())}")


def load(tasks: list[Task], folder: Path) -> list[pa.Table | None]:
    """Return the tables of tasks, None where there is none or it is damaged."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Parquet is read outside the interpreter lock
        return list(pool.map(lambda task: load_one(task, folder / task.name), tasks))


def load_one(task: Task, path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    try:
        # older versions make columns of names of folders such as seeds=3
        table = pq.read_table(path, partitioning=None, page_checksum_verification=True)
        if (table.schema.metadata or {}).get(b"task") != task.text.encode():
            raise ValueError("it holds something else")
        measured = set(table.schema.types[len(SETTINGS):])
        # the checksums leave out the schema
        if table.schema.names != list(COLUMNS) or measured != {pa.float32()}:
            raise ValueError("its columns are not those of the table")
        if table["seed"].to_pylist() != [*task.setting.seeds] * len(task.cuts):
            raise ValueError("its rows are not those of the task")
    except (pa.ArrowException, OSError, ValueError) as error:
        warnings.warn(f"{path} is damaged or foreign and will be computed again: {error}",
                      RuntimeWarning, stacklevel=2)
        return None
    return table.replace_schema_metadata()


