"""Squares over a grid of settings and thousands of seeds: local or on a cluster, resumable.

A task is a chunk of seeds of one setting with all its cuts. Every finished task is one Parquet file
named by a hash of what it holds; running again computes only what is missing.
"""

import argparse
import hashlib
import io
import json
import os
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from helpers import checks
from helpers.arms import ARMS, BUDGETS, FLOORS, MASK_SOURCES, Cut, Setting, cuts
from helpers.criteria import CRITERIA
from helpers.measures import COLUMNS, EXTRAS, SETTINGS, rows
from helpers.networks import SCHEMES
from helpers.progress import progress
from helpers.pruning import COMPENSATIONS
from helpers.recipes import OPTIMISERS, POST, Recipe
from helpers.schedule import OPTIMISER_STATES

RESULT_VERSION = 1  # raise it when a change of code changes results: older files are left behind
CHUNK = 100  # seeds per task: seconds of work, one chunk of training
SPACING = 10_000  # seeds of one draw of the data start at SPACING times its own seed
COMPRESSION = "zstd"

# Dask makes its workers give freed memory back at once and samples what they do: training, which
# allocates all the time, was half as fast.
WORKERS = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": str(2**30),
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": str(2**30),
    "distributed.worker.profile.enabled": False}


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


@dataclass(frozen=True)
class Grid:
    """Every combination of problems, data seeds, hidden widths, schemes and recipes, with cuts.

    problems: as in Setting; data_seeds: draws of the data; seeds: networks per draw, of seeds
    10000 * data seed + 0, 1, ...; cuts: ways to prune, as `cuts` combines them; floors, extras: as
    in Setting and in `rows`. Raises TypeError or ValueError, naming the combination, for what
    cannot be.
    """

    problems: tuple[str, ...] = ("spirals",)
    data_seeds: tuple[int, ...] = (0,)
    hidden: tuple[tuple[int, ...], ...] = ((50, 50),)
    schemes: tuple[str, ...] = ("glorot_uniform",)
    recipes: tuple[Recipe, ...] = (POST,)
    seeds: int = 32
    cuts: tuple[Cut, ...] = (Cut(arms=ARMS),)
    floors: tuple[str, ...] = ("other_order",)
    extras: tuple[str, ...] = ()

    def __post_init__(self):
        for name in ("problems", "data_seeds", "hidden", "schemes", "recipes", "cuts"):
            values = checks.several(name, getattr(self, name))
            if not values:
                raise ValueError(f"{name} is empty; expected at least one")
            if twice := [value for k, value in enumerate(values) if value in values[:k]]:
                raise ValueError(f"{name} holds {twice[0]!r} more than once; expected each once")
        checks.integer("seeds", self.seeds, 1, SPACING)
        bare = [replace(cut, arms=()) for cut in self.cuts if isinstance(cut, Cut)]
        if twice := {cut for cut in bare if bare.count(cut) > 1}:
            raise ValueError(f"cuts holds {min(twice, key=str)} more than once; expected each cut "
                             "once, with all its arms")
        for extra in checks.several("extras", self.extras):
            checks.one_of("extras", extra, EXTRAS)
        for setting in self._settings(self.data_seeds[:1], [(0,)]):
            _check_possible(setting, self.cuts)

    def tasks(self) -> list[Task]:
        """Return the tasks of the grid, in the order of the rows of its table."""
        chunks = [range(start, min(start + CHUNK, self.seeds))
                  for start in range(0, self.seeds, CHUNK)]
        return [Task(setting, tuple(self.cuts), tuple(self.extras))
                for setting in self._settings(self.data_seeds, chunks)]

    def _settings(self, data_seeds, chunks) -> Iterator[Setting]:
        axes = product(self.problems, self.hidden, self.schemes, self.recipes, data_seeds, chunks)
        for problem, hidden, scheme, recipe, data_seed, chunk in axes:
            seeds = tuple(SPACING * checks.integer("data_seeds", data_seed, 0) + i for i in chunk)
            yield Setting(problem, data_seed, hidden, scheme, recipe, seeds, tuple(self.floors))


