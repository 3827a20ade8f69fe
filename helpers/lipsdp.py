"""Upper bounds on Lipschitz constants of networks by semidefinite programming, without a solver.

ReLU's slopes lie in [0, 1]: layers W_0, ..., W_m enlarge no change by more than L if diagonal
multipliers D_1, ..., D_m make the symmetric matrix of blocks L^2 I, 2 D_1, ..., 2 D_m - W_m' W_m
on the diagonal and -D_k W_(k-1) below it positive definite (LipSDP-Neuron, Fazlyab et al. 2019).
Elimination of its blocks, the last one first, leaves L^2 I - M: given multipliers, the least L^2 is
the largest eigenvalue of M. Everything is computed in float64.
"""

from itertools import accumulate, pairwise
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.linalg import cholesky_ex, eigh, eigvalsh, matrix_norm, solve_triangular

from helpers import checks
from helpers.networks import Networks

STEPS = 300  # measured on trained networks of two hidden layers of 50: 0.2 % above the optimum
PATH = (0.1, 5), (0.001, 1e-4)  # learning rate and weight of the barrier, first and last
SLACK = 1e-9  # share of the diagonal that a proof gives away


def norm_product(networks: Networks, layer: int | None = None) -> Tensor:
    """Return the product of operator norms (networks,) of the layers of `lipschitz_bound`."""
    return _product(_weights(networks, layer))


def lipschitz_bound(networks: Networks, layer: int | None = None, steps: int = STEPS) -> Tensor:
    """Return upper bounds (networks,) on the Lipschitz constants to the logits, Euclidean norms.

    layer: the map starts at the outputs of this hidden layer, counted from 0 (its constant is a K
    of the bound K X), by default at the inputs; steps: of Adam on the multipliers. At most the
    product of norms, and `certified` where less. Raises TypeError or ValueError for another layer,
    negative steps or weights that are not finite.
    """
    weights = _weights(networks, layer)
    multipliers = _optimised(weights, _largest, steps)
    constants = _largest(_eliminated(weights, multipliers)[0]).sqrt() * (1 + 2 * SLACK)
    proven = certified(weights, multipliers, constants)
    return constants.where(proven, torch.inf).minimum(_product(weights))


def mean_square_bound(networks: Networks, layer: int, moment: Tensor, steps: int = STEPS) -> Tensor:
    """Return upper bounds (networks,) on the mean square change of the logits, summed over logits.

    moment: second moments (networks, nodes, nodes) of the changes in a hidden layer's outputs, zero
    for nodes that stay. The least tr(M moment) over multipliers, certified, or what norms give if
    less: tr(W moment W') for the next layer W times the squared norms of later ones. Errors as for
    `lipschitz_bound`; ValueError for a moment of another shape or with a negative eigenvalue.
    """
    weights = _weights(networks, checks.integer("layer", layer, 0))
    weights[0] = weights[0] @ _root(moment, weights[0])  # of changes whose moment is the identity
    multipliers = _optimised(weights, _trace, steps)
    matrix = _eliminated(weights, multipliers)[0]
    matrix = matrix + 4 * SLACK * _trace(matrix)[:, None, None] * torch.eye(len(matrix[0]))
    proven = _positive_definite(weights, multipliers, matrix)
    by_norms = weights[0].square().sum((1, 2)) * _product(weights[1:]) ** 2
    return _trace(matrix).where(proven, torch.inf).minimum(by_norms)


def certified(weights: list[Tensor], multipliers: list[Tensor], constants: Tensor) -> Tensor:
    """Return which constants (networks,) the multipliers prove to be Lipschitz bounds, as bools.

    weights: (networks, fan_out, fan_in) per layer; multipliers: (networks, nodes) per hidden layer.
    The proof is a Cholesky factor of the whole matrix after L^2 and 2 D_k are lowered by the share
    SLACK: up to 1000 nodes, rounding hides less (Rump 2006). Raises ValueError for other shapes.
    """
    shapes = [tuple(values.shape) for values in (*multipliers, constants)]
    expected = [*(tuple(weight.shape[:2]) for weight in weights[:-1]), (len(weights[0]),)]
    if shapes != expected:
        raise ValueError(f"multipliers and constants have shapes {shapes}; expected {expected}")
    weights = [weight.detach().double() for weight in weights]
    squares = constants.double()[:, None, None].square() * torch.eye(weights[0].shape[2])
    return _positive_definite(weights, multipliers, squares)


