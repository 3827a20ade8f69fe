"""Random numbers depend on seed and purpose alone."""

import numpy as np
import pytest

from examples import refuses
from helpers.streams import PURPOSES, stream


def test_a_stream_always_starts_afresh():
    assert (stream(3, "split").random(5) == stream(3, "split").random(5)).all()


def test_every_seed_and_purpose_has_its_own_numbers():
    first = {stream(seed, purpose).integers(2**60) for seed in range(20) for purpose in PURPOSES}
    assert len(first) == 20 * len(PURPOSES)


def test_streams_are_uncorrelated():
    drawn = np.array([stream(seed, purpose).standard_normal(2000)
                      for seed in range(3) for purpose in PURPOSES])
    off = np.corrcoef(drawn)[~np.eye(len(drawn), dtype=bool)]
    assert np.abs(off).max() < 5 / np.sqrt(2000)


def test_the_key_is_philox_with_seed_and_position():
    """Stored results depend on it: purposes are appended, never moved."""
    assert PURPOSES[:3] == ("initial weights", "batch order", "random pruning")
    expected = np.random.Generator(np.random.Philox(key=[7, 1])).random(3)
    assert (stream(7, "batch order").random(3) == expected).all()


@refuses(
    (lambda: stream(-1, "split"), ValueError, "seed is -1"),
    (lambda: stream(1.0, "split"), TypeError, "seed is 1.0; expected an integer"),
    (lambda: stream(1, "lottery"), ValueError, "purpose is 'lottery'; .*'batch order'"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
