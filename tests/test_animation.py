"""A film has one frame per snapshot; the corners' film shows the square."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from examples import FEW, MOONS, refuses, same_bits, three_classes, tiny
from helpers import animation, films
from helpers.animation import corners_film, film
from helpers.compare import disagreement, plane, probabilities
from helpers.pruning import prune
from helpers.square import commute
from helpers.training import train

START = tiny(scheme="he_uniform")
RUN = train(START, MOONS, FEW, snapshots=3)
OTHER = train(tiny(), MOONS, FEW, snapshots=3)
SHORT = train(START, MOONS, FEW, snapshots=2)
QUICK = train(START, MOONS, replace(FEW, steps=10), snapshots=3)

SQUARE = commute(START, MOONS, FEW, "random", 0.5, fine_tune_steps=8)
SMALL = train(prune(START, SQUARE.kept, MOONS), MOONS, FEW, snapshots=3)
ONE = train(SQUARE.train_first.select(0), MOONS, FEW, snapshots=2)
TUNED = train(SQUARE.train_first, MOONS, replace(FEW, steps=8), snapshots=2)


def corners(dense=RUN, prune_first=SMALL, fine_tuned=TUNED, i=1, problem=MOONS, **settings):
    return corners_film(dense, prune_first, fine_tuned, SQUARE.kept, i, problem, resolution=6,
                        **settings)


@pytest.fixture
def moments(monkeypatch):
    """Per frame of the films made in a test: the caption and what every panel shows."""
    shown, picture = [], animation._picture

    def recorded(figure):
        maps = [np.ma.getdata(ax.images[0].get_array()).copy() for ax in figure.axes]
        shown.append((figure.get_suptitle(), maps))
        return picture(figure)

    monkeypatch.setattr(animation, "_picture", recorded)
    monkeypatch.setattr(films, "_mp4", lambda pictures: b"")  # quick
    return shown


def chances(networks, i):
    return probabilities(networks, plane(MOONS, 6))[i, :, 1].view(6, 6)


def test_a_film_of_training_is_small_leaves_no_figure_and_repeats_exactly():
    made, again, other = (film({"a < b": RUN}, i, MOONS, resolution=20) for i in (1, 1, 2))
    assert made == again != other and not plt.get_fignums()
    assert len(made.video) + len(made.poster) < 60_000
    label = "Film: decision map of a < b, from step 0 to 20 of training, 3 frames"
    assert repr(made) == f"Film(label={label!r}, width=300, height=340)"


def test_every_frame_shows_its_snapshot_and_step(moments):
    film({"dense": RUN, "other": OTHER}, 2, MOONS, resolution=6)
    assert [caption for caption, _ in moments] == ["step 0", "step 10", "step 20"]
    for k, (_, maps) in enumerate(moments):
        for run, shown in zip((RUN, OTHER), maps, strict=True):
            np.testing.assert_allclose(shown, chances(run.snapshots[k], 2), rtol=1e-6)


def test_of_many_snapshots_most_are_taken_near_the_start():
    assert animation._shown(40, 40) == list(range(40))
    few = animation._shown(301, 40)
    assert few[0] == 0 and few[-1] == 300 and len(few) <= 40 and (np.diff(few, 2) >= -1).all()
    assert sum(k < 75 for k in few) == pytest.approx(len(few) / 2, abs=1)


def test_the_corners_end_as_the_square_has_them(moments):
    assert all(same_bits(run.networks, stored) for run, stored in (
        (RUN, SQUARE.dense), (SMALL, SQUARE.prune_first), (TUNED, SQUARE.fine_tuned)))
    made = corners()
    ends = (SQUARE.dense, SQUARE.train_first, SQUARE.fine_tuned, SQUARE.prune_first)
    for shown, networks in zip(moments[-1][1], ends, strict=True):
        np.testing.assert_array_equal(shown, chances(networks.select(1), 0))
    assert made.label == ("Film: decision map of dense, train first (A), fine-tuned (A'), prune "
                          "first (B), from step 0 to 20 of training and to 8 of fine-tuning, "
                          "5 frames")


def test_a_is_the_dense_network_of_the_moment_pruned_and_so_is_a_prime_until_training_ends(moments):
    corners()
    for k, steps in enumerate((0, 10, 20)):
        halfway = train(START, MOONS, replace(FEW, steps=steps)).networks
        pruned = chances(prune(halfway, SQUARE.kept, MOONS), 1)
        small = train(SMALL.snapshots[0], MOONS, replace(FEW, steps=steps)).networks
        expected = (chances(halfway, 1), pruned, pruned, chances(small, 1))
        np.testing.assert_allclose(moments[k][1], torch.stack(expected), rtol=1e-6)
    for k in (3, 4):  # fine-tuning: only A' moves
        np.testing.assert_array_equal(np.delete(moments[k][1], 2, 0),
                                      np.delete(moments[2][1], 2, 0))
        np.testing.assert_allclose(moments[k][1][2], chances(TUNED.snapshots[k - 3], 1), rtol=1e-6)


def test_the_caption_is_the_disagreement_of_the_two_orders(moments):
    corners()
    grid = plane(MOONS, 6)
    pruned = [prune(dense, SQUARE.kept, MOONS) for dense in RUN.snapshots]
    gaps = [disagreement(a, b, grid)[1] for a, b in zip(pruned, SMALL.snapshots, strict=True)]
    gaps += [disagreement(a, SMALL.networks, grid)[1] for a in TUNED.snapshots]
    assert gaps[0] == 0 and len(set(map(float, gaps))) > 2, "nothing to tell apart"
    when = ["training, step 0: A", "training, step 10: A", "training, step 20: A",
            "fine-tuning, step 0: A'", "fine-tuning, step 8: A'"]
    assert [caption for caption, _ in moments] == [
        f"{moment} and B differ on {gap:.1%} of the plane"
        for moment, gap in zip(when, gaps, strict=True)]


@refuses(
    (lambda: film({}, 0, MOONS), ValueError, r"runs have \[\] snapshots"),
    (lambda: film({"a": train(tiny(), MOONS, FEW)}, 0, MOONS), ValueError, r"have \[0\] snapshots"),
    (lambda: film({"a": RUN, "b": SHORT}, 0, MOONS), ValueError, r"have \[2, 3\] snapshots"),
    (lambda: film({"a": RUN, "b": QUICK}, 0, MOONS), ValueError, r"up to steps \[10, 20\]"),
    (lambda: film({"a": RUN}, 3, MOONS), ValueError, "index is 3 for 3 networks"),
    (lambda: film({"a": RUN}, 0, three_classes()), ValueError, "4 features; expected 2"),
    (lambda: corners(dense=SHORT), ValueError, r"runs have \[2, 3\] snapshots"),
    (lambda: corners(dense=OTHER), ValueError, "prune_first does not start from the pruned"),
    (lambda: corners(prune_first=RUN), ValueError, "prune_first does not start from the pruned"),
    (lambda: corners(fine_tuned=ONE), ValueError, "fine_tuned does not start from the pruned"),
    (lambda: corners(fine_tuned=SMALL), ValueError, "fine_tuned does not start from the pruned"),
    (lambda: corners(compensation="none"), ValueError, "does not start from the pruned networks"),
    (lambda: corners(i=3), ValueError, "index is 3 for 3 networks"),
    (lambda: corners(problem=three_classes()), ValueError, "4 features; expected 2"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert not plt.get_fignums(), "a figure was left open"
