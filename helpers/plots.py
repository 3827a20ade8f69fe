"""Figures: every function draws on an axis and gives it back; one style, one palette.

The corners of the square and the noise floor keep their colours in all notebooks (Okabe and Ito's
palette, distinct for colour-blind readers).
"""

import math
from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from helpers import checks
from helpers.bounds import without_node
from helpers.compare import MARGIN, check_plane, classify, plane, probabilities
from helpers.criteria import CRITERIA
from helpers.data import Problem
from helpers.intervals import Estimate, estimate
from helpers.networks import Networks
from helpers.pruning import prune
from helpers.square import Square
from helpers.training import Run
from helpers.weights import joint_movement

CORNERS = {
    "initial": "#999999",
    "dense": "#222222",
    "train first (A)": "#D55E00",
    "fine-tuned (A')": "#E69F00",
    "prune first (B)": "#0072B2",
    "noise floor": "#009E73",
}
CRITERIA_COLOURS = dict(zip(CRITERIA, sns.color_palette("colorblind", len(CRITERIA)), strict=True))
MOVEMENT_COLOURS = {"trained": "#C8C8C8", "one of each": "#DDAA33", "coasted": "#AA3377",
                    "never updated": "#332288"}  # in drawing order, the rarest on top
LAYER_COLOURS = ("#56B4E9", "#CC79A7", "#009E73")  # of hidden layers
PHASES = ("#AA3377", "#DDAA33", "#66CCEE", "#999999", "#DDDDDD")  # from early to late
CLASSES = ("#762A83", "#1B7837")  # the ends of the map's scale
MAP = "PRGn"
DIFFERENCE = ListedColormap(["#F2F2F2", "#CC3311"])  # alike, different


def use_style() -> None:
    """Set the style of every figure that follows: small, white, without clutter."""
    sns.set_theme(context="paper", style="ticks", rc={
        "figure.dpi": 90, "figure.figsize": (5.2, 3.2), "figure.constrained_layout.use": True,
        "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": "medium",
        "axes.titlelocation": "left", "legend.frameon": False, "figure.facecolor": "white"})


