"""What everything else costs, and how all of it grows.

`make bench` times one whole square, one choice and one pruning of every kind and one comparison on
the plane, on one core; then how time and memory grow, as `benchmarks.growth` says.
"""

import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from benchmarks import growth, processes
from benchmarks.contenders import CONTENDERS, NUMBA, OURS, Workload, missing
from benchmarks.growth import FRACTION, Size, seconds
from benchmarks.profiles import step_parts
from benchmarks.records import BENCH, RESULTS, machine, store
from helpers.compare import disagreement, plane
from helpers.criteria import CRITERIA
from helpers.data import spirals
from helpers.networks import initialise
from helpers.pruning import COMPENSATIONS, choose, prune
from helpers.recipes import POST, Recipe
from helpers.square import commute
from helpers.training import reference_engine, train

ROUNDS = 3


def jobs() -> dict[str, Callable]:
    """Return, by name, one of everything that a notebook does with networks of the post."""
    problem, initial = spirals(), initialise(Size().widths, range(Size.networks))
    networks = train(initial, problem, Recipe(steps=300)).networks
    kept = choose(networks, problem, "random", FRACTION)
    halves, x = prune(networks, kept, problem), plane(problem)
    return {
        f"whole square of {POST.steps} steps":
            lambda: commute(initial, problem, POST, "std", FRACTION),
        **{f"choose by {name}": lambda name=name: choose(networks, problem, name, FRACTION)
           for name in CRITERIA},
        **{f"prune, compensation {name}": lambda name=name: prune(networks, kept, problem, name)
           for name in COMPENSATIONS},
        f"compare on {len(x)} points of the plane": lambda: disagreement(networks, halves, x)}


def costs(rounds: int) -> list[dict]:
    """Return milliseconds per network of all `jobs`, trained on PyTorch, medians over rounds."""
    times = defaultdict(list)
    with reference_engine():
        todo = jobs()
        for _ in range(rounds):
            for name, job in todo.items():
                times[name].append(1e3 * seconds(job) / Size.networks)
    return [{"what": name, "networks": Size.networks, "ms_per_network": statistics.median(own),
             "fastest": min(own), "slowest": max(own)} for name, own in times.items()]


def profiles(targets: list[dict]) -> list[dict]:
    """Return where the time of a step goes at the best and the worst number of networks, if missed.
    """
    counts = {count for target in targets if target["job"] == OURS and not target["met"]
              for count in (target["best_at"], target["worst_at"])}
    return [{"job": OURS, "networks": count, "part": part, "us_per_network_step": time}
            for count in sorted(counts) for part, time
            in step_parts(Workload(Size().widths, growth.BATCHES), count,
                          growth.BATCHES.steps).items()]


def main(sizes=growth.SIZES, memory_sizes=growth.MEMORY_SIZES, rounds: int = ROUNDS,
         bench: Path = BENCH, results: Path = RESULTS) -> int:
    """Measure on one core, print and write."""
    ours = [name for name in (OURS, NUMBA) if name not in missing(CONTENDERS)]
    contenders = {name: CONTENDERS[name] for name in ours}
    with processes.worker(1) as pool:
        each = pool.submit(costs, rounds).result()
        grown = pool.submit(growth.growth, contenders, sizes, rounds).result()
        targets = [growth.evenness(grown, name) for name in ours]
        parts = pool.submit(profiles, targets).result()
    found = {"rounds": rounds, "engines": ours, "costs": each, "growth": grown, "targets": targets,
             "profiles": parts, "memory": [growth.memory(memory_sizes, name) for name in ours]}
    store("costs", found, bench, results)
    print(f"{machine()['processor']}, one core, medians of {rounds} rounds\n\n{table(found)}\n")
    for target in targets:
        print(f"{target['what']}: worst {target['measured']:.0%} above, at {target['worst_at']} "
              f"({'met' if target['met'] else 'missed'})")
    for memory in found["memory"]:
        print(f"{memory['contender']}: peak memory grows by {memory['per_network'] / 1e3:.0f} kB "
              f"per network, off its line by at most {memory['bent']:.1%} "
              f"({'linear' if memory['met'] else 'not linear'})")
    return 0


def table(found: dict) -> str:
    """Return costs and growth as text."""
    growing = pd.DataFrame(found["growth"]).pivot(
        index=["along", "value"], columns="job", values="us_per_network")
    return "\n\n".join((
        pd.DataFrame(found["costs"]).to_string(index=False, float_format="{:.3f}".format),
        "microseconds per network (of a training: and step)",
        growing.to_string(float_format="{:.1f}".format, na_rep="")))


if __name__ == "__main__":
    sys.exit(main())
