"""Choose hidden nodes, remove them, and compensate the next layer for what they carried.

A criterion scores every node of every network; the nodes of lowest score go. Whole nodes are
removed, so the matrices really get smaller. All statistics come from the training points.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from helpers import checks
from helpers.criteria import CRITERIA
from helpers.data import Problem
from helpers.networks import BLOCK, Networks, check_fit, join

COLLINEAR = 1e-6  # singular values below this share of the largest are rounding of float32 inputs

Kept = tuple[Tensor, ...]  # per hidden layer (networks, kept nodes), sorted indices


@torch.no_grad()
def choose(networks: Networks, problem: Problem, criterion: str, fraction: float,
           layers: Iterable[int] | None = None, spared: Iterable[Tensor] | None = None) -> Kept:
    """Return which nodes stay when a criterion removes a fraction of each hidden layer.

    criterion: a name in CRITERIA; fraction: share removed, in [0, 1): round(fraction * nodes) go
    and at least one stays; layers: hidden layers to prune, counted from 0, by default all; spared:
    per hidden layer a mask (networks, nodes) of nodes that must stay. Returns per hidden layer
    sorted indices (networks, kept nodes). Of equal scores the lower index goes first.
    Raises ValueError for anything else, or where too few nodes may go.
    """
    check_fit(networks, problem)
    score = checks.lookup("criterion", criterion, CRITERIA)
    counts = _removal_counts(networks, fraction, layers)
    parts = [score(networks.select(block), problem) for block in _blocks(networks)]
    scores = [torch.cat(blocks) for blocks in zip(*parts, strict=True)]
    if spared is not None:
        scores = _with_spared(scores, checks.several("spared", spared), counts)
    return tuple(values.argsort(dim=1, stable=True)[:, count:].sort(1).values
                 for values, count in zip(scores, counts, strict=True))


@torch.no_grad()
def prune(networks: Networks, kept: Kept, problem: Problem, compensation: str = "mean") -> Networks:
    """Return smaller networks that hold only the kept nodes, the next layer compensated.

    kept: as `choose` returns it; compensation: `none` deletes, `mean` moves the removed nodes' mean
    contribution into the next bias (the post), `linear` folds their least-squares prediction from
    the kept nodes and an intercept into the next layer. Layers are pruned in order: means and fits
    of a layer are taken after the layers before it were pruned. Raises TypeError or ValueError for
    a kept set that is empty, repeats a node or does not fit the networks.
    """
    check_fit(networks, problem)
    predict = checks.lookup("compensation", compensation, COMPENSATIONS)
    check_kept(networks, kept)
    return join(
        _prune_block(networks.select(block), [stay[block] for stay in kept], problem, predict)
        for block in _blocks(networks))


def dead(networks: Networks, x: Tensor) -> list[Tensor]:
    """Return per hidden layer which nodes (networks, nodes) give 0 at every point of x."""
    with torch.no_grad():
        return [layer.amax(1) == 0 for layer in networks.activations(x)]


def everything(networks: Networks) -> Kept:
    """Return the kept set that removes nothing."""
    return tuple(torch.arange(width, device=networks.device).repeat(len(networks), 1)
                 for width in networks.widths[1:-1])


def only_layer(networks: Networks, kept: Kept, layer: int) -> Kept:
    """Return the kept set that prunes one hidden layer as given and leaves the others whole."""
    checks.one_of("layer", layer, range(len(kept)))
    return tuple(given if place == layer else whole for place, (given, whole)
                 in enumerate(zip(kept, everything(networks), strict=True)))


def overlap(a: Kept, b: Kept) -> list[Tensor]:
    """Return per hidden layer the share (networks,) of the nodes that a keeps and b keeps too."""
    return [(one[:, :, None] == other[:, None]).any(2).float().mean(1)
            for one, other in zip(a, b, strict=True)]


def none(kept: Tensor, removed: Tensor) -> tuple[Tensor, Tensor]:
    """Predict the removed nodes as 0: plain deletion."""
    return _no_slope(kept, removed), torch.zeros_like(removed[:, 0])


def mean(kept: Tensor, removed: Tensor) -> tuple[Tensor, Tensor]:
    """Predict the removed nodes as their means: the post; Mean Replacement (Evci et al. 2018)."""
    return _no_slope(kept, removed), removed.mean(1)


def linear(kept: Tensor, removed: Tensor) -> tuple[Tensor, Tensor]:
    """Predict the removed nodes by least squares from the kept ones and an intercept.

    Of all exact or collinear solutions the smallest, so dead or duplicate nodes do no harm.
    """
    # a network that diverged must not stop the fits of the others
    kept, removed = (outputs.nan_to_num(0, 0, 0) for outputs in (kept, removed))
    kept_mean, removed_mean = kept.mean(1, keepdim=True), removed.mean(1, keepdim=True)
    # on the processor: no GPU library has a solver for collinear nodes
    slope = torch.linalg.lstsq((kept - kept_mean).cpu(), (removed - removed_mean).cpu(),
                               rcond=COLLINEAR, driver="gelsd").solution.to(kept.device)
    return slope, (removed_mean - kept_mean @ slope)[:, 0]


COMPENSATIONS = {"none": none, "mean": mean, "linear": linear}
"""Each takes outputs (networks, points, nodes) of kept and of removed nodes, and returns slope
(networks, kept, removed) and intercept (networks, removed) of its prediction."""


def _blocks(networks: Networks) -> list[slice]:
    """Return slices of networks whose activations are held in memory together."""
    return [slice(start, start + BLOCK) for start in range(0, len(networks), BLOCK)]


def _removal_counts(networks: Networks, fraction: float, layers) -> list[int]:
    """Return how many nodes go from each hidden layer."""
    fraction = checks.real("fraction", fraction, 0, 1)
    hidden = networks.widths[1:-1]
    layers = range(len(hidden)) if layers is None else checks.several("layers", layers)
    pruned = [checks.one_of("layers", checks.integer("layers", layer, 0), range(len(hidden)))
              for layer in layers]
    return [min(round(fraction * width), width - 1) if layer in pruned else 0
            for layer, width in enumerate(hidden)]


def _with_spared(scores, spared, counts) -> list[Tensor]:
    """Return the scores with spared nodes raised out of reach."""
    if not all(isinstance(mask, Tensor) and mask.dtype == torch.bool for mask in spared):
        raise TypeError(f"spared is {checks.shown(spared)}; expected one bool tensor per hidden "
                        "layer")
    if [mask.shape for mask in spared] != [values.shape for values in scores]:
        raise ValueError(f"spared has shapes {[tuple(mask.shape) for mask in spared]}; expected "
                         f"{[tuple(values.shape) for values in scores]}")
    for layer, (mask, count) in enumerate(zip(spared, counts, strict=True)):
        if (free := (~mask).sum(1).min().item()) < count:
            raise ValueError(f"spared[{layer}] leaves {free} nodes of some network to remove; "
                             f"expected at least {count}")
    return [values.masked_fill(mask, torch.inf)
            for values, mask in zip(scores, spared, strict=True)]


def check_kept(networks: Networks, kept: Kept) -> None:
    """Raise unless there is one sorted index tensor (networks, at least 1) per hidden layer.

    It lies where the networks are.
    """
    hidden = networks.widths[1:-1]
    if not isinstance(kept, (tuple, list)):
        raise TypeError(f"kept is {type(kept).__name__}; expected a tuple, one tensor per layer")
    if len(kept) != len(hidden):
        raise ValueError(f"kept has {len(kept)} layers; expected {len(hidden)}")
    for layer, (stay, width) in enumerate(zip(kept, hidden, strict=True)):
        if not isinstance(stay, Tensor) or stay.dtype != torch.int64:
            raise TypeError(f"kept[{layer}] is {checks.shown(stay)}; expected an int64 tensor of "
                            "indices")
        if stay.device != networks.device:
            raise ValueError(f"kept[{layer}] lies on {stay.device}; expected {networks.device}, "
                             "where the networks are")
        if stay.ndim != 2 or len(stay) != len(networks) or not stay.shape[1]:
            raise ValueError(f"kept[{layer}] has shape {tuple(stay.shape)}; expected "
                             f"({len(networks)}, kept nodes) with at least one node kept")
        if stay.min() < 0 or stay.max() >= width or (stay.diff(dim=1) <= 0).any():
            raise ValueError(f"kept[{layer}] is {checks.shown(stay.tolist())}; expected increasing "
                             f"indices below {width} in every row")


def _prune_block(networks: Networks, kept, problem: Problem, predict) -> Networks:
    """Prune layer after layer; statistics of a layer see the layers before it already pruned."""
    for layer, stay in enumerate(kept):
        if stay.shape[1] < networks.widths[layer + 1]:
            outputs = networks.activations(problem.x_train)[layer]
            gone = torch.ones_like(outputs[:, 0], dtype=torch.bool).scatter_(1, stay, False)
            gone = gone.nonzero()[:, 1].view(len(networks), -1)
            slope, intercept = predict(_nodes(outputs, stay), _nodes(outputs, gone))
            networks = _without(networks, layer, stay, gone, slope, intercept)
    return networks


def _without(networks: Networks, layer: int, stay, gone, slope, intercept) -> Networks:
    """Return networks without the nodes gone, their prediction folded into the next layer.

    Folded in double precision: rounding to single hides what depends on the networks beside.
    """
    weights, biases = list(networks.weights), list(networks.biases)
    after, offset = weights[layer + 1], biases[layer + 1]
    lost = _take(after, gone, 2).double()
    weights[layer + 1] = (_take(after, stay, 2) + lost @ slope.mT).to(after)
    biases[layer + 1] = (offset + (lost @ intercept[..., None])[..., 0]).to(offset)
    weights[layer], biases[layer] = _take(weights[layer], stay, 1), _take(biases[layer], stay, 1)
    return Networks(weights, biases, networks.seeds)


def _nodes(outputs: Tensor, index: Tensor) -> Tensor:
    """Return outputs (networks, points, n) of each network's own nodes, in double precision.

    Whole nodes at a time, which lie side by side: one number after the other takes far longer.
    """
    networks = torch.arange(len(index), device=index.device)[:, None]
    return outputs.mT[networks, index].mT.contiguous().double()


def _take(values: Tensor, index: Tensor, dim: int) -> Tensor:
    """Return each network's own entries `index` (networks, n) along a dimension."""
    shape = [len(index)] + [1] * (values.ndim - 1)
    shape[dim] = -1
    return values.take_along_dim(index.view(shape), dim)


def _no_slope(kept: Tensor, removed: Tensor) -> Tensor:
    return kept.new_zeros(len(kept), kept.shape[2], removed.shape[2])
