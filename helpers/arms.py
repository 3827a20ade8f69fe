"""The arms of the study: what is trained for one setting, and every way to prune it.

A setting is trained dense once; all its cuts share that. Arms of equal shape train side by side.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import torch

from helpers import checks
from helpers.criteria import CRITERIA
from helpers.data import PROBLEMS, Problem
from helpers.networks import SCHEMES, Networks, initialise, nudged
from helpers.pruning import COMPENSATIONS, Kept, choose, prune
from helpers.recipes import POST, Recipe, check_recipe
from helpers.schedule import OPTIMISER_STATES, prune_during
from helpers.square import other_seeds
from helpers.streams import stream
from helpers.training import Run, train, train_draws

FLOORS = ("other_order", "one_ulp")
ARMS = ("A_tuned", "B", "B_other_order")
MASK_SOURCES = ("dense", "initial", "shuffled", "random")
BUDGETS = ("steps", "flops")


@dataclass(frozen=True)
class Setting:
    """One dense training: a draw of a problem, the hidden widths, the recipe and the seeds.

    problem: a name in PROBLEMS with its settings, e.g. `spirals noise=0.1`; floors: how else the
    dense networks are trained, of FLOORS. Raises TypeError or ValueError for what cannot be.
    """

    problem: str = "spirals"
    data_seed: int = 0
    hidden: tuple[int, ...] = (50, 50)
    scheme: str = "glorot_uniform"
    recipe: Recipe = POST
    seeds: tuple[int, ...] = (0,)
    floors: tuple[str, ...] = ("other_order",)

    def __post_init__(self):
        parse_problem(self.problem)
        checks.integer("data_seed", self.data_seed, 0, checks.LARGEST_SEED)
        if not checks.several("hidden", self.hidden):
            raise ValueError("hidden is empty; expected at least one hidden layer")
        for k, width in enumerate(self.hidden):
            checks.integer(f"hidden[{k}]", width, 1)
        checks.one_of("scheme", self.scheme, SCHEMES)
        check_recipe(self.recipe)
        checks.seeds("seeds", self.seeds)
        for floor in checks.several("floors", self.floors):
            checks.one_of("floors", floor, FLOORS)

    def draw(self) -> Problem:
        """Return the draw of the problem."""
        name, settings = parse_problem(self.problem)
        return PROBLEMS[name](seed=self.data_seed, **settings)

    def initial(self, problem: Problem) -> Networks:
        """Return the untrained networks: one logit for two classes, one per class for more."""
        logits = 1 if problem.classes == 2 else problem.classes
        return initialise((problem.features, *self.hidden, logits), self.seeds, self.scheme)


@dataclass(frozen=True)
class Cut:
    """One way to prune a setting, and the arms trained for it (A, never trained, always comes).

    criterion, fraction, compensation, layers: as in `choose` and `prune`; mask_source: whose
    scores choose the nodes: the `dense` networks' (hindsight), the `initial` ones' (foresight),
    the dense ones' choice `shuffled` within each layer, or `random` ones; prune_times: the shares
    of training after which equal parts of the nodes go in B, (0,) for prune first, one number for
    a later moment, several for gradual pruning; optimiser_state: as in `prune_during`; budget: B
    takes as many `steps` as the dense networks, or spends as many `flops` as A';
    fine_tune_steps: of A'; arms: of ARMS. Raises TypeError or ValueError for what cannot be.
    """

    criterion: str = "std"
    fraction: float = 0.5
    compensation: str = "mean"
    layers: tuple[int, ...] | None = None
    mask_source: str = "dense"
    prune_times: tuple[float, ...] = (0.0,)
    optimiser_state: str = "fresh"
    budget: str = "steps"
    fine_tune_steps: int = 500
    arms: tuple[str, ...] = ()

    def __post_init__(self):
        checks.one_of("criterion", self.criterion, CRITERIA)
        checks.real("fraction", self.fraction, 0, 1)
        checks.one_of("compensation", self.compensation, COMPENSATIONS)
        checks.one_of("mask_source", self.mask_source, MASK_SOURCES)
        layers = () if self.layers is None else self.layers
        for name, values in ("layers", layers), ("prune_times", self.prune_times):
            if not isinstance(values, tuple):
                raise TypeError(f"{name} is {checks.shown(values)}; expected a tuple")
        for k, layer in enumerate(layers):
            checks.integer(f"layers[{k}]", layer, 0)
        times = list(self.prune_times)
        for k, time in enumerate(times):
            checks.real(f"prune_times[{k}]", time, 0, math.nextafter(1, 2))
        if not times or sorted(set(times)) != times:
            raise ValueError(f"prune_times is {self.prune_times}; expected increasing moments")
        checks.one_of("optimiser_state", self.optimiser_state, OPTIMISER_STATES)
        checks.one_of("budget", self.budget, BUDGETS)
        checks.integer("fine_tune_steps", self.fine_tune_steps, 0)
        for arm in checks.several("arms", self.arms):
            checks.one_of("arms", arm, ARMS)
        if times != [0.0] and (self.budget == "flops" or "B_other_order" in self.arms):
            raise ValueError(f"prune_times is {self.prune_times}; expected (0.0,) for budget "
                             "'flops' and for B_other_order")


@dataclass(frozen=True, eq=False)
class Pruned:
    """A cut carried out: which nodes stay, and the networks of each arm, `A` among them."""

    cut: Cut
    kept: Kept
    arms: dict[str, Networks]


def cuts(criteria: Iterable[str] = ("std",), fractions: Iterable[float] = (0.5,),
         compensations: Iterable[str] = ("mean",), mask_sources: Iterable[str] = ("dense",),
         prune_times: Iterable[tuple[float, ...]] = ((0.0,),), **others) -> tuple[Cut, ...]:
    """Return every combination of some axes as a cut; others: fields of Cut that all share."""
    axes = product(criteria, fractions, compensations, mask_sources, prune_times)
    return tuple(Cut(criterion, fraction, compensation, mask_source=source, prune_times=times,
                     **others) for criterion, fraction, compensation, source, times in axes)


def parse_problem(text: str) -> tuple[str, dict]:
    """Return name and settings of a problem written as `name key=number ...`, else ValueError."""
    name, *pairs = str(text).split() or [""]
    checks.one_of("problem", name, PROBLEMS)
    settings = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key in settings:
            raise ValueError(f"problem is {checks.shown(text)}; expected {key} once")
        try:
            settings[key] = int(value) if value.lstrip("-").isdigit() else float(value)
        except ValueError:
            raise ValueError(f"problem is {checks.shown(text)}; expected `name key=number ...`"
                             ) from None
    return name, settings


def training_flops(widths: Sequence[int], recipe: Recipe, points: int) -> float:
    """Return the floating-point operations of training one network, 6 per weight and sample.

    Two (multiply and add) forward, four backward; biases and the optimiser are left out, as usual.
    """
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise(widths))
    return 6.0 * weights * (recipe.batch_size or points) * recipe.steps


def dense_arms(setting: Setting, problem: Problem) -> dict[str, Networks]:
    """Return `initial`, `dense` and the floors that the setting asks for."""
    initial = setting.initial(problem)
    starts = {"dense": (initial, None)}
    if "other_order" in setting.floors:
        starts["other_order"] = (initial, other_seeds(initial))
    if "one_ulp" in setting.floors:
        starts["one_ulp"] = (nudged(initial, 0), None)
    jobs = {name: (start, setting.recipe, order) for name, (start, order) in starts.items()}
    return {"initial": initial, **_trained_together(jobs, problem)}


def cut_arms(setting: Setting, cuts: Sequence[Cut], dense: dict[str, Networks],
             problem: Problem) -> list[Pruned]:
    """Return every cut of what `dense_arms` returned, with the arms it asks for."""
    masks, jobs, found = _Masks(dense, problem), {}, []
    midway = _Midway(dense["initial"], problem, setting.recipe)
    for place, cut in enumerate(cuts):
        kept = masks.of(cut, cut.fraction)
        arms = {"A": prune(dense["dense"], kept, problem, cut.compensation)}
        found.append(Pruned(cut, kept, arms))
        tuning = replace(setting.recipe, steps=cut.fine_tune_steps)
        start, recipe = arms["A"], setting.recipe
        if cut.prune_times == (0.0,) and {"B", "B_other_order"} & set(cut.arms):
            start = prune(dense["initial"], kept, problem, cut.compensation)
            recipe = replace(recipe, steps=steps_of_b(recipe, cut, dense["dense"], start))
        elif "B" in cut.arms:
            arms["B"] = midway.pruned(cut, masks)
        wanted = {"A_tuned": (arms["A"], tuning, None), "B": (start, recipe, None),
                  "B_other_order": (start, recipe, other_seeds(start))}
        jobs |= {(place, arm): wanted[arm] for arm in cut.arms if arm not in arms}
    for (place, arm), networks in _trained_together(jobs, problem).items():
        found[place].arms[arm] = networks
    return found


def steps_of_b(recipe: Recipe, cut: Cut, dense: Networks, pruned: Networks) -> int:
    """Return how many steps B takes: dense's own, or what dense and fine-tuning cost in FLOPs."""
    if cut.budget == "steps":
        return recipe.steps
    batches = replace(recipe, batch_size=1, steps=1)
    one_step, dense_step = (training_flops(networks.widths, batches, 1)
                            for networks in (pruned, dense))
    return round(recipe.steps * dense_step / one_step) + cut.fine_tune_steps


