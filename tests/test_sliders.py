"""Sliders redraw a figure in place, and carry a picture of it for where no kernel runs."""

import base64
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from ipywidgets import Dropdown, SelectionSlider

from examples import FEW, MOONS, refuses, same_bits, tiny
from helpers import plots
from helpers.sliders import FRACTIONS, Sliders, picture, square_of_one, square_sliders
from helpers.square import commute

VIEW = "application/vnd.jupyter.widget-view+json"
ROWS = torch.ones(2, 2)  # shown in two lines
SQUARE = commute(tiny(), MOONS, FEW, "std", 0.4, fine_tune_steps=5)


def line(slope, style="-"):
    ax = plots.panel(2, 1)
    ax.plot([0, 1], [0, slope], style)
    return ax


def lines():
    return Sliders(line, {"slope": 2, "style": "-"}, slope=[1, 2, 3], style=["-", ":"])


def test_it_shows_both_a_widget_and_a_picture_of_the_first_state():
    sliders = lines()
    bundle, metadata = sliders._repr_mimebundle_()
    png, size = picture(line, slope=2, style="-")
    assert bundle[VIEW]["model_id"] and bundle["text/plain"] == "Sliders at slope 2, style -"
    assert base64.b64decode(bundle["image/png"]) == png and metadata["image/png"] == size
    assert sliders.image.layout.width == f"{size['width']}px"


def test_a_moved_control_redraws_the_figure_and_moved_back_restores_it():
    sliders = lines()
    first = sliders.image.value
    state = {"slope": 2, "style": "-"}
    for name, value in (("slope", 3), ("style", ":")):
        sliders.controls[name].value = state[name] = value
        assert sliders.image.value == picture(line, **state)[0]
        assert sliders.image.value != first and sliders.message.value == ""
    sliders.controls["style"].value, sliders.controls["slope"].value = "-", 2
    assert sliders.image.value == first


def test_a_state_seen_before_is_not_drawn_again():
    drawn = []
    sliders = Sliders(lambda slope: drawn.append(slope) or line(slope), {"slope": 1}, slope=[1, 2])
    for value in (2, 1, 2):
        sliders.controls["slope"].value = value
    assert drawn == [1, 2]


def test_it_says_that_it_computes_while_it_does():
    said = []

    def draw(slope):
        said.append(sliders.message.value if slope == 2 else None)
        return line(slope)

    sliders = Sliders(draw, {"slope": 1}, slope=[1, 2])
    sliders.controls["slope"].value = 2
    assert said == [None, "computing ..."] and sliders.message.value == ""


def test_numbers_get_a_slider_words_a_menu_and_a_single_value_no_control():
    sliders = Sliders(lambda **_: line(1), {"share": 0.5, "rule": "a", "seed": 7},
                      share=np.array([0.25, 0.5]), rule=["a", "<b>"], seed=[7])
    share, rule = sliders.controls.values()
    assert (share.description, rule.description) == ("share", "rule")
    assert isinstance(share, SelectionSlider) and not share.continuous_update
    assert isinstance(rule, Dropdown) and [label for label, _ in share.options] == ["0.25", "0.5"]
    assert sliders.shown == {"share": 0.5, "rule": "a", "seed": 7}


def test_an_error_is_shown_in_one_line_and_the_controls_go_on():
    def draw(slope):
        if slope == 2:
            plots.panel()
            raise ValueError("slope is <2>;\nexpected another")
        return line(slope)

    sliders = Sliders(draw, {"slope": 1}, slope=[1, 2, 3])
    first = sliders.image.value
    sliders.controls["slope"].value = 2
    assert sliders.message.value == (
        "ValueError: slope is &lt;2&gt;; (the figure shows the state before)")
    assert sliders.image.value == first and sliders.shown == {"slope": 1}
    assert not plt.get_fignums(), "a figure was left open"
    sliders.controls["slope"].value = 3
    assert sliders.message.value == "" and sliders.image.value == picture(line, slope=3)[0]


def test_only_its_own_figures_are_closed():
    mine = plt.figure()
    lines().controls["slope"].value = 3
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)


