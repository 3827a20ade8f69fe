"""What the page "How fast" needs: figures, tables and sentences, all from what was measured."""

import json

import matplotlib.pyplot as plt
from matplotlib.ticker import LogFormatter

import answers
from helpers import plots
from render import ROOT

MEASURED = ROOT / "results/speed.json"
BENCHMARKS = {"training": "benchmarks.training", "costs": "benchmarks.costs"}  # they write it
COLOURS = plots.CORNERS["prune first (B)"], plots.CORNERS["noise floor"]  # of this project
OTHER, FLOOR = plots.CORNERS["initial"], "#CCCCCC"  # of what one would use instead, of the least
PALE = 0.45  # opacity of the bars for two cores
AXES = {"networks": "networks", "width": "nodes per hidden layer", "depth": "hidden layers",
        "points": "training points, all in every step"}
TIME = "µs per network and step"


def write(folder):
    """Write what the page needs into a folder of Sphinx sources."""
    found = measurements(MEASURED)
    target = folder / "_static/speed"
    target.mkdir(parents=True)
    with plt.rc_context():
        plots.use_style()
        save(contenders_figure(found["training"]), target / "contenders.png")
        save(growth_figure(found["costs"]), target / "growth.png")
    computed = folder / "computed"
    computed.mkdir(exist_ok=True)
    for name, text in texts(found).items():
        (computed / f"speed-{name}.md").write_text(text)


def measurements(path):
    """Read what the benchmarks measured."""
    found = json.loads(path.read_text()) if path.is_file() else {}
    for name, benchmark in BENCHMARKS.items():
        if name not in found:
            raise ValueError(f"results/{path.name} lacks {name!r}: run python -m {benchmark}")
    return found


def texts(found):
    """Write the computed parts of the page by name."""
    training, costs = found["training"], found["costs"]
    return {
        "answer": answer(training), "targets": targets_table(training, costs),
        "missed": missed(training, costs), "profile": profile_table(training),
        "times": times_table(training), "memory": memory(costs),
        "growth": growth_table(costs), "costs": costs_table(costs),
        "machine": machine(training), "machine-costs": machine(costs)}


def save(figure, path):
    """Write a figure with two pixels for each of the page's, sharp on a dense screen."""
    figure.savefig(path, dpi=2 * figure.dpi, metadata={"Software": None})
    plt.close(figure)


def contenders_figure(training):
    """Draw the time of every contender as a bar, a panel for each workload."""
    workloads, cores = (list(dict.fromkeys(row[key] for row in training["rows"]))
                        for key in ("workload", "cores"))
    axes = plots.panels(len(workloads), size=3.1, sharey=True)
    for ax, workload in zip(axes, workloads, strict=True):
        bars([row for row in training["rows"] if row["workload"] == workload], cores,
             colours(training), ax)
        ax.set(title=workload, xlabel=TIME)
    plots.caption(axes[0], " ".join((
        "Upper bars: one core; lower and paler: two." if len(cores) > 1 else "On one core.",
        f"Medians of {training['rounds']} rounds; the scale is logarithmic. Every contender trains",
        "as many networks as suit it:", span(row["networks"] for row in training["rows"]) + ".")))
    return axes[0].figure


def colours(found):
    """Return the colours of what was not written elsewhere, by name."""
    own = dict(zip(found["engines"], COLOURS, strict=False))
    return own | ({found["floor"]: FLOOR} if "floor" in found else {})


def bars(rows, cores, colours, ax):
    """Draw times as bars from top to bottom, one for each number of cores, numbers beside them."""
    names = list(dict.fromkeys(row["contender"] for row in rows))
    height = 0.8 / len(cores)
    for row in rows:
        place, time = cores.index(row["cores"]), row["us_per_network_step"]
        at = names.index(row["contender"]) + height * (place - (len(cores) - 1) / 2)
        ax.barh(at, time, height, color=colours.get(row["contender"], OTHER),
                alpha=PALE if place else 1)
        ax.annotate(number(time), (time, at), xytext=(3, 0), textcoords="offset points",
                    va="center", fontsize="x-small")
    times = [row["us_per_network_step"] for row in rows]
    ax.set(xscale="log", xlim=(min(times) / 2, 4 * max(times)), ylim=(len(names) - 0.5, -0.5),
           yticks=range(len(names)), yticklabels=names)
    return ax


