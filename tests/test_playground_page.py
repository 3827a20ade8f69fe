"""The page "Which first?" carries scripts that run, networks of the study, and measurements."""

import json
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

import playground_page
from commands import PLAYGROUND, run
from helpers.compare import disagreement, plane
from helpers.data import moons
from helpers.explorer import exported
from helpers.networks import initialise
from helpers.recipes import POST
from helpers.square import commute

FEW = replace(POST, steps=20)
MEASURED = {"command": "python measure.py", "networks": 8, "processor": "a processor",
            "versions": {"chromium": 156, "node": 20},
            "rows": [{"what": "1500 steps", "measured": "1.2 s", "wanted": "at most 5 s"},
                     {"what": "a map", "measured": "3 ms", "wanted": ""}]}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The folder of a page whose networks were trained for a few steps."""
    monkeypatch.setattr(playground_page, "POST", FEW)
    monkeypatch.setattr(playground_page, "MEASURED", tmp_path / "measured.json")
    (tmp_path / "measured.json").write_text(json.dumps(MEASURED))
    (tmp_path / "_static").mkdir()
    playground_page.write(tmp_path)
    return tmp_path


def test_scripts_and_style_are_whole(written):
    folder = written / "_static/playground"
    for name in ("page.js", "worker.js"):
        assert run("node", "--check", folder / name) == (0, "")
    assert (folder / "playground.css").read_text() == (PLAYGROUND / "playground.css").read_text()


def test_presets_are_networks_of_the_study(written):
    html = (written / "computed/presets.html").read_text()
    blocks = BeautifulSoup(html, "html.parser")("script", class_="playground-preset")
    assert [block["data-name"] for block in blocks] == [*playground_page.PRESETS]
    given = json.loads(blocks[-1].string)
    problem = moons(seed=0)
    square = commute(initialise((2, 50, 50, 1), [22]), problem, FEW, "random", 0.5)
    known = {"noise": 0.1, "data_seed": 0, "criterion": "random", "fraction": 0.5}
    expected = exported(square, 22, "Random half on moons")
    assert given == {**expected, "setting": expected["setting"] | known}
    (gap,) = disagreement(square.train_first, square.prune_first, plane(problem)).tolist()
    assert f"differs on {100 * gap:.0f}\u202f% of the plane." in blocks[-1]["data-text"]
    rates = [json.loads(block.string)["setting"]["learning_rate"] for block in blocks]
    assert rates == [0.1, 0.1, 0.005, 0.1]


def test_a_title_cannot_end_the_block(written, monkeypatch):
    title = "</script><b>"
    preset = replace(playground_page.PRESETS["moons"], title=title)
    monkeypatch.setitem(playground_page.PRESETS, "moons", preset)
    block = BeautifulSoup(playground_page.block("moons"), "html.parser").script
    assert json.loads(block.string)["title"] == title


def test_measurements_stand_beside_what_was_asked_for(written):
    assert (written / "computed/playground.md").read_text() == (
        "|  | Measured | Asked for |\n| --- | --- | --- |\n"
        "| 1500 steps | 1.2 s | at most 5 s |\n| a map | 3 ms |  |\n\n"
        "8 networks, one data draw; a processor, chromium 156, node 20.\n")


@pytest.mark.parametrize("measured, lacking", [
    ({}, "rows"), ({**MEASURED, "rows": [{"what": "a map"}]}, "measured"),
    ({"rows": []}, "versions")])
def test_measurements_that_lack_something_are_refused(tmp_path, measured, lacking):
    (tmp_path / "some.json").write_text(json.dumps(measured))
    with pytest.raises(ValueError, match=f"^results/some.json lacks '{lacking}': run benchmarks/"):
        playground_page.measurements(tmp_path / "some.json")


def test_a_page_without_measurements_is_refused(tmp_path):
    with pytest.raises(ValueError, match="^there is no results/some.json: run benchmarks/playgr"):
        playground_page.measurements(tmp_path / "some.json")


def test_the_stored_measurements_can_be_shown():
    assert playground_page.measurements(playground_page.MEASURED).count("\n") > 4
