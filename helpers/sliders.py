"""Controls over a figure: live in JupyterLab, a picture of the first state where no kernel runs."""

import base64
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from html import escape
from numbers import Real

import matplotlib.pyplot as plt
import numpy as np
from IPython.core.pylabtools import retina_figure
from ipywidgets import HTML, Dropdown, HBox, Image, Layout, SelectionSlider, VBox
from matplotlib.axes import Axes

from helpers import checks, plots
from helpers.data import Problem
from helpers.pruning import choose
from helpers.recipes import Recipe
from helpers.square import Square, close

FRACTIONS = tuple(k / 10 for k in range(10))


class Sliders:
    """A figure that is drawn anew when one of its `controls` moves; states seen once are kept.

    draw: called with a value of every name, returns the axes it drew; start: the first value of
    every name; choices: the values of every name, in order. Numbers get a slider, words a menu, a
    single value no control. What `draw` raises later is shown in a line under the controls.
    Raises TypeError or ValueError for choices without values, with one twice or that cannot be
    hashed, or without the start.
    """

    def __init__(self, draw: Callable, start: dict, **choices: Iterable):
        choices = {name: _distinct(name, values) for name, values in choices.items()}
        if start.keys() != choices.keys():
            raise ValueError(f"start names {list(start)}; expected {list(choices)}")
        self.shown = {name: checks.one_of(f"start[{name!r}]", start[name], values)
                      for name, values in choices.items()}
        self._draw, self._pictures = draw, {}
        size = Layout(max_width="100%", align_self="flex-start")  # never stretched
        self.image = Image(layout=size)
        self._show(self.shown)
        self.message = HTML(layout=Layout(min_height="2em"))  # so that the figure stays in place
        self.controls = {name: _control(name, values, start[name])
                         for name, values in choices.items() if len(values) > 1}
        for control in self.controls.values():
            control.observe(self._update, "value")
        spaced = Layout(flex_flow="row wrap", grid_gap="0 1.5em")
        row = HBox([*self.controls.values()], layout=spaced)
        self.box = VBox([row, self.message, self.image])

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        words = ", ".join(f"{name} {_label(value)}" for name, value in self.shown.items())
        png, size = self._picture(self.shown)
        return {**self.box._repr_mimebundle_(), "image/png": base64.b64encode(png).decode(),
                "text/plain": f"Sliders at {words}"}, {"image/png": size}

    def _update(self, change) -> None:
        said, self.message.value = "", "computing ..."
        state = self.shown | {name: control.value for name, control in self.controls.items()}
        try:
            self._show(state)
        except Exception as error:  # whatever it is: the reader sees it and moves on
            line = f"{type(error).__name__}: {error}".splitlines()[0]
            said = escape(f"{line} (the figure shows the state before)")
        finally:
            self.message.value = said

    def _show(self, state: dict) -> None:
        self.image.value, size = self._picture(state)
        self.image.layout.width, self.shown = f"{size['width']}px", state

    def _picture(self, state: dict) -> tuple[bytes, dict]:
        key = tuple(state.values())
        if key not in self._pictures:
            self._pictures[key] = picture(self._draw, **state)
        return self._pictures[key]


def picture(draw: Callable, **state) -> tuple[bytes, dict]:
    """Return the figure that `draw(**state)` gives axes of, as the PNG that a notebook would show.

    And its width and height, half of its pixels. Every figure made meanwhile is closed. Raises
    TypeError unless `draw` returns axes.
    """
    with _closed_figures():
        axes = draw(**state)
        first = next(iter(np.ravel(axes)), None)
        if not isinstance(first, Axes):
            raise TypeError(f"draw returned {checks.shown(axes)}; expected axes")
        return retina_figure(first.figure)


def square_sliders(draw: Callable, square: Square, problem: Problem, recipe: Recipe, *,
                   criterion: str, fraction: float, seed: int, criteria: Iterable[str],
                   caption: str, fine_tune_steps: int = 0) -> Sliders:
    """Return sliders for criterion, fraction and seed over a figure of one network's square.

    draw: as `plots.square_row`, called with a square of one network, 0 and the problem; square: of
    all networks to choose from, by their seeds; criterion, fraction, seed: the first state;
    caption: what to read in the figure, written under the state. For every state the nodes of the
    one network are chosen, removed, and B is trained; its dense network is that of `square`.
    """
    def draw_state(criterion, fraction, seed):
        one = square_of_one(square, problem, recipe, criterion, fraction, seed, fine_tune_steps)
        axes = draw(one, 0, problem)
        plots.caption(np.ravel(axes)[0], f"Criterion {criterion}, fraction {fraction:g}, seed "
                      f"{seed}: one network, one data draw.\n{caption}")
        return axes

    fraction = checks.real("fraction", fraction, 0, 1)
    start = {"criterion": criterion, "fraction": fraction, "seed": seed}
    return Sliders(draw_state, start, criterion=criteria, fraction=sorted({*FRACTIONS, fraction}),
                   seed=square.initial.seeds)


def square_of_one(square: Square, problem: Problem, recipe: Recipe, criterion: str,
                  fraction: float, seed: int, fine_tune_steps: int = 0) -> Square:
    """Return the square of the network with this seed at another criterion or fraction.

    The same bits as in a square of all networks; nodes are chosen on the dense network.
    """
    checks.one_of("seed", seed, square.initial.seeds)
    index = square.initial.seeds.index(seed)
    initial, dense = square.initial.select(index), square.dense.select(index)
    kept = choose(dense, problem, criterion, fraction)
    return close(initial, dense, kept, problem, recipe, fine_tune_steps=fine_tune_steps)


def _distinct(name: str, values: Iterable) -> list:
    values = checks.several(name, values)
    try:
        distinct = set(values)
    except TypeError:
        raise TypeError(f"{name} is {checks.shown(values)}; expected values that can be hashed, "
                        "such as numbers or texts") from None
    if not values or len(distinct) < len(values):
        raise ValueError(f"{name} is {checks.shown(values)}; expected some values, none of them "
                         "twice")
    return values


def _control(name: str, values: list, start) -> SelectionSlider | Dropdown:
    settings = {"options": [(_label(value), value) for value in values], "value": start,
                "description": name, "tooltip": name, "style": {"description_width": "initial"}}
    if all(isinstance(value, Real) for value in values):
        return SelectionSlider(continuous_update=False, **settings)
    return Dropdown(layout=Layout(width="auto"), **settings)


def _label(value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@contextmanager
def _closed_figures() -> Iterator[None]:
    before = set(plt.get_fignums())
    try:
        yield
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)
