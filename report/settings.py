"""Settings of a re-run, NAME=VALUE: what may be set, and what to, and the names of a run."""

import ast
import difflib
from functools import partial

from papermill import inspect_notebook

from helpers import checks
from helpers.data import PROBLEMS
from helpers.draws import problems
from render import ROOT

COMPUTED = "0[1-5]_*.ipynb"  # the others read tables in results/, of the study's own settings


def paths():
    """List the notebooks of a re-run, in reading order."""
    return sorted((ROOT / "notebooks").glob(COMPUTED))


def problem(name, value):
    """Return the name of a problem of two features and two classes, or raise ValueError."""
    (drawn,) = problems(checks.one_of(name, value, PROBLEMS), 1)
    if (drawn.features, drawn.classes) != (2, 2):
        raise ValueError(
            f"{name} is {value!r}, of {drawn.features} features and {drawn.classes} classes; "
            "expected 2 of each, for the notebooks draw the plane and its two classes"
        )
    return value


def widths(name, value):
    """Return the widths of a network with two hidden layers, or raise ValueError."""
    if len(value) != 4 or (value[0], value[-1]) != (2, 1) or min(value[1:3]) < 6:
        raise ValueError(
            f"{name} is {value}; expected 2 inputs, two hidden layers of at least 6 nodes and "
            "1 output, such as (2, 50, 50, 1)"
        )
    return value


def above_zero(name, value, most):
    """Return a number in (0, most], or raise ValueError."""
    if not 0 < value <= most:
        raise ValueError(f"{name} is {value}; expected a number above 0 and at most {most}")
    return value


CHECKS = {
    "PROBLEM": problem,
    "WIDTHS": widths,
    "LEARNING_RATE": partial(above_zero, most=1),
    "STEPS": partial(checks.integer, low=100),  # notebook 01: each point is met a few times
    "FRACTION": partial(above_zero, most=0.95),
    "FINE_TUNE_STEPS": partial(checks.integer, low=40),  # notebook 03: a film of 40 frames
    "DRAWS": partial(checks.integer, low=2),
    "SEEDS": partial(checks.integer, low=4),  # notebook 03: maps of four networks
}


def defaults():
    """Return the study's value of each parameter in each notebook: {name: {notebook: value}}."""
    found = {name: {} for name in CHECKS}
    for path in paths():
        for name, parameter in inspect_notebook(path).items():
            found[name][path.name] = ast.literal_eval(parameter["default"])
    return found


def literal(name, text, default):
    """Read a value of the default's type; ValueError for another."""
    if isinstance(default, str):
        return text.strip("'\"")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None
    if isinstance(default, tuple) and isinstance(value, (tuple, list)):
        if all(type(entry) is int for entry in value):
            return tuple(value)
    elif type(value) is type(default) or (type(default), type(value)) == (float, int):
        return type(default)(value)
    raise ValueError(f"{name} is {text!r}; expected a value such as {default}")


def settings(given, known):
    """Read and check settings NAME=VALUE, before anything runs; ValueError says what is wrong."""
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is no setting; expected NAME=VALUE, such as PROBLEM=moons")
        if name not in known:
            close = difflib.get_close_matches(name.upper(), known, 1, 0)[0]
            raise ValueError(
                f"{name} is no parameter of these notebooks; did you mean {close}? "
                f"There are {', '.join(known)}"
            )
        if name in values:
            raise ValueError(f"{name} is given twice: {values[name]!r}, then {value!r}")
        (default, *_) = known[name].values()
        values[name] = CHECKS[name](name, literal(name, value, default))
    values = {name: values[name] for name in CHECKS if name in values}
    check_removals(values, known)
    return values


def check_removals(values, known):
    """Raise ValueError unless the fraction removes a node of each hidden layer and keeps two."""
    usual = {name: next(iter(own.values())) for name, own in known.items()}
    fraction, (_, *hidden, _) = (values.get(name, usual[name]) for name in ("FRACTION", "WIDTHS"))
    if round(fraction * min(hidden)) < 1:
        raise ValueError(
            f"FRACTION is {fraction}; expected more, for it removes none of {min(hidden)} nodes"
        )
    if min(hidden) - round(fraction * min(hidden)) < 2:  # correlations need several weights
        raise ValueError(
            f"FRACTION is {fraction}; expected less, for it keeps fewer than 2 of {min(hidden)} "
            "nodes"
        )


def changed(values, known):
    """Return the settings that are not the study's in every notebook."""
    return {name: v for name, v in values.items() if {v} != {*known[name].values()}}


def slug(values, known):
    """Name a run's folder by its changed settings."""
    parts = []
    for name, value in changed(values, known).items():
        text = "-".join(map(str, value)) if isinstance(value, tuple) else str(value)
        parts.append(f"{name.lower().replace('_', '-')}-{text}")
    return "_".join(parts) or "settings-of-the-study"


def title(values, known):
    """Name a run by its changed settings, in words."""
    parts = [f"{n.lower().replace('_', ' ')} {v}" for n, v in changed(values, known).items()]
    return ", ".join(parts) or "settings of the study"
