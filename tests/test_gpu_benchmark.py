"""What the benchmark on a GPU prints and writes; on a GPU, that it runs."""

import copy
import json

import pytest
import torch

import gpu_page
from benchmarks import gpu as bench

ROWS = [{"method": method, "networks": count, "steps": 1500, "seconds": seconds,
         "us_per_network_step": 0.5, "peak_bytes": 9e6, "wanted_seconds": wanted}
        for method, count, seconds, wanted in
        (("train", 16, 99.0, None), ("train", 100_000, 39.96, 40),
         ("train_whole", 16, 1.0, None), ("train_whole", 100_000, 10.04, 10))]
ESTIMATE = {"value": 0.5, "low": 0.25, "high": 0.75, "networks": 9, "draws": 1}
FOUND = {"gpu": "a card", "versions": {"torch": "9"}, "rows": ROWS, "seconds_to_draw_batches": 2e-4,
         "networks": [{"method": "train", "device": "cpu", "accuracy": ESTIMATE, "loss": ESTIMATE}]}


def test_targets_are_judged_by_the_largest_run():
    text = bench.table(FOUND)
    assert "train: 100000 networks, 1500 steps in 40.0 s (target 40 s: met)" in text
    assert "train_whole: 100000 networks, 1500 steps in 10.0 s (target 10 s: missed)" in text
    assert "draws batches on the processor for 20.0 s" in text
    assert "train on cpu: held-out accuracy 0.500 [0.250, 0.750]" in text


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Return what the report says of measurements."""
    def written(found):
        monkeypatch.setattr(gpu_page, "MEASURED", tmp_path / "gpu.json")
        gpu_page.MEASURED.write_text(json.dumps(found))
        gpu_page.write(tmp_path)
        return "".join(path.read_text() for path in sorted((tmp_path / "computed").iterdir()))
    return written


def test_the_page_says_what_was_measured(page):
    text = page(FOUND)
    assert "`train`: 100000 networks, 1500 steps each, in 40 s** (asked for: 40 s, met)" in text
    assert "`train_whole`: 100000 networks, 1500 steps each, in 10 s** (asked for: 10 s" in text
    assert "**missed**" in text and "a card; torch 9." in text
    assert "about 20 s of the time, by what 9 networks took" in text
    assert "`train` on the processor" in text and "0.500 [0.250, 0.750]" in text
    changed = copy.deepcopy(FOUND)
    changed["rows"][1] |= {"seconds": 123.0, "us_per_network_step": 4.56, "peak_bytes": 7.8e7}
    other = page(changed)
    assert "in 123 s" in other and "4.56" in other and "78 MB" in other


def test_every_part_of_the_section_is_on_the_page():
    text = (gpu_page.ROOT / "report/how_fast.md").read_text()
    assert all(f"computed/gpu-{name}.md" in text for name in gpu_page.texts(FOUND))


def test_without_measurements_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu_page, "MEASURED", tmp_path / "gpu.json")
    with pytest.raises(ValueError, match="gpu.json is missing: run python -m benchmarks.gpu"):
        gpu_page.write(tmp_path)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured(tmp_path, capsys):
    assert bench.main(tmp_path / "gpu.json") == 1
    assert "no GPU here" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_every_method_and_size_is_measured(tmp_path, monkeypatch):
    for name, value in {"NETWORKS": 20, "SIZES": (4, 8), "COMPARED": 5}.items():
        monkeypatch.setattr(bench, name, value)
    assert bench.main(tmp_path / "gpu.json") == 0
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert set(found) == set(FOUND)
    assert [(row["method"], row["networks"]) for row in found["rows"]] == [
        (method, count) for count in (4, 8, 20) for method in ("train", "train_whole")]
    assert all(row["seconds"] > 0 and row["peak_bytes"] > 0 for row in found["rows"])
    assert len(found["networks"]) == 3
