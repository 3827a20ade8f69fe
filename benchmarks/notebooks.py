"""Which steps of each notebook take the time?

`python benchmarks/notebooks.py [NOTEBOOK ...]` runs notebooks as the report does and looks every
few milliseconds at what they are doing. A step is what one cell calls of `helpers`; training,
drawing and importing are put together, wherever they are called from.
"""

import json
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import nbformat
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
INTERVAL = 0.004  # seconds between two looks
LEAST = 0.05  # of a notebook's time: steps below it are not listed
KINDS = ("training", "drawing", "importing")
TRAINING = {("helpers.training", "train"), ("helpers.training", "train_draws"),
            ("sklearn.base", "_fit_context.<locals>.decorator.<locals>.wrapper")}  # a model's fit
DRAWING = ("matplotlib", "seaborn", "PIL", "imageio_ffmpeg", "IPython", "ipywidgets",
           "helpers.plots", "helpers.animation", "helpers.films", "helpers.sliders",
           "helpers.explorer")
START = """import sys
sys.path.append({root!r})
from benchmarks.notebooks import Sampler
sampler = Sampler(get_ipython())"""
STOP = "print(sampler.stop())"


class Sampler(threading.Thread):
    """Adds up how long a kernel spends in every step, from its start on."""

    def __init__(self, shell):
        super().__init__(daemon=True)
        self.seconds, self.stopped, self.shell = Counter(), threading.Event(), shell
        self.watched, self.first = threading.main_thread().ident, shell.execution_count
        self.start()

    def run(self):
        before = time.perf_counter()
        while not self.stopped.wait(INTERVAL):
            step = step_of(stack_of(sys._current_frames()[self.watched]))
            now = time.perf_counter()
            if step:
                cell = self.shell.execution_count - self.first
                self.seconds[step if step in KINDS else f"cell {cell}: {step}"] += now - before
            before = now

    def stop(self) -> str:
        """Return the seconds of every step as JSON."""
        self.stopped.set()
        self.join()
        return json.dumps(self.seconds)


def stack_of(frame) -> list[tuple[str, str]]:
    """Return module and function of all calls that lead to a frame, the outermost first."""
    calls = []
    while frame:
        calls.append((frame.f_globals.get("__name__", ""), frame.f_code.co_qualname))
        frame = frame.f_back
    return calls[::-1]


def step_of(calls: list[tuple[str, str]]) -> str | None:
    """Return the step that a stack of calls belongs to, None where no cell runs."""
    shell = [place for place, (_, name) in enumerate(calls) if name == "InteractiveShell.run_code"]
    own = calls[shell[0] + 1:] if shell else []
    if TRAINING & set(own):
        return "training"
    if any(module.startswith("importlib") for module, _ in own):
        return "importing"
    drawn = any(module.startswith("matplotlib") for module, _ in calls)  # also after a cell
    if (drawn and not own) or any(module.startswith(DRAWING) for module, _ in own):
        return "drawing"
    called = (f"{module}.{name}" for module, name in own if module.startswith("helpers."))
    return next(called, "the cell itself") if own else None


def profile(path: Path) -> pd.Series:
    """Return the seconds of every step of a notebook, the longest first."""
    sys.path.append(str(ROOT / "report"))
    from run_notebooks import client_for, set_environment

    notebook = nbformat.read(path, as_version=4)
    first, last = START.format(root=str(ROOT)), STOP
    notebook.cells = [nbformat.v4.new_code_cell(first), *notebook.cells,
                      nbformat.v4.new_code_cell(last)]
    with tempfile.TemporaryDirectory() as folder:
        set_environment(Path(folder))
        client_for(notebook, path.parent, folder).execute()
    (output,) = notebook.cells[-1].outputs
    return pd.Series(json.loads(output.text), dtype=float).sort_values(ascending=False)


def described(seconds: pd.Series) -> str:
    """Return the total, the share of each of KINDS, and that of further steps of at least LEAST."""
    shares = seconds / seconds.sum()
    others = shares.drop(list(KINDS), errors="ignore")
    listed = pd.concat([shares.reindex(KINDS, fill_value=0), others[others >= LEAST]])
    rest = f"largest below: {others[others < LEAST].max():.1%}"
    return "\n".join([f"{seconds.sum():.1f} s", *(f"{share:7.1%}  {step}" for step, share in
                                                  listed.items()), f"         {rest}"])


def main(paths=None) -> None:
    """Profile the notebooks one after the other."""
    for path in map(Path, paths or sorted((ROOT / "notebooks").glob("*.ipynb"))):
        print(f"{path.name}: {described(profile(path.resolve()))}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
