"""What ReLU layers pass on when their inputs change.

A ReLU passes a share g in [0, 1] of a change: max(h + change, 0) - max(h, 0) = g change. Nothing
else is used of it here, so what follows holds for every activation of slope in [0, 1].
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def along_paths(sizes: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Bound changes by adding up all paths: ``|W| ... |W| sizes``, for any gates.

    sizes: (networks, nodes) of the changes of the first layer's inputs; weights: of the layers
    after it. The path bound of one layer is the norm bound at the best rescaling of its nodes (cf.
    path metrics, Gonon et al. 2024).
    """
    for weight in weights:
        sizes = (weight.abs() @ sizes[..., None])[..., 0]
    return sizes


def half_passed(size: Callable[[Tensor], Tensor], weights: Sequence[Tensor]) -> Tensor:
    """Bound changes by what passes if every gate were half open, give or take half.

    size(rows) bounds the size, in any norm over the points, of rows @ change of the first layer's
    inputs, for rows (networks, rows, nodes); it gives (networks, rows, n). weights: of the layers
    after it, at least one. With g = 1/2 + e/2 and e in [-1, 1], rows @ g change is half of
    rows @ change, give or take half of ``|rows| @ |change|``; so on, layer by layer.
    """
    *before, rows = weights

    def linear(some: Tensor) -> Tensor:
        return half_passed(size, [*before[:-1], some @ before[-1]]) if before else size(some)

    every_input = torch.eye(rows.shape[-1]).to(rows).expand(len(rows), -1, -1)
    return (linear(rows) + rows.abs() @ linear(every_input)) / 2


def interval_after(inputs: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return between what the outputs of a ReLU layer change if its inputs change by low to high.

    A node that fires before and after passes all, one that never does passes nothing, and one that
    may switch passes anything between nothing and all.
    """
    falls, rises = low.clamp(max=0), high.clamp(min=0)
    # numbers, not masks: choosing by a mask takes ten times as long as a product
    fires, awake = (inputs + falls >= 0).to(low), (inputs + rises > 0).to(low)
    return (falls.mul_(awake).add_(low.clamp(min=0).mul_(fires)),
            rises.mul_(awake).add_(high.clamp(max=0).mul_(fires)))


def interval_through(weight: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return between what weight @ change lies; low, high: (networks, points, fan-in).

    Where both are one tensor, the change is known, and so is what is returned.
    """
    if low is high:
        return (low @ weight.mT,) * 2
    centre, radius = (high + low) / 2 @ weight.mT, (high - low) / 2 @ weight.abs().mT
    return centre - radius, centre + radius