def test_the_picture_is_what_the_notebook_would_show():
    ax = line(2)
    png, size = picture(lambda: line(2))
    pixels = plt.imread(BytesIO(png)).shape[1::-1]
    inches = ax.figure.get_tightbbox().padded(plt.rcParams["savefig.pad_inches"]).size
    plt.close(ax.figure)
    assert pixels == pytest.approx(2 * inches * plt.rcParams["figure.dpi"], abs=1)
    assert (size["width"], size["height"]) == tuple(side // 2 for side in pixels)


def test_the_square_of_one_network_has_the_bits_it_has_in_company():
    for i, seed in enumerate(SQUARE.initial.seeds):
        one = square_of_one(SQUARE, MOONS, FEW, "std", 0.4, seed, 5)
        for name in ("dense", "train_first", "fine_tuned", "prune_first"):
            assert same_bits(getattr(one, name), getattr(SQUARE, name).select(i)), name


def test_at_fraction_0_both_orders_are_the_dense_network():
    one = square_of_one(SQUARE, MOONS, FEW, "random", 0, 1)
    assert same_bits(one.train_first, one.dense) and same_bits(one.prune_first, one.dense)


def squares(draw=plots.square_row, **settings):
    start = {"criterion": "std", "fraction": 0.4, "seed": 1, "criteria": ["random", "std"]}
    return square_sliders(draw, SQUARE, MOONS, FEW, caption="Red: differs.", **start | settings)


def test_sliders_of_a_square_draw_the_network_at_the_state_and_say_which():
    seen = []

    def draw(square, i, problem):
        ax = line(1)
        seen.append((square, i, problem, ax.figure))
        return ax

    sliders = squares(draw, fraction=0.25, fine_tune_steps=5)
    options = {name: [value for _, value in c.options] for name, c in sliders.controls.items()}
    assert options == {"criterion": ["random", "std"], "seed": [0, 1, 2],
                       "fraction": sorted([*FRACTIONS, 0.25])}
    for name, value in (("fraction", 0.4), ("criterion", "random"), ("seed", 2)):
        sliders.controls[name].value = value
    assert sliders.message.value == ""
    states = [("std", 0.25, 1), ("std", 0.4, 1), ("random", 0.4, 1), ("random", 0.4, 2)]
    for (square, i, problem, figure), state in zip(seen, states, strict=True):
        expected = square_of_one(SQUARE, MOONS, FEW, *state, 5)
        assert (i, problem) == (0, MOONS) and same_bits(square.fine_tuned, expected.fine_tuned)
        words = "Criterion {}, fraction {}, seed {}: one network, one data draw.\nRed: differs."
        assert figure.get_supxlabel() == words.format(*state)


def test_the_figures_of_a_square_differ_between_states():
    sliders = squares()
    shown = {sliders.image.value}
    for name, value in (("fraction", 0.9), ("criterion", "random"), ("seed", 2)):
        sliders.controls[name].value = value
        shown.add(sliders.image.value)
    assert len(shown) == 4 and not plt.get_fignums()


@refuses(
    (lambda: Sliders(line, {}, slope=[]), ValueError, r"^slope is \[\]; expected some values"),
    (lambda: Sliders(line, {"slope": 1}, slope=[1, 1]), ValueError, "none of them twice$"),
    (lambda: Sliders(line, {"slope": 1}, slope=[ROWS] * 2), ValueError,
     r"^slope is \[tensor\(.*; expected some values, none of them twice$"),
    (lambda: Sliders(line, {"slope": 1}, slope=[1, (2, [3])]), TypeError,
     r"^slope is \[1, \(2, \[3\]\)\]; expected values that can be hashed, such as"),
    (lambda: picture(lambda: ROWS), TypeError, r"^draw returned tensor\(.*; expected axes$"),
    (lambda: Sliders(line, {"slope": 1}, slope=1), TypeError, "^slope is 1; expected several"),
    (lambda: Sliders(line, {"slope": "std"}, slope="std"), TypeError, "^slope is 'std'; expected"),
    (lambda: Sliders(line, {"slop": 1}, slope=[1]), ValueError,
     r"^start names \['slop'\]; expected \['slope'\]$"),
    (lambda: Sliders(line, {"slope": 4}, slope=[1, 2]), ValueError,
     r"^start\['slope'\] is 4; expected one of 1, 2$"),
    (lambda: Sliders(lambda slope: None, {"slope": 1}, slope=[1, 2]), TypeError,
     "^draw returned None; expected axes$"),
    (lambda: squares(seed=5), ValueError, r"^start\['seed'\] is 5; expected one of 0, 1, 2$"),
    (lambda: squares(criterion="best"), ValueError, r"^start\['criterion'\] is 'best'; expected"),
    (lambda: squares(fraction=1.5), ValueError, "^fraction is 1.5; expected"),
    (lambda: square_of_one(SQUARE, MOONS, FEW, "std", 0.5, 9), ValueError, "^seed is 9; expected"),
    (lambda: square_of_one(SQUARE, MOONS, "post", "std", 0.5, 0), TypeError, "^recipe is 'post'"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
    assert not plt.get_fignums(), "a figure was left open"
