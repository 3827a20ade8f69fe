"""The profile of notebooks puts every moment down to the right step."""

import nbformat
import pandas as pd
import pytest

from benchmarks.notebooks import described, profile, step_of

KERNEL = [("runpy", "_run_code")]
CELL = [*KERNEL, ("IPython.core.interactiveshell", "InteractiveShell.run_code"),
        ("__main__", "<module>")]


@pytest.mark.parametrize("calls, step", [
    (KERNEL, None),
    ([*KERNEL, ("matplotlib_inline.backend_inline", "flush_figures")], "drawing"),
    (CELL, "the cell itself"),
    ([*CELL, ("numpy", "sort")], "the cell itself"),
    ([*CELL, ("helpers.draws", "trained"), ("helpers.compare", "loss")], "helpers.draws.trained"),
    ([*CELL, ("helpers.draws", "trained"), ("helpers.training", "train_draws"),
      ("helpers.engine", "Engine.backward")], "training"),
    ([*CELL, ("helpers.plots", "decision_map"), ("helpers.compare", "plane")], "drawing"),
    ([*CELL, ("helpers.sliders", "picture"), ("helpers.training", "train_draws")], "training"),
    ([*CELL, ("helpers.data", "mnist1d"), ("importlib._bootstrap", "_load")], "importing"),
])
def test_a_stack_of_calls_is_one_step(calls, step):
    assert step_of(calls) == step


def test_what_is_below_a_twentieth_is_summed_up():
    seconds = pd.Series({"training": 6.0, "cell 2: slow": 3.6, "cell 3: quick": 0.4})
    assert described(seconds).splitlines() == [
        "10.0 s", "  60.0%  training", "   0.0%  drawing", "   0.0%  importing",
        "  36.0%  cell 2: slow", "         largest below: 4.0%"]


@pytest.mark.slow
def test_a_notebook_is_profiled_cell_by_cell(tmp_path):
    sources = ["import time\nfrom helpers.intervals import estimate", "time.sleep(0.5)",
               "import numpy as np\nvalues = np.random.default_rng(0).random((50, 100))\n"
               "for _ in range(5):\n    estimate(values)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)
                                               for source in sources])
    nbformat.write(notebook, tmp_path / "tiny.ipynb")
    seconds = profile(tmp_path / "tiny.ipynb")
    assert {"importing", "cell 2: the cell itself",
            "cell 3: helpers.intervals.estimate"} <= set(seconds.index)
    assert 0.4 < seconds["cell 2: the cell itself"] and "training" not in seconds
