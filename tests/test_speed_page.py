"""The page "How fast" says what was measured: every number comes from the stored file."""

import copy
import json

import matplotlib.pyplot as plt
import pytest
from PIL import Image

import speed_page

OURS, FAST, LOOP, FLOOR = "ours", "ours, compiled", "a loop", "products"
VERSIONS = {"processor": "a processor", "processor_cores": 2, "vectors": "SSE",
            "versions": {"python": "3.11"}}
TIMES = {OURS: 10.0, FAST: 4.0, LOOP: 123.0, FLOOR: 5.0}
PARTS = {"products": {1: 6.0, 2: 3.0}, "Adam": {1: 3.0, 2: 2.0}, "rest": {1: 1.0, 2: 1.0}}


def row(name, workload, cores, time):
    return {"contender": name, "workload": workload, "cores": cores, "us_per_network_step": time,
            "networks": 2 * cores, "ratio": time * cores / TIMES[OURS]}


def target(slow, fast, measured, wanted, least, what="some batches: fast enough"):
    return {"what": what, "slow": list(slow), "fast": list(fast), "measured": measured,
            "wanted": wanted, "least": least, "met": measured >= wanted}


TRAINING = VERSIONS | {
    "rounds": 5, "engines": [OURS, FAST], "floor": FLOOR, "left_out": [],
    "rows": [row(name, workload, cores, time / cores) for workload in ("batches", "all points")
             for name, time in TIMES.items() for cores in (1, 2)],
    "targets": [target((LOOP, "batches", 1), (OURS, "batches", 1), 12.3, 10, 8)],
    "profiles": [{"workload": workload, "cores": cores, "part": part, "us_per_network_step": time}
                 for workload in ("batches", "all points") for cores in (1, 2)
                 for part, times in PARTS.items() for time in (times[cores],)]}
COSTS = VERSIONS | {
    "rounds": 3, "engines": [OURS, FAST], "profiles": [],
    "costs": [{"what": "choose by chance", "networks": 9, "ms_per_network": 0.75}],
    "growth": [{"job": job, "along": along, "value": value, "us_per_network": 7.0 * value}
               for job in (OURS, FAST, "prune") for along in speed_page.AXES for value in (1, 64)],
    "targets": [{"what": "even", "job": OURS, "best_at": 1, "worst_at": 64, "measured": 0.07,
                 "wanted": 0.1, "met": True}],
    "memory": [{"contender": OURS, "networks": [1, 2], "peaks": [3e8, 4e8], "per_network": 140e3,
                "parameters": 2750, "bent": 0.02, "straight": 0.05, "met": True}]}


@pytest.fixture
def found():
    """What was measured, to be changed at will."""
    return copy.deepcopy({"training": TRAINING, "costs": COSTS})


def written(found, folder, monkeypatch):
    """Everything computed that a page of these measurements holds, as one text."""
    (folder / "speed.json").write_text(json.dumps(found))
    monkeypatch.setattr(speed_page, "MEASURED", folder / "speed.json")
    speed_page.write(folder / "source")
    return "".join(path.read_text() for path in (folder / "source/computed").iterdir())


def test_the_page_holds_a_text_for_every_include_and_both_pictures(found, tmp_path, monkeypatch):
    written(found, tmp_path, monkeypatch)
    page = (speed_page.ROOT / "report/how_fast.md").read_text()
    computed = {path.name for path in (tmp_path / "source/computed").iterdir()}
    assert {f"computed/{name}" for name in computed} == {
        line.split()[-1] for line in page.splitlines() if "{include} computed/speed" in line}
    for name in ("contenders", "growth"):
        assert f"_static/speed/{name}.png\n:alt: " in page
        assert min(Image.open(tmp_path / f"source/_static/speed/{name}.png").size) > 300


@pytest.mark.parametrize("place, before, after", [
    (("training", "rows", 4, "us_per_network_step"), "123", "456"),
    (("training", "rows", 4, "ratio"), "12.3 times", "45.6 times"),
    (("training", "targets", 0, "measured"), "12.30", "45.60"),
    (("training", "profiles", 0, "us_per_network_step"), "6 (60%)", "16 (80%)"),
    (("training", "processor"), "a processor", "another one"),
    (("costs", "costs", 0, "ms_per_network"), "0.75", "0.25"),
    (("costs", "targets", 0, "measured"), "7.0%", "9.0%"),
    (("costs", "memory", 0, "per_network"), "140 kB", "280 kB"),
    (("costs", "growth", 1, "us_per_network"), "448", "999")])
