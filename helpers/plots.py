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
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.scale import SymmetricalLogScale
from matplotlib_inline.backend_inline import set_matplotlib_formats
from scipy.optimize import isotonic_regression
from torch import Tensor

from helpers import checks
from helpers.compare import box, check_plane, classify, plane, probabilities
from helpers.criteria import CRITERIA
from helpers.data import Problem
from helpers.intervals import Estimate, estimate
from helpers.networks import Networks
from helpers.pruning import prune
from helpers.recipes import Recipe
from helpers.regions import Regions
from helpers.removals import without_node
from helpers.square import Square
from helpers.training import Run
from helpers.weights import joint_movement, kernel_pairs, movement

CORNERS = {
    "initial": "#999999",
    "dense": "#222222",
    "train first (A)": "#D55E00",
    "fine-tuned (A')": "#E69F00",
    "prune first (B)": "#0072B2",
    "noise floor": "#009E73",
}
CRITERIA_COLOURS = dict(zip(CRITERIA, sns.color_palette("colorblind", len(CRITERIA)), strict=True)
                        ) | {"taylor": "#882255"}  # instead of a pink too pale for words
MOVEMENT_COLOURS = {"trained": "#C8C8C8", "one of each": "#DDAA33", "coasted": "#AA3377",
                    "never updated": "#332288"}  # in drawing order, the rarest on top
LAYER_COLOURS = ("#56B4E9", "#CC79A7", "#009E73")  # of hidden layers
PHASES = ("#AA3377", "#DDAA33", "#66CCEE", "#999999", "#DDDDDD")  # from early to late
CLASSES = ("#762A83", "#1B7837")  # the ends of the map's scale
MAP, MAP_ALPHA = "PRGn", 0.6  # a scale of colours, and how strong they are
MARKS = ListedColormap(["#F4B183", "#EEEEEE", "#9DC3E6"])  # fails, neither, survives
DIFFERENCE = ListedColormap(["#F2F2F2", "#CC3311"])  # alike, different
CERTAINTY = ListedColormap(["#F2F2F2", "#E8B04A", "#CC3311"])  # stays, may change, changes


