"""The chosen nodes: as many as asked, the lowest scores, none of those spared."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from examples import MOONS, refuses, three_classes, tiny
from helpers.criteria import CRITERIA
from helpers.pruning import choose, dead, everything, linear, mean, none, prune
from strategies import cases, criteria, fractions, tries

NETWORKS = tiny(4, (2, 9, 8, 1))


@tries(60)
@given(cases(), criteria, fractions, st.sampled_from([None, [0], [1], []]))
def test_the_lowest_scores_go_as_many_as_asked(case, criterion, fraction, layers):
    networks, problem = case
    hidden = range(len(networks.widths) - 2)
    layers = layers and [layer for layer in layers if layer in hidden]
    kept = choose(networks, problem, criterion, fraction, layers)
    for layer, scores in enumerate(CRITERIA[criterion](networks, problem)):
        width = scores.shape[1]
        pruned = layer in (hidden if layers is None else layers)
        gone = min(round(fraction * width), width - 1) if pruned else 0
        assert kept[layer].shape == (len(networks), width - gone)
        assert kept[layer].dtype == torch.int64 and (kept[layer].diff(dim=1) > 0).all()
        stays = torch.zeros_like(scores, dtype=bool).scatter_(1, kept[layer], True)
        lowest = scores.masked_fill(~stays, torch.inf).amin(1)
        assert (scores.masked_fill(stays, -torch.inf).amax(1) <= lowest).all()


def test_blocks_do_not_show(monkeypatch):
    whole = choose(NETWORKS, MOONS, "std", 0.5)
    monkeypatch.setattr("helpers.pruning.BLOCK", 3)
    assert all(map(torch.equal, choose(NETWORKS, MOONS, "std", 0.5), whole))


def test_of_equal_scores_the_lower_index_goes_first():
    networks = tiny(1)
    networks.weights[0].data[:] = 1
    kept = choose(networks, MOONS, "magnitude", 3 / 7, [0])
    assert kept[0].tolist() == [[3, 4, 5, 6]]


def test_random_choice_differs_between_seeds_and_repeats():
    kept = choose(NETWORKS, MOONS, "random", 0.5)[0]
    assert torch.equal(kept, choose(NETWORKS, MOONS, "random", 0.5)[0])
    assert len(set(map(tuple, kept.tolist()))) > 1


def test_dead_nodes_are_zero_everywhere():
    networks = tiny(2)
    networks.biases[0].data[0, 3] = -10
    assert dead(networks, MOONS.x_train)[0].nonzero().tolist() == [[0, 3]]
    far = torch.full((1, 2), 1e3) * networks.weights[0][0, 3].detach().sign()
    assert not dead(networks, far)[0][0, 3]


def test_predictions_of_removed_nodes():
    """Shapes, and exactness where the removed node is linear in the kept ones."""
    kept, removed = torch.rand(2, 30, 3), torch.rand(2, 30, 1)
    removed = torch.cat([removed, kept.sum(2, keepdim=True) + 5], 2)
    for predict in none, mean, linear:
        slope, intercept = predict(kept, removed)
        assert slope.shape == (2, 3, 2) and intercept.shape == (2, 2)
    near = {"rtol": 1e-4, "atol": 1e-4, "check_dtype": False}
    torch.testing.assert_close(slope[..., 1], torch.ones(2, 3), **near)
    torch.testing.assert_close(intercept[:, 1], torch.full((2,), 5.0), **near)


def pick(*kept):
    return prune(tiny(1), kept, MOONS)


WHOLE = everything(tiny(1))
ALL = [torch.ones(4, width, dtype=bool) for width in (9, 8)]


@refuses(
    (lambda: choose(NETWORKS, MOONS, "std", 1), ValueError, "fraction is 1; .*0, 1"),
    (lambda: choose(NETWORKS, MOONS, "std", -0.1), ValueError, "fraction is -0.1"),
    (lambda: choose(NETWORKS, MOONS, "std", float("nan")), ValueError, "fraction is nan"),
    (lambda: choose(NETWORKS, MOONS, "std", "half"), TypeError, "fraction is 'half'"),
    (lambda: choose(NETWORKS, MOONS, "snip", 0.5), ValueError, "criterion is 'snip'.*'oracle'"),
    (lambda: choose(NETWORKS, MOONS, "std", 0.5, [2]), ValueError, "layers is 2; .*one of 0, 1"),
    (lambda: choose(NETWORKS, MOONS, "std", 0.5, [-1]), ValueError, "layers is -1"),
    (lambda: choose(NETWORKS, MOONS, "std", 0.5, 0), TypeError, "layers is 0; expected several"),
    (lambda: choose(NETWORKS, three_classes(), "std", 0.5), ValueError, "has 4 features"),
    (lambda: choose("nets", MOONS, "std", 0.5), TypeError, "networks is str"),
    (lambda: choose(NETWORKS, MOONS, "std", 0.5, spared=ALL), ValueError, "leaves 0 nodes"),
    (lambda: choose(NETWORKS, MOONS, "std", 0.5, spared=ALL[:1]), ValueError, "spared has shapes"),
    (lambda: choose(NETWORKS, MOONS, "std", 0.5, spared=[m.long() for m in ALL]), TypeError,
     "expected one bool tensor"),
    (lambda: prune(NETWORKS, WHOLE, MOONS, "mode"), ValueError, "compensation is 'mode'.*'mean'"),
    (lambda: prune(NETWORKS, WHOLE, three_classes()), ValueError, "x_train has 4 features"),
    (lambda: pick(WHOLE[0]), ValueError, "kept has 1 layers; expected 2"),
    (lambda: prune(tiny(1), WHOLE[0], MOONS), TypeError, "kept is Tensor"),
    (lambda: pick([0], [1]), TypeError, r"kept\[0\] is \[0\]; expected an int64 tensor"),
    (lambda: pick(WHOLE[0], WHOLE[1].float()), TypeError, r"kept\[1\] is tensor"),
    (lambda: pick(WHOLE[0][:, :0], WHOLE[1]), ValueError, "at least one node kept"),
    (lambda: pick(WHOLE[0].repeat(2, 1), WHOLE[1]), ValueError, r"shape \(2, 7\); expected \(1, "),
    (lambda: pick(WHOLE[0] + 1, WHOLE[1]), ValueError, "expected increasing indices below 7"),
    (lambda: pick(WHOLE[0] - 1, WHOLE[1]), ValueError, r"kept\[0\] is \[\[-1"),
    (lambda: pick(WHOLE[0].flip(1), WHOLE[1]), ValueError, "expected increasing"),
    (lambda: pick(WHOLE[0] * 0, WHOLE[1]), ValueError, "expected increasing"),
    (lambda: dead(NETWORKS, MOONS.x_train[:, :1]), ValueError, "x has 1 features"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
