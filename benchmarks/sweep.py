"""What the sweep's machinery costs beside the work itself, and what a second worker gains.

The same tasks are computed in one interleaved run: bare, by `run` in this process, and by `run` on
one and on two Dask workers.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from helpers import files
from helpers.arms import Setting
from helpers.recipes import Recipe
from helpers.results import processor
from helpers.sweep import Grid, local_workers, run
from helpers.tasks import Task, compute

GRID = Grid(data_seeds=tuple(range(4)), recipes=(Recipe(steps=600),))
RESULTS = Path(__file__).resolve().parents[1] / "build" / "bench" / "sweep.json"
MOST_OVERHEAD, LEAST_SPEEDUP = 0.03, 1.7


def bare(grid: Grid) -> None:
    """Compute all tasks in a loop, and keep nothing."""
    for task in grid.tasks():
        compute(task)


def swept(grid: Grid, client) -> None:
    """Run the grid into a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run(grid, folder, client)


def warm(client) -> None:
    """Let every worker compute a little, so that nothing is imported while the clock runs."""
    tiny = [Task(Setting(seeds=(seed,), recipe=Recipe(steps=10)), GRID.cuts, ())
            for seed in range(8)]
    client.gather(client.map(compute, tiny))


def measure(grid: Grid, rounds: int) -> pd.DataFrame:
    """Return seconds (rounds, contenders), all contenders in turn in every round."""
    with ExitStack() as stack:
        one, two = (stack.enter_context(local_workers(workers)) for workers in (1, 2))
        for client in (one, two):
            warm(client)
        contenders = {"bare": lambda: bare(grid), "this process": lambda: swept(grid, None),
                      "one worker": lambda: swept(grid, one),
                      "two workers": lambda: swept(grid, two)}
        return pd.DataFrame([{name: _seconds(task) for name, task in contenders.items()}
                             for _ in range(rounds)])


def ratios(times: pd.DataFrame) -> dict[str, float]:
    """Return medians over rounds: overheads as shares of the bare work, and the speed-up."""
    return {"overhead in this process": statistics.median(times["this process"] / times.bare - 1),
            "overhead of one worker": statistics.median(times["one worker"] / times.bare - 1),
            "speed-up of two workers": statistics.median(times["one worker"]
                                                         / times["two workers"])}


def main(grid: Grid = GRID, rounds: int = 3, path: Path = RESULTS) -> int:
    """Measure, print and write; speed is reported, never a reason to fail."""
    times = measure(grid, rounds)
    found = ratios(times)
    path.parent.mkdir(parents=True, exist_ok=True)
    measured = {"processor": processor(), "processor_cores": os.cpu_count(), "rounds": rounds,
                "seconds": times.to_dict("list"), **found}
    files.write(path, f"{json.dumps(measured, indent=1)}\n".encode())
    print(f"{processor()}, {len(grid.tasks())} tasks; seconds, medians of {rounds} rounds\n"
          f"{times.median().to_string(float_format='{:.2f}'.format)}")
    print(f"overhead in this process {found['overhead in this process']:.1%}, of one worker "
          f"{found['overhead of one worker']:.1%} (wanted: at most {MOST_OVERHEAD:.0%})\n"
          f"two workers {found['speed-up of two workers']:.2f}x one (at least {LEAST_SPEEDUP}x)")
    return 0


def _seconds(task) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
