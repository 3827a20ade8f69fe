"""Estimates with their uncertainty over data draws and seeds.

One draw of the data is one sample, so intervals resample draws first and seeds within them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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
        return f"{self.networks} networks, {self.draws} data draw{'s' * (self.draws > 1)}"


def estimate(values, statistic: Callable = np.median, resamples: int = 2000) -> Estimate:
    """Return a statistic of values (draws, seeds) with its two-level bootstrap interval.

    Draws are resampled with replacement, then seeds within each; the 95 % interval is the
    percentile one. statistic: takes an array and `axis`. With one draw the interval speaks of
    seeds alone. Raises ValueError for values that are empty, not finite or not two-level.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"values has shape {values.shape}; expected finite (draws, seeds)")
    checks.integer("resamples", resamples, 100)
    draws, seeds = values.shape
    generator = stream(0, "resampling")
    draw = generator.integers(draws, size=(resamples, draws, 1))
    seed = generator.integers(seeds, size=(resamples, draws, seeds))
    resampled = statistic(values[draw, seed].reshape(resamples, -1), axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Estimate(float(statistic(values.reshape(-1), axis=0)), float(low), float(high),
                    values.size, draws)


def share(events) -> Estimate:
    """Return how often something happened among networks (draws, seeds), as `estimate` of means."""
    return estimate(np.asarray(events, dtype=float), np.mean)
