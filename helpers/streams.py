"""Random numbers keyed by (seed, purpose), so that no draw shifts another.

A smaller network draws fewer initial weights, yet its batch order stays the same; a network's
numbers do not depend on the networks trained beside it (Philox: Salmon et al., SC 2011).
"""

import numpy as np

from helpers import checks

PURPOSES = (
    "initial weights", "batch order", "random pruning",
    "training points", "held-out points", "split", "resampling", "null",
    "label noise",
)  # the position is part of the key: append, never reorder


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of one seed and purpose, always from its start.

    Raises TypeError or ValueError for an unknown purpose or what is no integer in [0, 2**63).
    """
    seed = checks.integer("seed", seed, 0, checks.LARGEST_SEED)
    checks.one_of("purpose", purpose, PURPOSES)
    return np.random.Generator(np.random.Philox(key=[seed, PURPOSES.index(purpose)]))
