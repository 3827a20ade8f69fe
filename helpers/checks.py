"""Checks of arguments: every message names the argument, its value and what was expected."""

from collections.abc import Iterable, Mapping
from numbers import Integral, Real

import torch


def one_of(name: str, value, known: Iterable):
    """Return `value` if it is among the known ones, else raise ValueError listing them."""
    known = list(known)
    if value not in known:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, known))}")
    return value


def lookup(name: str, key, table: Mapping):
    """Return `table[key]`, or raise ValueError listing the keys there are."""
    return table[one_of(name, key, table)]


def integer(name: str, value, low: int, high: int | None = None) -> int:
    """Return `value` as an int in [low, high]; TypeError or ValueError otherwise."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected an integer")
    if value < low or (high is not None and value > high):
        most = "" if high is None else f" and at most {high}"
        raise ValueError(f"{name} is {value}; expected an integer of at least {low}{most}")
    return int(value)


def real(name: str, value, low: float, below: float = float("inf")) -> float:
    """Return `value` as a float in [low, below); TypeError or ValueError otherwise."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected a number")
    if not low <= value < below:
        raise ValueError(f"{name} is {value}; expected a number in [{low}, {below})")
    return float(value)


def seeds(name: str, values: Iterable) -> tuple[int, ...]:
    """Return distinct seeds as a tuple of ints; a network is known by its seed."""
    if isinstance(values, (str, Integral)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is {values!r}; expected several integers, one seed per network")
    values = tuple(integer(f"{name}[{i}]", value, 0, 2**63) for i, value in enumerate(values))
    if not values:
        raise ValueError(f"{name} is empty; expected at least one seed")
    if len(set(values)) < len(values):
        twice = sorted({value for value in values if values.count(value) > 1})
        raise ValueError(f"{name} holds {twice} more than once; expected distinct seeds")
    return values


def points(name: str, x, features: int | None = None) -> torch.Tensor:
    """Return `x` if it is a finite, non-empty (points, features) float tensor."""
    if not isinstance(x, torch.Tensor) or not x.is_floating_point():
        raise TypeError(f"{name} is {type(x).__name__}; expected a float tensor (points, features)")
    if x.ndim != 2 or not x.numel():
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected some (points, features)")
    if features is not None and x.shape[1] != features:
        raise ValueError(f"{name} has {x.shape[1]} features; expected {features}, one per input")
    if not x.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinite values; expected finite numbers")
    return x


def same_networks(a, b) -> None:
    """Raise ValueError unless two sets of networks pair up: as many, with the same seeds."""
    if a.seeds != b.seeds:
        raise ValueError(f"b has seeds {b.seeds}; expected those of a, {a.seeds}")
