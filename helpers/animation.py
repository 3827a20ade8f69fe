"""Films of decision maps during training: what each frame shows, and its panels."""

from collections.abc import Iterable
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from helpers.compare import disagreement, plane, probabilities
from helpers.data import Problem
from helpers.films import Film, encode
from helpers.networks import Networks
from helpers.plots import CORNERS, decision_map, panels
from helpers.pruning import Kept, prune
from helpers.training import Run

FRAMES, TUNING_FRAMES = 40, 15  # at most, of training and of fine-tuning after it
PANEL, BAR, DPI = 3, 0.4, 100  # inches of a panel and of the player's bar, dots an inch

Moment = tuple[str, list[Networks]]  # what stands above the panels, and a network for each


def film(runs: dict[str, Run], i: int, problem: Problem, resolution: int = 80) -> Film:
    """Return a film of network i's decision map in several runs side by side.

    runs: titles and what `train` gave, with the same snapshots each; of many, `FRAMES` are shown,
    closer together at the start. Raises ValueError where snapshots are missing or of other steps.
    """
    steps = _common_steps(runs.values())
    moments = [(f"step {steps[k]}", [run.snapshots[k].select(i) for run in runs.values()])
               for k in _shown(len(steps), FRAMES)]
    return _film(list(runs), moments, f"from step {steps[0]} to {steps[-1]} of training", problem,
                 resolution)


def corners_film(dense: Run, prune_first: Run, fine_tuned: Run, kept: Kept, i: int,
                 problem: Problem, compensation: str = "mean", resolution: int = 80) -> Film:
    """Return a film of network i in four corners of the square, in step: dense, A, A' and B.

    dense, prune_first, fine_tuned: how these corners were trained, with snapshots; kept and
    compensation as in `prune`. At every step of training A is the dense network of that step,
    pruned, and so is A'; then A' is fine-tuned and the others stand still. Above the panels stands
    the share of the plane on which A, later A', and B differ. Raises ValueError for snapshots as
    `film` does, and for runs that do not start where those of a square start.
    """
    steps, tuning = _common_steps([dense, prune_first]), _common_steps([fine_tuned])
    grid = plane(problem, resolution)
    cut = partial(prune, kept=kept, problem=problem, compensation=compensation)
    _check_start("prune_first", prune_first, cut(dense.snapshots[0]))
    _check_start("fine_tuned", fine_tuned, cut(dense.snapshots[-1]))

    def moment(when: str, name: str, *corners: Networks) -> Moment:
        share = disagreement(corners[2], corners[3], grid).item()
        return f"{when}: {name} and B differ on {share:.1%} of the plane", list(corners)

    moments = []
    for k in _shown(len(steps), FRAMES):
        large, small = (run.snapshots[k].select(i) for run in (dense, prune_first))
        pruned = cut(dense.snapshots[k]).select(i)
        moments.append(moment(f"training, step {steps[k]}", "A", large, pruned, pruned, small))
    for k in _shown(len(tuning), TUNING_FRAMES):  # the other three stay as training left them
        tuned = fine_tuned.snapshots[k].select(i)
        moments.append(moment(f"fine-tuning, step {tuning[k]}", "A'", large, pruned, tuned, small))
    length = f"from step {steps[0]} to {steps[-1]} of training and to {tuning[-1]} of fine-tuning"
    return _film(list(CORNERS)[1:5], moments, length, problem, resolution, columns=2, points=False)


def _common_steps(runs: Iterable[Run]) -> tuple[int, ...]:
    """Return the steps of the runs' snapshots; ValueError unless there are some, all the same."""
    taken = {run.snapshot_steps for run in runs}
    counts = sorted({len(steps) for steps in taken})
    if len(counts) != 1 or counts == [0]:
        raise ValueError(f"runs have {counts} snapshots; expected the same number, some")
    if len(taken) != 1:
        ends = sorted(steps[-1] for steps in taken)
        raise ValueError(f"runs have snapshots up to steps {ends}; expected the same steps")
    return taken.pop()


def _check_start(name: str, run: Run, expected: Networks) -> None:
    """Raise ValueError unless a run starts, but for rounding, from the expected networks."""
    start = run.snapshots[0]
    pairs = zip(start.parameters(), expected.parameters(), strict=True)
    if (start.widths, start.seeds) != (expected.widths, expected.seeds) or not all(
            torch.allclose(p, q, equal_nan=True) for p, q in pairs):
        raise ValueError(f"{name} does not start from the pruned networks of dense; expected the "
                         "runs, the kept nodes and the compensation of one square")


def _shown(count: int, frames: int) -> list[int]:
    """Return which of `count` snapshots to show: of more than `frames`, most near the start."""
    if count <= frames:
        return list(range(count))
    return np.unique((np.linspace(0, 1, frames) ** 2 * (count - 1)).round().astype(int)).tolist()


def _film(titles: list[str], moments: list[Moment], length: str, problem: Problem,
          resolution: int, columns: int | None = None, points: bool = True) -> Film:
    """Return the film of some moments, a panel for each title; points: draw the training points."""
    grid = plane(problem, resolution)
    axes, images = panels(len(titles), columns, PANEL, dpi=DPI, layout="constrained"), []
    for ax, title, networks in zip(axes, titles, moments[0][1], strict=True):
        images += decision_map(networks, 0, problem, ax, resolution, points).images
        images[-1].set_interpolation("bilinear")
        ax.set_title(title, color=CORNERS.get(title, "black"), fontsize=11, loc="left")
    figure, pictures = axes[0].figure, []
    text = figure.suptitle(moments[0][0], ha="left", fontsize=11)
    _leave_bar(figure)
    text.set_x(axes[0].get_position().x0)
    for caption, shown in moments:
        for image, networks in zip(images, shown, strict=True):
            chance = probabilities(networks, grid)[0, :, 1]
            image.set_data(chance.view(resolution, resolution).numpy())
        text.set_text(caption)
        pictures.append(_picture(figure))
    plt.close(figure)
    label = f"Film: decision map of {', '.join(titles)}, {length}, {len(moments)} frames"
    return encode(pictures, label)


def _leave_bar(figure: Figure) -> None:
    """Make room for the player's bar below the panels, and fix where they are."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + BAR)
    share = BAR / (height + BAR)
    figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))
    figure.canvas.draw()
    figure.set_layout_engine("none")


def _picture(figure: Figure) -> np.ndarray:
    """Return the figure as pixels (height, width, 3)."""
    figure.canvas.draw()
    return np.ascontiguousarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
