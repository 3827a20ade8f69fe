"""Where the benchmarks of the engine write what they found, and on which machine."""

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from helpers import files
from helpers.results import processor

ROOT = Path(__file__).resolve().parents[1]
BENCH, RESULTS = ROOT / "build" / "bench", ROOT / "results" / "speed.json"
PACKAGES = "torch", "numpy", "scikit-learn", "jax", "numba"


def machine() -> dict:
    """Return processor, cores, vector instructions and versions; no user, host or path."""
    return {"processor": processor(), "processor_cores": os.cpu_count(),
            "vectors": torch.backends.cpu.get_cpu_capability(),
            "versions": {"python": platform.python_version(), **_versions()}}


def store(name: str, found: dict, bench: Path = BENCH, results: Path = RESULTS) -> None:
    """Write what a benchmark found to build/bench, and to its part of results/speed.json."""
    found = machine() | found
    bench.mkdir(parents=True, exist_ok=True)
    _write(bench / f"{name}.json", found)
    others = json.loads(results.read_text()) if results.exists() else {}
    _write(results, dict(sorted((others | {name: found}).items())))


def _versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _write(path: Path, found: dict) -> None:
    files.write(path, f"{json.dumps(found, indent=1)}\n".encode())