def run(grid: Grid, folder, client=None) -> pd.DataFrame:
    """Return one row per setting, cut and network, with COLUMNS; what is missing is computed.

    folder: keeps one Parquet file per finished task; nothing finished is computed again, files of
    other grids are left alone, damaged ones are named in a warning and replaced. client: a Dask
    `Client`, whose workers then compute the tasks (each on one thread); by default this process.
    The table is the same however it was computed. Raises OSError naming the folder if it cannot
    be written, RuntimeError naming the setting if a task fails or the scheduler goes away; what
    was finished stays, and the same call continues.
    """
    complete([grid], folder, client)
    return read(grid, folder)


def complete(grids: Iterable[Grid], folder, client=None) -> int:
    """Compute the missing tasks of some grids, as `run`; return how many were missing."""
    tasks = list({task.name: task for grid in grids for task in grid.tasks()}.values())
    folder = _writable(folder)
    missing = [task for task, table in zip(tasks, _load(tasks, folder), strict=True)
               if table is None]
    with (progress(len(tasks), "sweep") as bar,
          closing(_computed(missing, folder, client)) as finished):
        bar.update(len(tasks) - len(missing))
        for task, content in finished:
            _write(folder / task.name, content)
            bar.update()
    return len(missing)


def read(grid: Grid, folder) -> pd.DataFrame:
    """Return the table of a finished grid; FileNotFoundError if some of it is missing."""
    tasks = grid.tasks()
    tables = _load(tasks, Path(folder))
    if missing := sum(table is None for table in tables):
        raise FileNotFoundError(f"{folder} lacks {missing} of {len(tasks)} tasks of the grid; "
                                "run it again to compute them")
    return pa.concat_tables(tables).to_pandas()


def timing(grids: Iterable[Grid], folder) -> tuple[float, float]:
    """Return how long the tasks of finished grids took, added up, and from first to last; seconds.
    """
    paths = {Path(folder) / task.name for grid in grids for task in grid.tasks()}
    took = {path: float(pq.read_schema(path).metadata[b"seconds"]) for path in paths}
    ends = {path: path.stat().st_mtime for path in paths}
    first = min(ends[path] - took[path] for path in paths)
    return sum(took.values()), max(ends.values()) - first


def compute(task: Task) -> bytes:
    """Return the rows of a task as the content of its file; RuntimeError naming it if it fails."""
    start = time.perf_counter()
    try:
        with _one_thread():
            table = pa.Table.from_pandas(rows(task.setting, task.cuts, task.extras),
                                         preserve_index=False)
    except Exception as error:
        raise RuntimeError(f"{task}: {type(error).__name__}: {error}") from error
    table = table.replace_schema_metadata(
        {**table.schema.metadata, "task": task.text, "seconds": f"{time.perf_counter() - start}"})
    content = io.BytesIO()
    pq.write_table(table, content, compression=COMPRESSION, write_page_checksum=True)
    return content.getvalue()


def _computed(tasks: list[Task], folder: Path, client) -> Iterator[tuple[Task, bytes]]:
    """Yield tasks with their content as they are finished."""
    if client is None:
        yield from ((task, compute(task)) for task in tasks)
        return
    from distributed import KilledWorker, as_completed  # imports for seconds: only where used

    futures = {client.submit(compute, task, key=task.name): task for task in tasks}
    try:
        for future in as_completed(futures, loop=client.loop):
            yield futures[future], future.result()
            future.release()
    except KilledWorker as error:
        raise RuntimeError(f"{futures[future]}: {error}") from error
    except (CancelledError, OSError) as error:
        raise RuntimeError(f"lost the Dask scheduler ({error}); what was finished is in {folder}: "
                           "the same call continues") from error
    finally:
        if client.status == "running":
            client.cancel(list(futures))


