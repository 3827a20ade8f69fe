"""What holds for every network: pruning, scores, choices, files and distances."""

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from examples import same_bits
from helpers.compare import disagreement, function_distance
from helpers.criteria import (
    CRITERIA,
    centred_gate,
    contribution,
    covariance_greedy,
    magnitude,
    std,
)
from helpers.networks import Networks
from helpers.pruning import COMPENSATIONS, choose, dead, everything, only_layer, overlap, prune
from helpers.replacements import removed
from strategies import (
    SEEDS,
    cases,
    compensations,
    criteria,
    fractions,
    networks_for,
    problems,
    prunings,
    random_numbers,
    tries,
)

DOUBLE = st.just(torch.float64)


def sizes(networks, x):
    """Return what the logits at x would be if nothing cancelled: rounding is a share of it."""
    return Networks([weight.abs() for weight in networks.weights],
                    [bias.abs() for bias in networks.biases], networks.seeds)(x.abs()).detach()


def fitted_to(networks, problem):
    """Return the size of what parameters are fitted to, of which they carry rounding."""
    return sizes(networks, problem.x_train).amax(1, keepdim=True)


def assert_same_function(a, b, x, share=None, fitted=0):
    """Assert that logits differ by rounding alone, or by another share of what is summed up."""
    share = share or 100 * torch.finfo(a.weights[0].dtype).eps
    assert ((a(x) - b(x)).abs() <= share * (sizes(a, x) + sizes(b, x) + fitted)).all()


def assert_same_scores(found, expected):
    for one, other in zip(found, expected, strict=True):
        rounding = 1e-9 * (1 + other.abs().max().item())
        torch.testing.assert_close(one, other, rtol=1e-6, atol=rounding)


def clear(scores, stay):
    """Return which networks have no near tie between the nodes that stay and those that go."""
    stays = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, stay, True)
    lowest = scores.masked_fill(~stays, torch.inf).amin(1)
    highest = scores.masked_fill(stays, -torch.inf).amax(1)
    return lowest - highest > 1e-6 * (1 + scores.abs().amax(1))


def in_other_order(networks, orders):
    """Return the networks with the nodes of every hidden layer in another order."""
    weights, biases = list(networks.weights), list(networks.biases)
    for layer, order in enumerate(orders):
        weights[layer], biases[layer] = weights[layer][:, order], biases[layer][:, order]
        weights[layer + 1] = weights[layer + 1][:, :, order]
    return Networks(weights, biases, networks.seeds)


def scaled(networks, layer, factors):
    """Return the same functions, the nodes of a hidden layer scaled by positive factors."""
    weights, biases = list(networks.weights), list(networks.biases)
    weights[layer] = weights[layer] * factors[:, None]
    biases[layer] = biases[layer] * factors
    weights[layer + 1] = weights[layer + 1] / factors
    return Networks(weights, biases, networks.seeds)


@tries(60)
@given(cases(), compensations, criteria)
def test_removing_nothing_changes_no_bit(case, compensation, criterion):
    networks, problem = case
    for kept in (everything(networks), choose(networks, problem, criterion, 0),
                 choose(networks, problem, criterion, 0.9, layers=[])):
        assert same_bits(prune(networks, kept, problem, compensation), networks)


@tries(120)
@given(prunings(dtypes=DOUBLE), compensations)
def test_masked_and_compensated_equals_shrunk(pruning, compensation):
    """At every point, not only where the compensation was fitted."""
    networks, problem, kept = pruning
    pruned = prune(networks, kept, problem, compensation)
    fitted, shown = problem.x_train.double(), problem.x_test.double()
    for layer, (weight, bias) in enumerate(zip(networks.weights, networks.biases, strict=True)):
        fitted, shown = (x @ weight.mT + bias[:, None] for x in (fitted, shown))
        if layer == len(kept):
            break
        fitted, shown = fitted.relu(), shown.relu()
        for i, (stay, gone) in enumerate(zip(kept[layer], removed(networks, kept)[layer],
                                             strict=True)):
            if gone.any():
                slope, intercept = COMPENSATIONS[compensation](
                    fitted[i:i + 1, :, stay], fitted[i:i + 1, :, gone])
                for x in fitted, shown:
                    x[i][:, gone] = x[i][:, stay] @ slope[0] + intercept[0]
    logits = shown[..., 0] if networks.widths[-1] == 1 else shown
    difference = (pruned(problem.x_test) - logits).abs()
    assert (difference <= 1e-6 * (1 + sizes(pruned, problem.x_test))).all()
    assert pruned.widths[1:-1] == tuple(stay.shape[1] for stay in kept)


@st.composite
def reordered(draw):
    networks, problem, kept = draw(prunings(dtypes=DOUBLE))
    orders = [draw(st.permutations(range(width))) for width in networks.widths[1:-1]]
    return networks, problem, kept, [torch.tensor(order) for order in orders]