def _positive_definite(weights: list[Tensor], multipliers: list[Tensor], first: Tensor) -> Tensor:
    """Return where the whole matrix with this first block (networks, inputs, inputs) is proven."""
    ends = accumulate((values.shape[1] for values in (first, *multipliers)), initial=0)
    blocks = [slice(*block) for block in pairwise(ends)]
    whole = first.new_zeros(len(first), blocks[-1].stop, blocks[-1].stop)
    whole[:, blocks[0], blocks[0]] = first
    for (before, here), values, weight in zip(pairwise(blocks), multipliers, weights, strict=False):
        whole[:, here, here] = 2 * torch.diag_embed(values)
        whole[:, here, before] = -values[..., None] * weight  # Cholesky does not read above it
    whole.diagonal(dim1=1, dim2=2).mul_(1 - SLACK)
    whole[:, blocks[-1], blocks[-1]] -= weights[-1].mT @ weights[-1]
    return cholesky_ex(whole).info == 0


def _eliminated(weights: list[Tensor], multipliers: list[Tensor]) -> tuple:
    """Return M (networks, inputs, inputs), the barrier (networks,) and which networks have them.

    2 D_k is lowered by twice what the proof gives away. The barrier is the log determinant per node
    of every block when its turn comes, in units of its multipliers, summed over layers.
    """
    matrix, barrier, inside = weights[-1].mT @ weights[-1], 0, True
    for weight, values in zip(weights[-2::-1], multipliers[::-1], strict=True):
        factor, info = cholesky_ex(torch.diag_embed((2 - 4 * SLACK) * values) - matrix)
        inside = (info == 0) & inside
        factor = factor.where(inside[:, None, None], torch.eye(len(factor[0])))
        barrier = barrier + (2 * factor.diagonal(dim1=1, dim2=2).log() - values.log()).mean(1)
        root = solve_triangular(factor, values[..., None] * weight, upper=False)
        matrix = root.mT @ root
    return matrix, barrier, inside


@torch.enable_grad()
def _optimised(weights: list[Tensor], size, steps: int) -> list[Tensor]:
    """Return multipliers (networks, nodes) per hidden layer that make `size` of M small.

    Adam starts where norms multiply. The barrier, weighed less and less, holds it back from where M
    does not exist; a network that gets there returns to its best multipliers.
    """
    steps = checks.integer("steps", steps, 0)
    if len(weights) == 1:
        return []
    norms = [matrix_norm(weight, 2).clamp_min(1e-30).log() for weight in weights[1:]]
    logs = [(2 * sum(norms[k:]))[:, None].repeat(1, weight.shape[1]).requires_grad_()
            for k, weight in enumerate(weights[:-1])]
    best, least = [log.detach().clone() for log in logs], torch.inf
    adam = torch.optim.Adam(logs, betas=(0.95, 0.95))
    for rate, share in np.geomspace(*PATH, steps):
        matrix, barrier, inside = _eliminated(weights, [log.exp() for log in logs])
        sizes = size(matrix).clamp_min(1e-300)  # no logarithm of 0
        adam.zero_grad()
        (sizes.log() - share * barrier)[inside].sum().backward()
        with torch.no_grad():
            better = inside & (sizes < least)
            least = sizes.where(better, least)
            for log, kept in zip(logs, best, strict=True):
                kept[better] = log[better]
                log[~inside], log.grad[~inside] = kept[~inside], 0
        adam.param_groups[0]["lr"] = rate
        adam.step()
    return [log.exp() for log in best]


def _largest(matrix: Tensor) -> Tensor:
    return eigvalsh(matrix)[:, -1].clamp_min(0)


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=1, dim2=2).sum(1)


def _product(weights: list[Tensor]) -> Tensor:
    return prod(matrix_norm(weight, 2) for weight in weights)


def _weights(networks: Networks, layer: int | None) -> list[Tensor]:
    """Return the weights of all layers, or of those after a hidden one, in float64."""
    if not isinstance(networks, Networks):
        raise TypeError(f"networks is {type(networks).__name__}; expected Networks")
    after = 0 if layer is None else 1 + checks.integer("layer", layer, 0, len(networks.widths) - 3)
    weights = [weight.detach().double() for weight in networks.weights[after:]]
    if not all(weight.isfinite().all() for weight in weights):
        raise ValueError("networks hold NaN or infinite weights; expected finite numbers")
    return weights


def _root(moment: Tensor, weight: Tensor) -> Tensor:
    """Return R with R R' = moment, after checking that moment suits the next layer's weight."""
    expected = len(weight), weight.shape[2], weight.shape[2]
    moment = torch.as_tensor(moment).detach().double()
    if tuple(moment.shape) != expected:
        raise ValueError(f"moment has shape {tuple(moment.shape)}; expected {expected}")
    if not moment.isfinite().all():
        raise ValueError("moment holds NaN or infinite values; expected finite numbers")
    values, vectors = eigh(moment)
    if not (values[:, 0] >= -SLACK * values[:, -1]).all():
        raise ValueError(f"moment has the eigenvalue {values.min()}; expected none below 0")
    return vectors * values.clamp_min(0).sqrt()[:, None]
