"""Plots give their axis back and draw what they should."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from examples import FEW, MOONS, refuses, three_classes, tiny
from helpers import plots
from helpers.compare import classify, plane, probabilities
from helpers.intervals import Estimate
from helpers.square import commute
from helpers.training import train

A, B = tiny(), tiny(scheme="he_uniform")
ESTIMATES = [Estimate(k, k - 0.5, k + 0.25, 8, 2) for k in (1.0, 3.0, 2.0)]
NAMED = dict(zip(("dense", "prune first (B)", "else"), ESTIMATES, strict=True))


@pytest.fixture
def ax():
    yield plt.figure().add_subplot()
    plt.close("all")


def image(ax):
    return np.ma.getdata(ax.images[0].get_array())


def test_training_points_in_their_class_colours(ax):
    assert plots.training_points(MOONS, ax, count=9) is ax
    points, = ax.collections
    np.testing.assert_array_equal(points.get_offsets(), MOONS.x_train[:9])
    expected = [plots.CLASSES[label].lower() for label in MOONS.y_train[:9]]
    assert [to_hex(colour) for colour in points.get_facecolors()] == expected


def test_decision_map_shows_the_probability_from_the_lower_left(ax):
    assert plots.decision_map(A, 1, MOONS, ax, resolution=11) is ax
    expected = probabilities(A, plane(MOONS, 11))[1, :, 1].view(11, 11)
    np.testing.assert_allclose(image(ax), expected, rtol=1e-6)
    assert ax.images[0].origin == "lower" and ax.images[0].get_clim() == (0, 1)
    half = plane(MOONS, 11).max().item()
    assert ax.images[0].get_extent() == pytest.approx((-half, half, -half, half))
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((-half, half))
    assert len(ax.collections) == 1, "the training points are missing"


def test_maps_without_points(ax):
    assert not plots.decision_map(A, 0, MOONS, ax, resolution=5, points=False).collections


def test_difference_map_marks_the_plane_and_tells_the_share(ax):
    assert plots.difference_map(A, B, 2, MOONS, ax, resolution=9) is ax
    grid = plane(MOONS, 9)
    expected = (classify(A, grid) != classify(B, grid))[2]
    assert (image(ax).ravel() == expected.numpy()).all() and 0 < expected.sum() < 81
    assert ax.get_title() == f"{expected.double().mean():.1%} differ"


def test_the_square_in_its_own_colours(ax):
    square = commute(A, MOONS, FEW, "std", 0.5, fine_tune_steps=9)
    corners = square.dense, square.train_first, square.fine_tuned, square.prune_first
    axes = plots.square_maps(square, 1, MOONS, resolution=7)
    for own, networks in zip(axes, corners, strict=True):
        expected = probabilities(networks, plane(MOONS, 7))[1, :, 1].view(7, 7)
        np.testing.assert_allclose(image(own), expected, rtol=1e-6)
        assert own.title.get_color() == plots.CORNERS[own.get_title()]
    titles = ["dense", "train first (A)", "fine-tuned (A')", "prune first (B)"]
    assert [own.get_title() for own in axes] == titles
    row = plots.square_row(square, 1, MOONS, resolution=7)
    assert [own.get_title() for own in row[:3]] == [titles[k] for k in (0, 1, 3)]
    assert row[3].get_title().endswith("differ")


def test_losses_are_the_median_with_the_middle_half(ax):
    run = train(tiny(5), MOONS, FEW, loss_every=4)
    assert plots.losses(run, ax, label="dense") is ax
    line, = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), run.loss_steps)
    np.testing.assert_allclose(line.get_ydata(), run.losses.median(0).values)
    band = ax.collections[0].get_paths()[0].vertices
    middle = np.quantile(run.losses, [0.25, 0.75], axis=0)
    assert set(np.round(band[:, 1], 6)) == set(np.round(middle.ravel(), 6))
    assert ax.get_yscale() == "log" and line.get_label() == "dense"


def test_a_curve_has_its_values_band_and_name(ax):
    assert plots.curve([0.1, 0.5, 0.9], ESTIMATES, ax, "#0072B2", "std") is ax
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[0.1, 1], [0.5, 3], [0.9, 2]])
    band = ax.collections[0].get_paths()[0].vertices
    ends = {(0.1, 0.5), (0.1, 1.25), (0.5, 2.5), (0.5, 3.25), (0.9, 1.5), (0.9, 2.25)}
    assert ends <= set(map(tuple, band))
    name, = ax.texts
    assert (name.get_text(), name.xy) == ("std", (0.9, 2)) and name.get_color() == "#0072B2"


def test_estimates_stand_in_rows_from_the_top(ax):
    assert plots.estimates(NAMED, ax) is ax
    for row, (name, e) in enumerate(NAMED.items()):
        interval, dot = ax.lines[2 * row:2 * row + 2]
        assert interval.get_xydata().tolist() == [[e.low, row], [e.high, row]]
        assert dot.get_xydata().tolist() == [[e.value, row]]
        assert dot.get_color() == plots.CORNERS.get(name, plots.CORNERS["dense"])
    assert [label.get_text() for label in ax.get_yticklabels()] == list(NAMED)
    assert ax.get_ylim() == (2.5, -0.5)


def test_spread_draws_every_network_and_the_median(ax):
    values = {"dense": np.array([[1.0, 5.0], [2.0, 9.0]]), "noise floor": np.array([4.0])}
    assert plots.spread(values, ax) is ax
    dots, bar, one, its_bar = ax.lines
    assert sorted(dots.get_xdata()) == [1, 2, 5, 9] and (np.abs(dots.get_ydata()) <= 0.3).all()
    assert list(bar.get_xdata()) == [3.5, 3.5] and list(its_bar.get_xdata()) == [4, 4]
    assert one.get_color() == plots.CORNERS["noise floor"]


def test_kernel_scatter_colours_by_movement(ax):
    a, b = torch.arange(4.0), torch.arange(4.0) + 10
    moved_a, moved_b = torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 2, 0])
    assert plots.kernel_scatter(a, b, moved_a, moved_b, ax) is ax
    drawn = {c.get_label(): c.get_offsets().tolist() for c in ax.collections}
    assert drawn == {"never updated": [[0, 10]], "coasted": [[1, 11]], "trained": [[2, 12]],
                     "one of each": [[3, 13]]}


def test_panels_and_captions():
    axes = plots.panels(5, columns=3)
    assert axes.shape == (5,) and len(axes[0].figure.axes) == 5
    assert axes[0].get_gridspec().get_geometry() == (2, 3)
    plots.caption(axes[0], "8 networks, 2 data draws")
    assert axes[0].figure.get_supxlabel() == "8 networks, 2 data draws"
    plots.caption(axes[0].figure, "9 networks")
    assert axes[0].figure.get_supxlabel() == "9 networks"
    plt.close("all")


def test_the_style_keeps_figures_small():
    with plt.rc_context():
        plots.use_style()
        assert plt.rcParams["figure.dpi"] == 90 and not plt.rcParams["axes.spines.top"]


def test_without_an_axis_the_current_one_is_used(ax):
    assert plots.training_points(MOONS) is ax is plots.curve([1, 2, 3], ESTIMATES)


@refuses(
    (lambda: plots.panels(0), ValueError, "count is 0"),
    (lambda: plots.decision_map(A, 3, MOONS), ValueError, "index is 3 for 3 networks"),
    (lambda: plots.decision_map(tiny(1, (4, 1)), 0, three_classes()), ValueError, "4 features"),
    (lambda: plots.training_points(three_classes()), ValueError, "4 features; expected 2"),
    (lambda: plots.difference_map(A, tiny(2), 0, three_classes()), ValueError, "4 features"),
    (lambda: plots.training_points(MOONS.x_train), TypeError, "problem is Tensor"),
    (lambda: plots.curve([1, 2], ESTIMATES), ValueError, r"shapes \(2,\) and \(3,\)"),
)
def test_nonsense_is_refused(call, error, message, ax):
    with pytest.raises(error, match=message):
        call()