def moved(kept, orders):
    """Return the same nodes by their new places."""
    return tuple(order.argsort()[stay].sort(1).values
                 for stay, order in zip(kept, orders, strict=True))


@tries(120)
@given(reordered(), compensations)
def test_the_order_of_nodes_changes_no_function_before_or_after_pruning(case, compensation):
    networks, problem, kept, orders = case
    other, x = in_other_order(networks, orders), problem.x_test
    assert_same_function(other, networks, x)
    assert_same_function(prune(other, moved(kept, orders), problem, compensation),
                         prune(networks, kept, problem, compensation), x, 1e-6,
                         fitted_to(networks, problem))


by_values = st.sampled_from([name for name in CRITERIA
                            if name not in ("random", "covariance_greedy")])


@tries(150)
@given(reordered(), by_values, fractions)
def test_scores_and_choices_move_with_the_nodes(case, criterion, fraction):
    """Where no near tie is broken by place; random scores belong to places."""
    networks, problem, _, orders = case
    other = in_other_order(networks, orders)
    scores = CRITERIA[criterion](networks, problem)
    assert_same_scores(CRITERIA[criterion](other, problem),
                       [values[:, order] for values, order in zip(scores, orders, strict=True)])
    kept, found = (choose(some, problem, criterion, fraction) for some in (networks, other))
    for values, before, mine, theirs in zip(scores, kept, moved(kept, orders), found, strict=True):
        safe = clear(values, before)
        assert torch.equal(mine[safe], theirs[safe])


@tries(40)
@given(reordered())
def test_greedy_turns_move_with_the_nodes_that_vary(case):
    """Constant nodes, all of cost 0, come first in the order of their places."""
    networks, problem, _, orders = case
    other = in_other_order(networks, orders)
    found = zip(covariance_greedy(networks, problem), covariance_greedy(other, problem),
                contribution(other, problem), orders, strict=True)
    for before, after, contributions, order in found:
        vary = contributions > 1e-6
        assert torch.equal(before[:, order][vary], after[vary])


@st.composite
def rescaled(draw):
    """Return networks, a problem, kept nodes, a layer, factors of its nodes, the same functions."""
    networks, problem, kept = draw(prunings(dtypes=DOUBLE))
    layer = draw(st.integers(0, len(kept) - 1))
    width = networks.widths[layer + 1]
    powers = draw(st.lists(st.floats(-3, 3), min_size=width, max_size=width))
    factors = 10 ** torch.tensor(powers, dtype=torch.float64)
    return networks, problem, kept, layer, factors, scaled(networks, layer, factors)


@tries(100)
@given(rescaled(), fractions)
def test_scales_of_nodes_change_no_function_and_no_choice_by_contribution(case, fraction):
    networks, problem, kept, layer, factors, other = case
    assert_same_function(other, networks, problem.x_test)
    for criterion, factor in ((contribution, 1), (centred_gate, 1), (std, factors),
                              (magnitude, factors)):
        scores = criterion(networks, problem)[layer]
        torch.testing.assert_close(criterion(other, problem)[layer], factor * scores, rtol=1e-9,
                                   atol=1e-12 * factors.max().item() * (1 + scores.max().item()))
    scores = contribution(networks, problem)[layer]
    vary = scores > 1e-6  # turns of constant nodes go by their places
    turns = (covariance_greedy(some, problem)[layer] for some in (networks, other))
    assert torch.equal(*(values[vary] for values in turns))
    mine, theirs = (choose(some, problem, "contribution", fraction, [layer])[layer]
                    for some in (networks, other))
    safe = clear(scores, mine)
    assert torch.equal(mine[safe], theirs[safe])


@tries(60)
@given(rescaled(), st.sampled_from(["none", "mean"]))
def test_scales_of_nodes_do_not_matter_to_pruning(case, compensation):
    """Least squares are left out: which nodes count as collinear depends on their scales."""
    networks, problem, kept, _, _, other = case
    assert_same_function(prune(other, kept, problem, compensation),
                         prune(networks, kept, problem, compensation), problem.x_test, 1e-9,
                         fitted_to(networks, problem))


@st.composite
def with_dead_nodes(draw):
    """Return networks, a problem and kept nodes without which go dead ones alone, at least one."""
    networks, problem = draw(cases())
    kept = list(everything(networks))
    for layer in draw(st.sets(st.integers(0, len(kept) - 1), min_size=1)):
        width = networks.widths[layer + 1]
        gone = draw(st.sets(st.integers(0, width - 1), max_size=width - 1))
        networks.biases[layer].data[:, list(gone)] = -1e6
        kept[layer] = torch.tensor([[node for node in range(width) if node not in gone]]
                                   ).repeat(len(networks), 1)
    return networks, problem, tuple(kept)


