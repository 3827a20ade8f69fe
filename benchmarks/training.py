"""How fast is `train`, compared with what one would write instead?

`make bench` first checks that all contenders compute the same losses from the same initial weights
and batches. Then every round visits every contender once, on one core, so that whatever else the
computer does slows all of them alike. `train` is timed with everything it does; the others are
handed their models, optimisers and batch order ready made.
"""

import dataclasses
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

from helpers.data import spirals
from helpers.networks import initialise
from helpers.recipes import Recipe
from helpers.results import processor
from helpers.training import batch_order, train

RESULTS = Path(__file__).parents[1] / "build" / "bench" / "training.json"
OURS, LOOP, FUSED, VMAP = "this project", "plain loop", "plain loop, fused Adam", "torch.func.vmap"
TOLERANCE = 1e-5  # nats, between losses of the same step: single precision after 20 steps
CORES = 1


@dataclass(frozen=True)
class Contender:
    """A way to train: prepare(networks, problem, recipe, loss_every) returns what is timed.

    The timed function takes nothing and returns the losses (networks, records); networks: how many
    to train, enough for the contender to be near its best time per network.
    """

    prepare: Callable
    networks: int


@dataclass(frozen=True)
class Workload:
    """Networks of given widths trained for some steps; targets: wanted ratio by contender."""

    widths: tuple[int, ...]
    recipe: Recipe
    targets: dict[str, float]


def project(networks, problem, recipe: Recipe, loss_every: int):
    """Train all networks at once, as the notebooks do."""
    return lambda: train(networks, problem, recipe, loss_every=loss_every).losses


def plain_loop(networks, problem, recipe: Recipe, loss_every: int, fused: bool | None = None):
    """Train one network after the other in plain PyTorch."""
    models = [networks.to_sequential(i) for i in range(len(networks))]
    optimisers = [_adam(model.parameters(), recipe, fused) for model in models]
    x, y, orders = problem.x_train, problem.y_train.float(), _orders(networks, problem, recipe)

    def train_one(model, optimiser, order) -> Tensor:
        losses = []
        for step in range(recipe.steps):
            inputs, labels = (x, y) if order is None else (x[order[step]], y[order[step]])
            optimiser.zero_grad()
            loss = binary_cross_entropy_with_logits(model(inputs).squeeze(1), labels)
            loss.backward()
            optimiser.step()
            if step % loss_every == 0:
                losses.append(loss.detach())
        return torch.stack(losses)

    return lambda: torch.stack(list(map(train_one, models, optimisers, orders)))


def vmapped(networks, problem, recipe: Recipe, loss_every: int):
    """Train all networks at once with PyTorch's own function transforms."""
    models = [networks.to_sequential(i) for i in range(len(networks))]
    parameters, _ = stack_module_state(models)
    optimiser = _adam(parameters.values(), recipe, fused=True)
    x, y, orders = problem.x_train, problem.y_train.float(), _orders(networks, problem, recipe)
    full = recipe.batch_size is None

    def loss(parameters, inputs, labels) -> Tensor:
        logits = functional_call(models[0], parameters, (inputs,)).squeeze(1)
        return binary_cross_entropy_with_logits(logits, labels)

    gradient = vmap(grad_and_value(loss), in_dims=(0, None, None) if full else 0)
    order = None if full else torch.stack(orders, 1)

    @torch.no_grad()
    def run() -> Tensor:
        losses = []
        for step in range(recipe.steps):
            inputs, labels = (x, y) if full else (x[order[step]], y[order[step]])
            gradients, values = gradient(parameters, inputs, labels)
            for name, parameter in parameters.items():
                parameter.grad = gradients[name]
            optimiser.step()
            if step % loss_every == 0:
                losses.append(values)
        return torch.stack(losses, 1)

    return run


CONTENDERS = {
    OURS: Contender(project, 128),
    LOOP: Contender(plain_loop, 2),
    FUSED: Contender(partial(plain_loop, fused=True), 2),
    VMAP: Contender(vmapped, 128),
}
WORKLOADS = {
    "batch 32": Workload((2, 50, 50, 1), Recipe(steps=200), {LOOP: 20, FUSED: 15, VMAP: 2}),
    "half-pruned": Workload((2, 25, 25, 1), Recipe(steps=200), {LOOP: 40}),
    "full batch": Workload((2, 50, 50, 1), Recipe(batch_size=None, steps=60), {LOOP: 3, VMAP: 2}),
}


