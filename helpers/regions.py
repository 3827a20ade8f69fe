"""The exact linear regions of a ReLU network of two inputs: convex polygons that tile a box.

Where no hidden node switches on or off, the logits are an affine map of the inputs; such a piece is
a linear region (Montúfar et al. 2014). A box is cut along the lines where the nodes switch, node by
node: a layer's nodes are affine on every piece that the layers before it left. All in float64.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from helpers import checks
from helpers.networks import Networks
from helpers.polygons import cut

ROUNDING = 1e-13  # a node this share of its largest conceivable value away from 0 counts as at 0


@dataclass(frozen=True, eq=False)
class Regions:
    """Convex polygons that tile a box, each with the affine map of the logits on it.

    vertices: (regions, most vertices, 2), counter-clockwise, the last one repeated where a polygon
    has fewer; counts: vertices per polygon (regions,); slopes: (regions, logits, 2) and offsets:
    (regions, logits), so the logits at x are slopes @ x + offsets; patterns: per hidden layer which
    nodes fire (regions, nodes).
    """

    vertices: np.ndarray
    counts: np.ndarray
    slopes: np.ndarray
    offsets: np.ndarray
    patterns: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def polygons(self) -> list[np.ndarray]:
        """The corners (vertices, 2) of every region, counter-clockwise."""
        return [corners[:n] for corners, n in zip(self.vertices, self.counts, strict=True)]

    @property
    def areas(self) -> np.ndarray:
        """The area (regions,) of every region."""
        x, y = np.moveaxis(self.vertices - self.vertices[:, :1], 2, 0)
        return (x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(1) / 2

    @property
    def steepness(self) -> np.ndarray:
        """The operator norm (regions,) of the logits' Jacobian on every region."""
        return np.linalg.norm(self.slopes, 2, axis=(1, 2))

    def largest(self) -> tuple[np.ndarray, float]:
        """Return the point (2,) of the box with the largest absolute logit, and that value.

        It is a vertex: the absolute value of an affine map is convex.
        """
        logits = np.einsum("rvd,rld->rvl", self.vertices, self.slopes) + self.offsets[:, None]
        sizes = np.abs(logits).max(2)
        place = np.unravel_index(sizes.argmax(), sizes.shape)
        return self.vertices[place], float(sizes[place])


def linear_regions(networks: Networks, i: int, box) -> Regions:
    """Return the linear regions of network i over a box, with the affine maps of its logits.

    box: ((x0, x1), (y0, y1)), ends of both inputs. Thinner pieces than rounding can tell apart are
    left out. Raises TypeError or ValueError for networks of other than 2 inputs or weights that
    are not finite, an i or a box that is none.
    """
    return _enumerate(_layers("networks", networks, i), _corners(box))


def local_lipschitz(networks: Networks, i: int, box) -> float:
    """Return the exact Lipschitz constant of network i's logits over a box, in the 2-norm.

    The largest operator norm of their Jacobian on any linear region. Raises as `linear_regions`.
    """
    return float(linear_regions(networks, i, box).steepness.max())


def suffix_lipschitz(networks: Networks, i: int, box, layer: int) -> float:
    """Return the largest operator norm of network i's logits by the outputs of a hidden layer.

    Over the patterns of later layers that occur in the box; of the last hidden layer it is the norm
    of the last weights. Hidden layers count from 0. Raises as `linear_regions`, and for no layer.
    """
    layers = _layers("networks", networks, i)
    layer = checks.integer("layer", layer, 0, len(layers) - 2)
    patterns = _enumerate(layers, _corners(box)).patterns
    jacobians = layers[-1][0][None]
    for k in reversed(range(layer + 1, len(patterns))):
        jacobians = np.tensordot(jacobians * patterns[k][:, None], layers[k][0], 1)
    return float(np.linalg.norm(jacobians, 2, axis=(1, 2)).max())


def max_difference(a: Networks, b: Networks, i: int, box) -> float:
    """Return the exact supremum over a box, and over logits, of ``|logit of b - logit of a|``.

    For the networks i of a and b, such as one and its pruned self. Raises as `difference_regions`.
    """
    return difference_regions(a, b, i, box).largest()[1]