def _trained_together(jobs: dict, problem: Problem) -> dict:
    """Return the networks of each job (start, recipe, order seeds); equal shapes train at once."""
    alike = {}
    for key, (start, recipe, _) in jobs.items():
        alike.setdefault((start.widths, recipe), []).append(key)
    found = {}
    for (_, recipe), keys in alike.items():
        starts, orders = [jobs[key][0] for key in keys], [jobs[key][2] for key in keys]
        runs = train_draws(starts, [problem] * len(keys), recipe, orders,
                           loss_every=max(1, recipe.steps))
        found |= {key: run.networks for key, run in zip(keys, runs, strict=True)}
    return found


class _Masks:
    """The nodes that stay, each choice made once."""

    def __init__(self, dense: dict[str, Networks], problem: Problem):
        self.dense, self.problem, self.known = dense, problem, {}

    def of(self, cut: Cut, fraction: float) -> Kept:
        criterion = "random" if cut.mask_source == "random" else cut.criterion
        scored = "initial" if cut.mask_source == "initial" else "dense"
        key = (criterion, scored, fraction, cut.layers)
        if key not in self.known:
            self.known[key] = choose(self.dense[scored], self.problem, criterion, fraction,
                                     cut.layers)
        shuffled = cut.mask_source == "shuffled"
        return _shuffled(self.known[key], self.dense["dense"]) if shuffled else self.known[key]


