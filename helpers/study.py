"""The settings of this study, and the small tables in results/ that the notebooks read.

`make sweep` measures all settings and writes the tables anew: medians, means and quartiles of
every setting with their two-level bootstrap intervals, and some columns of every headline network.
"""

from pathlib import Path

from helpers.arms import ARMS, Cut, cuts
from helpers.recipes import Recipe
from helpers.sweep import Grid

RESULTS = Path(__file__).resolve().parents[1] / "results"
CACHE = RESULTS.parent / "build" / "sweep"

BOTH = ("std", "random")
FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9)
FLOORED = (0.2, 0.5, 0.9)  # fractions at which B's own noise floor is trained
RATES = (0.1, 0.05, 0.02, 0.005)
STAGES = (0.0, 0.15, 0.3, 0.45, 0.6)  # of gradual pruning

HALVES = cuts(BOTH, arms=ARMS)
HALVES_B = cuts(BOTH, arms=("B", "B_other_order"))
FEW = {"data_seeds": tuple(range(8)), "seeds": 32}  # networks of a setting beside the post's


def _post_cuts() -> tuple[Cut, ...]:
    """Return every cut of the post's setting: one thing is varied at a time."""
    curves = cuts(("contribution", "magnitude", "taylor"), FRACTIONS, ("none", "mean", "linear"))
    curves += cuts(BOTH, FRACTIONS, ("none", "linear"))
    rest = [fraction for fraction in FRACTIONS if fraction not in FLOORED]
    trained = cuts(BOTH, FLOORED, arms=ARMS) + cuts(BOTH, rest, arms=("A_tuned", "B"))
    masks = cuts(mask_sources=("initial", "shuffled", "random"), arms=ARMS)
    moments = cuts(BOTH, prune_times=((0.02,), (0.1,), (0.3,), (0.6,), STAGES), arms=("B",))
    kept = cuts(prune_times=((0.1,), (0.3,), (0.6,)), optimiser_state="kept", arms=("B",))
    layers = cuts(BOTH, layers=(0,)) + cuts(BOTH, layers=(1,))
    return curves + trained + masks + moments + kept + layers + cuts(budget="flops", arms=("B",))


def _rate_cuts() -> tuple[Cut, ...]:
    """Return the cuts of the phase diagram, learning rate against fraction."""
    floored = cuts(BOTH, (0.5,), arms=ARMS)
    rest = cuts(BOTH, (0.1, 0.3, 0.75, 0.9), arms=("B",))
    return (floored + rest + cuts(BOTH, (0.25,)) + cuts(("contribution",), (0.25, 0.5))
            + cuts((*BOTH, "contribution"), (0.25, 0.5), ("linear",))
            + cuts(BOTH, layers=(0,)) + cuts(BOTH, layers=(1,)))


def _few_points(rate: float, sizes) -> Grid:
    """Return training sets of some sizes, clean and with a fifth of the labels wrong."""
    problems = tuple(f"spirals n_train={size} label_noise={noise:g}"
                     for size in sizes for noise in (0, 0.2))
    return Grid(problems, recipes=(Recipe(learning_rate=rate),), **FEW, floors=(),
                cuts=cuts(("std",), (0.25, 0.5, 0.75), arms=("A_tuned", "B"))
                + cuts(("random",), arms=("A_tuned", "B")))


STUDY = {
    "headline": Grid(
        data_seeds=tuple(range(100)), seeds=100, extras=("weights", "barrier"),
        cuts=HALVES + cuts(BOTH, compensations=("linear",), arms=("A_tuned", "B"))),
    "post": Grid(data_seeds=tuple(range(20)), seeds=50, floors=("other_order", "one_ulp"),
                 cuts=_post_cuts(), extras=("weights",)),
    "rates": Grid(recipes=tuple(Recipe(learning_rate=rate) for rate in RATES), cuts=_rate_cuts(),
                  extras=("weights", "barrier"), **FEW),
    "bounds": Grid(recipes=(Recipe(learning_rate=0.1), Recipe(learning_rate=0.005)),
                   cuts=cuts((*BOTH, "contribution"), (0.25, 0.5)), extras=("bounds",), floors=(),
                   **FEW),
    "widths": Grid(hidden=((10, 10), (25, 25), (100, 100)), cuts=HALVES_B, **FEW),
    "wide": Grid(hidden=((200, 200),), cuts=cuts(arms=("B", "B_other_order")) + cuts(("random",)),
                 floors=(), **FEW),
    "depths": Grid(hidden=((50,), (50,) * 3, (50,) * 4), cuts=HALVES_B, **FEW),
    "noise": Grid(problems=tuple(f"spirals noise={sd:g}" for sd in (0, 0.05, 0.1)), cuts=HALVES_B,
                  **FEW),
    "batches": Grid(recipes=(Recipe(batch_size=8), Recipe(batch_size=128)), cuts=HALVES_B, **FEW),
    "sgd": Grid(recipes=(Recipe("sgd", 0.5),), cuts=HALVES_B, **FEW),
    "schemes": Grid(schemes=("torch_default", "he_uniform"), cuts=HALVES_B, **FEW),
    "problems": Grid(problems=("moons", "circles", "xor", "digits", "mnist1d"), cuts=HALVES_B,
                     **FEW),
    "problems slowly": Grid(problems=("digits", "mnist1d"), cuts=HALVES_B,
                            recipes=(Recipe(learning_rate=0.005),), **FEW),
    "few points": _few_points(0.1, (50, 200, 500, 2000)),
    "few points slowly": _few_points(0.005, (200, 2000)),
}
