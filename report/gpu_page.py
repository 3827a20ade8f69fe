"""What the section "On a GPU" of the page "How fast" needs: what `benchmarks.gpu` measured."""

import json

import answers
from helpers.intervals import Estimate
from render import ROOT
from speed_page import TIME, number, verdict

MEASURED = ROOT / "results/gpu.json"
BENCHMARK = "benchmarks.gpu"  # writes it


def write(folder):
    """Write what the section needs into a folder of Sphinx sources."""
    if not MEASURED.is_file():
        raise ValueError(f"results/{MEASURED.name} is missing: run python -m {BENCHMARK}")
    computed = folder / "computed"
    computed.mkdir(exist_ok=True)
    for name, text in texts(json.loads(MEASURED.read_text())).items():
        (computed / f"gpu-{name}.md").write_text(text)


def texts(found):
    """Write the computed parts of the section by name."""
    return {"answer": answer(found), "times": times(found), "networks": networks(found)}


def answer(found):
    """Write how long all networks took, by either method, and what was asked for."""
    lines = [f"- **`{row['method']}`: {row['networks']} networks, {row['steps']} steps each, in "
             f"{number(row['seconds'])} s** (asked for: {number(row['wanted_seconds'])} s, "
             f"{verdict(row['seconds'] <= row['wanted_seconds'])})"
             for row in found["rows"] if row.get("wanted_seconds")]
    largest = max(row["networks"] for row in found["rows"])
    drawn = found["seconds_to_draw_batches"] * largest
    return "\n".join(lines) + (
        f"\n\n`train` draws batches on the processor, network by network, so that they are those "
        f"of the notebooks: about {number(drawn)} s of the time, by what "
        f"{found['networks'][0]['accuracy']['networks']} networks took. `train_whole` counts its "
        "own.\n\n"
        f"{found['gpu']}; " + ", ".join(f"{name} {version}" for name, version
                                        in found["versions"].items()) + ".\n")


def times(found):
    """Write the table of the time per network and step, and of the memory, by networks."""
    methods = list(dict.fromkeys(row["method"] for row in found["rows"]))
    cases = list(dict.fromkeys((row["networks"], row["steps"]) for row in found["rows"]))
    cell = {(row["networks"], row["steps"], row["method"]): row for row in found["rows"]}
    rows = [[f"{count} networks, {steps} steps",
             *(number(cell[count, steps, method]["us_per_network_step"]) for method in methods),
             *(f"{cell[count, steps, method]['peak_bytes'] / 1e6:.0f} MB" for method in methods)]
            for count, steps in cases]
    head = [f"`{method}`" for method in methods]
    return answers.table([TIME, *head, *(f"{name}, memory at its peak" for name in head)], rows)


def networks(found):
    """Write the table of what networks trained here and there are like."""
    places = {"cpu": "the processor", "cuda": "the GPU"}
    rows = [[f"`{row['method']}` on {places[row['device']]}", str(row["accuracy"]["networks"]),
             *(str(Estimate(**row[name])) for name in ("accuracy", "loss"))]
            for row in found["networks"]]
    return answers.table(["", "Networks", "Held-out accuracy", "Held-out loss (nats)"], rows)
