"""How fast is `train`, compared with what one would write instead?

`make bench` first checks that all contenders compute the same losses from the same initial weights
and batches. Then every round visits every contender once, on one core and on two, in processes
that wait while another works: whatever else the computer does slows all of them alike.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import processes
from benchmarks.contenders import (
    CONTENDERS,
    NUMBA,
    OURS,
    PRODUCTS,
    WORKLOADS,
    disagreements,
    missing,
    visit,
)
from benchmarks.profiles import step_parts
from benchmarks.records import BENCH, RESULTS, machine, store
from benchmarks.targets import judged, sentence

TOLERANCE = 1e-5  # nats, between losses of the same step: single precision after 20 steps
CORES, ROUNDS = (1, 2), 3
PROFILED = 100  # steps


@contextmanager
def workers(contenders: dict, cores) -> Iterator[dict]:
    """Give a process by its name in `contenders` and its number of cores, for all of both."""
    with ExitStack() as stack:
        yield {(name, count): stack.enter_context(processes.worker(count))
               for name in dict.fromkeys(contender.process for contender in contenders.values())
               for count in cores}


def check(pools: dict, contenders: dict, workloads: dict) -> list[str]:
    """Print how far the contenders' losses are apart; return those beyond the tolerance."""
    wrong = []
    for task, workload in workloads.items():
        found = {}
        for (process, cores), pool in pools.items():
            own = {name: contender for name, contender in contenders.items()
                   if contender.process == process}
            apart = pool.submit(disagreements, own, workload).result()
            found |= {(name, cores): difference for name, difference in apart.items()}
        print(f"{task}: losses over 20 steps differ from the plain loop's by at most "
              f"{max(found.values()):.1e} nats (tolerance {TOLERANCE:.0e})", flush=True)
        wrong += [name for (name, _), difference in found.items() if not difference <= TOLERANCE]
    return list(dict.fromkeys(wrong))


def measure(pools: dict, contenders: dict, workloads: dict, cores, rounds: int) -> dict:
    """Return by (contender, workload, cores) the microseconds per network and step, per round.

    A visit to each before the first round, not counted, compiles what has to be compiled.
    """
    cases = [(name, task, count) for task in workloads for name in contenders for count in cores]
    times = {case: [] for case in cases}
    for _ in range(1 + rounds):
        for name, task, count in cases:
            contender = contenders[name]
            pool = pools[contender.process, count]
            times[name, task, count].append(
                pool.submit(visit, contender, workloads[task]).result())
    return {case: values[1:] for case, values in times.items()}


def rows(times: dict, contenders: dict, workloads: dict) -> list[dict]:
    """Return one row per contender, workload and number of cores.

    us_per_network_step: microseconds per network and step, the median over rounds; ratio: the
    time over this project's, on PyTorch and as many cores, in the same round, again the median.
    """
    return [{"contender": name, "workload": task, "cores": cores,
             "networks": contenders[name].count(workloads[task].recipe),
             "us_per_network_step": float(np.median(own)),
             "fastest": min(own), "slowest": max(own),
             "ratio": float(np.median(np.divide(own, times[OURS, task, cores])))}
            for (name, task, cores), own in times.items()]


def profiles(pools: dict, workloads: dict, cores, contender, steps: int) -> list[dict]:
    """Return where this project's time goes: one row per workload, number of cores and part."""
    found = []
    for task, workload in workloads.items():
        for count in cores:
            pool = pools[contender.process, count]
            parts = pool.submit(step_parts, workload, contender.count(workload.recipe),
                                steps).result()
            whole = sum(parts.values())
            found += [{"workload": task, "cores": count, "part": part,
                       "us_per_network_step": time, "share": time / whole}
                      for part, time in parts.items()]
    return found


def table(found: list[dict]) -> str:
    """Return the rows as text."""
    columns = ["workload", "cores", "contender", "networks", "us_per_network_step", "fastest",
               "slowest", "ratio"]
    return pd.DataFrame(found)[columns].to_string(index=False, float_format="{:.1f}".format)


def main(contenders=CONTENDERS, workloads=WORKLOADS, rounds: int = ROUNDS,
         bench: Path = BENCH, results: Path = RESULTS) -> int:
    """Check, measure, print and write; return 1 if losses disagree, never because of speed."""
    lacking = missing(contenders)
    for name, package in lacking.items():
        print(f"{name} is left out: {package} is not installed")
    contenders = {name: contender for name, contender in contenders.items()
                  if name not in lacking}
    cores = [count for count in CORES if count <= len(processes.cores())]
    with workers(contenders, cores) as pools:
        if wrong := check(pools, contenders, workloads):
            print(f"not the same computation: {', '.join(wrong)}", file=sys.stderr)
            return 1
        times = measure(pools, contenders, workloads, cores, rounds)
        parts = profiles(pools, workloads, cores, contenders[OURS], PROFILED)
    found = {"rounds": rounds, "engines": [name for name in (OURS, NUMBA) if name in contenders],
             "floor": PRODUCTS, "rows": rows(times, contenders, workloads),
             "targets": judged(times), "profiles": parts, "left_out": list(lacking)}
    store("training", found, bench, results)
    print(f"\n{machine()['processor']}; microseconds per network and step, medians of {rounds} "
          f"rounds; ratio to {OURS} on as many cores\n{table(found['rows'])}\n")
    print(*map(sentence, found["targets"]), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
