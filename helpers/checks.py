"""Checks of arguments: one line that names the argument, its value and what was expected."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from numbers import Integral, Real

import torch

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # that can be computed with
LARGEST_SEED = 2**63 - 1  # tensors and tables hold int64
LONGEST = 200  # characters of a value in a message


def shown(value) -> str:
    """Return a value as it stands in messages: on one line, of what is long the beginning."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def one_of(name: str, value, known: Iterable):
    """Return `value` if it is among the known ones, else raise ValueError listing them."""
    known = list(known)
    if not _among(value, known):
        expected = f"one of {', '.join(map(repr, known))}" if known else "none, for there is none"
        raise ValueError(f"{name} is {shown(value)}; expected {expected}")
    return value


def lookup(name: str, key, table: Mapping):
    """Return `table[key]`, or raise ValueError listing the keys there are."""
    return table[one_of(name, key, table)]


def _among(value, known: list) -> bool:
    try:
        return value in known
    except (TypeError, ValueError, RuntimeError):  # an array is equal entry by entry
        return False


class Table(dict):
    """A dictionary of things of one kind; an unknown key raises ValueError listing those known."""

    def __init__(self, kind: str, entries: Mapping):
        super().__init__(entries)
        self.kind = kind

    def __missing__(self, key):
        return lookup(self.kind, key, self)


def integer(name: str, value, low: int, high: int | None = None) -> int:
    """Return `value` as an int in [low, high]; TypeError or ValueError otherwise."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} is {shown(value)}; expected an integer")
    if value < low or (high is not None and value > high):
        most = "" if high is None else f" and at most {high}"
        expected = f"an integer of at least {low}{most}"
        if high is not None and high < low:
            expected = "none, for there is none"
        raise ValueError(f"{name} is {shown(value)}; expected {expected}")
    return int(value)


def real(name: str, value, low: float, below: float = float("inf")) -> float:
    """Return `value` as a float in [low, below); TypeError or ValueError otherwise."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} is {shown(value)}; expected a number")
    if not low <= value < below or value > sys.float_info.max:  # as only integers can be
        raise ValueError(f"{name} is {shown(value)}; expected a number in [{low}, {below})")
    return float(value)


def several(name: str, values: Iterable) -> list:
    """Return `values` as a list; TypeError for a single value or a text."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} is {shown(values)}; expected several values, such as a tuple")
    return list(values)


def paired(**lists) -> list[list]:
    """Return the named sequences as lists; ValueError unless they have as many entries, some."""
    lists = {name: several(name, values) for name, values in lists.items()}
    counts = [len(values) for values in lists.values()]
    if len(set(counts)) != 1 or not counts[0]:
        raise ValueError(f"{', '.join(lists)} have {', '.join(map(str, counts))} entries; "
                         "expected one of each per draw")
    return list(lists.values())


def line(name: str, value) -> str:
    """Return `value` if it is a text that stands on one line; TypeError or ValueError otherwise."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is {shown(value)}; expected a text")
    if value.splitlines() != [value]:
        raise ValueError(f"{name} is {shown(value)}; expected a text on one line")
    return value


def truth(name: str, value) -> bool:
    """Return a comparison's outcome (Python's, NumPy's or a tensor's) as a bool, or TypeError."""
    if getattr(value, "dtype", type(value)) not in (bool, torch.bool) or getattr(value, "ndim", 0):
        raise TypeError(f"{name} is {shown(value)}; expected True or False")
    return bool(value)


def seeds(name: str, values: Iterable) -> tuple[int, ...]:
    """Return distinct seeds as a tuple of ints in [0, 2**63); a network is known by its seed."""
    values = tuple(integer(f"{name}[{i}]", value, 0, LARGEST_SEED)
                   for i, value in enumerate(several(name, values)))
    if not values:
        raise ValueError(f"{name} is empty; expected at least one seed")
    if len(set(values)) < len(values):
        twice = sorted(value for value, count in Counter(values).items() if count > 1)
        raise ValueError(f"{name} holds {shown(twice)} more than once; expected distinct seeds")
    return values


def device(name: str, value) -> torch.device:
    """Return `value` as a device that this machine has; TypeError or ValueError otherwise."""
    if not isinstance(value, (str, torch.device)):
        raise TypeError(f"{name} is {shown(value)}; expected a device such as 'cpu' or 'cuda'")
    try:
        return torch.empty(0, device=value).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"{name} is {shown(str(value))}; expected a device of this machine: "
                         f"{str(error).splitlines()[0]}") from None


def points(name: str, x, features: int | None = None) -> torch.Tensor:
    """Return `x` if it is a finite, non-empty (points, features) float tensor."""
    if not isinstance(x, torch.Tensor) or x.dtype not in FLOATS:
        raise TypeError(f"{name} is {type(x).__name__}; expected a float tensor (points, features)")
    filled(name, x)
    if x.ndim != 2 or not x.numel():
        raise ValueError(f"{name} has shape {tuple(x.shape)}; expected some (points, features)")
    if features is not None and x.shape[1] != features:
        raise ValueError(f"{name} has {x.shape[1]} features; expected {features}, one per input")
    if not x.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinite values; expected finite numbers")
    return x


def filled(name: str, tensor: torch.Tensor) -> None:
    """Raise TypeError for a tensor that is sparse, or on the device `meta`, without numbers."""
    if tensor.is_meta or tensor.layout is not torch.strided:
        raise TypeError(f"{name} is a tensor of layout {tensor.layout} on {tensor.device}; "
                        "expected a dense one that holds its numbers")


def labels(name: str, y, points: int, classes: int) -> torch.Tensor:
    """Return `y` if it is an int64 tensor of one label below `classes` for each of the points."""
    if not isinstance(y, torch.Tensor) or y.dtype != torch.int64:
        kind = y.dtype if isinstance(y, torch.Tensor) else type(y).__name__
        raise TypeError(f"{name} is {kind}; expected int64 labels in a tensor")
    filled(name, y)
    if y.shape != (points,):
        raise ValueError(f"{name} has shape {tuple(y.shape)}; expected ({points},), one per point")
    if y.min() < 0 or y.max() >= classes:
        raise ValueError(f"{name} holds labels from {y.min()} to {y.max()}; expected 0 to "
                         f"{classes - 1}")
    return y


def same_networks(a, b, names: tuple[str, str] = ("a", "b")) -> None:
    """Raise TypeError or ValueError unless two sets of networks pair up: the same seeds."""
    for name, networks in zip(names, (a, b), strict=True):
        if not hasattr(networks, "seeds"):
            raise TypeError(f"{name} is {type(networks).__name__}; expected Networks")
    if a.seeds != b.seeds:
        raise ValueError(f"{names[1]} has seeds {shown(b.seeds)}; expected those of {names[0]}, "
                         f"{shown(a.seeds)}")
