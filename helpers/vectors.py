"""Test vectors of the playground's arithmetic: numbers that its JavaScript has to give as well.

`python -m helpers.vectors` writes them where the playground's tests read them.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib import colormaps

from helpers import files, plots
from helpers.compare import box, plane
from helpers.criteria import CRITERIA, random
from helpers.data import PROBLEMS, Problem, spirals
from helpers.networks import Networks, initialise
from helpers.pruning import COMPENSATIONS, choose, prune
from helpers.recipes import OPTIMISERS, Recipe
from helpers.streams import PURPOSES, stream
from helpers.training import batch_order, train
from helpers.weights import adam_drift

PATH = Path(__file__).parents[1] / "report" / "playground" / "tests" / "vectors.json"

SEEDS = 0, 7, 2**32 + 3
DRAWN = PURPOSES[:5]  # what the playground draws numbers for
BOUNDS = 500, 3 * 2**30, 2**32
ORDERS = (32, 500), (7, 500), (7, 50_000), (7, 2**16)  # batch sizes and points
WIDTHS = (2, 50, 50, 1), (2, 5, 3, 1)
NOISES = {"spirals": (0.02, 0.2), "moons": (0.1, 0.3), "circles": (0.05, 0.2), "xor": (0.0, 0.05)}
RATES = {"adam": 0.1, "sgd": 0.1, "momentum": 0.05, "sign_sgd": 0.01}
POST_WIDTHS, SMALL_WIDTHS = (2, 50, 50, 1), (2, 9, 6, 5, 2)  # of one logit, of two
SLOWER = 0.2  # of these rates for small networks
SEED = 4  # of few networks rounding alone grows beyond the tests' tolerance: not of this one
STEPS = 20
PRUNED = ((2, 9, 7, 1), 0.1), ((2, 8, 6, 5, 2), 0.02)  # and learning rates that kill some nodes


def streams() -> dict[str, list[dict]]:
    """Return what streams and scikit-learn's older generator draw, and what is made of it.

    That is initial weights, batch orders and scores of the criterion `random`.
    """
    return {
        "doubles": [_doubles(seed, purpose) for seed in SEEDS for purpose in DRAWN],
        "mixed": [_mixed(seed) for seed in SEEDS],
        "normals": [_normals(seed) for seed in SEEDS],
        "bounded": [_bounded(seed, bound) for seed in SEEDS for bound in BOUNDS],
        "batch_orders": [_batch_order(seed, *order) for seed in SEEDS for order in ORDERS],
        "initial_weights": [_initial_weights(seed, widths) for seed in SEEDS for widths in WIDTHS],
        "random_scores": [_random_scores(seed) for seed in SEEDS],
        "twister": [_twister(seed) for seed in (0, 7, 2**32 - 1)]}


def problems() -> list[dict]:
    """Return the first points of each problem of the plane, averages of all, and its plane."""
    return [_problem(name, noise, seed)
            for name, noises in NOISES.items() for noise in noises for seed in SEEDS[::2]]


def training() -> list[dict]:
    """Return losses of twenty steps of every optimiser and where they lead."""
    problem = spirals()
    recipes = [Recipe(name, RATES[name], steps=STEPS) for name in OPTIMISERS]
    slower = [replace(r, learning_rate=SLOWER * r.learning_rate) for r in recipes]
    slower += [replace(slower[0], batch_size=size) for size in (None, 7)]
    return [_trained(widths, recipe, problem)
            for widths, some in ((POST_WIDTHS, recipes), (SMALL_WIDTHS, slower))
            for recipe in some]


def pruning() -> list[dict]:
    """Return trained networks, what every criterion makes of them, and they themselves pruned."""
    problem = spirals()
    return [_pruned(widths, rate, problem) for widths, rate in PRUNED]


def coasting() -> list[dict]:
    """Return how far Adam carries a weight after its only gradient, in learning rates."""
    return [{"betas": list(betas), "steps": steps, "drift": adam_drift(*betas, steps=steps).item()}
            for betas, steps in (((0.9, 0.999), 1500), ((0.9, 0.999), 10), ((0.5, 0.99), 1500))]


def colours() -> dict:
    """Return the colours of the study's figures, of maps as bytes of red, green and blue."""
    chances = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]  # the stops of the scale
    painted = 1 - plots.MAP_ALPHA * (1 - colormaps[plots.MAP](chances)[:, :3])
    return {"corners": plots.CORNERS, "movements": plots.MOVEMENT_COLOURS,
            "classes": list(plots.CLASSES), "difference": list(plots.DIFFERENCE.colors),
            "chances": chances, "painted": (255 * painted).tolist()}


def vectors() -> dict:
    """Return all test vectors, ready for JSON."""
    return {"streams": streams(), "problems": problems(), "training": training(),
            "pruning": pruning(), "coasting": coasting(), "colours": colours()}


def write(path) -> None:
    """Write all test vectors to a JSON file."""
    files.write(path, (json.dumps(vectors(), indent=1) + "\n").encode())


def single(values) -> list:
    """Return float32 numbers, nested as they are, as the shortest decimals that give them back."""
    values = np.asarray(values, dtype=np.float32)
    return [single(row) for row in values] if values.ndim > 1 else [float(str(v)) for v in values]