def _load(tasks: list[Task], folder: Path) -> list[pa.Table | None]:
    """Return the tables of tasks, None where there is none or it is damaged."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Parquet is read outside the interpreter lock
        return list(pool.map(lambda task: _load_one(task, folder / task.name), tasks))


def _load_one(task: Task, path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        if (table.schema.metadata or {}).get(b"task") != task.text.encode():
            raise ValueError("it holds something else")
        measured = set(table.schema.types[len(SETTINGS):])
        # the checksums leave out the schema
        if table.schema.names != list(COLUMNS) or measured != {pa.float32()}:
            raise ValueError("its columns are not those of the table")
    except (pa.ArrowException, OSError, ValueError) as error:
        warnings.warn(f"{path} is damaged or foreign and will be computed again: {error}",
                      RuntimeWarning, stacklevel=2)
        return None
    return table.replace_schema_metadata()


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: first beside its place, then moved there."""
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex}")
    try:
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise OSError(error.errno, f"cannot write a finished task ({error.strerror})",
                      str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def _writable(folder) -> Path:
    """Return the folder as a path after trying to write there, before any work."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{uuid.uuid4().hex}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(error.errno, f"folder cannot be written ({error.strerror})",
                      str(folder)) from error
    return folder


@contextmanager
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check_possible(setting: Setting, cuts: Iterable[Cut]) -> None:
    """Raise ValueError, naming the combination, for what would fail when a task is computed."""
    where = f"{setting.problem}, hidden {setting.hidden}, {setting.recipe}"
    try:
        points = len(setting.draw().x_train)
    except TypeError as error:
        raise ValueError(f"problem is {setting.problem!r}: {error}") from None
    if (setting.recipe.batch_size or 0) > points:
        raise ValueError(f"{where}: batch_size is {setting.recipe.batch_size}; expected at most "
                         f"the {points} training points")
    for cut in cuts:
        if not isinstance(cut, Cut):
            raise TypeError(f"cuts holds {cut!r}; expected Cut")
        for layer in cut.layers or ():
            checks.one_of("layers", layer, range(len(setting.hidden)))
        stateful = setting.recipe.optimiser == "momentum"
        kept_without = cut.optimiser_state == "kept" and setting.recipe.optimiser != "adam"
        if (stateful and cut.prune_times not in ((0.0,), (1.0,))) or kept_without:
            raise ValueError(f"{where}, {cut}: training cannot go on where it stopped; expected "
                             "'adam', or 'sgd' with optimiser_state 'fresh'")


def grid_of(arguments: argparse.Namespace) -> Grid:
    """Return the grid that command-line arguments ask for."""
    sizes = _parsed("batch_size", arguments.batch_size, "a number or full",
                    lambda text: None if text == "full" else int(text))
    times = _parsed("prune_time", arguments.prune_time, "a number, or several: 0.2+0.4",
                    lambda text: tuple(map(float, text.split("+"))))
    hidden = _parsed("hidden", arguments.hidden, "widths such as 50-50",
                     lambda text: tuple(map(int, text.split("-"))))
    recipes = tuple(Recipe(arguments.optimiser, rate, batch_size=size, steps=arguments.steps)
                    for rate in arguments.learning_rate for size in sizes)
    ways = cuts(arguments.criterion, arguments.fraction, arguments.compensation,
                arguments.mask_source, times, optimiser_state=arguments.optimiser_state,
                budget=arguments.budget, fine_tune_steps=arguments.fine_tune_steps,
                arms=tuple(arguments.arms))
    return Grid(tuple(arguments.problem), tuple(range(arguments.draws)), hidden,
                tuple(arguments.scheme), recipes, arguments.seeds, ways, tuple(arguments.floors),
                tuple(arguments.extras))


def _parsed(name: str, texts: Iterable[str], expected: str, parse: Callable) -> tuple:
    """Return an option's values; ValueError naming the option for a text that cannot be parsed."""
    found = []
    for text in texts:
        try:
            found.append(parse(text))
        except ValueError:
            raise ValueError(f"{name} is {text!r}; expected {expected}") from None
    return tuple(found)


@contextmanager
def local_workers(count: int):
    """Yield a Dask client of so many processes on this machine, set up for training."""
    import dask
    from distributed import Client, LocalCluster

    with (dask.config.set(WORKERS),
          LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=":0") as local,
          Client(local) as client):
        yield client