def growth_figure(costs):
    """Draw the time per network and step along every kind of size, a line for each engine."""
    axes = plots.panels(len(AXES), 2, 3.1)
    for ax, (along, label) in zip(axes, AXES.items(), strict=True):
        for name, colour in colours(costs).items():
            values, times = zip(*grown(costs, name, along).items(), strict=True)
            ax.plot(values, times, marker="o", markersize=3, color=colour, label=name)
        ax.set(xscale="log", yscale="log", xlabel=label, ylabel=TIME)
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.xaxis.minorticks_off()
        for formatter in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
            formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    axes[1].legend()
    plots.caption(axes[0], f"One core; medians of {costs['rounds']} rounds; both scales are "
                           "logarithmic. Where their number is not on the axis, "
                           f"{costs['costs'][0]['networks']} networks are trained.")
    return axes[0].figure


def span(numbers):
    """Write the least and the largest of some numbers."""
    numbers = list(numbers)
    return f"{min(numbers)} to {max(numbers)}"


def grown(costs, job, along):
    """Return the times of a job by the values of one kind of size."""
    return {row["value"]: row["us_per_network"] for row in costs["growth"]
            if (row["job"], row["along"]) == (job, along)}


def number(value):
    """Write a number with three digits, or all of a whole part that has more."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cores_of(count):
    """Write a number of cores."""
    return {1: "one core", 2: "two cores"}[count]


def times_of(training):
    """Return the times by contender, workload and number of cores."""
    return {(row["contender"], row["workload"], row["cores"]): row["us_per_network_step"]
            for row in training["rows"]}


def answer(training):
    """Write how fast training is and against what, in a sentence for each engine."""
    workload, apart = training["rows"][0]["workload"], {*training["engines"], training["floor"]}
    rows = {row["contender"]: row for row in training["rows"]
            if (row["workload"], row["cores"]) == (workload, 1)}
    return "\n".join(
        f"- **{name}: {number(rows[name]['us_per_network_step'])} {TIME}** ({workload}, one core; "
        "the others take " + ", ".join(
            f"{number(row['ratio'] / rows[name]['ratio'])} times as long ({other})"
            for other, row in rows.items() if other not in apart) + ")"
        for name in training["engines"]) + "\n"


def targets_table(training, costs):
    """Write the table of targets: what was asked for, what was measured, met or missed."""
    rows = [[row["what"], f"{row['measured']:.2f}", asked(row), verdict(row["met"])]
            for row in training["targets"]]
    rows += [[row["what"], f"worst {row['measured']:.1%} above", f"at most {row['wanted']:.0%}",
              verdict(row["met"])] for row in costs["targets"]]
    rows += [[f"{row['contender']}: memory grows in proportion to the networks",
              f"{row['bent']:.1%} off a straight line", f"at most {row['straight']:.0%}",
              verdict(row["met"])] for row in costs["memory"]]
    return answers.table(["On one core, unless two are named", "Measured", "Asked for", ""], rows)


def asked(row):
    """Write the ratio that was asked for, and what it must never fall below."""
    never = f", never below {row['least']:g}" if row["least"] < row["wanted"] else ""
    return f"at least {row['wanted']:g}{never}"


def verdict(met):
    """Write whether a target was met."""
    return "met" if met else "**missed**"


def times_table(training):
    """Write the table of all times: a row for each contender, a column for each way to run it."""
    times = times_of(training)
    cases = list(dict.fromkeys(case[1:] for case in times))
    rows = [[name, *(number(times[name, *case]) for case in cases)]
            for name in dict.fromkeys(name for name, *_ in times)]
    return answers.table([TIME, *(f"{task}, {cores_of(cores)}" for task, cores in cases)], rows)


def profile_table(training):
    """Write the table of where the time goes: a row for each part, a column for each way to run."""
    cases = list(dict.fromkeys((row["workload"], row["cores"]) for row in training["profiles"]))
    parts = {case: parts_of(training, *case) for case in cases}
    rows = [[part, *(f"{number(parts[case][part])} ({share(parts[case], part)})" for case in cases)]
            for part in parts[cases[0]]]
    return answers.table([TIME, *(f"{task}, {cores_of(cores)}" for task, cores in cases)], rows)


def parts_of(training, workload, cores):
    """Return the time of every part of a step."""
    return {row["part"]: row["us_per_network_step"] for row in training["profiles"]
            if (row["workload"], row["cores"]) == (workload, cores)}


def missed(training, costs):
    """Write, for every target that was missed, the profile that shows why."""
    said = [why(row, training) for row in training["targets"] if not row["met"]]
    said += [why_uneven(row, costs) for row in costs["targets"] if not row["met"]]
    said += [f"memory of {row['contender']} at " + ", ".join(
        f"{count} networks {peak / 1e6:.0f} MB" for count, peak
        in zip(row["networks"], row["peaks"], strict=True)) + "."
        for row in costs["memory"] if not row["met"]]
    return "\n".join(f"- {text[0].upper()}{text[1:]}" for text in said) + "\n" if said else (
        "None was missed.\n")


def why(row, training):
    """Write the parts of the step that a missed ratio hangs on."""
    (slow, workload, one), (fast, _, cores) = row["slow"], row["fast"]
    times, parts = times_of(training), parts_of(training, workload, one)
    begin = f"{row['what']}: {row['measured']:.2f}."
    if one != cores:
        other = parts_of(training, workload, cores)
        gained = ", ".join(f"a factor of {parts[part] / other[part]:.2g} ({part}, "
                           f"{share(parts, part)} of the time)"
                           for part in parts if min(parts[part], other[part]) > 0)
        if fast != training["engines"][0]:
            return f"{begin} Nothing in it waits for another: every thread trains networks alone."
        return f"{begin} {cores_of(cores).capitalize()} do the parts of a step faster by {gained}."
    if fast != training["engines"][0]:
        before, after = (number(times[name, workload, one]) for name in (slow, fast))
        return (f"{begin} {before} µs ({slow}) against {after} ({fast}), whose kernel no profiler "
                "sees into.")
    floor = times[training["floor"], workload, one]
    return (f"{begin} A step on PyTorch is " + ", ".join(
        f"{share(parts, part)} {part}" for part in sorted(parts, key=parts.get, reverse=True))
        + f". {training['floor'].capitalize()}, in their fastest layouts, take {number(floor)} of "
        f"the {number(times[fast, workload, one])} µs of {fast}: with nothing else to do, the "
        f"ratio would be {times[slow, workload, one] / floor:.2f}.")


def share(parts, part):
    """Write a part's share of a step."""
    return f"{parts[part] / sum(parts.values()):.0%}"


