"""Estimates with their uncertainty over data draws and seeds.

One draw of the data is one sample, so intervals resample draws first and seeds within them.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binomtest, permutation_test
from torch import Tensor

from helpers import checks
from helpers.streams import stream


@dataclass(frozen=True)
class Estimate:
    """A statistic with its 95 % interval, and how many networks and draws stand behind it."""

    value: float
    low: float
    high: float
    networks: int
    draws: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def n(self) -> str:
        """Return how many networks and data draws, in words."""
        counts = {"network": self.networks, "data draw": self.draws}
        return ", ".join(f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items())


def median(values, axis: int = -1):
    """Return np.nanmedian, by a single partition (half the time) where no value is missing."""
    if np.isnan(values).any():
        return np.nanmedian(values, axis)
    below, above = _middle(values, axis)
    return (below + above) / 2


def estimate(values, statistic: Callable = median, where=None,
             resamples: int = 2000) -> Estimate:
    """Return a statistic of values (draws, seeds) with its two-level bootstrap interval.

    Draws are resampled with replacement, then seeds within each; the 95 % interval is the
    percentile one. statistic: takes an array and `axis` and passes over NaN; where: mask (draws,
    seeds) of the networks that the question applies to, by default all. With one draw the interval
    speaks of seeds alone. Raises ValueError for values that are empty, not finite or of another
    shape.
    """
    values = _table(values)
    where = np.ones(values.shape, bool) if where is None else np.asarray(where, bool)
    if where.shape != values.shape or not where.any():
        raise ValueError(f"where has shape {where.shape}, {where.sum()} true; expected "
                         f"{values.shape}, some true")
    checks.integer("resamples", resamples, 100)
    values[~where] = np.nan
    values = values[where.any(1)]
    draws, seeds = values.shape
    generator = stream(0, "resampling")
    draw = generator.integers(draws, size=(resamples, draws, 1))
    block = max(1, 2**18 // values.size)  # resamples at a time: what fits into a processor's cache
    ranked = statistic is median and where.all()
    table, of_table = _ranked(values) if ranked else (values, statistic)
    resampled = np.empty(resamples)
    with warnings.catch_warnings():  # a resample may hold no network that the question applies to
        warnings.simplefilter("ignore", RuntimeWarning)
        for first in range(0, resamples, block):
            own = draw[first:first + block]
            seed = generator.integers(seeds, size=(len(own), draws, seeds))
            resample = table.take(seeds * own + seed)  # of [own, seed], in a third of the time
            resampled[first:first + block] = of_table(resample.reshape(len(own), -1), axis=1)
    low, high = np.nanquantile(resampled, [0.025, 0.975])
    return Estimate(float(statistic(values.reshape(-1), axis=0)), float(low), float(high),
                    int(where.sum()), draws)


def share(events, where=None) -> Estimate:
    """Return how often something happened among networks (draws, seeds), as `estimate` of means.

    Where it happened to none or to all, no resample differs, and the interval is the exact
    binomial one (Clopper and Pearson 1934), too narrow where networks of one draw fail together.
    """
    values = _table(events)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f"events is {checks.shown(events)}; expected True or False (draws, seeds)")
    found = estimate(values, np.nanmean, where)
    if found.value not in (0, 1):
        return found
    exact = binomtest(round(found.value * found.networks), found.networks).proportion_ci()
    return replace(found, low=float(exact.low), high=float(exact.high))


def sign_flip(values, resamples: int = 10_000) -> float:
    """Return the p-value of paired differences (draws, seeds) being centred on zero, two-sided.

    Were they, each draw's mean over its seeds could as well have the other sign: its absolute mean
    over the draws is compared with that under all flips, or under `resamples` random ones where
    there are more (Fisher, The Design of Experiments, 1935, section 21). Of n draws all on one side
    p is 2^(1 - n), the least there is. Raises as `estimate` does, and ValueError for one draw.
    """
    means = _table(values).mean(1)
    checks.integer("the number of draws", len(means), 2)
    checks.integer("resamples", resamples, 100)
    return float(permutation_test(
        (means,), np.mean, permutation_type="samples", vectorized=True, n_resamples=resamples,
        rng=stream(0, "resampling")).pvalue)


def by_draw(values, within: str = "median", estimator: Callable = estimate, **settings) -> Estimate:
    """Return an estimate of a pandas series indexed by draw, seed and perhaps more.

    within: the aggregation that joins the rows of one network (a name pandas knows); estimator:
    `estimate` or `share`, with its settings. Networks without a finite value do not count.
    """
    each = values.astype(float).groupby(["draw", "seed"]).agg(within).rename("value").reset_index()
    each["place"] = each.groupby("draw").cumcount()  # seeds differ between draws
    table = each.pivot(index="draw", columns="place", values="value").to_numpy()
    found = np.isfinite(table)
    return estimator(np.where(found, table, 0), where=found, **settings)


def estimate_in_draws(values: Tensor, count: int) -> Estimate:
    """Return the estimate of a measure (networks, ...) of `count` draws one after the other.

    The mean over each network's entries, such as the share of its weights in a mask, and of those
    the median.
    """
    each = values.double().flatten(1).mean(1) if values.ndim > 1 else values
    if len(each) % checks.integer("count", count, 1):
        raise ValueError(f"count is {count} for {len(each)} networks; expected equal draws")
    return estimate(each.view(count, -1).numpy())


def _middle(values, axis: int):
    """Return the two middle values, by a single partition; of an odd number twice the same."""
    half, odd = divmod(np.shape(values)[axis], 2)
    parted = np.moveaxis(np.partition(values, half, axis), axis, -1)
    above = parted[..., half]
    return above if odd else parted[..., :half].max(-1), above


def _ranked(values: np.ndarray) -> tuple[np.ndarray, Callable]:
    """Return the ranks of values, and what takes resamples of them to the medians of the values.

    Ranks are half as wide and are parted in half the time.
    """
    order = np.sort(values, axis=None)
    ranks = np.searchsorted(order, values).astype(np.int32)
    return ranks, lambda some, axis: np.add(*(order[place] for place in _middle(some, axis))) / 2


def _table(values) -> np.ndarray:
    """Return a copy of finite values (draws, seeds), at least one."""
    try:
        values = np.array(values, dtype=float)
    except (TypeError, ValueError, RuntimeError):  # the last of tensors that require gradients
        raise TypeError(f"values is {checks.shown(values)}; expected numbers (draws, seeds)"
                        ) from None
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"values has shape {values.shape}; expected finite (draws, seeds)")
    return values