def panels(count: int, columns: int | None = None, size: float = 2.2, **kwargs) -> np.ndarray:
    """Return a flat array of axes in a grid of panels `size` inches wide and high."""
    count = checks.integer("count", count, 1)
    columns = min(count, columns or count)
    rows = -(-count // columns)
    axes = plt.subplots(rows, columns, figsize=(size * columns, size * rows), squeeze=False,
                        **kwargs)[1].ravel()
    for ax in axes[count:]:
        ax.remove()
    return axes[:count]


def panel(width: float = 5.2, height: float = 3.0) -> Axes:
    """Return the axis of a figure with one panel, sizes in inches."""
    return plt.subplots(figsize=(width, height))[1]


def caption(figure: Figure | Axes, text: str) -> None:
    """Write a small caption under a figure: what is drawn, of how many networks and draws."""
    figure = figure.figure if isinstance(figure, Axes) else figure
    figure.supxlabel(text, x=0.01, ha="left", fontsize="small", color="#555555", wrap=True)


def training_points(problem: Problem, ax: Axes | None = None, count: int | None = None,
                    size: float = 5) -> Axes:
    """Scatter the first `count` training points of a 2-D problem in their class colours."""
    check_plane(problem)
    ax = ax or plt.gca()
    x, y = problem.x_train[:count].numpy(), problem.y_train[:count].numpy()
    ax.scatter(*x.T, c=np.array(CLASSES)[y], s=size, edgecolor="white", linewidth=0.2)
    return _plane_axes(problem, ax)


def plane_image(values, problem: Problem, ax: Axes | None = None, **kwargs) -> Axes:
    """Draw one value for each point of the problem's `plane`, with keywords of `imshow`."""
    resolution = math.isqrt(len(values))
    ax = ax or plt.gca()
    ax.imshow(np.reshape(values, (resolution, -1)), origin="lower", extent=_extent(problem),
              interpolation="nearest", **kwargs)
    return _plane_axes(problem, ax)


def first_images(problem: Problem, ax: Axes | None = None) -> Axes:
    """Draw the first training image of every class, five in a row.

    For problems of square images and a multiple of 5 classes; pixels in units of their spread.
    """
    side = math.isqrt(problem.features)
    first = torch.stack([problem.x_train[problem.y_train == k][0] for k in range(problem.classes)])
    framed = torch.nn.functional.pad(first.view(-1, side, side), (0, 1, 0, 1), value=torch.nan)
    rows = framed.view(-1, 5, side + 1, side + 1).transpose(1, 2).reshape(-1, 5 * (side + 1))
    ax = ax or plt.gca()
    ax.imshow(rows.numpy(), cmap="gray_r", vmin=-2, vmax=2)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return ax


def decision_map(networks: Networks, i: int, problem: Problem, ax: Axes | None = None,
                 resolution: int = 100, points: bool = True) -> Axes:
    """Colour the plane by network i's probability of class 1, the training points on top."""
    chance = probabilities(networks.select(i), plane(problem, resolution))[0, :, 1]
    ax = plane_image(chance.numpy(), problem, ax, cmap=MAP, vmin=0, vmax=1, alpha=0.6)
    return training_points(problem, ax) if points else ax


def difference_map(a: Networks, b: Networks, i: int, problem: Problem, ax: Axes | None = None,
                   resolution: int = 100) -> Axes:
    """Mark where the paired networks i classify the plane differently, with the share above."""
    grid = plane(problem, resolution)
    differ = (classify(a.select(i), grid) != classify(b.select(i), grid))[0]
    ax = plane_image(differ.numpy(), problem, ax, cmap=DIFFERENCE, vmin=0, vmax=1)
    ax.set_title(f"{differ.float().mean():.1%} differ")
    return ax


def square_maps(square: Square, i: int, problem: Problem, axes=None, resolution: int = 100):
    """Draw the decision maps of network i in the trained corners of the square: dense, A, A', B."""
    axes = panels(4) if axes is None else axes
    corners = (square.dense, square.train_first, square.fine_tuned, square.prune_first)
    names = list(CORNERS)[1:5]
    for ax, name, networks in zip(axes, names, corners, strict=True):
        decision_map(networks, i, problem, ax, resolution, points=False)
        ax.set_title(name, color=CORNERS[name])
    return axes


def square_row(square: Square, i: int, problem: Problem, axes=None, resolution: int = 100):
    """Draw network i as dense, A and B, and where the two orders A and B differ."""
    axes = panels(4) if axes is None else axes
    corners = {"dense": square.dense, "train first (A)": square.train_first,
               "prune first (B)": square.prune_first}
    for ax, (name, networks) in zip(axes, corners.items(), strict=False):
        decision_map(networks, i, problem, ax, resolution, points=False)
        ax.set_title(name, color=CORNERS[name])
    difference_map(square.train_first, square.prune_first, i, problem, axes[3], resolution)
    return axes


def kernel_scatter(a: Tensor, b: Tensor, moved_a: Tensor, moved_b: Tensor,
                   ax: Axes | None = None, reach: float | None = None) -> Axes:
    """Scatter the weights of A and B, coloured by how both moved (as `movement` classes them).

    reach: the largest absolute weight shown, by default that of all.
    """
    ax = ax or plt.gca()
    masks = joint_movement(moved_a, moved_b)
    for name, colour in MOVEMENT_COLOURS.items():
        ax.scatter(a[masks[name]], b[masks[name]], s=2, color=colour, linewidth=0, label=name)
    reach = reach or max(a.abs().max(), b.abs().max()).item()
    ax.set(xlabel="weight, train first (A)", ylabel="weight, prune first (B)", aspect="equal",
           xlim=(-reach, reach), ylim=(-reach, reach))
    return ax


def kernel_zooms(a: Tensor, b: Tensor, moved_a: Tensor, moved_b: Tensor, reach: float):
    """Draw `kernel_scatter` of all weights and, beside it, of those up to `reach`."""
    axes = panels(2, size=3.2)
    for ax, limit in zip(axes, (None, reach), strict=True):
        kernel_scatter(a, b, moved_a, moved_b, ax, limit)
    legend_beside(axes[1], markerscale=5)
    return axes


def legend_beside(ax: Axes, **kwargs) -> Axes:
    """Place the legend to the right of an axis, where it hides nothing."""
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), **kwargs)
    return ax


