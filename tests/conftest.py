"""One thread unless told, no windows, no progress bars, the same examples in every run, and counts.

What tests count, and every example of a property that ran to its end, is added up over all workers
and printed at the end. The profile `long` draws ten times as many examples, the same in every run.
"""

import os

os.environ["NB_PROGRESS"] = "0"
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("MPLBACKEND", None)  # it would silently remove the figures from notebooks

from collections import Counter  # noqa: E402
from functools import wraps  # noqa: E402
from unittest.mock import patch  # noqa: E402

import hypothesis  # noqa: E402
import matplotlib  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

COUNTED = "counted "  # begins the names of the properties by which reports carry counts

matplotlib.use("agg")
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, deadline=None, database=None, max_examples=100,
    suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile(
    "long", hypothesis.settings.get_profile("repeatable"), max_examples=1000)
hypothesis.settings.load_profile("repeatable")


def threads(asked: str) -> int:
    """Return how many threads a value of OMP_NUM_THREADS asks for: of a list, the first number.

    The others are for parallel work inside of parallel work. Raises UsageError, which pytest shows
    in one line, for any other text.
    """
    first = asked.partition(",")[0]
    if not (first.isdecimal() and int(first)):
        raise pytest.UsageError(f"OMP_NUM_THREADS is {asked!r}; expected a number of threads, "
                                "such as 2")
    return int(first)


def pytest_configure():
    torch.set_num_threads(threads(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture
def count(request):
    """Return a function that adds a number to what is printed of a kind: `count("kills", 1)`."""
    return lambda kind, number: _record(request.node, kind, number)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Count the examples of a property; those that hypothesis discards do not reach their end."""
    handle = getattr(getattr(item, "obj", None), "hypothesis", None)
    if handle is None:
        return (yield)
    inner, finished = handle.inner_test, []

    @wraps(inner)
    def counted(*args, **kwargs):
        inner(*args, **kwargs)
        finished.append(True)

    with patch.object(handle, "inner_test", counted):
        try:
            return (yield)
        finally:
            _record(item, "examples", len(finished))


def pytest_terminal_summary(terminalreporter):
    """Print the sums: every test's last report, from whichever worker, carries all it counted."""
    sums = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, "when", None) == "teardown":
            for name, number in report.user_properties:
                if name.startswith(COUNTED):
                    sums[name.removeprefix(COUNTED)] += number
    if sums:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sums.items())
        terminalreporter.write_line(f"counted: {kinds}")


def _record(item, kind, number):
    item.user_properties.append((COUNTED + kind, number))
