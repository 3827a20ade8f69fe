"""The command line of `python -m helpers.sweep`: a grid without a notebook."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from helpers.arms import ARMS, BUDGETS, FLOORS, MASK_SOURCES, cuts
from helpers.criteria import CRITERIA
from helpers.files import writable_file, write_table
from helpers.measures import COLUMNS, EXTRAS, SETTINGS
from helpers.networks import SCHEMES
from helpers.pruning import COMPENSATIONS
from helpers.recipes import OPTIMISERS, POST, Recipe
from helpers.schedule import OPTIMISER_STATES
from helpers.sweep import Grid, cluster, run


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
        if given.table:
            writable_file(given.table)
        with cluster(given.workers, given.scheduler) as client:
            table = run(grid, given.folder, client)
        if given.table:
            write_table(given.table, table)
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