def difference_regions(a: Networks, b: Networks, i: int, box) -> Regions:
    """Return the pieces of a box on which networks i of a and b are both affine, with b - a.

    Patterns hold the nodes of a, then those of b. Raises as `linear_regions`, and ValueError where
    seeds, depths or numbers of logits differ.
    """
    checks.same_networks(a, b)
    pair = _layers("a", a, i), _layers("b", b, i)
    if len(a.widths) != len(b.widths) or a.widths[-1] != b.widths[-1]:
        raise ValueError(f"b has widths {b.widths}; expected as many layers and logits as a, "
                         f"{a.widths}")
    return _enumerate(_side_by_side(*pair), _corners(box))


def _side_by_side(a, b) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the layers of one network that gives the logits of b less those of a."""
    layers = [(block_diag(*weights), np.concatenate(biases)) for weights, biases in
              (zip(*pair, strict=True) for pair in zip(a, b, strict=True))]
    inputs = np.tile(np.eye(2), (2, 1))
    layers[0] = layers[0][0] @ inputs, layers[0][1]
    difference = np.kron([-1, 1], np.eye(len(layers[-1][1]) // 2))
    layers[-1] = difference @ layers[-1][0], difference @ layers[-1][1]
    return layers


def _enumerate(layers, vertices: np.ndarray) -> Regions:
    """Return the regions within a rectangle of a network given as (weight, bias) per layer.

    Vertices are (x, y, 1); a map is (cells, 3, nodes), every node's slopes and offset.
    """
    sizes = np.abs(vertices[0, :, :2]).max(0)
    counts, maps, patterns = np.array([4]), np.eye(3, 2)[None], []
    for weight, bias in layers[:-1]:
        maps, sizes = _affine(maps, weight, bias), np.abs(weight) @ sizes + np.abs(bias)
        vertices, counts, parents = _cut_by_nodes(vertices, counts, maps, ROUNDING * sizes)
        maps = maps[parents]
        # repeated vertices move this mean, but never out of the cell
        fires = np.einsum("cd,cdn->cn", vertices.mean(1), maps) > ROUNDING * sizes
        patterns = [*(pattern[parents] for pattern in patterns), fires]
        maps = maps * fires[:, None]
    maps = _affine(maps, *layers[-1])
    return Regions(vertices[..., :2], counts, maps[:, :2].swapaxes(1, 2), maps[:, 2], patterns)


def _cut_by_nodes(vertices, counts, maps, tolerances):
    """Cut cells where each node of a layer is 0; return the pieces and the cell each came from.

    Values within a node's tolerance are 0, so that a line met twice cuts once.
    """
    parents = np.arange(len(counts))
    for node, tolerance in enumerate(tolerances):
        values = np.einsum("cvd,cd->cv", vertices, maps[parents, :, node])
        values[np.abs(values) <= tolerance] = 0
        vertices, counts, origins = cut(vertices, counts, values)
        parents = parents[origins]
    return vertices, counts, parents


def _affine(maps, weight, bias) -> np.ndarray:
    """Return the maps of weight @ outputs + bias, given those of the outputs."""
    maps = np.tensordot(maps, weight, (2, 1))
    maps[:, 2] += bias
    return maps


def _layers(name: str, networks: Networks, i: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weight and bias of every layer of network i in float64, checked."""
    if not isinstance(networks, Networks):
        raise TypeError(f"{name} is {type(networks).__name__}; expected Networks")
    if networks.widths[0] != 2:
        raise ValueError(f"{name} have {networks.widths[0]} inputs; expected 2")
    i = checks.integer("i", i, 0, len(networks) - 1)
    network = networks.select(i).double()
    layers = [tuple(values[0].detach().numpy() for values in layer)
              for layer in zip(network.weights, network.biases, strict=True)]
    if not all(np.isfinite(values).all() for layer in layers for values in layer):
        raise ValueError(f"{name} hold NaN or infinite weights at i = {i}; expected finite ones")
    return layers


def _corners(box) -> np.ndarray:
    """Return the box ((x0, x1), (y0, y1)) as one cell (1, 4, 3), counter-clockwise."""
    try:
        (x0, x1), (y0, y1) = np.array(box, dtype=float)
    except (TypeError, ValueError):
        x0 = x1 = y0 = y1 = np.nan
    if not (-np.inf < x0 < x1 < np.inf and -np.inf < y0 < y1 < np.inf):
        raise ValueError(f"box is {checks.shown(box)}; expected ((low, high), (low, high)), "
                         "finite, low < high")
    return np.array([[[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]]])
