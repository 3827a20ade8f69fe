"""Figures: every function draws on an axis and gives it back; one style, one palette.

The corners of the square and the noise floor keep their colours in all notebooks (Okabe and Ito's
palette, distinct for colour-blind readers).
"""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from helpers import checks
from helpers.compare import MARGIN, check_plane, classify, plane, probabilities
from helpers.criteria import CRITERIA
from helpers.data import Problem
from helpers.intervals import Estimate
from helpers.networks import Networks
from helpers.square import Square
from helpers.training import Run
from helpers.weights import MOVEMENTS

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
CLASSES = ("#762A83", "#1B7837")  # the ends of the map's scale
MAP = "PRGn"


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


def decision_map(networks: Networks, i: int, problem: Problem, ax: Axes | None = None,
                 resolution: int = 100, points: bool = True) -> Axes:
    """Colour the plane by network i's probability of class 1, the training points on top."""
    chance = probabilities(networks.select(i), plane(problem, resolution))[0, :, 1]
    ax = ax or plt.gca()
    ax.imshow(chance.view(resolution, resolution).numpy(), origin="lower", cmap=MAP, vmin=0, vmax=1,
              extent=_extent(problem), interpolation="nearest", alpha=0.6)
    return training_points(problem, ax) if points else _plane_axes(problem, ax)


def difference_map(a: Networks, b: Networks, i: int, problem: Problem, ax: Axes | None = None,
                   resolution: int = 100) -> Axes:
    """Mark where the paired networks i classify the plane differently, with the share above."""
    grid = plane(problem, resolution)
    differ = (classify(a.select(i), grid) != classify(b.select(i), grid)).view(resolution, -1)
    ax = ax or plt.gca()
    ax.imshow(differ.numpy(), origin="lower", cmap=ListedColormap(["#F2F2F2", "#CC3311"]),
              vmin=0, vmax=1, extent=_extent(problem), interpolation="nearest")
    ax.set_title(f"{differ.float().mean():.1%} differ")
    return _plane_axes(problem, ax)


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
    names = np.array([*MOVEMENTS, "one of each"])
    moved = names[np.where(moved_a == moved_b, moved_a, len(MOVEMENTS))]
    for name, colour in MOVEMENT_COLOURS.items():
        ax.scatter(a[moved == name], b[moved == name], s=2, color=colour, linewidth=0, label=name)
    reach = reach or max(a.abs().max(), b.abs().max()).item()
    ax.set(xlabel="weight, train first (A)", ylabel="weight, prune first (B)", aspect="equal",
           xlim=(-reach, reach), ylim=(-reach, reach))
    return ax


def kernel_zooms(a: Tensor, b: Tensor, moved_a: Tensor, moved_b: Tensor, reach: float):
    """Draw `kernel_scatter` of all weights and, beside it, of those up to `reach`."""
    axes = panels(2, size=3.2)
    for ax, limit in zip(axes, (None, reach), strict=True):
        kernel_scatter(a, b, moved_a, moved_b, ax, limit)
    axes[1].legend(markerscale=5, loc="center left", bbox_to_anchor=(1, 0.5))
    return axes


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


def _extent(problem: Problem) -> tuple[float, float, float, float]:
    half = MARGIN * problem.x_train.abs().max().item()
    return -half, half, -half, half


def _plane_axes(problem: Problem, ax: Axes) -> Axes:
    """Give an axis the limits of the problem's plane, without ticks or frame."""
    left, right, bottom, top = _extent(problem)
    ax.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)
    return ax
