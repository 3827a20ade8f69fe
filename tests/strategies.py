"""What property tests draw: problems, networks with nodes of every kind, kept sets, recipes."""

import torch
from hypothesis import settings
from hypothesis import strategies as st

from helpers.checks import LARGEST_SEED
from helpers.criteria import CRITERIA
from helpers.data import Problem
from helpers.networks import SCHEMES, Networks, initialise
from helpers.pruning import COMPENSATIONS, Kept
from helpers.recipes import Recipe

SEEDS = st.integers(0, LARGEST_SEED)
criteria = st.sampled_from(list(CRITERIA))
compensations = st.sampled_from(list(COMPENSATIONS))
fractions = st.floats(0, 1, exclude_max=True)
precisions = st.sampled_from([torch.float32, torch.float64])
recipes = st.builds(
    Recipe, optimiser=st.sampled_from(["adam", "sgd", "momentum", "sign_sgd"]),
    learning_rate=st.sampled_from([0.001, 0.05]), batch_size=st.sampled_from([None, 1, 3, 8]),
    steps=st.integers(1, 9))


def tries(percent: int) -> settings:
    """Return settings for a percentage of the examples that the profile draws."""
    return settings(max_examples=percent * settings.default.max_examples // 100)


def random_numbers(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@st.composite
def problems(draw) -> Problem:
    """Random points of random labels; some lie on a grid, so that some are the same."""
    features, classes, points = (draw(st.integers(*ends)) for ends in ((1, 4), (2, 4), (8, 40)))
    generator = random_numbers(draw(SEEDS))
    x = 2 * torch.randn(points + 20, features, generator=generator)
    x = x.round() if draw(st.booleans()) else x
    y = torch.randint(classes, (points + 20,), generator=generator)
    return Problem("random", x[:points], y[:points], x[points:], y[points:], classes)


@st.composite
def networks_for(draw, problem: Problem, dtypes=precisions, count: int = 3) -> Networks:
    """Up to `count` networks that fit a problem, of any shape, scheme and scale per layer.

    Some nodes are dead, some constant, some have a twin.
    """
    hidden = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    logits = draw(st.integers(1, 2)) if problem.classes == 2 else problem.classes
    seeds = draw(st.lists(SEEDS, min_size=1, max_size=count, unique=True))
    networks = initialise((problem.features, *hidden, logits), seeds,
                          draw(st.sampled_from(list(SCHEMES))))
    scales = [draw(st.sampled_from([1.0, 0.1, 3.0])) for _ in networks.weights]
    dtype = draw(dtypes)
    weights = [scale * weight.detach().to(dtype)
               for scale, weight in zip(scales, networks.weights, strict=True)]
    biases = [scale * bias.detach().to(dtype)
              for scale, bias in zip(scales, networks.biases, strict=True)]
    kinds = st.sampled_from(["dead", "constant", "twin"])
    for weight, bias, width in zip(weights, biases, hidden, strict=False):
        places = st.tuples(st.integers(0, width - 1), kinds)
        for node, kind in draw(st.lists(places, max_size=2)):
            if kind == "dead":
                bias[:, node] = -1e4
            elif kind == "constant":
                weight[:, node], bias[:, node] = 0, 0.5
            else:
                weight[:, node], bias[:, node] = weight[:, node - 1], bias[:, node - 1]
    return Networks(weights, biases, seeds)


@st.composite
def cases(draw, **kinds) -> tuple[Networks, Problem]:
    """Networks and a problem that they fit; keywords as in `networks_for`."""
    problem = draw(problems())
    return draw(networks_for(problem, **kinds)), problem


@st.composite
def kept_sets(draw, networks: Networks) -> Kept:
    """Any nodes, others in every network, as many in each."""
    generator = random_numbers(draw(SEEDS))
    return tuple(
        torch.rand(len(networks), width, generator=generator).argsort(1)[:, :stay].sort(1).values
        for width in networks.widths[1:-1] for stay in [draw(st.integers(1, width))])


@st.composite
def prunings(draw, **kinds) -> tuple[Networks, Problem, Kept]:
    """Networks, a problem and nodes to keep; keywords as in `networks_for`."""
    networks, problem = draw(cases(**kinds))
    return networks, problem, draw(kept_sets(networks))