def test_a_number_that_changes_is_another_on_the_page(found, place, before, after):
    said = "".join(speed_page.texts(found).values())
    *above, last = place
    holder = found
    for key in above:
        holder = holder[key]
    value = holder[last]
    holder[last] = {"456": 456.0, "45.6 times": 45.6, "45.60": 45.6, "16 (80%)": 16.0,
                    "0.25": 0.25, "9.0%": 0.09, "280 kB": 280e3, "999": 999.0}.get(after, after)
    changed = "".join(speed_page.texts(found).values())
    assert before in said and after not in said, value
    assert after in changed


def test_the_first_sentences_compare_with_all_others_but_not_with_the_floor(found):
    assert speed_page.answer(found["training"]) == (
        "- **ours: 10 µs per network and step** (batches, one core; the others take 12.3 times as "
        "long (a loop))\n"
        "- **ours, compiled: 4 µs per network and step** (batches, one core; the others take 30.8 "
        "times as long (a loop))\n")


def test_what_was_met_needs_no_excuse(found):
    assert speed_page.missed(found["training"], found["costs"]) == "None was missed.\n"
    assert "| 12.30 | at least 10, never below 8 | met |" in speed_page.targets_table(
        found["training"], found["costs"])


def test_a_missed_ratio_comes_with_the_profile_and_what_the_products_alone_would_give(found):
    slow, fast = (LOOP, "batches", 1), (OURS, "batches", 1)
    found["training"]["targets"] = [target(slow, fast, 12.3, 25, 25)]
    assert speed_page.missed(found["training"], found["costs"]) == (
        "- Some batches: fast enough: 12.30. A step on PyTorch is 60% products, 30% Adam, 10% "
        "rest. Products, in their fastest layouts, take 5 of the 10 µs of ours: with nothing else "
        "to do, the ratio would be 24.60.\n")
    assert "| at least 25 | **missed** |" in speed_page.targets_table(
        found["training"], found["costs"])


def test_missed_cores_come_with_what_every_part_gained(found):
    one, two = (OURS, "batches", 1), (OURS, "batches", 2)
    found["training"]["targets"] = [target(one, two, 1.7, 1.8, 1.8)]
    assert speed_page.missed(found["training"], found["costs"]).endswith(
        "Two cores do the parts of a step faster by a factor of 2 (products, 60% of the time), "
        "a factor of 1.5 (Adam, 30% of the time), a factor of 1 (rest, 10% of the time).\n")


def test_a_kernel_that_misses_is_not_explained_by_the_parts_of_another_engine(found):
    found["training"]["targets"] = [
        target((OURS, "batches", 1), (FAST, "batches", 1), 1.2, 1.7, 1.7),
        target((FAST, "batches", 1), (FAST, "batches", 2), 1.5, 1.8, 1.8)]
    text = speed_page.missed(found["training"], found["costs"])
    assert "1.20. 10 µs (ours) against 4 (ours, compiled), whose kernel no profiler" in text
    assert "1.50. Nothing in it waits" in text and "products" not in text


def test_uneven_times_come_with_all_of_them_and_with_the_parts(found):
    found["costs"]["targets"][0]["met"] = False
    found["costs"]["profiles"] = [
        {"job": OURS, "networks": count, "part": "Adam", "us_per_network_step": time}
        for count, time in ((1, 2.0), (64, 3.5))]
    assert speed_page.missed(found["training"], found["costs"]) == (
        "- Even: 7 µs for 1, 448 µs for 64. By part, in µs for 1 and 64 networks: Adam 2 and 3.5."
        "\n")


def test_memory_that_bends_is_said(found):
    found["costs"]["memory"][0]["met"] = False
    assert "at 1 networks 300 MB, 2 networks 400 MB" in speed_page.missed(
        found["training"], found["costs"])


def test_bars_are_as_long_as_the_times_and_stand_in_pairs(found):
    ax = plt.figure().subplots()
    rows = [row for row in found["training"]["rows"] if row["workload"] == "batches"]
    speed_page.bars(rows, [1, 2], {}, ax)
    assert [bar.get_width() for bar in ax.patches] == [row["us_per_network_step"] for row in rows]
    upper, lower = (bar.get_y() for bar in ax.patches[:2])
    assert upper < lower and ax.yaxis_inverted()
    plt.close(ax.figure)


@pytest.mark.parametrize("lacking", ["training", "costs"])
def test_measurements_that_lack_a_part_are_refused(found, tmp_path, lacking):
    del found[lacking]
    (tmp_path / "some.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match=f"^results/some.json lacks '{lacking}': run python -m"):
        speed_page.measurements(tmp_path / "some.json")


def test_a_page_without_measurements_is_refused(tmp_path):
    with pytest.raises(ValueError, match="^results/some.json lacks 'training': run python -m"):
        speed_page.measurements(tmp_path / "some.json")


def test_the_stored_measurements_can_be_shown():
    found = speed_page.measurements(speed_page.MEASURED)
    assert all(text.strip() for text in speed_page.texts(found).values())
