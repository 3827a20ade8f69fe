"""Processes that run on a given number of cores from their first import on."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from unittest import mock

import torch

THREADS = "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"
SPAWN = multiprocessing.get_context("spawn")


def cores() -> list[int]:
    """Return the cores that this process may use; where the system cannot tell, all."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count()))


def in_fresh_processes(function, values) -> list:
    """Return the function of every value, each computed in a process that does nothing else."""
    with ProcessPoolExecutor(len(cores()), SPAWN, max_tasks_per_child=1) as pool:
        return list(pool.map(function, values))


@contextmanager
def worker(count: int) -> Iterator[ProcessPoolExecutor]:
    """Give a process on `count` cores with as many threads.

    Libraries look at cores and settings when they are imported, and a process inherits both: they
    are set here for as long as it takes to start. Where the system cannot pin a process to cores
    (macOS), threads alone are limited.
    """
    with ProcessPoolExecutor(1, SPAWN) as pool:
        with _limited(count):
            pool.submit(torch.set_num_threads, count).result()
        yield pool


@contextmanager
def _limited(count: int) -> Iterator[None]:
    """Confine this thread, and what it starts, to the first `count` cores."""
    before = cores()
    with mock.patch.dict(os.environ, dict.fromkeys(THREADS, str(count))):
        _pin(before[:count])
        try:
            yield
        finally:
            _pin(before)


def _pin(chosen: list[int]) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, chosen)
