"""A film is a small video with one frame per snapshot."""

import base64
import re

import imageio_ffmpeg
import matplotlib.pyplot as plt
import numpy as np
import pytest

from examples import FEW, MOONS, refuses, three_classes, tiny
from helpers import animation
from helpers.animation import film
from helpers.compare import plane, probabilities
from helpers.training import train

RUN = train(tiny(), MOONS, FEW, snapshots=3)
SHORT = train(tiny(), MOONS, FEW, snapshots=2)


def test_a_film_is_one_small_video_of_as_many_frames_as_snapshots(tmp_path):
    html = film({"dense": RUN, "else": RUN}, 1, MOONS, resolution=20).data
    assert html.startswith("<video") and html.count("<video") == 1
    encoded = re.search(r'src="data:video/mp4;base64,([\w+/=\s]+)"', html).group(1)
    path = tmp_path / "film.mp4"
    path.write_bytes(base64.b64decode(encoded))
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(path)
    assert frames == 3 and seconds == pytest.approx(3 * animation.INTERVAL / 1000, rel=0.02)
    assert len(encoded) < 60_000 and not plt.get_fignums(), "the figure was left open"


def test_every_frame_shows_its_snapshot_and_step(monkeypatch):
    shown = []

    def draw_all(moving):
        for k in range(3):
            moving._func(k)
            shown.append([moving._fig.get_supxlabel(), *(
                np.ma.getdata(ax.images[0].get_array()).copy() for ax in moving._fig.axes)])
        moving._draw_was_started = True
        return ""

    monkeypatch.setattr(animation, "_video", draw_all)
    other = train(tiny(scheme="he_uniform"), MOONS, FEW, snapshots=3)
    film({"dense": RUN, "other": other}, 2, MOONS, resolution=6)
    for k, (step, *images) in enumerate(shown):
        assert step == f"step {RUN.snapshot_steps[k]}"
        for run, image in zip((RUN, other), images, strict=True):
            expected = probabilities(run.snapshots[k], plane(MOONS, 6))[2, :, 1].view(6, 6)
            np.testing.assert_allclose(image, expected, rtol=1e-6)


@refuses(
    (lambda: film({}, 0, MOONS), ValueError, r"runs have \[\] snapshots"),
    (lambda: film({"a": train(tiny(), MOONS, FEW)}, 0, MOONS), ValueError, r"have \[0\] snapshots"),
    (lambda: film({"a": RUN, "b": SHORT}, 0, MOONS), ValueError, r"have \[2, 3\] snapshots"),
    (lambda: film({"a": RUN}, 3, MOONS), ValueError, "index is 3 for 3 networks"),
    (lambda: film({"a": RUN}, 0, three_classes()), ValueError, "4 features; expected 2"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert not plt.get_fignums(), "a figure was left open"
