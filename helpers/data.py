"""Classification problems, split into training and held-out points and standardised.

Data belong to the problem's seed: every network of a study sees the same points. label_noise, in
[0, 0.5], is the share of the training labels that is flipped; held-out labels stay clean.
"""

import math
import random
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_complex_dtype, is_numeric_dtype
from sklearn.datasets import load_digits, make_circles, make_moons
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

from helpers import checks
from helpers.streams import stream


@dataclass(frozen=True, eq=False)
class Problem:
    """Training and held-out points of one draw of a problem, in units of the training spread.

    x_train, x_test: float32 (points, features); y_train, y_test: int64 labels (points,) below
    `classes`. Every feature has training mean 0 and standard deviation 1 (ddof = 0). Raises
    TypeError or ValueError for points that are not finite, labels that do not fit or a name that
    is not a text on one line.
    """

    name: str
    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    classes: int

    def __post_init__(self):
        checks.line("name", self.name)
        checks.integer("classes", self.classes, 2)
        checks.points("x_train", self.x_train)
        checks.points("x_test", self.x_test, self.features)
        checks.labels("y_train", self.y_train, len(self.x_train), self.classes)
        checks.labels("y_test", self.y_test, len(self.x_test), self.classes)

    @property
    def features(self) -> int:
        """Number of input features."""
        return self.x_train.shape[1]

    @classmethod
    def from_arrays(cls, x, y, held_out: float = 0.5, seed: int = 0, name: str = "arrays"):
        """Split the user's own points, keeping the share of each class, and standardise them.

        x: (points, features), finite; y: (points,) labels of any kind, numbered in sorted order;
        held_out: share of points held out, in (0, 1). Raises TypeError or ValueError for
        anything else, one class only, or a class too small to stand on both sides.
        """
        checks.line("name", name)
        x, y = _arrays(x, y)
        held_out = checks.real("held_out", held_out, 0, 1)
        try:
            labels, y, counts = np.unique(y, return_inverse=True, return_counts=True)
        except TypeError:
            raise TypeError("y holds labels that have no order, such as texts among numbers; "
                            "expected one kind") from None
        if len(labels) < 2:
            raise ValueError(f"y holds {len(labels)} class ({labels[0]!r}); expected at least 2")
        n_test = math.ceil(held_out * len(y))
        if counts.min() < 2 or not len(labels) <= n_test <= len(y) - len(labels):
            raise ValueError(
                f"held_out is {held_out} for {len(y)} points, the smallest class having "
                f"{counts.min()}; expected every class on both sides")
        state = np.random.RandomState(stream(seed, "split").bit_generator)
        x_train, x_test, y_train, y_test = train_test_split(
            x, y, test_size=held_out, random_state=state, stratify=y)
        return _standardised(name, x_train, y_train, x_test, y_test, len(labels))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, label: str, held_out: float = 0.5, seed: int = 0,
                   name: str = "frame"):
        """Split a table of points: one column of labels of any kind, all others features.

        As `from_arrays`. Raises TypeError or ValueError naming the first column that is not there,
        holds no numbers, lacks values or holds infinite ones.
        """
        if not isinstance(frame, pd.DataFrame):
            raise TypeError(f"frame is {type(frame).__name__}; expected a pandas DataFrame")
        checks.one_of("label", label, frame.columns)
        for column, gaps in frame.isna().any().items():
            if gaps:
                raise ValueError(f"frame[{column!r}] lacks values; expected one in every row: fill "
                                 "them or drop the rows (fillna, dropna)")
        features = frame.drop(columns=label)
        for column, kind in features.dtypes.items():
            if not is_numeric_dtype(kind) or is_complex_dtype(kind):
                raise TypeError(f"frame[{column!r}] is of type {kind}; expected numbers: drop the "
                                "column or encode it (pandas.get_dummies)")
        for column, values in frame.items():
            if is_numeric_dtype(values) and np.isinf(values).any():
                raise ValueError(f"frame[{column!r}] holds infinite values; expected "
                                 "finite numbers")
        return cls.from_arrays(features, frame[label], held_out, seed, name)