def average(values) -> float:
    """Return the average of all values weighted by their positions, so that their order counts."""
    values = np.asarray(values, dtype=np.float64).ravel()
    return float(np.average(values, weights=np.arange(1, len(values) + 1)))


def _doubles(seed, purpose) -> dict:
    return {"seed": seed, "purpose": purpose, "values": stream(seed, purpose).random(5).tolist()}


def _mixed(seed) -> dict:
    """Draw by turns: half a word waits for the next half while whole words are drawn."""
    g = stream(seed, "random pruning")
    values = [g.random(dtype=np.float32), g.random(), g.random(dtype=np.float32), g.integers(500),
              g.standard_normal(), g.uniform(-2, 3), g.integers(500), g.random(dtype=np.float32),
              g.integers(500, dtype=np.uint16), g.random()]
    return {"seed": seed, "values": np.array(values, dtype=np.float64).tolist()}


def _normals(seed) -> dict:
    """Draw enough of a stream that reaches into the ziggurat's tail."""
    values = stream(seed, "random pruning").standard_normal(2000)
    return {"seed": seed, "first": values[:4].tolist(), "average": average(values),
            "square": average(values**2), "largest": float(np.abs(values).max())}


def _bounded(seed, bound) -> dict:
    values = stream(seed, "held-out points").integers(bound, size=300)
    return {"seed": seed, "bound": bound, "first": values[:4].tolist(), "average": average(values)}


def _batch_order(seed, batch_size, points) -> dict:
    order = batch_order([seed], 1500, batch_size, points)
    return {"seed": seed, "batch_size": batch_size, "points": points,
            "first": order[:3].tolist(), "average": average(order)}


def _initial_weights(seed, widths) -> dict:
    weights = [weight[0].detach() for weight in initialise(widths, [seed]).weights]
    return {"seed": seed, "widths": list(widths),
            "first": [single(weight.flatten()[:6]) for weight in weights],
            "averages": [average(weight) for weight in weights]}


def _random_scores(seed) -> dict:
    scores = random(initialise((2, 4, 3, 1), [seed]), None)
    return {"seed": seed, "widths": [4, 3], "scores": [layer[0].tolist() for layer in scores]}


def _twister(seed) -> dict:
    """Draw by turns: half a pair of normals waits while uniform numbers are drawn."""
    state = np.random.RandomState(seed)  # noqa: NPY002
    order = np.arange(1000)
    state.shuffle(order)
    values = [state.standard_normal(), state.random_sample(), *state.standard_normal(2)]
    return {"seed": seed, "order": order[:8].tolist(), "average": average(order),
            "values": np.array(values).tolist()}


def _problem(name, noise, seed) -> dict:
    problem = PROBLEMS[name](noise=noise, seed=seed)
    return {"name": name, "noise": noise, "seed": seed,
            "train": _points(problem.x_train, problem.y_train),
            "held_out": _points(problem.x_test, problem.y_test),
            "half": box(problem)[0][1], "plane": single(plane(problem, 4).T)}


def _points(x, y) -> dict:
    return {"count": len(y), "x": single(x[:3].T), "y": y[:3].tolist(),
            "x_averages": [average(feature) for feature in x.T], "y_average": average(y)}


def _trained(widths, recipe: Recipe, problem: Problem) -> dict:
    run = train(initialise(widths, [SEED]), problem, recipe, loss_every=10)
    return {"widths": list(widths), "seed": SEED, "optimiser": recipe.optimiser,
            "learning_rate": recipe.learning_rate, "batch_size": recipe.batch_size,
            "steps": recipe.steps, "losses": single(run.losses[0]),
            "logits": _logits(run.networks, problem),
            "averages": [average(parameter.detach()) for parameter in run.networks.parameters()]}


def _pruned(widths, rate: float, problem: Problem) -> dict:
    """Train until some nodes are dead, choose by every criterion, prune with all compensations."""
    recipe = Recipe(learning_rate=rate, steps=300)
    networks = train(initialise(widths, [2]), problem, recipe).networks
    scores = {name: score(networks, problem) for name, score in CRITERIA.items()}
    kept = choose(networks, problem, "contribution", 0.5)
    return {"seed": 2, "network": _network(networks),
            "kept_half": [layer[0].tolist() for layer in kept],
            "logits": _logits(networks, problem),
            "scores": {name: [layer[0].tolist() for layer in layers]
                       for name, layers in scores.items()},
            "kept": {name: [layer[0].tolist() for layer in choose(networks, problem, name, 0.4)]
                     for name in CRITERIA},
            "pruned": {name: _network(prune(networks, kept, problem, name))
                       for name in COMPENSATIONS}}


def _logits(networks: Networks, problem: Problem) -> list:
    """Return the first network's logits at 16 points of the plane, one after the other."""
    return single(networks(plane(problem, 4))[0].detach().view(16, -1).T.flatten())


def _network(networks: Networks) -> dict:
    """Return the first network: its widths, every layer's weights row by row, and biases."""
    return {"widths": list(networks.widths),
            "weights": [single(weight[0].detach().flatten()) for weight in networks.weights],
            "biases": [single(bias[0].detach()) for bias in networks.biases]}


if __name__ == "__main__":
    write(PATH)
