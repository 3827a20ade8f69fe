"""Cutting convex polygons: by hand, and properties of any sequence of cuts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.polygons import cut

SQUARE = np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]])
FOUR = np.array([4])


def at(vertices, slopes, offset) -> np.ndarray:
    return vertices @ np.array(slopes, dtype=float) + offset


def own(vertices, counts) -> list:
    return [polygon[:count].tolist() for polygon, count in zip(vertices, counts, strict=True)]


def area(polygon) -> float:
    (x, y) = np.array(polygon).T
    return (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def same_cycle(found, expected) -> bool:
    return any(np.allclose(np.roll(found, k, 0), expected) for k in range(len(found)))


def test_a_line_through_two_edges_makes_two_quadrilaterals():
    vertices, counts, origins = cut(SQUARE, FOUR, at(SQUARE, (1, 0), -0.25))
    right, left = own(vertices, counts)
    assert same_cycle(right, [[0.25, 0], [1, 0], [1, 1], [0.25, 1]])
    assert same_cycle(left, [[0, 0], [0.25, 0], [0.25, 1], [0, 1]])
    assert origins.tolist() == [0, 0]


def test_a_line_through_vertices_uses_them_and_adds_none():
    vertices, counts, _ = cut(SQUARE, FOUR, at(SQUARE, (1, -1), 0))
    assert counts.tolist() == [3, 3] and vertices.shape == (2, 3, 2)
    below, above = own(vertices, counts)
    assert same_cycle(below, [[0, 0], [1, 0], [1, 1]])
    assert same_cycle(above, [[0, 0], [1, 1], [0, 1]])


def test_a_corner_cut_off_leaves_a_triangle_and_a_pentagon_padded_by_its_last_vertex():
    vertices, counts, _ = cut(SQUARE, FOUR, at(SQUARE, (1, 1), -1.5))
    assert counts.tolist() == [3, 5] and vertices.shape == (2, 5, 2)
    assert (vertices[0, 3:] == vertices[0, 2]).all()
    triangle, pentagon = own(vertices, counts)
    assert same_cycle(triangle, [[1, 0.5], [1, 1], [0.5, 1]])
    assert same_cycle(pentagon, [[0, 0], [1, 0], [1, 0.5], [0.5, 1], [0, 1]])


@pytest.mark.parametrize("slopes, offset", [((1, 0), 0), ((0, 1), -1), ((1, 1), 0), ((1, 0), 3),
                                            ((0, 0), 0), ((0, 0), -1)])
def test_a_line_along_an_edge_through_one_corner_or_outside_cuts_nothing(slopes, offset):
    vertices, counts, origins = cut(SQUARE, FOUR, at(SQUARE, slopes, offset))
    assert np.array_equal(vertices, SQUARE) and counts.tolist() == [4] and origins.tolist() == [0]


@given(seed=st.integers(0, 10**6), lines=st.integers(1, 8))
def test_pieces_tile_the_whole_turn_left_and_lie_on_one_side_of_every_line(seed, lines):
    generator = np.random.default_rng(seed)
    normals, points = generator.normal(size=(lines, 2)), generator.random((lines, 2))
    vertices, counts = SQUARE, FOUR
    for normal, point in zip(normals, points, strict=True):
        areas = np.array([area(polygon) for polygon in own(vertices, counts)])
        values = at(vertices, normal, -normal @ point)
        vertices, counts, origins = cut(vertices, counts, values)
        parts = np.array([area(polygon) for polygon in own(vertices, counts)])
        assert (parts > 0).all()
        np.testing.assert_allclose(np.bincount(origins, parts), areas, atol=1e-12)
    for polygon in own(vertices, counts):
        edges = np.roll(polygon, -1, 0) - polygon
        turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
        assert (turns > -1e-12).all()
        for normal, point in zip(normals, points, strict=True):
            values = at(np.array(polygon), normal, -normal @ point)
            assert values.min() > -1e-12 or values.max() < 1e-12
