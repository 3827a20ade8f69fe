"""The explorer hands a square to the playground, and gives back nodes that `prune` takes."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from traitlets import TraitError

from commands import PLAYGROUND, run
from examples import FEW, MOONS, double, refuses, same_bits, three_classes, tiny
from helpers import explorer, plots
from helpers.explorer import LARGEST_SEED, Explorer, exported
from helpers.networks import Networks, initialise
from helpers.pruning import everything, prune
from helpers.sliders import picture
from helpers.square import Square, close, commute

SQUARE = commute(tiny(), MOONS, FEW, "std", 0.4, "linear")
DECODE = f"""
import {{ readFileSync }} from "node:fs";
import {{ decode }} from "{(PLAYGROUND / "given.js").as_uri()}";
const numbers = (_, value) => (ArrayBuffer.isView(value) ? [...value] : value);
console.log(JSON.stringify(decode(JSON.parse(readFileSync("given.json", "utf8"))), numbers));
"""


@pytest.fixture
def decoded(tmp_path):
    """A function: what the playground makes of an export, its arrays as lists."""
    def decode(given):
        (tmp_path / "given.json").write_text(json.dumps(given))
        status, said = run("node", "--input-type=module", "-e", DECODE, folder=tmp_path)
        assert status == 0, said
        return json.loads(said)

    return decode


def same_numbers(found, expected):
    return np.array_equal(np.float32(found), np.float32(expected.detach().numpy()).ravel())


def check_network(found, networks, i):
    assert found["widths"] == list(networks.widths)
    for kind in ("weights", "biases"):
        pairs = zip(found[kind], getattr(networks, kind), strict=True)
        assert all(same_numbers(values, tensor[i]) for values, tensor in pairs)


@pytest.mark.parametrize("widths, seed", [
    ((2, 7, 5, 1), 1), ((2, 4, 2), None), ((2, 3, 4, 5, 1), 2)])
def test_the_playground_reads_the_very_numbers(decoded, widths, seed):
    square = commute(tiny(widths=widths), MOONS, FEW, "std", 0.4, "linear")
    i = seed or 0
    found = decoded(exported(square, seed, "Mine"))
    problem, ends = found["problem"], found["ends"]
    assert (problem["name"], problem["classes"]) == ("moons", 2)
    assert problem["half"] == pytest.approx(1.2 * MOONS.x_train.abs().max().item())
    points = {"train": (MOONS.x_train, MOONS.y_train), "heldOut": (MOONS.x_test, MOONS.y_test)}
    for name, (x, y) in points.items():
        assert same_numbers(problem[name]["x"], x.T) and problem[name]["y"] == y.tolist()
        assert problem[name]["count"] == len(x)
    assert found["recipe"] == {
        "optimiser": "adam", "learningRate": 0.01, "batchSize": 8, "steps": 20,
        "betas": [0.9, 0.999], "epsilon": 1e-7, "momentum": 0.9}
    assert (found["seed"], found["compensation"]) == (i, "linear")
    assert ends["kept"] == [layer[i].tolist() for layer in square.kept]
    check_network(found["initial"], square.initial, i)
    check_network(ends["dense"], square.dense, i)
    check_network(ends["pruneFirst"], square.prune_first, i)


def test_problems_of_ones_own_with_more_classes_are_read_too(decoded):
    three = three_classes()
    problem = replace(three, x_train=three.x_train[:, :2], x_test=three.x_test[:, :2])
    square = commute(double(tiny(widths=(2, 4, 3))), problem, FEW, "random", 0.5)
    found = decoded(exported(square, 2))
    assert (found["problem"]["name"], found["problem"]["classes"]) == ("three", 3)
    assert found["problem"]["train"]["y"] == problem.y_train.tolist()
    check_network(found["ends"]["dense"], square.dense, 2)  # double precision becomes single


def test_a_square_trained_on_full_batches_is_read_too(decoded):
    square = commute(tiny(), MOONS, replace(FEW, batch_size=None), "std", 0.4)
    assert decoded(exported(square))["recipe"]["batchSize"] is None


def test_an_export_is_json_and_says_what_it_is():
    given = exported(SQUARE, 1, "Mine")
    assert json.loads(json.dumps(given)) == given
    assert (given["format"], given["title"]) == (1, "Mine")
    setting = given["setting"]
    assert setting["hidden"] == [7, 5] and setting["learning_rate"] == FEW.learning_rate
    assert {name for name, value in setting.items() if value is None} == {
        "noise", "data_seed", "criterion", "fraction"}


def stays(shown):
    return [layer.tolist() for layer in shown.kept]


def test_an_explorer_shows_one_network_of_the_square():
    shown = Explorer(SQUARE, 2)
    assert shown.given == exported(SQUARE, 2) and shown.seeds == [0, 1, 2] and shown.seed == 2
    for name in ("initial", "dense"):
        assert same_bits(getattr(shown, name), getattr(SQUARE, name).select(2))
    assert stays(shown) == [layer[[2]].tolist() for layer in SQUARE.kept]
    assert Explorer(SQUARE).seed == 0


def test_another_seed_brings_its_own_networks_and_nodes():
    shown = Explorer(SQUARE, 2)
    shown.set_state({"seed": 1})  # as the menu does
    assert shown.given == exported(SQUARE, 1) and same_bits(shown.dense, SQUARE.dense.select(1))
    assert stays(shown) == [layer[[1]].tolist() for layer in SQUARE.kept]
    with pytest.raises(ValueError, match="^seed is 7; expected one of 0, 1, 2$"):
        shown.seed = 7
    assert shown.seed == 1 and shown.given == exported(SQUARE, 1)


def test_nodes_chosen_by_hand_are_ready_for_prune():
    shown = Explorer(SQUARE, 1)
    shown.set_state({"_kept": [[0, 2, 6], [4]]})
    assert [layer.dtype for layer in shown.kept] == [torch.int64] * 2
    assert stays(shown) == [[[0, 2, 6]], [[4]]]
    smaller = prune(shown.dense, shown.kept, MOONS)
    assert smaller.widths == (2, 3, 1, 1) and smaller.seeds == (1,)
    again = close(shown.initial, shown.dense, shown.kept, MOONS, FEW)
    assert same_bits(again.train_first, smaller)
    assert Explorer(again).given["kept"] == [[0, 2, 6], [4]]


@pytest.mark.parametrize("kept, message", [
    ([[0, 7], [1]], r"kept\[0\] is \[\[0, 7\]\]; expected increasing indices below 7"),
    ([[1, 0], [1]], r"kept\[0\] is \[\[1, 0\]\]; expected increasing"),
    ([[0], []], r"kept\[1\] has shape \(1, 0\); expected"),
    ([[0]], "kept has 1 layers; expected 2"),
])
def test_nodes_that_do_not_fit_are_refused(kept, message):
    shown = Explorer(SQUARE)
    shown.set_state({"_kept": kept})
    with pytest.raises(ValueError, match=message):
        _ = shown.kept


@pytest.mark.parametrize("kept", [None, "0", [0], [["0"]], [[0.5]]])
def test_what_are_no_nodes_does_not_arrive(kept):
    shown = Explorer(SQUARE)
    with pytest.raises(TraitError, match="_kept"):
        shown.set_state({"_kept": kept})
    assert stays(shown) == [layer[[0]].tolist() for layer in SQUARE.kept]


def test_where_no_kernel_runs_there_is_a_picture():
    bundle, metadata = Explorer(SQUARE, 1)._repr_mimebundle_()
    def drawn():
        axes = plots.square_row(SQUARE, 1, MOONS)
        plots.caption(axes[0], "Seed 1: one network, one data draw. "
                               "Purple: class 0, green: class 1, white: undecided.")
        return axes

    png, size = picture(drawn)
    assert base64.b64decode(bundle["image/png"]) == png and metadata["image/png"] == size
    assert bundle["text/plain"] == "Explorer of moons, 2-7-5-1, seed 1"
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"]


def test_what_the_browser_gets_are_valid_scripts(tmp_path):
    shown = Explorer(SQUARE)
    (tmp_path / "widget.mjs").write_text(shown._esm, encoding="utf-8")
    (tmp_path / "worker.cjs").write_text(shown._worker, encoding="utf-8")
    said = 'import { readFileSync } from "node:fs"; import { Script } from "node:vm";\n' \
           'new Script(readFileSync("worker.cjs", "utf8"));\n' \
           'console.log(typeof (await import("./widget.mjs")).default.render);'
    (tmp_path / "try.mjs").write_text(said, encoding="utf-8")
    assert run("node", "try.mjs", folder=tmp_path) == (0, "function\n")
    assert shown._css == (PLAYGROUND / "playground.css").read_text()


def by_hand(**made):
    corners = [SQUARE.initial, SQUARE.dense, SQUARE.kept, *[SQUARE.dense] * 3]
    return Square(*corners, **made)


def at(**changes):
    return lambda: exported(replace(SQUARE, **changes))


def four_features():
    return exported(commute(tiny(widths=(4, 3, 3)), three_classes(), FEW, "std", 0.5))


def broken():
    weights = [weight.clone() for weight in SQUARE.dense.weights]
    weights[1][0, 0, 0] = torch.nan
    return Networks(weights, SQUARE.dense.biases, SQUARE.dense.seeds)


def large_seed():
    initial = initialise((2, 3, 1), [LARGEST_SEED + 1])
    return exported(close(initial, initial, everything(initial), MOONS, FEW))


def no_nodes():
    initial = initialise((2, 1), [0])
    return exported(close(initial, initial, (), MOONS, FEW))


@refuses(
    (lambda: exported(by_hand()), ValueError,
     "^square.problem is None; expected a square from commute or close$"),
    (lambda: Explorer(by_hand(problem=MOONS)), ValueError, "^square.recipe is None; expected"),
    (lambda: exported(by_hand(problem=MOONS, recipe=FEW)), ValueError, "^square.compensation is"),
    (four_features, ValueError, "^problem three has 4 features; expected 2"),
    (lambda: exported(SQUARE, 7), ValueError, "^seed is 7; expected one of 0, 1, 2$"),
    (lambda: Explorer(SQUARE, "1"), ValueError, "^seed is '1'; expected one of"),
    (large_seed, ValueError, f"^seed is {LARGEST_SEED + 1}; expected an integer of at least 0 and"),
    (no_nodes, ValueError, "^square has networks without hidden layers"),
    (at(dense=broken()), ValueError, r"^square.dense.weights\[1\] holds NaN or infinite values"),
    (at(problem=replace(MOONS, classes=300)), ValueError, "^problem.classes is 300; expected"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_without_the_repository_the_explorer_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(explorer, "PLAYGROUND", tmp_path / "playground")
    explorer._source.cache_clear()
    with pytest.raises(FileNotFoundError, match="playground; Explorer needs the whole repository$"):
        Explorer(SQUARE)
