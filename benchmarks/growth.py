"""How time and memory grow with the number of networks, their width, their depth and the points."""

import re
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks import processes
from benchmarks.contenders import NUMBA, OURS, Contender, Workload, visit
from helpers.compare import disagreement, plane
from helpers.data import spirals
from helpers.networks import initialise
from helpers.pruning import choose, prune
from helpers.recipes import Recipe
from helpers.square import commute
from helpers.training import reference_engine, train

BATCHES, ALL_POINTS, BRIEF = Recipe(steps=100), Recipe(batch_size=None, steps=20), Recipe(steps=50)
FRACTION = 0.5
MANY, WITHIN = 64, 0.1  # from so many networks on, the time per network should be near its best
STRAIGHT = 0.05  # of the rise: the farthest that a linear growth may be from its line


@dataclass(frozen=True)
class Size:
    """How large a job is: networks, nodes per hidden layer, hidden layers, training points."""

    networks: int = 64
    width: int = 50
    depth: int = 2
    points: int = 500

    @property
    def widths(self) -> tuple[int, ...]:
        """Nodes per layer, from the inputs to the logit."""
        return 2, *[self.width] * self.depth, 1


SIZES = {
    "networks": (1, 4, 16, 64, 256, 1024, 4096), "width": (8, 16, 32, 64, 128),
    "depth": (1, 2, 3, 4), "points": (125, 250, 500, 1000, 2000)}
MEMORY_SIZES = (256, 1024, 2048, 4096)  # more networks than train together: only state is added


def choosing(size: Size) -> Callable:
    """Return what chooses half of the nodes by std and prunes them, compensated by the mean."""
    networks, problem = initialise(size.widths, range(size.networks)), spirals(size.points)
    return lambda: prune(networks, choose(networks, problem, "std", FRACTION), problem)


def comparing(size: Size) -> Callable:
    """Return what compares networks with their halves on the plane."""
    networks, problem = initialise(size.widths, range(size.networks)), spirals(size.points)
    halves, x = choosing(size)(), plane(problem)
    return lambda: disagreement(networks, halves, x)


def squaring(size: Size) -> Callable:
    """Return what computes whole squares of short trainings."""
    networks, problem = initialise(size.widths, range(size.networks)), spirals(size.points)
    return lambda: commute(networks, problem, BRIEF, "std", FRACTION)


JOBS = {"choose and prune": choosing, "compare on the plane": comparing,
        f"whole square of {BRIEF.steps} steps": squaring}
LARGEST = 256  # networks of these jobs, which take them in blocks of 64


def training(contender: Contender, along: str, size: Size) -> float:
    """Return the microseconds per network and step of a contender, on all points along points."""
    contender = replace(contender, networks=size.networks, on_all_points=size.networks)
    recipe = ALL_POINTS if along == "points" else BATCHES
    return visit(contender, Workload(size.widths, recipe, size.points))


def working(job: Callable, size: Size) -> float:
    """Return the microseconds per network of one of JOBS, trained on PyTorch."""
    with reference_engine():
        return 1e6 * seconds(job(size)) / size.networks


def seconds(run: Callable) -> float:
    """Return the seconds that a function of nothing takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def growth(contenders: dict[str, Contender], sizes=SIZES, rounds: int = 3) -> list[dict]:
    """Return the microseconds per network of all jobs along every kind of size.

    Of contenders per network and step. One visit to each before the first round does not count.
    """
    cases = [(name, along, value) for along, values in sizes.items() for value in values
             for name in (*contenders, *JOBS)
             if name in contenders or along != "networks" or value <= LARGEST]
    times = defaultdict(list)
    for name in contenders:
        training(contenders[name], "networks", Size())
    for _ in range(rounds):
        for name, along, value in cases:
            size = replace(Size(), **{along: value})
            times[name, along, value].append(
                training(contenders[name], along, size) if name in contenders
                else working(JOBS[name], size))
    return [{"job": name, "along": along, "value": value, "networks": value
             if along == "networks" else Size.networks, "us_per_network": statistics.median(own),
             "rounds": own} for (name, along, value), own in times.items()]


def evenness(found: list[dict], job: str) -> dict:
    """Return the target that from MANY networks on the time per network is WITHIN of its best.

    measured: how far above the best of its round the worst number of networks is, as the median
    over rounds.
    """
    times = {row["value"]: row["rounds"] for row in found
             if (row["job"], row["along"]) == (job, "networks")}
    best = np.min(list(times.values()), axis=0)
    above = {count: float(np.median(own / best)) - 1 for count, own in times.items()
             if count >= MANY}
    worst, least = max(above, key=above.get), min(above, key=above.get)
    return {"what": f"{job}: from {MANY} to {max(times)} networks within {WITHIN:.0%} of the best "
                    "time per network", "job": job, "best_at": least, "worst_at": worst,
            "measured": above[worst], "wanted": WITHIN, "met": above[worst] <= WITHIN}


def memory(counts=MEMORY_SIZES, name: str = OURS) -> dict:
    """Return the peak memory of training so many networks, and the line it follows.

    peaks: bytes; per_network: slope of the line; bent: the farthest that a peak is from it, as a
    share of the rise.
    """
    peak = {OURS: peak_with_torch, NUMBA: peak_with_numba}[name]
    peaks = processes.in_fresh_processes(peak, counts)
    slope, bent = straight(counts, peaks)
    return {"contender": name, "networks": list(counts), "peaks": peaks, "per_network": slope,
            "parameters": sum(parameter[0].numel() for parameter
                              in initialise(Size().widths, [0]).parameters()),
            "bent": bent, "straight": STRAIGHT, "met": bent <= STRAIGHT}


def straight(x, y) -> tuple[float, float]:
    """Return the slope of the line through points, and how far from it the farthest point is.

    As a share of the rise, from the least y to the largest.
    """
    line = np.polyfit(x, y, 1)
    apart = np.abs(np.polyval(line, x) - y).max()
    return float(line[0]), float(apart / np.ptp(y))


def peak_with_torch(count: int) -> int:
    """Return the most bytes this process ever held, after training so many networks."""
    with reference_engine():
        return peak_with_numba(count)


def peak_with_numba(count: int) -> int:
    """Return the same with the engine that `train` takes by itself."""
    train(initialise(Size().widths, range(count)), spirals(), Recipe(steps=20))
    status = Path("/proc/self/status")
    if status.exists():  # what `getrusage` tells on Linux includes the process that started this
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
