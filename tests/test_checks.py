"""Arguments are refused by name, value and what was expected; good ones come back."""

import numpy as np
import pytest
import torch

from examples import refuses, tiny
from helpers import checks

GOOD = torch.tensor([[0.0, 1.0]])


@refuses(
    (lambda: checks.one_of("colour", "red", ["blue", "green"]), ValueError,
     "colour is 'red'; expected one of 'blue', 'green'"),
    (lambda: checks.lookup("colour", "red", {"blue": 1}), ValueError, "expected one of 'blue'"),
    (lambda: checks.Table("colour", {"blue": 1})["red"], ValueError, "colour is 'red'.*'blue'"),
    (lambda: checks.integer("n", 1.5, 0), TypeError, "n is 1.5; expected an integer"),
    (lambda: checks.integer("n", True, 0), TypeError, "n is True"),
    (lambda: checks.integer("n", 0, 1), ValueError, "n is 0; expected an integer of at least 1"),
    (lambda: checks.integer("n", 6, 1, 5), ValueError, "n is 6.*at most 5"),
    (lambda: checks.real("r", "1", 0), TypeError, "r is '1'; expected a number"),
    (lambda: checks.real("r", False, 0), TypeError, "r is False"),
    (lambda: checks.real("r", 1, 0, 1), ValueError, r"r is 1; expected a number in \[0, 1\)"),
    (lambda: checks.real("r", -0.1, 0, 1), ValueError, "r is -0.1"),
    (lambda: checks.real("r", float("nan"), 0), ValueError, "r is nan"),
    (lambda: checks.real("r", float("inf"), 0), ValueError, "r is inf"),
    (lambda: checks.several("w", 5), TypeError, "w is 5; expected several"),
    (lambda: checks.several("w", "ab"), TypeError, "w is 'ab'"),
    (lambda: checks.paired(a=[1], b=3), TypeError, "b is 3; expected several"),
    (lambda: checks.paired(a=[1], b=[3, 4]), ValueError, "a, b have 1, 2 entries"),
    (lambda: checks.paired(a=[], b=[]), ValueError, "a, b have 0, 0 entries; expected one of"),
    (lambda: checks.line("name", b"a"), TypeError, "name is b'a'; expected a text"),
    (lambda: checks.line("name", "a\rb"), ValueError, r"name is 'a\\rb'; expected a text on one"),
    (lambda: checks.truth("t", 0.3), TypeError, "t is 0.3; expected True or False"),
    (lambda: checks.truth("t", None), TypeError, "t is None"),
    (lambda: checks.truth("t", np.array([True])), TypeError, "t is array"),
    (lambda: checks.seeds("seeds", 3), TypeError, "seeds is 3"),
    (lambda: checks.seeds("seeds", []), ValueError, "seeds is empty"),
    (lambda: checks.seeds("seeds", [0, -1]), ValueError, r"seeds\[1\] is -1"),
    (lambda: checks.seeds("seeds", [4, 2, 4]), ValueError, r"seeds holds \[4\] more than once"),
    (lambda: checks.points("x", [[0.0]]), TypeError, "x is list"),
    (lambda: checks.points("x", torch.tensor([[1]])), TypeError, "x is Tensor; expected a float"),
    (lambda: checks.points("x", GOOD[0]), ValueError, r"x has shape \(2,\)"),
    (lambda: checks.points("x", GOOD[:0]), ValueError, r"x has shape \(0, 2\)"),
    (lambda: checks.points("x", GOOD, 3), ValueError, "x has 2 features; expected 3"),
    (lambda: checks.points("x", GOOD / 0), ValueError, "x holds NaN or infinite"),
    (lambda: checks.filled("x", GOOD.to("meta")), TypeError, "x is a tensor .* on meta; expected"),
    (lambda: checks.filled("x", GOOD.to_sparse()), TypeError, "x is a tensor of layout torch.s"),
    (lambda: checks.labels("y", [0, 1], 2, 2), TypeError, "y is list"),
    (lambda: checks.labels("y", GOOD[0], 2, 2), TypeError, "y is torch.float32"),
    (lambda: checks.labels("y", torch.tensor([0]), 2, 2), ValueError, r"y has shape \(1,\)"),
    (lambda: checks.labels("y", torch.tensor([0, 2]), 2, 2), ValueError, "from 0 to 2; .* 0 to 1"),
    (lambda: checks.labels("y", torch.tensor([-1, 0]), 2, 2), ValueError, "from -1 to 0"),
    (lambda: checks.same_networks(tiny(2), tiny(3)), ValueError, r"b has seeds \(0, 1, 2\)"),
    (lambda: checks.same_networks(tiny(2), 7), TypeError, "b is int; expected Networks"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_good_values_come_back():
    assert checks.one_of("n", 2, range(3)) == 2
    assert checks.lookup("n", "a", {"a": 5}) == 5 == checks.Table("n", {"a": 5})["a"]
    assert checks.integer("n", np.int64(5), 5, 5) == 5
    assert checks.real("r", 0, 0, 1) == 0
    assert checks.several("w", (1, 2)) == [1, 2]
    assert checks.paired(a=(1, 2), b=range(2)) == [[1, 2], [0, 1]]
    assert checks.seeds("seeds", range(2)) == (0, 1)
    assert checks.points("x", GOOD, 2) is GOOD
    assert checks.labels("y", torch.tensor([0, 2]), 2, 3).tolist() == [0, 2]
    checks.same_networks(tiny(2), tiny(2))


@pytest.mark.parametrize("true", [True, np.float64(1) < 2, torch.tensor(1) < 2])
def test_comparisons_of_every_library_are_truths(true):
    assert checks.truth("t", true) is True
    assert checks.truth("t", ~true if true is not True else False) is False
