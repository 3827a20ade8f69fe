"""Plots give their axis back and draw what they should."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from examples import FEW, MOONS, refuses, three_classes, tiny
from helpers import plots
from helpers.compare import box, classify, plane, probabilities
from helpers.data import digits
from helpers.intervals import Estimate
from helpers.pruning import prune
from helpers.regions import linear_regions
from helpers.removals import without_node
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


def test_the_commuting_square_shows_its_corners_and_says_how_far_they_are_apart(ax):
    square = commute(A, MOONS, FEW, "std", 0.5)
    shares = [Estimate(k / 10, k / 10 - 0.05, k / 10 + 0.025, 8, 2) for k in (1, 2, 3)]
    assert plots.commuting_square(square, 2, MOONS, *shares, ax, resolution=7) is ax
    corners = {"initial": square.initial, "dense": square.dense,
               "prune first (B)": square.prune_first, "train first (A)": square.train_first}
    assert [own.get_title(loc="center") for own in ax.child_axes] == list(corners)
    for own, networks in zip(ax.child_axes, corners.values(), strict=True):
        expected = probabilities(networks, plane(MOONS, 7))[2, :, 1].view(7, 7)
        np.testing.assert_allclose(image(own), expected, rtol=1e-6)
    said = [text.get_text() for text in ax.texts if text.get_text()]
    assert said[2:] == [f"prune: changes\n{shares[0]}", f"apart on\n{shares[1]}",
                        f"B, trained again:\n{shares[2]}"]


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


def test_gain_curves_shade_the_margin_and_name_every_curve(ax):
    gains = {"dense": ESTIMATES[::-1], "prune first (B)": ESTIMATES}
    assert plots.gain_curves([5, 50, 500], gains, 0.01, ax) is ax
    zero, *curves = ax.lines
    assert set(zero.get_ydata()) == {0}
    assert [line.get_label() for line in curves] == list(gains)
    assert [line.get_color() for line in curves] == [plots.CORNERS[name] for name in gains]
    assert [list(line.get_ydata()) for line in curves] == [[2, 3, 1], [1, 3, 2]]
    shaded = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (shaded.y0, shaded.y1) == pytest.approx((-0.01, 0.01))
    place = ax.yaxis.get_transform().transform(np.array([-0.01, 0, 0.01, 0.1, 1]))
    assert np.ptp(np.diff(place)[:2]) == pytest.approx(0)
    assert np.ptp(np.diff(place)[2:]) == pytest.approx(0)
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert labels == ["-1", "-0.1", "-0.01", "0", "+0.01", "+0.1"]


def test_gain_panels_share_their_axes_and_their_names():
    gains = {"dense": ESTIMATES[::-1], "prune first (B)": ESTIMATES}
    shown = {"few": gains, "many": {"dense": ESTIMATES}, "more": gains, "most": gains}
    axes = plots.gain_panels([5, 50, 500], shown, 0.01, "points", 2, xscale="log",
                             colours=dict.fromkeys(gains, "#0072B2"))
    assert [ax.get_title() for ax in axes] == list(shown)
    assert [len(ax.lines) for ax in axes] == [3, 2, 3, 3]
    assert {line.get_color() for ax in axes for line in ax.lines[1:]} == {"#0072B2"}
    assert all(ax.get_ylim() == axes[0].get_ylim() for ax in axes)
    assert all(ax.get_xscale() == "log" and list(ax.get_xticks()) == [5, 50, 500] for ax in axes)
    labels = [(bool(ax.get_xlabel()), bool(ax.get_ylabel())) for ax in axes]
    assert labels == [(False, True), (False, False), (True, True), (True, False)]
    assert [text.get_text() for text in axes[2].get_xticklabels()] == ["5", "50", "500"]
    assert not len(axes[0].xaxis.get_minorticklocs())
    assert [len(ax.texts) for ax in axes] == [0, 0, 0, len(gains)]
    plt.close("all")


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


def test_main_kernel_shows_the_weights_of_one_network_in_both_orders(ax):
    square = commute(A, MOONS, FEW, "std", 0.4)
    assert plots.main_kernel(square, 2, FEW, ax, reach=0.5) is ax
    drawn = np.concatenate([dots.get_offsets() for dots in ax.collections])
    pair = [n.weights[1][2].detach().flatten() for n in (square.train_first, square.prune_first)]
    assert sorted(drawn.tolist()) == sorted(torch.stack(pair, 1).tolist())
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert ax.get_xlim() == (-0.5, 0.5) and names == list(plots.MOVEMENT_COLOURS)


def test_gradient_scatter_splits_by_coasting(ax):
    gradient, moved = torch.tensor([-1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    plots.gradient_scatter(gradient, moved, torch.tensor([True, False, False]), ax)
    drawn = {c.get_label(): c.get_offsets().tolist() for c in ax.collections}
    assert drawn == {"trained": [[2, 5], [3, 6]], "coasted": [[1, 4]]}


def test_move_histogram_stacks_shares_of_all_weights(ax):
    named = {"early": torch.tensor([0.0, 1.0, 1.0]), "late": torch.tensor([1.0, 2.0])}
    plots.move_histogram(named, [1.5], ax, reach=3)
    heights = [patch.get_xy()[:, 1].max() for patch in ax.patches]
    assert sorted(heights) == pytest.approx([0.4, 0.6])  # 2 of 5 early, 3 of 5 with late on top
    assert ax.lines[0].get_xdata() == [1.5, 1.5]


def test_names_stand_beside_the_ends_of_their_lines_and_apart(ax):
    for end, name in ((1, "low"), (9, "high"), (9, "same")):
        ax.plot([0, 1], [5, end], label=name)
    ax.plot([0, 1], [5, 5])
    ax.set(yscale="log", ylim=(1, 100))
    assert plots.names_beside(ax) is ax
    low, *pair = ax.texts
    heights = {text.get_text(): text.xy[1] for text in ax.texts}
    assert (low.xy, low.get_color()) == ((1, 0), ax.lines[0].get_color())
    assert np.mean([heights["high"], heights["same"]]) == pytest.approx(np.log10(9) / 2)
    boxes = [text.get_window_extent() for text in pair]
    assert not boxes[0].overlaps(boxes[1]) and boxes[0].x0 > ax.get_window_extent().x1


def test_a_phase_map_has_its_shares_between_its_rows(ax):
    table = pd.DataFrame([[1, 2], [3, 4]], index=[0.2, 0.6], columns=["a", "b"])
    assert plots.phase_map(table, {"dead": [0.3, 0.6], "beyond": [0, 1]}, ax) is ax
    assert [text.get_text() for text in ax.texts] == ["1.00", "2.00", "3.00", "4.00"]
    line, beyond = ax.lines
    np.testing.assert_allclose(line.get_xydata(), [[0.5, 0.75], [1.5, 1.5]])
    np.testing.assert_allclose(beyond.get_xydata(), [[0.5, 0], [1.5, 2]])  # past all rows
    assert ax.get_ylim() == (0, 2) and line.get_label() == "dead"


def test_the_legend_stands_beside(ax):
    ax.plot([0, 1], label="line")
    assert plots.legend_beside(ax).get_legend().get_texts()[0].get_text() == "line"


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


def test_one_panel_has_its_size():
    assert plots.panel(4, 2).figure.get_size_inches().tolist() == [4, 2]
    plt.close("all")


def test_plane_image_puts_every_value_in_its_place(ax):
    assert plots.plane_image(np.arange(9), MOONS, ax, cmap="Greys") is ax
    assert image(ax).tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert ax.images[0].origin == "lower" and ax.images[0].get_cmap().name == "Greys"


def test_first_images_of_all_classes_side_by_side(ax):
    problem = digits()
    plots.first_images(problem, ax)
    for k in range(10):
        row, column = divmod(k, 5)
        own = image(ax)[9 * row:9 * row + 8, 9 * column:9 * column + 8]
        first = problem.x_train[problem.y_train == k][0]
        np.testing.assert_array_equal(own, first.view(8, 8))


def ladder_table():
    index = pd.MultiIndex.from_product([["first", "last"], ["std", "random"], range(3)],
                                       names=["layers", "criterion", "node"])
    return pd.DataFrame({"a_bound": 10.0 ** np.arange(12), "tight": 10.0, "change": 0.1}, index)


def test_clouds_have_a_panel_for_each_bound_and_a_colour_for_each_layer():
    measured = dict.fromkeys(["a_bound", "tight"], "change")
    axes = plots.clouds(ladder_table(), measured, {"first": "1st", "last": "2nd"}, columns=2)
    assert [ax.get_title() for ax in axes] == ["a bound", "tight"]
    first, last, diagonal = axes[0].lines
    np.testing.assert_array_equal(last.get_ydata(), 10.0 ** np.arange(6, 12))
    assert (last.get_xdata() == 0.1).all() and first.get_color() != last.get_color()
    assert diagonal.get_linestyle() == "--" and axes[0].get_xscale() == "log"
    assert [text.get_text() for text in axes[-1].get_legend().get_texts()] == ["1st", "2nd"]
    thinned = plots.clouds(ladder_table(), measured, {"last": "2nd"}, columns=1, most=2)
    np.testing.assert_array_equal(thinned[0].lines[0].get_ydata(), [1e6, 1e9])
    plt.close("all")


def test_ratio_boxes_have_medians_and_the_line_at_one(ax):
    colours = {"random": "blue", "std": "red"}
    ratios = ladder_table()[["a_bound", "tight"]]
    assert plots.ratio_boxes(ratios, "criterion", colours, ax) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a bound", "tight"]
    drawn = [line.get_xdata() for line in ax.lines]
    assert any(np.allclose(x, 10.0) for x in drawn) and list(drawn[-1]) == [1, 1]
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["random", "std"]


def test_waterfall_steps_from_the_product_down_to_one(ax):
    factors = pd.Series({"margins": 2.0, "norms": 1.0, "nothing": 0.0})
    assert plots.waterfall(factors, ax) is ax
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(ends, [(10, 1000), (1, 10), (1, 1)])
    assert [text.get_text() for text in ax.texts] == ["× 100", "× 10", "× 1"]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(factors.index)
    assert ax.get_xscale() == "log" and ax.get_ylim()[0] > ax.get_ylim()[1]


def test_node_row_shows_the_node_and_the_network_with_and_without_it():
    axes = plots.node_row(A, 1, 0, 3, MOONS, resolution=9)
    outputs = A.activations(plane(MOONS, 9))[0][1, :, 3].detach().view(9, 9)
    np.testing.assert_allclose(image(axes[0]), outputs)
    without = prune(A, without_node(A, 0, 3), MOONS)
    for ax, networks in zip(axes[1:], (A, without), strict=True):
        expected = probabilities(networks, plane(MOONS, 9))[1, :, 1].view(9, 9)
        np.testing.assert_allclose(image(ax), expected, rtol=1e-6)
    plt.close("all")


def test_compared_series_share_rows_in_order_and_leave_gaps():
    series = {"dense": NAMED, "prune first (B)": {"else": ESTIMATES[0]}}
    axes = plots.compared({"std": series, "random": {"dense": NAMED}}, list(NAMED))
    assert [ax.get_title() for ax in axes] == ["std", "random"]
    first, second = axes[0].lines
    assert list(first.get_xdata()) == [1, 3, 2] and list(second.get_xdata()) == [1]
    assert list(np.round(first.get_ydata())) == [0, 1, 2] and round(second.get_ydata()[0]) == 2
    assert first.get_ydata()[2] < second.get_ydata()[0], "the first series is uppermost"
    spans = [path.vertices[:, 0].tolist() for path in axes[0].collections[0].get_paths()]
    assert spans == [[e.low, e.high] for e in ESTIMATES]
    colours = [to_hex(line.get_color()).upper() for line in axes[0].lines]
    assert colours == [plots.CORNERS["dense"], plots.CORNERS["prune first (B)"]]
    assert [label.get_text() for label in axes[0].get_yticklabels()] == list(NAMED)
    bottom, top = axes[0].get_ylim()
    assert bottom > top and axes[1].get_legend() is not None
    plt.close("all")


def test_compared_shares_stand_on_labelled_share_axes():
    shown = {"std": {"dense": NAMED}, "random": {"dense": NAMED}}
    axes = plots.compared_shares(shown, list(NAMED), "share of points")
    for ax in axes:
        assert ax.get_xscale() == "symlog" and ax.get_xlabel() == "share of points"
    assert [label.get_text() for label in axes[0].get_yticklabels()] == list(NAMED)
    plt.close("all")


def test_crosses_have_a_dot_and_both_intervals(ax):
    assert plots.crosses(ESTIMATES[:2], ESTIMATES[1:], ax, "s", color="#123456", label="all") is ax
    dots, = ax.lines
    assert dots.get_xydata().tolist() == [[1, 3], [3, 2]]
    assert dots.get_marker() == "s" and dots.get_label() == "all"
    across, up = ([path.vertices.tolist() for path in lines.get_paths()]
                  for lines in ax.collections)
    assert across == [[[0.5, 3], [1.25, 3]], [[2.5, 2], [3.25, 2]]]
    assert up == [[[1, 2.5], [1, 3.25]], [[3, 1.5], [3, 2.25]]]
    assert {to_hex(lines.get_color()[0]) for lines in ax.collections} == {"#123456"}


def test_marked_numbers_have_their_mark_and_colour(ax):
    numbers = pd.DataFrame({"a": [0.1234, -1e-9], "b": [-1, np.nan]}, index=["p", "q"])
    marks = pd.DataFrame({"a": [1, 0], "b": [-1, np.nan]}, index=["p", "q"])
    assert plots.marked(numbers, marks, ax) is ax
    assert [text.get_text() for text in ax.texts] == ["✓ 0.123", "✗ -1.000", "? 0.000"]
    cells, = ax.collections
    colours = [to_hex(colour).upper() for colour in cells.get_facecolors()]
    assert colours[:3] == ["#9DC3E6", "#F4B183", "#EEEEEE"]
    assert cells.get_facecolors()[3, 3] == 0, "a cell that was not measured is empty"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["p", "q"]


@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_share_axis_is_linear_below_and_logarithmic_above(ax, axis):
    assert plots.share_axis(ax, axis) is ax
    place = getattr(ax, f"{axis}axis").get_transform().transform
    zero, half, whole, tenth, one = place(np.array([0, 0.005, 0.01, 0.1, 1]))
    assert half - zero == pytest.approx(whole - half)
    assert tenth - whole == pytest.approx(one - tenth)
    ticks = getattr(ax, f"get_{axis}ticklabels")()
    assert [tick.get_text() for tick in ticks] == ["0", "0.01", "0.1", "1"]
    line, = ax.lines
    assert set(getattr(line, f"get_{axis}data")()) == {0.01}


def test_a_course_is_the_estimate_of_every_step(ax):
    values = np.random.default_rng(0).normal(size=(3, 2, 4))
    assert plots.course([0, 5, 9], values, ax, "black", statistic=np.nanmean) is ax
    line, = ax.lines
    assert list(line.get_xdata()) == [0, 5, 9]
    np.testing.assert_allclose(line.get_ydata(), values.mean((1, 2)))


def test_a_region_map_has_a_polygon_of_its_colour_for_every_region(ax):
    regions = linear_regions(A, 1, box(MOONS))
    values = np.arange(len(regions)) % 7
    assert plots.region_map(regions, values, MOONS, ax, clim=(0, 9)) is ax
    drawn, = ax.collections
    assert len(drawn.get_paths()) == len(regions) > 7
    for path, corners in zip(drawn.get_paths(), regions.polygons, strict=True):
        np.testing.assert_array_equal(path.vertices[:-1], corners)
    np.testing.assert_array_equal(drawn.get_array(), values)
    assert drawn.get_clim() == (0, 9) and ax.get_xlim() == pytest.approx(box(MOONS)[0])


def test_a_certainty_map_tells_certain_open_and_changed_apart(ax):
    certain = torch.tensor([True, False, False, False, True, False, True, True, True])
    changed = torch.tensor([False, False, True, True, False, False, False, False, False])
    assert plots.certainty_map(certain, changed, MOONS, ax) is ax
    np.testing.assert_array_equal(image(ax), [[0, 1, 2], [2, 0, 1], [0, 0, 0]])
    assert ax.images[0].get_clim() == (0, 2)
    assert ax.get_title() == "56% certain, 22% change"