def use_style() -> None:
    """Set the style of every figure that follows: small, white, without clutter.

    In a notebook figures have two pixels for each of theirs, sharp on a dense screen.
    """
    if get_ipython():
        set_matplotlib_formats("retina")
    sns.set_theme(context="paper", style="ticks", palette="colorblind", rc={
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
    ax.imshow(np.reshape(values, (resolution, -1)), origin="lower", extent=sum(box(problem), ()),
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
    ax = plane_image(chance.numpy(), problem, ax, cmap=MAP, vmin=0, vmax=1, alpha=MAP_ALPHA)
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


def commuting_square(square: Square, i: int, problem: Problem, changed: Estimate, gap: Estimate,
                     floor: Estimate, ax: Axes | None = None, resolution: int = 120) -> Axes:
    """Draw both ways around the square of network i as maps, with distances beside the arrows.

    Shares of the plane: changed: what pruning does to the dense network; gap: between the two
    orders; floor: between B and B trained again in another batch order.
    """
    ax = ax or panel(5, 4.4)
    shown = {"initial": (square.initial, 0, 1.7), "dense": (square.dense, 2.4, 1.7),
             "prune first (B)": (square.prune_first, 0, 0),
             "train first (A)": (square.train_first, 2.4, 0)}
    for name, (networks, *place) in shown.items():
        inset = ax.inset_axes((*place, 1, 1), transform=ax.transData)
        decision_map(networks, i, problem, inset, resolution, points=False)
        inset.set_title(name, color=CORNERS[name], loc="center", fontweight="bold")
    for start, end, style in (((1.05, 2.2), (2.35, 2.2), "->"), ((0.5, 1.65), (0.5, 1.2), "->"),
                              ((2.9, 1.65), (2.9, 1.2), "->"), ((1.05, 0.5), (2.35, 0.5), "<->")):
        ax.annotate("", end, start, arrowprops={"arrowstyle": style, "color": "#222222",
                                                "linewidth": 1.5, "mutation_scale": 14})
    ax.text(1.7, 2.25, "train", ha="center")
    ax.text(0.57, 1.42, "prune,\nthen train", va="center")
    ax.text(2.83, 1.42, f"prune: changes\n{changed}", va="center", ha="right")
    ax.text(1.7, 0.55, f"apart on\n{gap}", ha="center", fontweight="bold")
    ax.text(1.7, 0.45, f"B, trained again:\n{floor}", ha="center", va="top",
            color=CORNERS["noise floor"])
    ax.set(xlim=(0, 3.4), ylim=(0, 2.85), aspect="equal")
    ax.axis("off")
    return ax


def kernel_scatter(a: Tensor, b: Tensor, moved_a: Tensor, moved_b: Tensor,
                   ax: Axes | None = None, reach: float | None = None, size: float = 2) -> Axes:
    """Scatter the weights of A and B, coloured by how both moved (as `movement` classes them).

    reach: the largest absolute weight shown, by default that of all; size: of the dots, in points
    squared.
    """
    ax = ax or plt.gca()
    masks = joint_movement(moved_a, moved_b)
    for name, colour in MOVEMENT_COLOURS.items():
        ax.scatter(a[masks[name]], b[masks[name]], s=size, color=colour, linewidth=0, label=name)
    reach = reach or max(a.abs().max(), b.abs().max()).item()
    ax.set(xlabel="weight, train first (A)", ylabel="weight, prune first (B)", aspect="equal",
           xlim=(-reach, reach), ylim=(-reach, reach))
    return ax


def main_kernel(square: Square, i: int, recipe: Recipe, ax: Axes | None = None,
                reach: float | None = None) -> Axes:
    """Draw `kernel_scatter` of the weights of network i between its first two hidden layers."""
    *ends, start = (part[i] for part in kernel_pairs(square, 1))
    moved = (movement(start, end, recipe) for end in ends)
    ax = kernel_scatter(*ends, *moved, ax or panel(), reach, size=10)
    return legend_beside(ax, markerscale=2)


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


def names_beside(ax: Axes | None = None) -> Axes:
    """Write the label of each line right of the axis, in its colour, at the height of its end.

    Names that would overlap are moved apart; call it when the limits of the axis are final.
    """
    ax = ax or plt.gca()
    ax.figure.draw_without_rendering()  # settles limits and layout
    place = ax.transData + ax.transAxes.inverted()
    lines = [line for line in ax.lines if not line.get_label().startswith("_")]
    ends = np.array([place.transform(line.get_xydata()[-1])[1] for line in lines])
    order = ends.argsort()
    row = 1.2 * plt.rcParams["font.size"] * ax.figure.dpi / 72 / ax.get_window_extent().height
    room = row * np.arange(len(lines))
    heights = isotonic_regression(ends[order] - room).x + room
    for k, height in zip(order, heights, strict=True):
        ax.annotate(lines[k].get_label(), (1, height), xycoords="axes fraction", xytext=(6, 0),
                    textcoords="offset points", va="center", color=lines[k].get_color(),
                    fontsize="small")
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
          label: str | None = None, at: int | None = -1) -> Axes:
    """Draw estimates over x as a line with their 95 % intervals as a band.

    label: its name, written beside the point number `at`; None leaves it to a legend.
    """
    ax = ax or plt.gca()
    values = np.array([(e.low, e.value, e.high) for e in estimates]).T
    line, = ax.plot(x, values[1], marker="o", markersize=3, color=colour, label=label)
    ax.fill_between(x, values[0], values[2], color=line.get_color(), alpha=0.2, linewidth=0)
    if label and at is not None:
        ax.annotate(label, (x[at], values[1, at]), xytext=(6, 3), textcoords="offset points",
                    color=line.get_color(), fontsize="small")
    return ax


def course(steps, values: np.ndarray, ax: Axes | None = None, colour: str | None = None,
           label: str | None = None, statistic: Callable = np.nanmedian) -> Axes:
    """Draw how the estimate of values (steps, draws, seeds) runs over training, as a `curve`."""
    return curve(steps, [estimate(now, statistic) for now in values], ax, colour, label)


def gain_curves(x, named: dict[str, list[Estimate]], margin: float, ax: Axes | None = None,
                colours: dict[str, str] | None = None) -> Axes:
    """Draw differences from a reference over x, a `curve` for each name, the label of its line.

    The axis of the gains is linear up to the margin, which is shaded, and logarithmic beyond it.
    """
    ax = ax or plt.gca()
    colours = CORNERS if colours is None else colours
    ax.axhspan(-margin, margin, color="#EEEEEE", linewidth=0)
    ax.axhline(0, color="#555555", linewidth=1)
    for name, gains in named.items():
        curve(x, gains, ax, colours[name]).lines[-1].set_label(name)
    ticks = [-1, -0.1, -margin, 0, margin, 0.1]
    ax.set(yscale=SymmetricalLogScale(None, linthresh=margin))
    ax.set_yticks(ticks, [f"{tick:+g}" if tick else "0" for tick in ticks])
    ax.yaxis.minorticks_off()
    return ax


def gain_panels(x, shown: dict[str, dict[str, list[Estimate]]], margin: float, xlabel: str,
                columns: int | None = None, size: float = 2.3, xscale: str = "linear",
                colours: dict[str, str] | None = None) -> np.ndarray:
    """Draw `gain_curves` in a panel for each title in `shown`, on shared axes, named beside."""
    axes = panels(len(shown), columns, size, sharex=True, sharey=True,
                  subplot_kw={"xscale": xscale})
    for ax, (title, named) in zip(axes, shown.items(), strict=True):
        gain_curves(x, named, margin, ax, colours).set_title(title)
    axes[0].set_xticks(x, [f"{value:g}" for value in x])
    axes[0].xaxis.minorticks_off()
    columns = columns or len(axes)
    for ax in axes[-columns:]:
        ax.set_xlabel(xlabel)
    for ax in axes[::columns]:
        ax.set_ylabel("gain in accuracy")
    names_beside(axes[-1])
    return axes


def rate_axis(rates, ax: Axes | None = None) -> Axes:
    """Lay out learning rates on a logarithmic axis, the largest first, ticked by their values."""
    ax = ax or plt.gca()
    ax.set(xscale="log", xlabel="learning rate", xlim=(1.3 * max(rates), min(rates) / 2))
    ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
    ax.minorticks_off()
    return ax


def phase_map(table: pd.DataFrame, shares: dict[str, Sequence[float]],
              ax: Axes | None = None, **kwargs) -> Axes:
    """Draw a heat map of fraction (rows) against setting (columns), with shares as lines over it.

    table: index: fractions, rising; shares: per name one share for every column, placed between
    the rows by its value, 0 at the lower edge and 1 at the upper; kwargs: of seaborn's heatmap.
    """
    ax = ax or plt.gca()
    sns.heatmap(table, annot=True, fmt=".2f", cmap="viridis", cbar=False, ax=ax,
                annot_kws={"size": 8}, **kwargs)
    for number, colour in zip(ax.texts, ax.collections[0].get_facecolors(), strict=True):
        number.set_y(number.get_position()[1] + 0.27)  # above a line through the middle
        number.set_path_effects([withStroke(linewidth=2.5, foreground=colour)])  # or across it
    levels, rows = [0, *table.index, 1], [0, *(np.arange(len(table)) + 0.5), len(table)]
    for (name, values), style in zip(shares.items(), ("--", ":"), strict=False):
        ax.plot(np.arange(table.shape[1]) + 0.5, np.interp(values, levels, rows), style,
                color="white", linewidth=1.5, label=name,
                path_effects=[withStroke(linewidth=3, foreground="#222222")])  # seen on any colour
    ax.invert_yaxis()
    ax.tick_params(axis="y", rotation=0)
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


def compared(shown: dict[str, dict[str, dict[str, Estimate]]], names: Sequence[str],
             colours: dict[str, str] | None = None) -> np.ndarray:
    """Draw several series of estimates in rows, a panel for each key of `shown`, side by side.

    shown: title -> series -> name -> estimate; names: the rows, from top to bottom. A row holds a
    dot with its 95 % interval for each series that has the name, the first series uppermost.
    """
    axes = plt.subplots(1, len(shown), figsize=(7.2, 1 + 0.24 * len(names)), squeeze=False,
                        sharex=True, sharey=True)[1][0]
    colours = CORNERS if colours is None else colours
    for ax, (title, series) in zip(axes, shown.items(), strict=True):
        for k, (label, named) in enumerate(series.items()):
            shift = ((k + 0.5) / len(series) - 0.5) * 0.6
            rows = [row + shift for row, name in enumerate(names) if name in named]
            known = [named[name] for name in names if name in named]
            ax.hlines(rows, [e.low for e in known], [e.high for e in known], colours[label])
            ax.plot([e.value for e in known], rows, "o", markersize=3, color=colours[label],
                    label=label)
        ax.set(title=title, yticks=range(len(names)), yticklabels=names,
               ylim=(len(names) - 0.5, -0.5))
        ax.grid(axis="y", color="#EEEEEE")
    legend_beside(axes[-1])
    return axes


def compared_shares(shown: dict[str, dict[str, dict[str, Estimate]]], names: Sequence[str],
                    label: str, colours: dict[str, str] | None = None) -> np.ndarray:
    """Draw shares as `compared`, on a `share_axis` with a label."""
    axes = compared(shown, names, colours)
    for ax in axes:
        share_axis(ax).set_xlabel(label)
    return axes


def crosses(x: Sequence[Estimate], y: Sequence[Estimate], ax: Axes | None = None,
            marker: str = "o", **kwargs) -> Axes:
    """Scatter paired estimates against each other, with both 95 % intervals; kwargs of `plot`."""
    ax = ax or plt.gca()
    across, up = [e.value for e in x], [e.value for e in y]
    line, = ax.plot(across, up, marker, **kwargs)
    ax.hlines(up, [e.low for e in x], [e.high for e in x], line.get_color(), linewidth=1)
    ax.vlines(across, [e.low for e in y], [e.high for e in y], line.get_color(), linewidth=1)
    return ax


def marked(numbers: pd.DataFrame, marks: pd.DataFrame, ax: Axes | None = None, **kwargs) -> Axes:
    """Draw a table of numbers, each with its verdict as mark and colour, the columns named above.

    marks: of the shape of numbers: 1 (survives), -1 (fails), 0 (neither), NaN (left empty);
    kwargs: of seaborn's heatmap.
    """
    ax = ax or plt.gca()
    texts = marks.map({1: "✓ ", 0: "? ", -1: "✗ "}.get, na_action="ignore") + numbers.map(
        "{:z.3f}".format)  # z: no -0.000
    sns.heatmap(marks.astype(float), annot=texts, fmt="", cmap=MARKS, vmin=-1, vmax=1, cbar=False,
                linewidths=1, annot_kws={"size": 8, "color": "black"}, ax=ax, **kwargs)
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    return ax


def share_axis(ax: Axes | None = None, axis: str = "x", linear: float = 0.01) -> Axes:
    """Lay out shares from 0 to 1 on the x or y axis: linear up to a small share, then logarithmic.

    A dotted line marks where the one becomes the other.
    """
    ax = ax or plt.gca()
    ticks = [0, linear, 0.1, 1]
    ax.set(**{f"{axis}scale": SymmetricalLogScale(None, linthresh=linear)})
    ax.set(**{f"{axis}lim": (-linear / 10, 1), f"{axis}ticks": ticks,
              f"{axis}ticklabels": [f"{tick:g}" for tick in ticks]})
    (ax.axvline if axis == "x" else ax.axhline)(linear, color="#555555", linestyle=":", linewidth=1)
    ax.minorticks_off()
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


def clouds(table: pd.DataFrame, measured: dict[str, str], layers: dict[str, str], columns: int,
           most: int = 2000):
    """Scatter bounds against what they bound on logarithmic axes, one panel each.

    measured: per bound, a column, the measured one; layers: values of the index level `layers`,
    and their names; most: dots of one layer, spread over the table. Below the dashed diagonal a
    bound would be broken.
    """
    axes = panels(len(measured), columns, size=1.9, sharex=True, sharey=True)
    for ax, (bound, change) in zip(axes, measured.items(), strict=True):
        for (layer, label), colour in zip(layers.items(), LAYER_COLOURS, strict=False):
            part = table.xs(layer, level="layers")
            part = part.iloc[::-(-len(part) // most)]
            ax.plot(part[change], part[bound], ".", color=colour, markersize=2, alpha=0.4,
                    label=label)
        ax.axline((1, 1), (10, 10), color="black", linestyle="--", linewidth=1)
        ax.set(xscale="log", yscale="log", title=bound.replace("_", " "))
    legend_beside(axes[columns - 1], markerscale=5, handletextpad=0)
    return axes


def ratio_boxes(ratios: pd.DataFrame, by: str, colours, ax: Axes | None = None,
                legend: bool = True) -> Axes:
    """Draw a box for each column and value of the index level `by`, with a dashed line at 1.

    Boxes are quartiles, whiskers the 5th and 95th percentile; colours: one for each value.
    """
    ax = ax or plt.gca()
    long = ratios.rename(columns=lambda name: name.replace("_", " ")).melt(
        ignore_index=False, var_name="bound", value_name="ratio").reset_index()
    sns.boxplot(long, x="ratio", y="bound", hue=by, hue_order=list(colours), palette=colours,
                whis=(5, 95), fliersize=0, linewidth=0.8, log_scale=True, legend=legend, ax=ax)
    ax.axvline(1, color="black", linestyle="--", linewidth=1)
    ax.set(xlabel="", ylabel="")
    return legend_beside(ax) if legend else ax


def waterfall(factors: pd.Series, ax: Axes | None = None, colour: str | None = None) -> Axes:
    """Draw factors as steps down from their product to 1, each with its size written beside it.

    factors: their mean decimal logarithms by name, in the order of the steps.
    """
    ax = ax or plt.gca()
    ends = factors[::-1].cumsum()[::-1]
    ax.barh(range(len(factors)), 10**ends - 10**(ends - factors), left=10**(ends - factors),
            color=colour, height=0.7)
    for row, (end, factor) in enumerate(zip(ends, factors, strict=True)):
        ax.annotate(f"× {10**factor:.3g}", (10**end, row), xytext=(3, 0),
                    textcoords="offset points", va="center", fontsize="small")
    ax.axvline(1, color="black", linestyle="--", linewidth=1)
    ax.set(xscale="log", yticks=range(len(factors)), yticklabels=factors.index)
    ax.set(ylim=(len(factors) - 0.4, -0.6), xlim=(0.7, 10**(1.35 * ends.iloc[0])))
    return ax


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


def region_map(regions: Regions, values, problem: Problem, ax: Axes | None = None,
               **kwargs) -> Axes:
    """Draw linear regions over the problem's plane, coloured by values (regions,).

    kwargs: of matplotlib's PolyCollection, such as cmap and clim.
    """
    ax = ax or plt.gca()
    ax.add_collection(PolyCollection(regions.polygons, array=values, linewidth=0,
                                     antialiased=False, **kwargs))  # smooth edges show as seams
    return _plane_axes(problem, ax)


def certainty_map(certain, changed, problem: Problem, ax: Axes | None = None) -> Axes:
    """Draw over the problem's `plane` where the class is certain to stay, may change, or changes.

    certain, changed: bools, one for each point of the plane; the shares of both are the title.
    """
    certain, changed = (np.asarray(mask, dtype=float) for mask in (certain, changed))
    ax = plane_image(np.where(changed, 2, 1 - certain), problem, ax, cmap=CERTAINTY, vmin=0, vmax=2)
    ax.set_title(f"{certain.mean():.0%} certain, {changed.mean():.0%} change")
    return ax


def _plane_axes(problem: Problem, ax: Axes) -> Axes:
    """Give an axis the limits of the problem's plane, without ticks or frame."""
    xlim, ylim = box(problem)
    ax.set(xlim=xlim, ylim=ylim, xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
    return ax