def gradient_scatter(gradient: Tensor, moved: Tensor, coasted: Tensor,
                     ax: Axes | None = None) -> Axes:
    """Scatter how far weights moved over the size of their first gradient, those that coasted dark.

    moved: in learning rates, without sign; coasted: a mask; all of one shape.
    """
    ax = ax or plt.gca()
    for name, mask in (("trained", ~coasted), ("coasted", coasted)):
        ax.scatter(gradient[mask].abs(), moved[mask], s=2, linewidth=0,
                   color=MOVEMENT_COLOURS[name], label=name)
    ax.set(xscale="log", xlabel="size of the first gradient $|g|$",
           ylabel="moved, in learning rates")
    return ax


def move_histogram(named: dict[str, Tensor], marks=(), ax: Axes | None = None,
                   width: float = 0.1, reach: float = 9.0, colours=PHASES) -> Axes:
    """Stack histograms of how far weights moved, as shares of all weights given.

    named: distances in learning rates, by group; a weight that did not move counts in the whole
    alone. marks: places to point at from above.
    """
    ax = ax or plt.gca()
    total = sum(values.numel() for values in named.values())
    moved = [values[values > 0].numpy() for values in named.values()]
    ax.hist(moved, bins=np.arange(width / 2, reach + width, width), stacked=True, linewidth=0,
            histtype="stepfilled", label=list(named), color=colours[:len(named)],
            weights=[np.full(len(values), 1 / total) for values in moved])
    for mark in marks:
        ax.axvline(mark, ymin=0.92, color="#222222", linewidth=0.8)
    ax.set(yscale="log", xlabel="moved, in learning rates", ylabel="share of weights")
    return ax


def losses(run: Run, ax: Axes | None = None, colour: str = CORNERS["dense"],
           label: str | None = None) -> Axes:
    """Draw the median batch loss over training, with the band of the middle half of networks."""
    ax = ax or plt.gca()
    low, middle, high = np.quantile(run.losses.numpy(), [0.25, 0.5, 0.75], axis=0)
    ax.fill_between(run.loss_steps, low, high, color=colour, alpha=0.2, linewidth=0)
    ax.plot(run.loss_steps, middle, color=colour, label=label)
    ax.set(yscale="log", xlabel="training step", ylabel="batch loss (nats)")
    return ax


def curve(x, estimates: list[Estimate], ax: Axes | None = None, colour: str | None = None,
          label: str | None = None, at: int = -1) -> Axes:
    """Draw estimates over x as a line with their 95 % intervals as a band.

    label: its name, written beside the point number `at`.
    """
    ax = ax or plt.gca()
    values = np.array([(e.low, e.value, e.high) for e in estimates]).T
    line, = ax.plot(x, values[1], marker="o", markersize=3, color=colour)
    ax.fill_between(x, values[0], values[2], color=line.get_color(), alpha=0.2, linewidth=0)
    if label:
        ax.annotate(label, (x[at], values[1, at]), xytext=(6, 3), textcoords="offset points",
                    color=line.get_color(), fontsize="small")
    return ax


def course(steps, values: np.ndarray, ax: Axes | None = None, colour: str | None = None,
           label: str | None = None, statistic: Callable = np.nanmedian) -> Axes:
    """Draw how the estimate of values (steps, draws, seeds) runs over training, as a `curve`."""
    return curve(steps, [estimate(now, statistic) for now in values], ax, colour, label)


def rate_axis(rates, ax: Axes | None = None) -> Axes:
    """Lay out learning rates on a logarithmic axis, the largest first, ticked by their values."""
    ax = ax or plt.gca()
    ax.set(xscale="log", xlabel="learning rate", xlim=(1.3 * max(rates), min(rates) / 2))
    ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
    ax.minorticks_off()
    return ax


