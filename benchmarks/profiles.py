"""Where the time of a training step goes, by PyTorch's profiler."""

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from unittest import mock

from torch.profiler import ProfilerActivity, profile, record_function

from benchmarks.contenders import Workload
from helpers import training
from helpers.data import spirals
from helpers.engine import Engine
from helpers.networks import initialise

PRODUCTS, REST = "matrix products", "dispatch, and all else"
SCOPES = {"draws": (training, "batch_order"), "gather": (training._Batches, "__getitem__"),
          "losses": (Engine, "losses"), "sigmoid": (Engine, "_output_error")}
OPERATIONS = {
    "aten::bmm": PRODUCTS, "aten::baddbmm": PRODUCTS, "aten::_fused_adam_": "Adam",
    "aten::threshold_backward": "ReLU gradient", "aten::relu_": "ReLU",
    "aten::sum": "bias gradients"}
PARTS = (PRODUCTS, "Adam", "ReLU gradient", "ReLU", "bias gradients", *SCOPES, REST)


def step_parts(workload: Workload, count: int, steps: int) -> dict[str, float]:
    """Return the microseconds per network and step of every one of PARTS in `train`, on PyTorch.

    count: of the networks. An operation counts where it was called from, its rest to REST: what
    Python and PyTorch spend between operations. The profiler itself slows them a little.
    """
    recipe, problem = replace(workload.recipe, steps=steps), spirals(workload.points)
    networks = initialise(workload.widths, range(count))
    with training.reference_engine(), _scopes(), profile(activities=[ProfilerActivity.CPU]) as seen:
        start = time.perf_counter()
        training.train(networks, problem, recipe)
        total = 1e6 * (time.perf_counter() - start)
    found = Counter()
    for event in seen.events():
        found[_part(event)] += event.self_cpu_time_total
    found[REST] = max(0, total - sum(found[part] for part in PARTS if part != REST))
    return {part: found[part] / count / steps for part in PARTS}


def _part(event) -> str:
    """Return the part that the innermost operation or scope around an event belongs to."""
    while event is not None:
        if event.name in SCOPES:
            return event.name
        if event.name in OPERATIONS and not _within_scope(event):
            return OPERATIONS[event.name]
        event = event.cpu_parent
    return REST


def _within_scope(event) -> bool:
    while (event := event.cpu_parent) is not None:
        if event.name in SCOPES:
            return True
    return False


def _scopes() -> ExitStack:
    """Let the profiler see the functions of SCOPES."""
    stack = ExitStack()
    for name, (owner, function) in SCOPES.items():
        seen = _recorded(name, getattr(owner, function))
        stack.enter_context(mock.patch.object(owner, function, seen))
    return stack


def _recorded(name: str, function):
    def run(*arguments):
        with record_function(name):
            return function(*arguments)

    return run
