"""Many convex polygons at once, cut along lines.

Polygons are `vertices` (polygons, most vertices, coordinates) in order, the last one repeated where
a polygon has fewer, and `counts` (polygons,) of their own vertices.
"""

import numpy as np


def cut(vertices: np.ndarray, counts: np.ndarray, values: np.ndarray):
    """Cut every polygon along the zero line of an affine function.

    values: the function at the vertices (polygons, most vertices); a polygon is cut if it has both
    signs. Returns vertices and counts of all pieces, and which polygon each came from (pieces,).
    Pieces keep the order of their vertices; a vertex of value 0 is a corner of both.
    """
    crossed = (values.max(1) > 0) & (values.min(1) < 0)
    cut_ones, whole = crossed.nonzero()[0], (~crossed).nonzero()[0]
    pieces = _halves(vertices[cut_ones], counts[cut_ones], values[cut_ones])
    widened = np.concatenate([vertices, vertices[:, -1:]], 1)  # as pieces are, by one vertex
    parts = (widened[whole], counts[whole]), *pieces
    vertices, counts = map(np.concatenate, zip(*parts, strict=True))
    return vertices[:, :counts.max()], counts, np.concatenate([whole, cut_ones, cut_ones])


def _halves(vertices, counts, values):
    """Return vertices and counts of the parts of polygons above 0, and of the parts below.

    From the largest value on, the vertices not above 0 are one run, from `first` to `last`.
    """
    place = np.arange(values.shape[1])
    order = (values.argmax(1)[:, None] + place) % counts[:, None]
    vertices = np.take_along_axis(vertices, order[..., None], 1)
    values = np.take_along_axis(values, order, 1)
    low = (values <= 0) & (place < counts[:, None])
    first, last = low.argmax(1), len(place) - 1 - low[:, ::-1].argmax(1)
    start, at_start = _zero(vertices, values, first, first - 1)
    end, at_end = _zero(vertices, values, last, (last + 1) % counts)
    run = last + 1 - first
    return (_arc(vertices, counts, last + 1, counts - run, start, end),
            _arc(vertices, counts, first + at_start, run - at_start - at_end, end, start))


def _zero(vertices, values, low, high):
    """Return the point between vertices low and high where the value is 0, and if it is at low."""
    row = np.arange(len(values))
    below, above = values[row, low], values[row, high]
    point, other = vertices[row, low], vertices[row, high]
    return point + (below / (below - above))[:, None] * (other - point), below == 0


def _arc(vertices, counts, first, length, one, two):
    """Return polygons of `length` vertices from `first` on and two points more, and their counts.
    """
    place = np.arange(vertices.shape[1] + 1)
    order = (first[:, None] + place) % counts[:, None]
    arc = np.take_along_axis(vertices, order[..., None], 1)
    after = (place - length[:, None])[..., None]
    ends = np.where(after == 0, one[:, None], two[:, None])
    return np.where(after < 0, arc, ends), length + 2
