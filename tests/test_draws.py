"""Groups of networks on several draws: each group meets its own problem, measured in step."""

import numpy as np
import pandas as pd
import pytest
import torch

from examples import refuses
from helpers import draws
from helpers.compare import accuracy, classify, disagreement, plane, same_roles
from helpers.pruning import choose, dead, prune
from helpers.recipes import Recipe
from helpers.training import train, train_draws

SHORT = Recipe(steps=20, batch_size=8)
PROBLEMS = draws.problems("moons", 3, n_train=40, n_test=60)
GROUPS = draws.untrained((2, 6, 5, 1), 3, 2)
TRAINED = draws.trained(GROUPS, PROBLEMS, SHORT)


def test_draws_differ_and_no_seed_comes_twice():
    assert len({tuple(problem.x_train.flatten().tolist()) for problem in PROBLEMS}) == 3
    assert [group.seeds for group in GROUPS] == [(0, 1), (2, 3), (4, 5)]


@pytest.mark.parametrize("draw", range(3))
def test_each_group_meets_its_own_problem(draw):
    problem, networks = PROBLEMS[draw], TRAINED[draw]
    alone = train(GROUPS[draw], problem, SHORT).networks
    assert all(map(torch.equal, networks.parameters(), alone.parameters()))
    kept = draws.chosen(TRAINED, PROBLEMS, "std", 0.5, [0])
    assert all(map(torch.equal, kept[draw], choose(networks, problem, "std", 0.5, [0])))
    smaller = draws.pruned(TRAINED, kept, PROBLEMS, "linear")
    expected = prune(networks, kept[draw], problem, "linear")
    assert all(map(torch.equal, smaller[draw].parameters(), expected.parameters()))
    np.testing.assert_array_equal(draws.accuracies(TRAINED, PROBLEMS)[draw],
                                  accuracy(networks, problem.x_test, problem.y_test))
    np.testing.assert_array_equal(draws.disagreements(TRAINED, smaller, PROBLEMS)[draw],
                                  disagreement(networks, smaller[draw], plane(problem)))
    for layer, shares in enumerate(draws.dead_shares(TRAINED, PROBLEMS)):
        silent = dead(networks, problem.x_train)[layer]
        np.testing.assert_allclose(shares[draw], silent.sum(1) / silent.shape[1], rtol=1e-6)


def test_role_shares_count_the_nodes_of_each_draw():
    own, comparable = draws.role_shares(TRAINED, TRAINED, PROBLEMS)
    for draw, (networks, problem) in enumerate(zip(TRAINED, PROBLEMS, strict=True)):
        counts = same_roles(networks, networks, problem.x_test)[1].numpy()
        np.testing.assert_allclose(comparable[draw], counts / 11)
        np.testing.assert_array_equal(own[draw], counts > 0)
    assert draws.role_shares(TRAINED, draws.exchanged(TRAINED), PROBLEMS)[0].mean() < 0.7


def test_exchanged_networks_keep_the_seeds_in_place():
    (swapped, *_) = draws.exchanged(GROUPS)
    assert swapped.seeds == GROUPS[0].seeds
    assert torch.equal(swapped.weights[1][0], GROUPS[0].weights[1][1])


def test_per_draw_stacks_draws():
    stacked = draws.per_draw(lambda a, b: np.array([a, b, a * b]), [1, 2], [5, 7])
    assert stacked.tolist() == [[1, 5, 5], [2, 7, 14]]


def test_tables_of_draws_become_one():
    joined = draws.table(lambda a, b: pd.DataFrame({"sum": [a + b]}, pd.Index([a], name="a")),
                         [1, 2], [5, 7])
    assert joined.index.names == ["draw", "a"] and joined["sum"].to_dict() == {(0, 1): 6, (1, 2): 9}


@refuses(
    (lambda: draws.problems("moon", 2), ValueError, "problem is 'moon'; expected one of 'spirals'"),
    (lambda: draws.problems("moons", 0), ValueError, "count is 0"),
    (lambda: draws.untrained((2, 1), 2, 0), ValueError, "seeds is 0"),
    (lambda: draws.chosen(TRAINED, PROBLEMS, "std", 1.0), ValueError, "fraction is 1.0"),
)
def test_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_measures_over_time_follow_the_snapshots():
    runs = train_draws(GROUPS, PROBLEMS, SHORT, loss_every=1, snapshots=3)
    history = draws.over_time(draws.accuracies, runs, PROBLEMS)
    for k, (first, *_) in enumerate(zip(*(run.snapshots for run in runs), strict=True)):
        expected = accuracy(first, PROBLEMS[0].x_test, PROBLEMS[0].y_test)
        np.testing.assert_array_equal(history[k, 0], expected)
    maps = draws.plane_classes(TRAINED, PROBLEMS, 5)
    assert maps.shape == (3, 2, 25)
    np.testing.assert_array_equal(maps[1], classify(TRAINED[1], plane(PROBLEMS[1], 5)))
