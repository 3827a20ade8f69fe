"""Intervals know their truth as often as they say, and resample draws before seeds."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from examples import refuses
from helpers.intervals import (
    Estimate,
    by_draw,
    estimate,
    estimate_in_draws,
    median,
    share,
    sign_flip,
)
from helpers.streams import stream


def test_the_interval_of_a_mean_is_the_normal_one():
    """Draws alike: the bootstrap interval is about mean +- 1.96 standard errors."""
    values = np.random.default_rng(0).normal(5, 2, (1, 400))
    found = estimate(values, np.mean)
    error = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.1 * error)
    assert found.high == pytest.approx(values.mean() + error, abs=0.1 * error)


def test_two_levels_of_variance_add_up():
    """Variance of the mean of means: between draws / draws + within / (draws * seeds)."""
    generator = np.random.default_rng(1)
    values = generator.normal(0, 1, (60, 1)) + generator.normal(0, 1, (60, 5))
    found = estimate(values, np.mean, resamples=4000)
    within = values.var(1).mean() / (60 * 5)
    expected = 2 * 1.96 * np.sqrt(values.mean(1).var() / 60 + within)
    assert found.high - found.low == pytest.approx(expected, rel=0.07)


def test_variance_between_draws_widens_the_interval():
    generator = np.random.default_rng(2)
    alike = generator.normal(0, 1, (8, 40))
    apart = alike + generator.normal(0, 1, (8, 1))
    widths = [e.high - e.low for e in (estimate(alike), estimate(apart))]
    assert widths[1] > 2 * widths[0]
    pooled = estimate(apart.reshape(1, -1))
    assert widths[1] > 2 * (pooled.high - pooled.low), "draws count as if they were seeds"


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        values = generator.normal(0, 1, (12, 1)) + generator.normal(0, 1, (12, 6))
        found = estimate(values, np.mean, resamples=400)
        covered += found.low <= 0 <= found.high
    assert 0.87 <= covered / 200 <= 0.99


def test_the_default_is_the_median_and_constants_have_no_width():
    assert estimate([[1.0, 2.0, 9.0]]).value == 2
    assert estimate(np.full((3, 4), 7.0)) == Estimate(7, 7, 7, 12, 3)
    assert estimate([[7.0]]) == Estimate(7, 7, 7, 1, 1)


@pytest.mark.parametrize("shape", [(1, 1), (4, 7), (6, 8), (2, 3, 4), (3, 5000)])
def test_the_median_is_numpys(shape):
    values = np.random.default_rng(5).normal(size=shape)
    for axis in range(-1, len(shape)):
        assert (median(values, axis) == np.median(values, axis)).all()


def test_the_median_passes_over_missing_values():
    values = np.array([[1.0, np.nan, 5.0], [np.nan, 2.0, 9.0]])
    assert median(values).tolist() == [3, 5.5] and median(values, 0).tolist() == [1, 2, 7]


@pytest.mark.parametrize("shape", [(5, 7), (6, 8), (30, 100)])
@pytest.mark.parametrize("digits", [1, 17])
def test_the_interval_of_the_median_has_the_bits_of_numpys(shape, digits):
    values = np.random.default_rng(7).normal(size=shape).round(digits)  # of 1 digit: many are equal
    assert estimate(values) == estimate(values, np.median)


@pytest.mark.parametrize("statistic", [median, np.mean])
def test_the_interval_is_the_same_however_resamples_are_grouped(statistic):
    values = np.random.default_rng(6).normal(size=(21, 41))
    generator = stream(0, "resampling")
    draw = generator.integers(21, size=(2000, 21, 1))
    seed = generator.integers(41, size=(2000, 21, 41))
    resampled = statistic(values[draw, seed].reshape(2000, -1), axis=1)
    found = estimate(values, statistic)
    assert [found.low, found.high] == list(np.quantile(resampled, [0.025, 0.975]))


def test_the_same_values_give_the_same_interval():
    values = np.random.default_rng(4).normal(size=(3, 5))
    assert estimate(values) == estimate(values.tolist())


def test_a_share_is_the_mean_of_events():
    events = np.array([[True, False, True, True], [False] * 4])
    found = share(events)
    assert (found.value, found.networks, found.draws) == (0.375, 8, 2)
    assert found.low == 0 and found.high > 0.6


def test_a_share_of_none_or_all_has_the_exact_binomial_interval():
    never, always = share(np.zeros((4, 4), bool)), share(np.ones((4, 4), bool))
    limit = 1 - 0.025 ** (1 / 16)  # Clopper and Pearson: all 16 fail with probability 0.025
    assert (never.value, never.low) == (0, 0) and never.high == pytest.approx(limit)
    assert (always.value, always.high) == (1, 1) and always.low == pytest.approx(1 - limit)


def test_where_leaves_networks_out():
    values = np.array([[1.0, 2.0, 50.0], [3.0, 4.0, 60.0], [70.0, 80.0, 90.0]])
    where = np.array([[True, True, False], [True, True, False], [False] * 3])
    kept = values.copy()
    found = estimate(values, where=where)
    assert (found.value, found.networks, found.draws) == (2.5, 4, 2)
    assert 1 <= found.low <= found.high <= 4
    assert share(values > 1, where).value == 0.75
    assert (values == kept).all(), "the argument was changed"


def test_estimates_are_told_in_words():
    assert str(Estimate(0.5, 0.25, 0.75, 8, 2)) == "0.500 [0.250, 0.750]"
    assert Estimate(0, 0, 0, 1, 1).n == "1 network, 1 data draw"
    assert Estimate(0, 0, 0, 8, 1).n == "8 networks, 1 data draw"
    assert Estimate(0, 0, 0, 8, 2).n == "8 networks, 2 data draws"


def test_sign_flips_are_counted_one_by_one():
    values = np.random.default_rng(7).normal(0.4, 1, (7, 3))
    means = values.mean(1)
    flips = [abs(np.mean(np.multiply(signs, means))) for signs in product((-1, 1), repeat=7)]
    expected = np.mean(np.array(flips) >= abs(means.mean()) - 1e-12)
    assert 2 ** -6 < expected < 1
    assert sign_flip(values) == sign_flip(-values) == pytest.approx(expected)


def test_without_a_difference_any_p_is_as_likely():
    """Draws differ more than seeds: seeds flipped one by one would find far too much."""
    generator = np.random.default_rng(8)
    found = np.array([sign_flip(generator.normal(0, 1, (7, 1)) + generator.normal(0, 0.1, (7, 6)))
                      for _ in range(400)])
    for p in 1 / 16, 1 / 4, 1 / 2, 3 / 4:
        assert np.mean(found <= p) == pytest.approx(p, abs=3 * np.sqrt(p * (1 - p) / 400))


def test_random_flips_are_near_all_flips_and_always_the_same():
    values = np.random.default_rng(10).normal(0.2, 1, (12, 1))
    found = [sign_flip(values, resamples=2000) for _ in range(2)]
    assert found[0] == found[1] == pytest.approx(sign_flip(values), abs=0.05)
    assert found[0] != sign_flip(values)


def test_a_clear_difference_has_the_least_p():
    values = np.random.default_rng(9).normal(9, 1, (20, 4))
    for draws in 2, 6, 12:
        assert sign_flip(values[:draws]) == sign_flip(-values[:draws]) == 2 ** (1 - draws)
    assert sign_flip(values, resamples=999) == 2 / 1000
    assert sign_flip(np.zeros((5, 4))) == 1


@refuses(
    (lambda: sign_flip([1.0, 2.0]), ValueError, r"values has shape \(2,\); expected finite"),
    (lambda: sign_flip([[np.nan, 1]]), ValueError, "expected finite"),
    (lambda: sign_flip([["a"]]), TypeError, r"values is \[\['a'\]\]; expected numbers"),
    (lambda: sign_flip([[1.0, 2.0]]), ValueError, "the number of draws is 1; .*at least 2"),
    (lambda: sign_flip([[1.0], [1.0]], resamples=10), ValueError, "resamples is 10"),
    (lambda: estimate([1.0, 2.0]), ValueError, r"values has shape \(2,\); expected finite"),
    (lambda: estimate([[]]), ValueError, r"values has shape \(1, 0\)"),
    (lambda: estimate([[np.nan, 1]]), ValueError, "expected finite"),
    (lambda: estimate([["a"]]), TypeError, r"values is \[\['a'\]\]; expected numbers"),
    (lambda: estimate([[1], [1, 2]]), TypeError, "expected numbers"),
    (lambda: estimate([[1.0]], resamples=10), ValueError, "resamples is 10; .*at least 100"),
    (lambda: estimate([[1.0]], where=[[False]]), ValueError, r"where has shape \(1, 1\), 0 true"),
    (lambda: estimate([[1.0]], where=[True]), ValueError, r"where has shape \(1,\)"),
    (lambda: share([[0.5]]), ValueError, r"events is \[\[0.5\]\]; expected True or False"),
    (lambda: share([True]), ValueError, r"values has shape \(1,\)"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_table_by_draw_and_seed_is_the_estimate_of_its_networks():
    values = np.random.default_rng(4).normal(size=(3, 4, 5))
    index = pd.MultiIndex.from_tuples(
        [(draw, 4 * draw + seed, node) for draw, seed, node in np.ndindex(values.shape)],
        names=["draw", "seed", "node"])
    series = pd.Series(values.ravel(), index)
    assert by_draw(series) == estimate(np.median(values, 2))
    means = by_draw(series, "mean", statistic=np.nanmean), estimate(values.mean(2), np.nanmean)
    assert means[0].low == pytest.approx(means[1].low) and means[0].n == means[1].n
    assert by_draw(series > 1, "max", share) == share((values > 1).any(2))
    shuffled = series.sample(frac=1, random_state=0)
    assert by_draw(shuffled) == by_draw(series)


def test_networks_without_a_value_do_not_count_by_draw():
    index = pd.MultiIndex.from_tuples([(0, 0), (0, 1), (1, 2), (1, 3)], names=["draw", "seed"])
    found = by_draw(pd.Series([1.0, 3.0, 8.0, np.nan], index))
    assert (found.value, found.networks, found.draws) == (3.0, 3, 2)


def test_the_median_is_of_each_networks_mean():
    mask = torch.zeros(4, 2, 5, dtype=torch.bool)
    mask[0], mask[1, 0], mask[2, 0, 0] = True, True, True  # shares 1, 0.5, 0.1 and 0
    found = estimate_in_draws(mask, 2)
    assert (found.value, found.networks, found.draws) == (pytest.approx(0.3), 4, 2)
    assert estimate_in_draws(torch.arange(6.0), 3).value == 2.5
