"""The playground on a square of one's own: both orders live in JupyterLab, nodes removed by hand.

What runs is the page "Which first?" of the site, on the networks of the square.
"""

import base64
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from anywidget import AnyWidget
from torch import Tensor
from traitlets import Dict, Int, List, Unicode, observe, validate

from helpers import checks, plots
from helpers.bundle import bundle
from helpers.compare import box
from helpers.data import Problem
from helpers.networks import Networks
from helpers.pruning import Kept, check_kept
from helpers.sliders import picture
from helpers.square import OTHER, Square

FORMAT = 1  # of what is exported
PLAYGROUND = Path(__file__).resolve().parents[1] / "report/playground"
LARGEST_SEED = 2**53 - 1 - OTHER  # JavaScript's integers end at 2**53 - 1


def exported(square: Square, seed: int | None = None, title: str = "") -> dict:
    """Return one network's square as the playground reads it: JSON with arrays in base64.

    seed: of the network, by default the first; title: shown above it. Weights and points are
    stored in single precision, points feature by feature. Raises ValueError for a square made by
    hand, of another than 2 features, without hidden layers, or with a seed that is not in it or
    that browsers cannot represent.
    """
    problem, recipe = square.problem, square.recipe
    for name in ("problem", "recipe", "compensation"):
        if getattr(square, name) is None:
            raise ValueError(f"square.{name} is None; expected a square from commute or close")
    half = box(problem)[0][1]
    hidden = list(square.initial.widths[1:-1])
    if not hidden:
        raise ValueError("square has networks without hidden layers; expected nodes to remove")
    i = _place(square, seed)
    seed = checks.integer("seed", square.initial.seeds[i], 0, LARGEST_SEED)
    return {
        "format": FORMAT, "title": title, "problem": _problem(problem, half),
        "setting": {"noise": None, "data_seed": None, "hidden": hidden, "seed": seed,
                    **asdict(recipe), "betas": list(recipe.betas),
                    "criterion": None, "fraction": None, "compensation": square.compensation},
        "kept": [layer[i].tolist() for layer in square.kept],
        **{name: _network(f"square.{name}", getattr(square, name).select(i))
           for name in ("initial", "dense", "prune_first")},
    }


class Explorer(AnyWidget):
    """The playground on one network of a square; the nodes that stay are read back as `kept`.

    square: from `commute` or `close`, on a problem of 2 features; seed: of the network shown first,
    by default the first; a menu offers the others. Errors as in `exported`, and FileNotFoundError
    without the playground's source, which is in the repository.
    """

    _esm, _css, _worker = (Unicode().tag(sync=True) for _ in range(3))
    seeds = List(Int()).tag(sync=True)
    seed = Int().tag(sync=True)
    given = Dict().tag(sync=True)
    _kept = List(List(Int())).tag(sync=True)

    def __init__(self, square: Square, seed: int | None = None):
        self.square = square
        given = exported(square, seed)
        module, style, worker = _source()
        super().__init__(_esm=module, _css=style, _worker=worker, seeds=square.initial.seeds,
                         seed=given["setting"]["seed"], given=given, _kept=given["kept"])

    @property
    def initial(self) -> Networks:
        """The untrained network shown, ready for `prune`."""
        return self.square.initial.select(_place(self.square, self.seed))

    @property
    def dense(self) -> Networks:
        """The trained network shown, ready for `prune`."""
        return self.square.dense.select(_place(self.square, self.seed))

    @property
    def kept(self) -> Kept:
        """The nodes that stay as now chosen, per hidden layer (1, kept nodes), as `prune` takes."""
        kept = tuple(torch.tensor([layer], dtype=torch.int64) for layer in self._kept)
        check_kept(self.initial, kept)
        return kept

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        shown, _ = super()._repr_mimebundle_(**kwargs)
        place = _place(self.square, self.seed)
        png, size = picture(lambda: _captioned_row(self.square, place))
        widths = "-".join(map(str, self.square.initial.widths))
        words = f"Explorer of {self.square.problem.name}, {widths}, seed {self.seed}"
        return {**shown, "image/png": base64.b64encode(png).decode(), "text/plain": words}, {
            "image/png": size}

    @validate("seed")
    def _seed_of_the_square(self, proposal) -> int:
        return checks.one_of("seed", proposal["value"], self.square.initial.seeds)

    @observe("seed")
    def _show_seed(self, change) -> None:
        given = exported(self.square, self.seed)
        self.given, self._kept = given, given["kept"]


def _captioned_row(square: Square, place: int) -> np.ndarray:
    axes = plots.square_row(square, place, square.problem)
    plots.caption(axes[0], f"Seed {square.initial.seeds[place]}: one network, one data draw. "
                           "Purple: class 0, green: class 1, white: undecided.")
    return axes


@cache
def _source() -> tuple[str, str, str]:
    """Return the playground as a module, its style sheet, and the script of its worker."""
    if not PLAYGROUND.is_dir():
        raise FileNotFoundError(f"there is no {PLAYGROUND}; Explorer needs the whole repository")
    return (f"export default {bundle(PLAYGROUND, 'widget.js')};",
            (PLAYGROUND / "playground.css").read_text(encoding="utf-8"),
            bundle(PLAYGROUND, "worker.js"))


def _place(square: Square, seed: int | None) -> int:
    """Return which network of the square has a seed; None means the first."""
    seeds = square.initial.seeds
    return 0 if seed is None else seeds.index(checks.one_of("seed", seed, seeds))


def _problem(problem: Problem, half: float) -> dict:
    classes = checks.integer("problem.classes", problem.classes, 2, 256)
    parts = {"train": (problem.x_train, problem.y_train),
             "held_out": (problem.x_test, problem.y_test)}
    return {"name": problem.name, "classes": classes, "half": half} | {
        name: {"x": _base64(f"x of {name}", x.T, "<f4"), "y": _base64(f"y of {name}", y, "u1"),
               "count": len(x)} for name, (x, y) in parts.items()}


def _network(name: str, network: Networks) -> dict:
    """Return the weights (fan-out, fan-in) and biases of one network, layer by layer."""
    return {"widths": list(network.widths)} | {
        kind: [_base64(f"{name}.{kind}[{k}]", values[0], "<f4")
               for k, values in enumerate(getattr(network, kind))]
        for kind in ("weights", "biases")}


def _base64(name: str, values: Tensor, kind: str) -> str:
    """Return numbers row by row as base64 of NumPy's type `kind`."""
    numbers = values.detach().numpy().astype(kind)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds NaN or infinite values; expected finite numbers")
    return base64.b64encode(numbers.tobytes()).decode()
