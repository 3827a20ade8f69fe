"""The stored test vectors of the playground are those that Python computes now."""

import json

import numpy as np
import pytest

from helpers import vectors
from helpers.streams import stream
from helpers.training import batch_order

TAIL = 3.6541528853610088  # beyond it NumPy's ziggurat draws another way


@pytest.fixture(scope="module")
def computed():
    return vectors.vectors()


def assert_alike(stored, computed, place="vectors"):
    assert type(stored) is type(computed), place
    if isinstance(stored, dict):
        assert list(stored) == list(computed), place
        for name in stored:
            assert_alike(stored[name], computed[name], f"{place}.{name}")
    elif isinstance(stored, list):
        assert len(stored) == len(computed), place
        for k, pair in enumerate(zip(stored, computed, strict=True)):
            assert_alike(*pair, f"{place}[{k}]")
    else:
        assert stored == (pytest.approx(computed, rel=1e-5, abs=1e-5)
                          if isinstance(stored, float) else computed), place


def test_the_stored_vectors_are_up_to_date(computed):
    assert_alike(json.loads(vectors.PATH.read_text(encoding="utf-8")), computed)


def test_what_is_written_is_read_back_exactly(tmp_path, computed):
    vectors.write(tmp_path / "vectors.json")
    assert json.loads((tmp_path / "vectors.json").read_text(encoding="utf-8")) == computed


def test_pruned_networks_have_dead_nodes_and_live_ones_in_every_layer(computed):
    deaths = 0
    for stored in computed["pruning"]:
        scores = stored["scores"]["apoz"]  # 0 where a node never fires
        assert all(sum(map(bool, layer)) > len(layer) / 2 for layer in scores)
        deaths += sum(layer.count(0) for layer in scores)
        assert sum(map(bool, sum(stored["scores"]["oracle"], []))) >= 10
    assert deaths > 5


def test_single_precision_is_kept_by_short_decimals():
    drawn = stream(0, "null").random((5, 20), dtype=np.float32)
    kept = vectors.single(drawn)
    assert (np.array(kept, dtype=np.float32) == drawn).all()
    assert max(len(str(value)) for row in kept for value in row) <= 14


def test_an_average_tells_the_order_of_the_values():
    assert vectors.average([1, 2, 3]) == pytest.approx(14 / 6)
    assert vectors.average([[3, 2], [1, 0]]) == vectors.average([3, 2, 1, 0]) == 1


def test_the_normals_reach_into_the_tail(computed):
    assert min(normals["largest"] for normals in computed["streams"]["normals"]) > TAIL


def test_a_batch_order_is_one_run_of_halves_of_32_bits():
    """So it can be drawn step by step: an odd batch shares 32 bits with the next."""
    halves = stream(7, "batch order").integers(2**32, size=12, dtype=np.uint32).view("<u2")
    assert (batch_order([7], 3, 7, 2**16).flatten().numpy() == halves[:21]).all()


def test_bounded_integers_are_the_upper_half_of_a_product():
    halves = stream(0, "batch order").integers(2**32, size=48, dtype=np.uint32).view("<u2")
    kept = [int(half) * 500 for half in halves if int(half) * 500 % 2**16 >= 2**16 % 500]
    order = batch_order([0], 3, 32, 500).flatten().tolist()
    assert order == [product >> 16 for product in kept]


def test_single_numbers_are_the_upper_24_of_32_bits():
    halves = stream(7, "initial weights").integers(2**32, size=9, dtype=np.uint32)
    drawn = stream(7, "initial weights").random(9, dtype=np.float32)
    assert (drawn == (halves >> 8) / np.float32(2**24)).all()
