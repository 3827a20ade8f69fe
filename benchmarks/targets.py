"""What the engine is asked for, and whether it was met."""

import statistics
from dataclasses import dataclass

from benchmarks.contenders import JAX, LOOP, NUMBA, OURS, VMAP

Case = tuple[str, str, int]
"""Contender, workload and number of cores."""


@dataclass(frozen=True)
class Target:
    """A wanted ratio of two times: `slow` takes at least `wanted` times as long as `fast`.

    least: what it must never fall below.
    """

    what: str
    slow: Case
    fast: Case
    wanted: float
    least: float

    def judge(self, times: dict[Case, list[float]]) -> dict:
        """Return the target with the median of its ratios within rounds, and whether it is met."""
        ratios = [slow / fast for slow, fast
                  in zip(times[self.slow], times[self.fast], strict=True)]
        measured = statistics.median(ratios)
        return {"what": self.what, "slow": list(self.slow), "fast": list(self.fast),
                "wanted": self.wanted, "least": self.least, "measured": measured,
                "lowest": min(ratios), "highest": max(ratios), "met": measured >= self.wanted}


def against(other: str, workload: str, wanted: float, least: float | None = None,
            words: str = "{wanted:g} times as fast as {other}") -> Target:
    """Return the target of this project on one core against another contender."""
    return Target(f"{workload}: " + words.format(wanted=wanted, other=other),
                  (other, workload, 1), (OURS, workload, 1), wanted, least or wanted)


def two_cores(workload: str, engine: str = OURS) -> Target:
    """Return the target of two threads on two cores against one on one."""
    return Target(f"{workload}: {engine} on two cores 1.8 times as fast as on one",
                  (engine, workload, 1), (engine, workload, 2), 1.8, 1.8)


LEVEL = 0.95  # runs of the same code differ by a few per cent
TARGETS = (
    against(LOOP, "batch 32", 25, 20),
    against(LOOP, "half-pruned", 60, 45),
    against(LOOP, "full batch", 3, 2.5),
    *(against(VMAP, workload, 2) for workload in ("batch 32", "half-pruned", "full batch")),
    against(JAX, "batch 32", LEVEL, words="level with {other}: at least {wanted:g} times as fast"),
    against(JAX, "full batch", 0.9),
    *map(two_cores, ("batch 32", "half-pruned", "full batch")),
    Target("batch 32: numba 1.7 times as fast as PyTorch", (OURS, "batch 32", 1),
           (NUMBA, "batch 32", 1), 1.7, 1.7),
    Target(f"batch 32: numba 2 times as fast as {JAX}", (JAX, "batch 32", 1),
           (NUMBA, "batch 32", 1), 2, 2),
    two_cores("batch 32", NUMBA),
)


def judged(times: dict[Case, list[float]], targets=TARGETS) -> list[dict]:
    """Return the targets whose contenders were timed, each with what was measured."""
    return [target.judge(times) for target in targets
            if target.slow in times and target.fast in times]


def sentence(row: dict) -> str:
    """Return what a judged target says, for a terminal or a page."""
    verdict = "met" if row["met"] else "missed"
    if row["measured"] < row["least"] < row["wanted"]:
        verdict += f", and below the least, {row['least']:g}"
    return f"{row['what']}: {row['measured']:.2f} ({verdict})"