def disagreements(contenders: dict, widths, recipe: Recipe) -> dict[str, float]:
    """Return the largest difference of each contender's losses from the plain loop's, in nats.

    Three networks start from the same weights and see the same batches; every step counts.
    """
    start, problem = initialise(widths, range(3)), spirals()
    expected = plain_loop(start, problem, recipe, 1)()
    return {name: (contender.prepare(start, problem, recipe, 1)() - expected).abs().max().item()
            for name, contender in contenders.items()}


def measure(contenders: dict, workloads: dict, rounds: int) -> list[dict]:
    """Return one row per contender and workload; every round visits all of them once.

    us_per_network_step: microseconds per network and step, the median over rounds; ratio: the
    time over this project's time in the same round, again the median.
    """
    problem = spirals()
    cases = [(contender, workload) for workload in workloads for contender in contenders]
    times = {case: [] for case in cases}
    for _ in range(rounds):
        for name, task in cases:
            contender, workload = contenders[name], workloads[task]
            networks = initialise(workload.widths, range(contender.networks))
            run = contender.prepare(networks, problem, workload.recipe, 10)
            start = time.perf_counter()
            run()
            seconds = time.perf_counter() - start
            times[name, task].append(1e6 * seconds / len(networks) / workload.recipe.steps)
    return [{"contender": name, "workload": task, "cores": CORES,
             "networks": contenders[name].networks,
             "us_per_network_step": statistics.median(times[name, task]),
             "fastest": min(times[name, task]), "slowest": max(times[name, task]),
             "ratio": float(np.median(np.divide(times[name, task], times[OURS, task]))),
             "target": workloads[task].targets.get(name)}
            for name, task in cases]


def table(rows: list[dict]) -> str:
    """Return the rows as text, with the target ratios and whether they are met."""
    frame = pd.DataFrame(rows).astype({"target": float})
    met = np.where(frame.ratio >= frame.target, "met", "missed")
    frame["target met"] = np.where(frame.target.isna(), "", met)
    return frame.to_string(index=False, float_format="{:.1f}".format, na_rep="")


def main(contenders=CONTENDERS, workloads=WORKLOADS, rounds: int = 7, path=RESULTS) -> int:
    """Check, measure, print and write; return 1 if losses disagree, never because of speed."""
    torch.set_num_threads(CORES)
    for task, workload in workloads.items():
        recipe = dataclasses.replace(workload.recipe, steps=20)
        found = disagreements(contenders, workload.widths, recipe)
        print(f"{task}: losses over 20 steps differ from the plain loop's by at most "
              f"{max(found.values()):.1e} (tolerance {TOLERANCE:.0e})")
        wrong = [name for name, difference in found.items() if not difference <= TOLERANCE]
        if wrong:
            print(f"not the same computation: {', '.join(wrong)}", file=sys.stderr)
            return 1
    rows = measure(contenders, workloads, rounds)
    machine = {"processor": processor(), "processor_cores": os.cpu_count(),
               "versions": {"python": platform.python_version(), "torch": str(torch.__version__),
                            "numpy": np.__version__}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**machine, "rounds": rounds, "rows": rows}, indent=1) + "\n")
    print(f"\n{machine['processor']}, {CORES} core, torch {torch.__version__}; microseconds per "
          f"network and step, medians of {rounds} rounds\n{table(rows)}")
    return 0


def _adam(parameters, recipe: Recipe, fused: bool | None) -> torch.optim.Adam:
    return torch.optim.Adam(
        parameters, recipe.learning_rate, recipe.betas, recipe.epsilon, fused=fused)


def _orders(networks, problem, recipe: Recipe) -> list[Tensor | None]:
    """Return each network's batches (steps, samples) as `train` draws them; None if full."""
    if recipe.batch_size is None:
        return [None] * len(networks)
    drawn = batch_order(networks.seeds, recipe.steps, recipe.batch_size, len(problem.x_train))
    return list(drawn.long().view(recipe.steps, len(networks), -1).unbind(1))


if __name__ == "__main__":
    sys.exit(main())