@contextmanager
def cluster(workers: int = 1, scheduler: str | None = None):
    """Yield a Dask client of a scheduler's address, else of local workers; None for one worker."""
    if scheduler is not None:
        from distributed import Client

        with Client(scheduler) as client:
            yield client
    elif checks.integer("workers", workers, 1) == 1:
        yield None
    else:
        with local_workers(workers) as client:
            yield client


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m helpers.sweep", description="Measure the commuting square over a grid; options "
        "with several values are combined. Running again computes only what is missing.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add, some = parser.add_argument, {"nargs": "+"}
    add("folder", type=Path, nargs="?", help="keeps one Parquet file per finished task")
    add("--columns", action="store_true", help="print what the columns mean, and stop")
    add("--table", type=Path, help="also write all rows to this Parquet file")
    add("--workers", type=int, default=1, help="processes on this machine")
    add("--scheduler", help="address of a Dask scheduler, such as tcp://host:8786")
    add("--problem", **some, default=["spirals"], help='such as spirals or "moons noise=0.2"')
    add("--draws", type=int, default=8, help="draws of the data, of seeds 0, 1, ...")
    add("--seeds", type=int, default=32, help="networks per draw")
    add("--hidden", **some, default=["50-50"], help="hidden widths")
    add("--scheme", **some, default=["glorot_uniform"], choices=SCHEMES)
    add("--optimiser", default=POST.optimiser, choices=OPTIMISERS)
    add("--learning-rate", **some, type=float, default=[POST.learning_rate])
    add("--batch-size", **some, default=[str(POST.batch_size)], help="a number or full")
    add("--steps", type=int, default=POST.steps)
    add("--criterion", **some, default=["std", "random"], choices=CRITERIA)
    add("--fraction", **some, type=float, default=[0.5], help="share of nodes removed")
    add("--compensation", **some, default=["mean"], choices=COMPENSATIONS)
    add("--mask-source", **some, default=["dense"], choices=MASK_SOURCES)
    add("--prune-time", **some, default=["0"], help="share of training, or several: 0.2+0.4")
    add("--optimiser-state", default="fresh", choices=OPTIMISER_STATES)
    add("--budget", default="steps", choices=BUDGETS)
    add("--fine-tune-steps", type=int, default=500)
    add("--arms", nargs="*", default=list(ARMS), choices=ARMS)
    add("--floors", nargs="*", default=["other_order"], choices=FLOORS)
    add("--extras", nargs="*", default=[], choices=EXTRAS)
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run a grid from the command line and print medians per setting and cut."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.columns:
        print("\n".join(f"{name}: {meaning}" for name, meaning in COLUMNS.items()))
        return
    if given.folder is None:
        parser.error("folder is missing; expected where to keep the finished tasks")
    try:
        grid = grid_of(given)
        with cluster(given.workers, given.scheduler) as client:
            table = run(grid, given.folder, client)
        if given.table:
            table.to_parquet(given.table, index=False)
    except (TypeError, ValueError, OSError, RuntimeError) as error:
        sys.exit(f"{parser.prog}: {error}")
    varying = [name for name in SETTINGS if name not in ("data_seed", "seed")
               and table[name].nunique() > 1]
    shown = [name for name in ("A_vs_B_plane_disagreement", "B_vs_other_order_plane_disagreement",
                               "A_held_out_accuracy", "B_held_out_accuracy")
             if table[name].notna().any()]
    groups = table.groupby(varying, sort=False) if varying else table.groupby("problem")
    print(f"{len(table)} rows of {grid.seeds} networks on each of {given.draws} draws; medians:")
    print(groups[shown].median().to_string())


if __name__ == "__main__":
    from helpers.sweep import main as imported_main  # workers must find its classes by name

    imported_main()
