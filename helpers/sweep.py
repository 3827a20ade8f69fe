"""Squares over a grid of settings and thousands of seeds: local or on a cluster, resumable.

A task is a chunk of seeds of one setting with all its cuts. Every finished task is one Parquet file
named by a hash of what it holds; running again computes only what is missing.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from helpers import checks
from helpers.arms import ARMS, Cut, Setting, parse_problem
from helpers.data import PROBLEMS
from helpers.files import writable, write
from helpers.measures import EXTRAS
from helpers.progress import progress
from helpers.recipes import POST, Recipe
from helpers.square import OTHER
from helpers.tasks import Task, compute, lacking, seconds_of, tables

CHUNK = 100  # seeds per task: seconds of work, one chunk of training
SPACING = 10_000  # seeds of one draw of the data start at SPACING times its own seed
LAST_DRAW = (checks.LARGEST_SEED - OTHER) // SPACING - 1  # whose networks have noise floors, too

# Dask makes its workers give freed memory back at once and samples what they do: training, which
# allocates all the time, was half as fast.
WORKERS = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": str(2**30),
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": str(2**30),
    "distributed.worker.profile.enabled": False}


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
            if not checks.several(name, getattr(self, name)):
                raise ValueError(f"{name} is empty; expected at least one")
        for data_seed in self.data_seeds:
            checks.integer("data_seeds", data_seed, 0, LAST_DRAW)
        checks.integer("seeds", self.seeds, 1, SPACING)
        bare = [replace(cut, arms=()) for cut in self.cuts if isinstance(cut, Cut)]
        if twice := {cut for cut in bare if bare.count(cut) > 1}:
            raise ValueError(f"cuts holds {min(twice, key=str)} more than once; expected each cut "
                             "once, with all its arms")
        for extra in checks.several("extras", self.extras):
            checks.one_of("extras", extra, EXTRAS)
        for setting in self._settings(self.data_seeds[:1], [(0,)]):
            _check_possible(setting, self.cuts)
        for name in ("problems", "data_seeds", "hidden", "schemes", "recipes"):
            values = getattr(self, name)
            if twice := [value for k, value in enumerate(values) if value in values[:k]]:
                raise ValueError(f"{name} holds {checks.shown(twice[0])} more than once; "
                                 "expected each once")

    def tasks(self) -> list[Task]:
        """Return the tasks of the grid, in the order of the rows of its table."""
        chunks = [range(start, min(start + CHUNK, self.seeds))
                  for start in range(0, self.seeds, CHUNK)]
        return [Task(setting, tuple(self.cuts), tuple(self.extras))
                for setting in self._settings(self.data_seeds, chunks)]

    def _settings(self, data_seeds, chunks) -> Iterator[Setting]:
        axes = product(self.problems, self.hidden, self.schemes, self.recipes, data_seeds, chunks)
        for problem, hidden, scheme, recipe, data_seed, chunk in axes:
            seeds = tuple(SPACING * data_seed + i for i in chunk)
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
    return finish(tasks, folder, client, "sweep")


def finish(tasks: list, folder, client, description: str) -> int:
    """Compute tasks of any kind that a folder lacks, as `complete`; description: of the bar."""
    folder = writable(folder)
    missing = lacking(tasks, folder)
    with (progress(len(tasks), description) as bar,
          closing(computed(compute, missing, folder, client)) as finished):
        bar.update(len(tasks) - len(missing))
        for task, content in finished:
            write(folder / task.name, content)
            bar.update()
    return len(missing)


def finished(grids: Iterable[Grid], folder) -> bool:
    """Tell whether no task of some grids is missing, so that nobody need start workers."""
    return not lacking([task for grid in grids for task in grid.tasks()], Path(folder))


def read(grid: Grid, folder) -> pd.DataFrame:
    """Return the table of a finished grid; FileNotFoundError if some of it is missing."""
    found = tables(grid.tasks(), Path(folder))
    # a rate may be the integer 1 in one setting and 0.1 in the next
    return pa.concat_tables(found, promote_options="permissive").to_pandas()


def timing(grids: Iterable[Grid], folder) -> tuple[float, float]:
    """Return how long the tasks of finished grids took, added up, and from first to last; seconds.
    """
    paths = {Path(folder) / task.name for grid in grids for task in grid.tasks()}
    took = {path: seconds_of(pq.read_schema(path)) for path in paths}
    ends = {path: path.stat().st_mtime for path in paths}
    first = min(ends[path] - took[path] for path in paths)
    return sum(took.values()), max(ends.values()) - first


def computed(compute: Callable, tasks: list, folder: Path, client) -> Iterator[tuple]:
    """Yield tasks with what `compute` gives of them, as they are finished; errors as `run`."""
    if client is None:
        yield from ((task, compute(task)) for task in tasks)
        return
    from distributed import KilledWorker, as_completed  # imports for seconds: only where used

    # not pure: keys of this call alone, for Dask tells late, and by key, what was cancelled
    futures = {client.submit(compute, task, pure=False): task for task in tasks}
    try:
        for future in as_completed(futures, loop=client.loop):
            yield futures[future], future.result()
            future.release()
    except KilledWorker as error:
        raise RuntimeError(f"{futures[future]}: {error}") from error
    except (CancelledError, OSError) as error:
        raise RuntimeError(f"lost the Dask scheduler; what was finished is in {folder}: the same "
                           "call continues") from error
    finally:
        if client.status == "running":
            client.cancel(list(futures))


@cache
def _training_points(problem: str) -> int:
    """Return how many training points a problem has; only one with settings need be drawn.

    Drawing tells whether the settings are possible, but takes seconds for mnist1d.
    """
    name, settings = parse_problem(problem)
    usual = inspect.signature(PROBLEMS[name]).parameters.get("n_train")
    if usual and not settings:
        return usual.default
    return len(PROBLEMS[name](seed=0, **settings).x_train)


def _check_possible(setting: Setting, cuts: Iterable[Cut]) -> None:
    """Raise ValueError, naming the combination, for what would fail when a task is computed."""
    where = f"{setting.problem}, hidden {setting.hidden}, {setting.recipe}"
    try:
        points = _training_points(setting.problem)
    except (TypeError, ValueError) as error:
        raise ValueError(f"problem is {setting.problem!r}: {error}") from None
    if (setting.recipe.batch_size or 0) > points:
        raise ValueError(f"{where}: batch_size is {setting.recipe.batch_size}; expected at most "
                         f"the {points} training points")
    for cut in cuts:
        if not isinstance(cut, Cut):
            raise TypeError(f"cuts holds {checks.shown(cut)}; expected Cut")
        for layer in cut.layers or ():
            checks.one_of("layers", layer, range(len(setting.hidden)))
        stateful = setting.recipe.optimiser == "momentum"
        kept_without = cut.optimiser_state == "kept" and setting.recipe.optimiser != "adam"
        if (stateful and cut.prune_times not in ((0.0,), (1.0,))) or kept_without:
            raise ValueError(f"{where}, {cut}: training cannot go on where it stopped; expected "
                             "'adam', or 'sgd' with optimiser_state 'fresh'")


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


if __name__ == "__main__":
    from helpers.command import main

    main()
