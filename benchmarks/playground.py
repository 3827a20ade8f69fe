"""How fast is the playground, and does it compute what PyTorch computes?

`make bench-playground` runs the playground's modules under node, the whole page in the browser of
this machine, and the same networks in PyTorch. What it finds goes to results/playground.json: the
site's page "Which first?" shows it.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import torch

from helpers import files
from helpers.bundle import bundle
from helpers.compare import accuracy, disagreement, plane
from helpers.data import spirals
from helpers.explorer import PLAYGROUND
from helpers.intervals import Estimate, estimate, share
from helpers.networks import initialise
from helpers.pruning import prune
from helpers.recipes import POST, Recipe
from helpers.results import processor
from helpers.square import OTHER, commute
from helpers.training import train

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "playground.json"
WIDTHS, NETWORKS, ROUNDS, FEW_STEPS = (2, 50, 50, 1), 100, 15, 20
BROWSERS = "chromium", "chromium-browser", "google-chrome"
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="playground.css">
<div id="playground"></div><script src="page.js" defer></script>"""
RATES = re.compile(r"(\d+) frames/s")


def under_node() -> dict:
    """Return times, logits after few steps, and ends of training of the playground's modules."""
    places = [str(Path(sys.executable).parent), os.environ["PATH"]]  # pip brought one
    node = shutil.which("node", path=os.pathsep.join(places))
    script = ROOT / "benchmarks" / "playground.js"
    command = [node, script, PLAYGROUND, str(NETWORKS), str(ROUNDS)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def in_a_browser() -> tuple[str, float, float]:
    """Return the browser's version, and frames per second and seconds of a training it shows."""
    from playwright.sync_api import sync_playwright  # of the extra `browser`

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        sys.exit("there is no browser; install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        for name in ("page.js", "worker.js"):
            (Path(folder) / name).write_text(bundle(PLAYGROUND, name) + ";\n")
        shutil.copy(PLAYGROUND / "playground.css", folder)
        (Path(folder) / "index.html").write_text(PAGE)
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = driver.chromium.launch(executable_path=path)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        found = [watched(page) for _ in range(3)]
        version = browser.version
        browser.close()
        server.shutdown()
    return version, *(statistics.median(values) for values in zip(*found, strict=True))


class Quiet(SimpleHTTPRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_):
        """Say nothing."""


def watched(page) -> tuple[float, float]:
    """Return frames per second and seconds of one training on the page."""
    page.get_by_role("button", name="Rewind").click()
    page.get_by_text("step 0 of").wait_for()
    begin = page.evaluate("performance.now()")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("button", name="Train again").wait_for()
    seconds = (page.evaluate("performance.now()") - begin) / 1000
    rates = page.get_by_text(RATES)
    rates.wait_for()
    return float(RATES.search(rates.inner_text())[1]), seconds


def differences(found: list) -> dict[str, np.ndarray]:
    """Return each network's largest difference of logits after few steps, by pair of engines.

    found: (networks, points) of the playground. Relative to logits above 1.
    """
    problem, recipe = spirals(), Recipe(steps=FEW_STEPS)
    x, logits = plane(problem, 4), {"the playground": np.array(found)}
    for name, precision in {"PyTorch": torch.float32, "double": torch.float64}.items():
        initial = initialise(WIDTHS, range(NETWORKS)).to(precision)
        with torch.no_grad():
            logits[name] = train(initial, problem, recipe).networks(x).double().numpy()
    pairs = ("the playground", "PyTorch"), ("the playground", "double"), ("PyTorch", "double")
    return {pair: (abs(logits[pair[0]] - logits[pair[1]])
                   / np.maximum(1, abs(logits[pair[1]]))).max(1) for pair in pairs}


def ends_in_pytorch(criterion: str) -> dict[str, np.ndarray]:
    """Return gap, noise floor and held-out accuracy of B of the same networks, one per seed.

    And `again`, the distance of B from a third training: what chance makes of a gap.
    """
    problem = spirals()
    initial, x = initialise(WIDTHS, range(NETWORKS)), plane(problem)
    square = commute(initial, problem, POST, criterion, 0.5)
    start, b = prune(initial, square.kept, problem), square.prune_first
    other, third = (train(start, problem, POST, [seed + k * OTHER for seed in start.seeds]).networks
                    for k in (1, 2))
    return {"gap": disagreement(square.train_first, b, x).numpy(),
            "floor": disagreement(b, other, x).numpy(), "again": disagreement(b, third, x).numpy(),
            "accuracy": accuracy(b, problem.x_test, problem.y_test).numpy()}


def ends_in_javascript(ends: list[dict]) -> dict[str, np.ndarray]:
    """Return the same of the playground's networks."""
    return {"gap": np.array([end["gap"] for end in ends]),
            "floor": np.array([end["floor"] for end in ends]),
            "accuracy": np.array([end["accuracy"]["B"] for end in ends])}


def median(values: np.ndarray) -> Estimate:
    """Return the median over networks of one data draw, with its interval."""
    return estimate(values[None])


def rows(node: dict, frames: float, seconds: float) -> list[dict]:
    """Return what was measured beside what was asked for, in words."""
    times = {name: statistics.median(values) for name, values in node["times"].items()}
    apart = differences(node["agreement"])
    near = (apart["the playground", "PyTorch"] <= 1e-5).mean()
    usual = {pair: f"{np.median(values):.1e}" for pair, values in apart.items()}
    here, far = ends_in_javascript(node["ends"]), node["far"]  # noise floors, as the page has it
    there, least = ends_in_pytorch("random"), ends_in_pytorch("std")
    shape, recipe = "-".join(map(str, WIDTHS)), f"{POST.steps} steps"
    ends = {"Gap after {}, a random half removed": "gap", "Noise floor of the same": "floor",
            "Held-out accuracy of B": "accuracy"}
    return [
        row(f"Training {shape} for {recipe}, on one core", f"{times['training']:.2f} s",
            "at most 5 s"),
        row("Both orders and the noise floor, shown on the page", f"{seconds:.1f} s", ""),
        row("Frames meanwhile", f"{frames:.0f} per second", "at least 30"),
        row(f"A decision map of {shape}, 100 x 100 points",
            f"untrained {1000 * times['map_untrained']:.0f} ms, "
            f"trained {1000 * times['map_trained']:.0f} ms", ""),
        row(f"Networks whose logits agree with PyTorch's to 1e-5 after {FEW_STEPS} steps",
            f"{near:.0%}", "all"),
        row("Largest difference of a network's logits, median",
            f"from PyTorch {usual['the playground', 'PyTorch']}, from double precision "
            f"{usual['the playground', 'double']} (PyTorch: {usual['PyTorch', 'double']})", ""),
        *(row(words.format(recipe), f"here {median(here[name])}, in PyTorch {median(there[name])}",
              "alike but for chance") for words, name in ends.items()),
        row(f"Networks with a gap above {far} noise floors",
            ", ".join(f"{words} {beyond(of, name, far)}" for words, of, name in (
                ("random half", there, "gap"), ("least varying half", least, "gap"),
                ("B trained once more", least, "again"))), "")]


def beyond(ends: dict[str, np.ndarray], name: str, far: float) -> Estimate:
    """Return the share of networks with a distance that the page calls far."""
    return share((ends[name] > far * ends["floor"])[None])


def row(what: str, measured: str, wanted: str) -> dict:
    return {"what": what, "measured": measured, "wanted": wanted}


def main(path: Path = RESULTS) -> None:
    """Measure, print and write."""
    version, frames, seconds = in_a_browser()
    node = under_node()
    found = {"command": "python benchmarks/playground.py", "processor": processor(),
             "versions": {"chromium": version, "node": node["node"].removeprefix("v"),
                          "torch": str(torch.__version__)},
             "networks": NETWORKS, "rows": rows(node, frames, seconds)}
    files.write(path, f"{json.dumps(found, indent=1)}\n".encode())
    for one in found["rows"]:
        print(f"{one['what']}: {one['measured']}" + (f" ({one['wanted']})" * bool(one["wanted"])))


if __name__ == "__main__":
    main()
