"""What the page "Which first?" needs: its scripts, networks of the study, how fast it was."""

import inspect
import json
import shutil
from dataclasses import dataclass, replace

import answers
from helpers.bundle import bundle
from helpers.compare import disagreement, plane
from helpers.data import PROBLEMS
from helpers.explorer import PLAYGROUND, exported
from helpers.networks import initialise
from helpers.recipes import POST
from helpers.square import commute
from render import ROOT

WIDTHS, FRACTION = (2, 50, 50, 1), 0.5
DATA_SEED, SEED = 0, 22  # of the network that the first page shows
MEASURED = ROOT / "results/playground.json"
BENCHMARK = "benchmarks/playground.py"  # writes it
BLOCK = ('<script type="application/json" class="playground-preset" data-name="{name}" '
         'data-text="{text}">{content}</script>\n')


@dataclass(frozen=True)
class Preset:
    """A network of the study to open on the page: the words of its title and its setting."""

    title: str
    problem: str
    criterion: str
    learning_rate: float = POST.learning_rate


PRESETS = {
    "random-half": Preset("Random half", "spirals", "random"),
    "least-varying-half": Preset("Least varying half", "spirals", "std"),
    "few-dead-nodes": Preset("Least varying half, few dead nodes", "spirals", "std", 0.005),
    "moons": Preset("Random half on moons", "moons", "random"),
}


def write(folder):
    """Write what the page needs into a folder of Sphinx sources."""
    target = folder / "_static/playground"
    target.mkdir()
    for name in ("page.js", "worker.js"):
        (target / name).write_text(bundle(PLAYGROUND, name) + ";\n")
    shutil.copy(PLAYGROUND / "playground.css", target)
    computed = folder / "computed"
    computed.mkdir(exist_ok=True)
    (computed / "presets.html").write_text("".join(map(block, PRESETS)))
    (computed / "playground.md").write_text(measurements(MEASURED))


def block(name):
    """Train the networks of a preset and write them as data that a page carries."""
    preset = PRESETS[name]
    problem = PROBLEMS[preset.problem](seed=DATA_SEED)
    recipe = replace(POST, learning_rate=preset.learning_rate)
    initial = initialise(WIDTHS, [SEED])
    square = commute(initial, problem, recipe, preset.criterion, FRACTION)
    (gap,) = disagreement(square.train_first, square.prune_first, plane(problem)).tolist()
    given = exported(square, title=preset.title)
    given["setting"] |= {"noise": noise(preset.problem), "data_seed": DATA_SEED,
                         "criterion": preset.criterion, "fraction": FRACTION}
    text = (f"Learning rate {preset.learning_rate:g}: trained first and pruned first, "
            f"the network differs on {100 * gap:.0f}\u202f% of the plane.")
    return BLOCK.format(name=name, text=text, content=json.dumps(given).replace("</", "<\\/"))


def noise(problem):
    """Return the noise that a problem has unless it is set."""
    return inspect.signature(PROBLEMS[problem]).parameters["noise"].default


def measurements(path):
    """Write the table of what was measured beside what was asked for, and of what it was made with.
    """
    if not path.is_file():
        raise ValueError(f"there is no results/{path.name}: run {BENCHMARK}")
    found = json.loads(path.read_text())
    try:
        rows = [[row[part] for part in ("what", "measured", "wanted")] for row in found["rows"]]
        versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
        where = f"{found['networks']} networks, one data draw; {found['processor']}, {versions}."
    except KeyError as missing:
        raise ValueError(f"results/{path.name} lacks {missing}: run {BENCHMARK}") from None
    return answers.table(["", "Measured", "Asked for"], rows) + f"\n{where}\n"