def estimates(named: dict[str, Estimate], ax: Axes | None = None,
              colours: dict[str, str] | None = None) -> Axes:
    """Draw named estimates as dots with their 95 % intervals, one row each, top to bottom."""
    ax = ax or plt.gca()
    colours = CORNERS if colours is None else colours
    for row, (name, e) in enumerate(named.items()):
        colour = colours.get(name, CORNERS["dense"])
        ax.plot([e.low, e.high], [row, row], color=colour, linewidth=2)
        ax.plot(e.value, row, "o", color=colour)
    ax.set(yticks=range(len(named)), yticklabels=list(named), ylim=(len(named) - 0.5, -0.5))
    return ax


def spread(named: dict[str, np.ndarray], ax: Axes | None = None,
           colours: dict[str, str] | None = None) -> Axes:
    """Draw every network as a dot, one row per name, with the median as a bar."""
    ax = ax or plt.gca()
    colours = CORNERS if colours is None else colours
    for row, (name, values) in enumerate(named.items()):
        values = np.ravel(values)
        colour = colours.get(name, CORNERS["dense"])
        heights = row + 0.6 * (np.arange(len(values)) / max(len(values) - 1, 1) - 0.5)
        ax.plot(values, heights, ".", color=colour, alpha=0.35, markersize=4)
        ax.plot([np.median(values)] * 2, [row - 0.36, row + 0.36], color=colour, linewidth=2)
    ax.set(yticks=range(len(named)), yticklabels=list(named), ylim=(len(named) - 0.5, -0.5))
    return ax


def clouds(table: pd.DataFrame, names: Sequence[str], measured: str, layers: dict[int, str]):
    """Scatter named columns against a measured one on logarithmic axes, one panel each.

    table: indexed by `layer` among others; layers: hidden layers to draw, and their names. Below
    the dashed diagonal a bound would be broken.
    """
    axes = panels(len(names), size=2.1, sharex=True, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        for (layer, label), colour in zip(layers.items(), LAYER_COLOURS, strict=False):
            part = table.xs(layer, level="layer")
            ax.plot(part[measured], part[name], ".", color=colour, markersize=2.5, alpha=0.4,
                    label=label)
        ax.axline((1, 1), (10, 10), color="black", linestyle="--", linewidth=1)
        ax.set(xscale="log", yscale="log", title=name.replace("_", " "))
    legend_beside(axes[-1], markerscale=5, handletextpad=0)
    return axes


def ratio_boxes(ratios: pd.DataFrame, by: str, ax: Axes | None = None, legend: bool = True) -> Axes:
    """Draw a box for each column and value of the index level `by`, with a dashed line at 1.

    Boxes are quartiles, whiskers the 5th and 95th percentile; colours are those of the criteria.
    """
    ax = ax or plt.gca()
    long = ratios.rename(columns=lambda name: name.replace("_", " ")).melt(
        ignore_index=False, var_name="bound", value_name="ratio").reset_index()
    sns.boxplot(long, x="ratio", y="bound", hue=by, palette=CRITERIA_COLOURS, whis=(5, 95),
                fliersize=0, linewidth=0.8, log_scale=True, legend=legend, ax=ax)
    ax.axvline(1, color="black", linestyle="--", linewidth=1)
    ax.set(xlabel="", ylabel="")
    return legend_beside(ax) if legend else ax


def node_row(networks: Networks, i: int, layer: int, node: int, problem: Problem, axes=None,
             resolution: int = 80):
    """Draw a hidden node of network i over the plane (white: 0), the network, and it without."""
    axes = panels(3) if axes is None else axes
    outputs = networks.select(i).activations(plane(problem, resolution))[layer][0, :, node]
    plane_image(outputs.detach().numpy(), problem, axes[0], cmap="Greys", vmin=0)
    axes[0].spines[:].set_visible(True)
    axes[0].set_title("output of the node")
    pruned = prune(networks, without_node(networks, layer, node), problem)
    for ax, shown, title in zip(axes[1:], (networks, pruned), ("with it", "without it"),
                                strict=True):
        decision_map(shown, i, problem, ax, resolution).set_title(title)
    return axes


def _extent(problem: Problem) -> tuple[float, float, float, float]:
    half = MARGIN * problem.x_train.abs().max().item()
    return -half, half, -half, half


def _plane_axes(problem: Problem, ax: Axes) -> Axes:
    """Give an axis the limits of the problem's plane, without ticks or frame."""
    left, right, bottom, top = _extent(problem)
    ax.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
    return ax
