"""How fast do networks of the post's recipe train on a GPU?

`train` is the engine of the processor, unchanged, on networks that lie on the GPU; `train_whole` is
one kernel from the first step to the last. Both are timed with all they do, and their networks held
against those that the processor trains.
"""

import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from helpers import files
from helpers.compare import accuracy, loss
from helpers.data import Problem, spirals
from helpers.intervals import Estimate, estimate
from helpers.networks import initialise
from helpers.recipes import POST, Recipe
from helpers.training import batch_order, train

RESULTS = Path(__file__).resolve().parents[1] / "results" / "gpu.json"
WIDTHS, NETWORKS = (2, 50, 50, 1), 100_000
SIZES, BRIEF = (16, 64, 256, 1024, 4096, 16384, 65536), replace(POST, steps=100)
COMPARED = 1000  # networks, on the GPU and on the processor
TARGETS = {"train": 40.0, "train_whole": 10.0}  # seconds for all NETWORKS and steps


def timed(method: Callable, count: int, problem: Problem, recipe: Recipe) -> dict:
    """Return a row: what training `count` networks takes, in seconds and in bytes of the GPU."""
    initial = initialise(WIDTHS, range(count), device="cuda")
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.synchronize()
    start = time.perf_counter()
    method(initial, problem, recipe)
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return {"method": method.__name__, "networks": count, "steps": recipe.steps, "seconds": seconds,
            "us_per_network_step": 1e6 * seconds / count / recipe.steps,
            "peak_bytes": torch.cuda.max_memory_allocated()}


def trained(method: Callable, problem: Problem, device: str) -> dict:
    """Return the median held-out accuracy and loss of networks trained there, as estimates."""
    networks = method(initialise(WIDTHS, range(COMPARED), device=device), problem, POST).networks
    return {"method": method.__name__, "device": device} | {
        name: asdict(estimate(of(networks, problem.x_test, problem.y_test)[None].cpu()))
        for name, of in (("accuracy", accuracy), ("loss", loss))}


def drawing(count: int, problem: Problem) -> float:
    """Return the seconds per network that `train` takes to draw the batches, on the processor."""
    start = time.perf_counter()
    batch_order(range(count), POST.steps, POST.batch_size, len(problem.x_train))
    return (time.perf_counter() - start) / count


def measure(methods: list[Callable], problem: Problem) -> dict:
    """Return all rows; every method trains a few networks first, so that kernels are compiled."""
    for method in methods:
        method(initialise(WIDTHS, range(16), device="cuda"), problem, BRIEF)
    rows = [timed(method, count, problem, BRIEF) for count in SIZES for method in methods]
    rows += [timed(method, NETWORKS, problem, POST)
             | {"wanted_seconds": TARGETS[method.__name__]} for method in methods]
    compared = [trained(method, problem, "cuda") for method in methods]
    return {"rows": rows, "seconds_to_draw_batches": drawing(COMPARED, problem),
            "networks": [trained(train, problem, "cpu"), *compared]}


def table(found: dict) -> str:
    """Return what was measured as text, with the targets."""
    rows = pd.DataFrame(found["rows"])
    lines = [rows.to_string(index=False, float_format="{:.3f}".format), ""]
    for row in rows[rows.wanted_seconds.notna()].itertuples():
        met = "met" if row.seconds <= row.wanted_seconds else "missed"
        lines.append(f"{row.method}: {row.networks} networks, {row.steps} steps in "
                     f"{row.seconds:.1f} s (target {row.wanted_seconds:.0f} s: {met})")
    lines.append(f"of that, train draws batches on the processor for "
                 f"{rows.networks.max() * found['seconds_to_draw_batches']:.1f} s")
    for row in found["networks"]:
        measured = ", ".join(f"{name} {Estimate(**row[name])}" for name in ("accuracy", "loss"))
        lines.append(f"{row['method']} on {row['device']}: held-out {measured}")
    return "\n".join(lines)


def main(path: Path = RESULTS) -> int:
    """Measure, print and write; 1 where there is no GPU."""
    if not torch.cuda.is_available():
        print("no GPU here that this PyTorch can use: nothing was measured", file=sys.stderr)
        return 1
    import triton  # comes with PyTorch for GPUs

    from helpers.gpu import train_whole

    found = measure([train, train_whole], spirals())
    about = {"gpu": torch.cuda.get_device_name(), "versions": {
        "python": platform.python_version(), "torch": str(torch.__version__),
        "triton": triton.__version__, "numpy": np.__version__}}
    files.write(path, f"{json.dumps({**about, **found}, indent=1)}\n".encode())
    print(f"{about['gpu']}, torch {torch.__version__}, triton {triton.__version__}\n{table(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