@tries(100)
@given(with_dead_nodes(), compensations)
def test_dead_nodes_are_free(case, compensation):
    """The other nodes keep every bit, so nothing changes wherever the dead ones stay dead."""
    networks, problem, kept = case
    for silent, gone in zip(dead(networks, problem.x_train), removed(networks, kept), strict=True):
        assert silent[gone].all()
    pruned = prune(networks, kept, problem, compensation)
    rows, weights, biases = torch.arange(len(networks))[:, None], *map(
        list, (networks.weights, networks.biases))
    for layer, stay in enumerate(kept):
        weights[layer], biases[layer] = weights[layer][rows, stay], biases[layer][rows, stay]
        weights[layer + 1] = weights[layer + 1].mT[rows, stay].mT
    assert same_bits(pruned, Networks(weights, biases, networks.seeds))
    assert_same_function(pruned, networks, problem.x_train)


@tries(100)
@given(prunings(dtypes=DOUBLE), st.data())
def test_linear_fits_at_least_as_well_as_mean_and_mean_as_none(pruning, data):
    """Squared error of the next layer's inputs on the training points, one layer pruned."""
    networks, problem, kept = pruning
    layer = data.draw(st.integers(0, len(kept) - 1))
    kept = only_layer(networks, kept, layer)

    def inputs(some):
        return (some.activations(problem.x_train)[layer] @ some.weights[layer + 1].mT
                + some.biases[layer + 1][:, None]).detach()

    whole = inputs(networks)
    linear, mean, none = (
        (inputs(prune(networks, kept, problem, compensation)) - whole).square().sum((1, 2))
        for compensation in ("linear", "mean", "none"))
    rounding = 1e-20 * whole.square().sum((1, 2))
    assert (linear <= mean * (1 + 1e-9) + rounding).all()
    assert (mean <= none * (1 + 1e-9) + rounding).all()


@tries(120)
@given(cases(), criteria, st.tuples(fractions, fractions))
def test_a_choice_of_more_nodes_keeps_none_that_one_of_fewer_removed(case, criterion, shares):
    few, many = (choose(*case, criterion, share) for share in sorted(shares))
    assert all(share.eq(1).all() for share in overlap(many, few))


@tries(120)
@given(cases(), criteria, fractions, SEEDS)
def test_spared_nodes_stay_and_of_the_others_the_lowest_scores_go(case, criterion, fraction, seed):
    networks, problem = case
    scores, generator = CRITERIA[criterion](networks, problem), random_numbers(seed)
    spared = [torch.rand(values.shape, generator=generator) < 0.3 for values in scores]
    counts = [min(round(fraction * width), width - 1) for width in networks.widths[1:-1]]
    if any((~mask).sum(1).min() < gone for mask, gone in zip(spared, counts, strict=True)):
        with pytest.raises(ValueError, match="of some network to remove; expected at least"):
            choose(networks, problem, criterion, fraction, spared=spared)
        return
    kept = choose(networks, problem, criterion, fraction, spared=spared)
    for values, mask, gone, count in zip(scores, spared, removed(networks, kept), counts,
                                         strict=True):
        assert (gone.sum(1) == count).all() and not gone[mask].any()
        lowest = values.masked_fill(mask | gone, torch.inf).amin(1)
        assert (values.masked_fill(~gone, -torch.inf).amax(1) <= lowest).all()


whole_numbers = {torch.float16: torch.int16, torch.bfloat16: torch.int16,
                 torch.float32: torch.int32, torch.float64: torch.int64}


@tries(100)
@given(cases(dtypes=st.sampled_from(list(whole_numbers))), SEEDS)
def test_saved_networks_come_back_to_the_bit(case, seed):
    """Any bits at all: infinite, NaN with a payload, subnormal, minus 0."""
    networks, generator = case[0], random_numbers(seed)
    whole = whole_numbers[dtype := networks.weights[0].dtype]
    limits = torch.iinfo(whole)
    for parameter in networks.parameters():
        drawn = torch.randint(limits.min, limits.max, parameter.shape, dtype=whole,
                              generator=generator)
        parameter.data = drawn.view(dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "networks.safetensors"
        networks.save(path)
        loaded = Networks.load(path)
    assert loaded.seeds == networks.seeds and loaded.widths == networks.widths
    for there, back in zip(networks.parameters(), loaded.parameters(), strict=True):
        assert back.dtype == dtype and torch.equal(back.view(whole), there.view(whole))


@st.composite
def triples(draw):
    """Return three sets of networks of the same seeds, perhaps of other shapes, and points."""
    problem = draw(problems())
    sets = [draw(networks_for(problem, count=2)) for _ in range(3)]
    count = min(map(len, sets))
    return *(Networks([weight[:count] for weight in some.weights],
                      [bias[:count] for bias in some.biases], range(count))
             for some in sets), problem.x_test


@tries(100)
@given(triples(), st.sampled_from([disagreement, function_distance]))
def test_distances_are_distances(triple, distance):
    a, b, c, x = triple
    assert (distance(a, a, x) == 0).all()
    there = distance(a, b, x)
    assert torch.equal(there, distance(b, a, x)) and (0 <= there).all() and (there <= 1).all()
    assert (distance(a, c, x) <= there + distance(b, c, x) + 1e-6).all()