def spirals(n_train=500, n_test=2000, turns=1.5, noise=0.02, seed=0, label_noise=0.0) -> Problem:
    """Two interleaved spiral arms, the data of the post.

    A point has radius sqrt(u) and angle 2 pi turns sqrt(u), u uniform, on one of two opposite
    arms, plus Gaussian noise of the given standard deviation.
    """
    turns = checks.real("turns", turns, 0)

    def draw(points, generator):
        labels = np.arange(points) % 2
        radius = np.sqrt(generator.random(points))
        angle = 2 * np.pi * turns * radius + np.pi * labels
        x = radius * np.stack([np.cos(angle), np.sin(angle)])
        return x.T + noise * generator.standard_normal((points, 2)), labels

    return _drawn("spirals", draw, n_train, n_test, noise, seed, label_noise)


def moons(n_train=500, n_test=2000, noise=0.1, seed=0, label_noise=0.0) -> Problem:
    """Two interleaved half circles with Gaussian noise (scikit-learn's `make_moons`)."""
    def draw(points, generator):
        return make_moons(points, noise=noise, random_state=_random_state(generator))

    return _drawn("moons", draw, n_train, n_test, noise, seed, label_noise)


def circles(n_train=500, n_test=2000, noise=0.05, seed=0, label_noise=0.0) -> Problem:
    """A circle of half the radius inside another, with noise (scikit-learn's `make_circles`)."""
    def draw(points, generator):
        return make_circles(
            points, noise=noise, factor=0.5, random_state=_random_state(generator))

    return _drawn("circles", draw, n_train, n_test, noise, seed, label_noise)


def xor(n_train=500, n_test=2000, noise=0.05, seed=0, label_noise=0.0) -> Problem:
    """Points of the square [-1, 1]^2 labelled by whether their coordinates differ in sign.

    Gaussian noise of the given standard deviation moves the points after labelling.
    """
    def draw(points, generator):
        x = generator.uniform(-1, 1, (points, 2))
        labels = (x[:, 0] > 0) ^ (x[:, 1] > 0)
        return x + noise * generator.standard_normal(x.shape), labels

    return _drawn("xor", draw, n_train, n_test, noise, seed, label_noise)


def digits(held_out=0.5, seed=0) -> Problem:
    """8x8 images of handwritten digits in ten classes (scikit-learn's `load_digits`)."""
    return Problem.from_arrays(*_images(), held_out, seed, "digits")


@cache
def _images() -> tuple[np.ndarray, np.ndarray]:
    return load_digits(return_X_y=True)  # reads text


def mnist1d(n_train=4000, n_test=1000, seed=0) -> Problem:
    """Sequences of 40 values in ten classes (MNIST-1D, Greydanus and Kobak, arXiv 2011.14439).

    Generated by the authors' package; n_train + n_test must be a multiple of 10.
    """
    from mnist1d.data import get_dataset_args, make_dataset  # imports matplotlib and requests

    n_train, n_test = (checks.integer(name, n, 10) for name, n in
                       (("n_train", n_train), ("n_test", n_test)))
    if (n_train + n_test) % 10:
        raise ValueError(f"n_train + n_test is {n_train + n_test}; expected a multiple of 10")
    recipe = get_dataset_args()
    recipe.num_samples, recipe.train_split = n_train + n_test, 1
    recipe.seed = int(stream(seed, "training points").integers(2**32))
    before = _global_state()  # the package seeds the global generators
    try:
        drawn = make_dataset(recipe)
    finally:
        _restore_global_state(*before)
    x, y = drawn["x"], drawn["y"]
    return _standardised("mnist1d", x[:n_train], y[:n_train], x[n_train:], y[n_train:], 10)


def summary(problem: Problem) -> dict[str, float]:
    """Return the sizes of a problem, the shares of its classes and the accuracy of guessing.

    Guessing: always answer the class that is most frequent among the training points.
    """
    shares = torch.bincount(problem.y_train, minlength=problem.classes) / len(problem.y_train)
    guessed = (problem.y_test == shares.argmax()).double().mean().item()
    return {"features": problem.features, "classes": problem.classes,
            "training points": len(problem.x_train), "held-out points": len(problem.x_test),
            "smallest class": shares.min().item(), "largest class": shares.max().item(),
            "guessing": guessed}


