"""Films of decision maps during training, as small MP4 videos inside the notebook."""

import matplotlib.pyplot as plt
import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe
from IPython.display import HTML
from matplotlib.animation import FuncAnimation

from helpers.compare import plane, probabilities
from helpers.data import Problem
from helpers.networks import Networks
from helpers.plots import CORNERS, decision_map, panels
from helpers.training import Run

INTERVAL = 120  # milliseconds a frame


def film(runs: dict[str, Run], i: int, problem: Problem, resolution: int = 80) -> HTML:
    """Return a video of network i's decision map in several runs side by side.

    runs: titles and what `train` gave with as many snapshots each; one frame per snapshot.
    Raises ValueError where a run has no snapshots or another number of them.
    """
    counts = {len(run.snapshots) for run in runs.values()}
    if len(counts) != 1 or counts == {0}:
        raise ValueError(f"runs have {sorted(counts)} snapshots; expected the same number, some")
    grid = plane(problem, resolution)
    frames = [[_frame(networks, i, grid, resolution) for networks in run.snapshots]
              for run in runs.values()]
    axes, images = panels(len(runs), size=2.6), []
    for ax, (title, run) in zip(axes, runs.items(), strict=True):
        images.append(decision_map(run.snapshots[0], i, problem, ax, resolution).images[0])
        ax.set_title(title, color=CORNERS.get(title, "black"))
    steps = next(iter(runs.values())).snapshot_steps
    label = axes[0].figure.supxlabel("", fontsize="small")

    def draw(k):
        for image, own in zip(images, frames, strict=True):
            image.set_data(own[k])
        label.set_text(f"step {steps[k]}")

    moving = FuncAnimation(axes[0].figure, draw, frames=len(steps), interval=INTERVAL)
    video = _video(moving)
    plt.close(axes[0].figure)
    return HTML(video)


def _frame(networks: Networks, i: int, grid, resolution: int) -> np.ndarray:
    chance = probabilities(networks.select(i), grid)[0, :, 1]
    return chance.view(resolution, resolution).numpy()


def _video(moving: FuncAnimation) -> str:
    """Return the HTML video element of an animation, encoded by the packaged ffmpeg."""
    small = ["-crf", "30", "-preset", "veryslow"]
    with plt.rc_context({"animation.ffmpeg_path": get_ffmpeg_exe(), "animation.writer": "ffmpeg",
                         "animation.ffmpeg_args": small}):
        return moving.to_html5_video(embed_limit=2)