def _shuffled(kept: Kept, networks: Networks) -> Kept:
    """Return as many nodes of each layer, but others: each network's nodes change places."""
    generators = [stream(seed, "null") for seed in networks.seeds]
    return tuple(
        torch.stack([torch.from_numpy(generator.permutation(width))
                     for generator in generators]).gather(1, stay).sort(1).values
        for stay, width in zip(kept, networks.widths[1:-1], strict=True))


class _Midway:
    """B of cuts with later prune times; the dense training before the first is shared."""

    def __init__(self, initial: Networks, problem: Problem, recipe: Recipe):
        self.problem, self.recipe = problem, recipe
        self.reached = {0: Run(initial, torch.zeros(len(initial), 0), (), (), ())}

    def pruned(self, cut: Cut, masks: _Masks) -> Networks:
        count = len(cut.prune_times)
        stages = [masks.of(cut, cut.fraction * (k + 1) / count) for k in range(count)]
        steps = [round(time * self.recipe.steps) for time in cut.prune_times]
        return prune_during(self.dense_at(steps[0]), stages, steps, self.problem, self.recipe,
                            cut.compensation, cut.optimiser_state).networks

    def dense_at(self, step: int) -> Run:
        """Return the dense networks after some steps, going on from the nearest earlier ones."""
        if step not in self.reached:
            before = max(known for known in self.reached if known < step)
            run, more = self.reached[before], replace(self.recipe, steps=step - before)
            self.reached[step] = train(run.networks, self.problem, more, loss_every=step,
                                       first_step=before, moments=run.moments)
        return self.reached[step]