def common_rows(problem: Problem) -> int:
    """Return how many different points stand both in the training and in the held-out part."""
    train, test = ({row.tobytes() for row in x.numpy()} for x in (problem.x_train, problem.x_test))
    return len(train & test)


def distance_to_training(problem: Problem, x: torch.Tensor) -> np.ndarray:
    """Return the Euclidean distance (points,) of each point to the nearest training point."""
    checks.points("x", x, problem.features)
    return NearestNeighbors(n_neighbors=1).fit(problem.x_train).kneighbors(x)[0][:, 0]


PROBLEMS = checks.Table("problem", {
    "spirals": spirals, "moons": moons, "circles": circles, "xor": xor,
    "digits": digits, "mnist1d": mnist1d})


def _drawn(name, draw, n_train, n_test, noise, seed, label_noise) -> Problem:
    """Draw both parts independently: `draw(points, generator)` returns points and labels.

    More label noise flips the same training labels and further ones.
    """
    checks.real("noise", noise, 0)
    checks.real("label_noise", label_noise, 0, math.nextafter(0.5, 1))
    x, y = draw(checks.integer("n_train", n_train, 4), stream(seed, "training points"))
    test = draw(checks.integer("n_test", n_test, 1), stream(seed, "held-out points"))
    order = stream(seed, "label noise").permutation(n_train)
    flipped = order[:round(label_noise * n_train)]
    y[flipped] = 1 - y[flipped]
    return _standardised(name, x, y, *test, 2)


def _global_state():
    return np.random.get_state(), random.getstate()  # noqa: NPY002


def _restore_global_state(numpy_state, python_state) -> None:
    np.random.set_state(numpy_state)  # noqa: NPY002
    random.setstate(python_state)


def _random_state(generator) -> int:
    return int(generator.integers(2**32))


def _arrays(x, y) -> tuple[np.ndarray, np.ndarray]:
    """Return finite points and their labels as arrays of one length."""
    x, name = _array("x", x, "numbers (points, features)"), type(x).__name__
    y = _array("y", y, "labels (points,)")
    if x.dtype.kind not in "biufO":  # complex numbers, texts and dates would silently become some
        raise TypeError(f"x is {name}; expected numbers (points, features), not {x.dtype}")
    try:
        x = x.astype(np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"x is {name}; expected numbers (points, features)") from None
    if x.ndim != 2 or not x.size:
        raise ValueError(f"x has shape {x.shape}; expected (points, features), not empty")
    if y.shape != x.shape[:1]:
        raise ValueError(f"y has shape {y.shape}; expected {x.shape[:1]}, one label per point")
    for name, values in ("x", x), ("y", y):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{name} holds NaN or infinite values; expected finite numbers")
    if pd.isna(y).any():
        raise ValueError("y holds NaN or None; expected a label for every point")
    return x, y


def _array(name: str, values, expected: str) -> np.ndarray:
    try:
        return np.asarray(values.detach() if isinstance(values, torch.Tensor) else values)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {type(values).__name__}; expected {expected}") from None


def _standardised(name, x_train, y_train, x_test, y_test, classes) -> Problem:
    """Scale by the training part's mean and standard deviation; a constant feature becomes 0."""
    if len(np.unique(y_train)) < 2:
        raise ValueError(f"the training part of {name} holds one class; expected at least 2")
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std, width = x_train.mean(0), x_train.std(0), np.ptp(x_train, axis=0)
    std = np.where(width > 0, std, 1)
    if not (np.isfinite(mean) & np.isfinite(std) & (std > 0)).all():
        raise ValueError(f"features of {name} spread over {width.min():g} to {width.max():g}; "
                         "expected what can be squared in double precision: rescale them")
    x_train, x_test = (torch.tensor((x - mean) / std, dtype=torch.float32)
                       for x in (x_train, x_test))
    y_train, y_test = (torch.tensor(y, dtype=torch.int64) for y in (y_train, y_test))
    return Problem(name, x_train, y_train, x_test, y_test, classes)