def why_uneven(row, costs):
    """Write the times of a job whose time per network depends on how many networks there are."""
    times = grown(costs, row["job"], "networks")
    said = f"{row['what']}: " + ", ".join(
        f"{number(time)} µs for {count}" for count, time in times.items())
    parts = {}
    for part in costs["profiles"]:
        if row["job"] == part["job"]:
            parts.setdefault(part["part"], []).append(f"{number(part['us_per_network_step'])}")
    if parts:
        counts = list(dict.fromkeys(part["networks"] for part in costs["profiles"]))
        said += f". By part, in µs for {' and '.join(map(str, counts))} networks: " + ", ".join(
            f"{part} {' and '.join(pair)}" for part, pair in parts.items())
    return said + "."


def memory(costs):
    """Write what training takes in memory, per network."""
    return "\n".join(
        f"- {row['contender']}: **{row['per_network'] / 1e3:.0f} kB per network**, "
        f"{row['per_network'] / row['parameters'] / 4:.0f} times its {row['parameters']} "
        f"parameters in single precision; at most {max(row['peaks']) / 1e6:.0f} MB, for "
        f"{max(row['networks'])} networks and the libraries" for row in costs["memory"]) + "\n"


def growth_table(costs):
    """Write the table of how the time per network of everything grows."""
    jobs = list(dict.fromkeys(row["job"] for row in costs["growth"]))
    times = {(job, along): grown(costs, job, along) for job in jobs for along in AXES}
    rows = [[f"{label}: {value:g}", *(number(times[job, along][value])
                                     if value in times[job, along] else "" for job in jobs)]
            for along, label in AXES.items() for value in times[jobs[0], along]]
    return answers.table(["µs per network", *(
        f"{job}, a step" if job in costs["engines"] else job for job in jobs)], rows)


def costs_table(costs):
    """Write the table of what everything else costs."""
    return answers.table(["", "ms per network"], [
        [row["what"], number(row["ms_per_network"])] for row in costs["costs"]])


def machine(found):
    """Write what something was measured on and with."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return (f"{found['processor']}, {found['processor_cores']} cores, vectors of "
            f"{found['vectors']}; {versions}.\n")
