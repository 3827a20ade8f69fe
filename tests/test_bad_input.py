"""Bad and odd input: refused in one line, or computed as if nothing were odd.

What a module's own tests refuse is not repeated here. Networks that diverged say so in their own
place, and change no bit of their neighbours.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from examples import FEW, MOONS, louder, parameters, refuses, same_bits, tiny
from helpers import bound_tables, checks, command, draws, results
from helpers.arms import Cut, Setting, cut_arms, dense_arms, parse_problem
from helpers.bounds import certificate, ladder, reach
from helpers.compare import (
    accuracy,
    barrier,
    box,
    cka,
    classify,
    disagreement,
    function_distance,
    loss,
    match_nodes,
    probabilities,
    same_roles,
)
from helpers.criteria import CRITERIA
from helpers.data import Problem, spirals
from helpers.estimates import first_order, second_order
from helpers.files import writable, writable_file, write_table
from helpers.films import encode
from helpers.intervals import estimate, estimate_in_draws, share
from helpers.lipsdp import lipschitz_bound, mean_square_bound, norm_product
from helpers.looseness import rescaling
from helpers.measures import EXTRAS, rows
from helpers.networks import TILE, Networks, initialise, join
from helpers.own import noise_floor_with, train_with
from helpers.pruning import COMPENSATIONS, check_kept, choose, everything, only_layer, prune
from helpers.recipes import Recipe
from helpers.regions import linear_regions, max_difference
from helpers.removals import every_node, without_node
from helpers.replacements import fresh_fits, stale_means
from helpers.results import one, summarise
from helpers.schedule import prune_during
from helpers.square import commute, noise_floor, other_seeds
from helpers.streams import stream
from helpers.sweep import LAST_DRAW, Grid
from helpers.training import train
from helpers.weights import adam_drift, correlation, densest, usual_moves

A = tiny()
X, Y = MOONS.x_train, MOONS.y_train
HALF = choose(A, MOONS, "std", 0.5)
META, SPARSE = X.to("meta"), X.to_sparse()
LAST = 2**63 - 1
LINEAR = tiny(2, (2, 1))  # no hidden layer
LONG = np.arange(10_000)
TABLE = pd.DataFrame({"0": [1, 2]})  # shown in several lines


def with_network(values: float, times: float = 0, all_parameters: bool = True) -> Networks:
    """Return A with some parameters of the network in the middle spoilt."""
    networks = tiny()
    with torch.no_grad():
        for parameter in list(networks.parameters())[:None if all_parameters else 1]:
            parameter[1] = values + times * parameter[1]
    return networks


SPOILT = {
    "NaN": with_network(torch.nan), "one layer NaN": with_network(torch.nan, 0, False),
    "infinite": with_network(torch.inf), "huge": with_network(0, 1e38),
    "subnormal": with_network(0, 1e-42), "zero": with_network(0)}
LOST = {name: SPOILT[name] for name in ("NaN", "one layer NaN", "infinite")}
BROKEN = SPOILT["NaN"]


def during(stages=(HALF,), steps=(0,), recipe=FEW):
    return lambda: prune_during(train(A, MOONS, replace(FEW, steps=0)), stages, steps, MOONS,
                                recipe)


@refuses(
    (lambda: checks.one_of("colour", np.array([1, 2]), [1, 2]), ValueError, r"colour is array\("),
    (lambda: checks.one_of("colour", X, [1, 2]), ValueError, r"colour is tensor\(.*one of 1, 2"),
    (lambda: checks.one_of("colour", pd.NA, [1, 2]), ValueError, "colour is <NA>; expected one of"),
    (lambda: checks.one_of("layer", 0, []), ValueError, "layer is 0; expected none, for there is"),
    (lambda: checks.integer("n", LONG, 0), TypeError, r"n is array\(\[ *0, 1, 2"),
    (lambda: checks.integer("n", 0, 0, -1), ValueError, "n is 0; expected none, for there is none"),
    (lambda: checks.real("r", 10**400, 0), ValueError, r"r is 10{199}\.\.\.; expected a number in"),
    (lambda: checks.real("r", X, 0), TypeError, r"r is tensor\(\[\["),
    (lambda: checks.several("w", "a\n" * 500), TypeError, r"w is 'a\\na\\n.*\.\.\.; expected sev"),
    (lambda: checks.truth("t", TABLE), TypeError, "t is 0 0 1 1 2; expected"),
    (lambda: checks.seeds("seeds", [5] * 9999), ValueError, r"seeds holds \[5\] more than once"),
    (lambda: checks.seeds("seeds", [LAST + 1]), ValueError,
     r"seeds\[0\] is 9223372036854775808; .* of at least 0 and at most 9223372036854775807"),
    (lambda: checks.device("device", "a\nb"), ValueError, r"device is 'a\\nb'; expected a device"),
    (lambda: checks.points("x", META), TypeError, "x is a tensor of layout torch.strided on meta"),
    (lambda: checks.points("x", SPARSE), TypeError, "x is a tensor of layout torch.sparse_coo on"),
    (lambda: checks.points("x", X.to(torch.float8_e4m3fn)), TypeError, "x is Tensor; expected a f"),
    (lambda: checks.points("x", X.to(torch.complex64)), TypeError, "x is Tensor; expected a float"),
    (lambda: checks.labels("y", Y.to("meta"), 60, 2), TypeError, "y is a tensor of .* on meta"),
    (lambda: checks.labels("y", Y.to_sparse(), 60, 2), TypeError, "y is a tensor of layout torch."),
    (lambda: checks.labels("y", Y.numpy(), 60, 2), TypeError, "y is ndarray; expected int64"),
    (lambda: checks.same_networks(tiny(500), tiny(2)), ValueError, r"\(0, 1\); .* 3, .*\.\.\.$"),
)
def test_every_check_says_so_in_one_short_line(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert len(str(caught.value)) < 500


@refuses(
    (lambda: replace(MOONS, x_train=META), TypeError, "x_train is a tensor of layout torch.stride"),
    (lambda: replace(MOONS, y_test=MOONS.y_test.to("meta")), TypeError, "y_test is a tensor of la"),
    (lambda: Recipe(betas=torch.ones(9, 9)), TypeError, r"betas is tensor\("),
    (lambda: Recipe(steps=10**30), ValueError, "steps is 10{30}; expected .* at most 2147483647"),
    (lambda: Recipe(learning_rate=10**400), ValueError, "learning_rate is 1000"),
    (lambda: Recipe(batch_size=True), TypeError, "batch_size is True"),
    (lambda: train(A, MOONS, A), TypeError, r"recipe is Networks\( 3 networks"),
    (lambda: A(META), TypeError, "x is a tensor of layout torch.strided on meta"),
    (lambda: A(SPARSE), TypeError, "x is a tensor of layout torch.sparse_coo on cpu"),
    (lambda: A(X.numpy()), TypeError, "x is ndarray; expected a float tensor"),
    (lambda: A(pd.DataFrame(X.numpy())), TypeError, "x is DataFrame; expected a float tensor"),
    (lambda: A(1e300 * X.double()), ValueError, "x in torch.float32 holds NaN or infinite values"),
    (lambda: Networks(None, None, [0]), TypeError, "weights is None; expected several values"),
    (lambda: Networks([A.weights[0].double(), *A.weights[1:]], A.biases, A.seeds), ValueError,
     r"are of \['torch.float32', 'torch.float64'\]; expected one type"),
    (lambda: A.logits_from(0, None), TypeError, "activations is NoneType; expected a tensor"),
    (lambda: A.select(10**30), ValueError, "index is 10{30} for 3 networks"),
    (lambda: join(A), TypeError, r"parts is Networks\( 3 networks.*expected several values"),
    (lambda: join([A, "A"]), TypeError, r"parts\[1\] is str; expected Networks"),
    (lambda: train(A, MOONS, replace(FEW, steps=0)).first_below(1), ValueError, "losses is empty"),
    (lambda: train(initialise((2, 1), [0], device="meta"), MOONS), ValueError, "networks lie on"),
    (lambda: accuracy(A, X, Y.tolist()), TypeError, "y is list; expected int64 labels"),
    (lambda: choose(A, MOONS, "std", 0.5, [True]), TypeError, "layers is True; expected an intege"),
    (lambda: choose(A, MOONS, "std", 0.5, [0.0]), TypeError, "layers is 0.0; expected an integer"),
    (lambda: choose(A, MOONS, "std", 0.5, torch.tensor([0])), TypeError, r"layers is tensor\(0\)"),
    (lambda: choose(A, MOONS, "std", torch.tensor(0.5)), TypeError, "fraction is tensor"),
    (lambda: choose(A, MOONS, "std", 0.5, spared=[X, X]), TypeError, r"spared is \[tensor\(\[\["),
    (lambda: choose(A, MOONS, CRITERIA, 0.5), ValueError, r"criterion is \{'random': <function"),
    (lambda: prune(A, [stay.int() for stay in HALF], MOONS), TypeError, r"kept\[0\] is tensor\(\["),
    (lambda: prune(A, [stay.numpy() for stay in HALF], MOONS), TypeError, r"kept\[0\] is array\("),
    (lambda: prune(A, [stay.to("meta") for stay in HALF], MOONS), ValueError,
     r"kept\[0\] lies on meta; expected cpu"),
    (lambda: prune(tiny(99), [torch.zeros(99, 2, dtype=torch.int64)] * 2, MOONS), ValueError,
     r"kept\[0\] is \[\[0, 0\], .*\.\.\.; expected increasing indices below 7"),
    (lambda: only_layer(LINEAR, (), 0), ValueError, "layer is 0; expected none, for there is none"),
    (lambda: without_node(LINEAR, 0, 0), ValueError, "layer is 0; expected none, for there is non"),
    (lambda: every_node(LINEAR, MOONS), ValueError, r"widths \(2, 1\); expected a hidden layer"),
    (lambda: every_node(A, MOONS, layers=[]), ValueError, "layers is empty; expected at least one"),
    (lambda: every_node(A, MOONS, layers=[True]), TypeError, "layers is True; expected an integer"),
    (lambda: every_node("nets", MOONS), TypeError, "networks is str; expected Networks"),
    (lambda: every_node(A, MOONS, X), TypeError, r"points is tensor\(.*a pair of points x and lab"),
    (lambda: ladder(A, HALF, MOONS, points=(X,)), TypeError, r"points is \(tensor\(.*a pair of"),
    (lambda: reach(A, HALF, MOONS, 3), TypeError, "points is 3; expected a pair of points x and l"),
    (lambda: rescaling(A, 0, 0, MOONS, [0.5, -1]), ValueError, "scale is -1; expected a number in"),
    (lambda: norm_product(BROKEN), ValueError, "networks hold NaN or infinite weights"),
    (lambda: lipschitz_bound(BROKEN), ValueError, "networks hold NaN or infinite weights"),
    (lambda: mean_square_bound(BROKEN, 0, torch.eye(7)), ValueError, "networks hold NaN or infini"),
    (lambda: mean_square_bound(A, 0, torch.full((3, 7, 7), torch.nan)), ValueError,
     "moment holds NaN or infinite values; expected finite numbers"),
    (lambda: linear_regions(BROKEN, 1, box(MOONS)), ValueError, "infinite weights at i = 1"),
    (lambda: max_difference(A, BROKEN, 1, box(MOONS)), ValueError, "b hold NaN or infinite"),
    (lambda: linear_regions(A, 0, np.ones((2, 2))), ValueError, r"box is array\(\[\[1., 1.\], "),
    (during(recipe="post"), TypeError, "recipe is 'post'; expected a Recipe"),
    (during(steps=(-1,)), ValueError, r"steps\[0\] is -1; expected an integer of at least 0"),
    (during(steps=(0.5,)), TypeError, r"steps\[0\] is 0.5; expected an integer"),
    (during((HALF[:1],)), ValueError, "kept has 1 layers; expected 2"),
    (during((X,)), TypeError, "kept is Tensor; expected a tuple"),
    (lambda: draws.problems(["moons"], 1), ValueError, r"problem is \['moons'\]; expected one of"),
    (lambda: draws.chosen([A], [], "std", 0.5), ValueError, "groups, problems have 1, 0 entries"),
    (lambda: draws.pruned([A], [HALF] * 2, [MOONS]), ValueError, "groups, kept, problems have 1, "),
    (lambda: parse_problem("moons noise=0.1 noise=0.2"), ValueError, "0.2'; expected noise once"),
    (lambda: Cut(layers=X), TypeError, r"layers is tensor\(\[\[.*expected a tuple"),
    (lambda: Grid(("moons noise=nan",)), ValueError, "problem is 'moons noise=nan': noise is nan"),
    (lambda: Grid(cuts=(X,)), TypeError, r"cuts holds tensor\("),
    (lambda: stream(LAST + 1, "split"), ValueError, "seed is 9223372036854775808; expected an int"),
    (lambda: initialise((2, 1), [LAST + 1]), ValueError, r"seeds\[0\] is 9223372036854775808; e"),
    (lambda: train(A, MOONS, FEW, [0, 1, LAST + 1]), ValueError, r"order_seeds\[2\] is 9223372036"),
    (lambda: train_with(print, A, MOONS, [LAST + 1]), ValueError, r"order_seeds\[0\] is 922337203"),
    (lambda: Setting(data_seed=LAST + 1), ValueError, "data_seed is 9223372036854775808; expected"),
    (lambda: Grid(data_seeds=(0, LAST_DRAW + 1)), ValueError, "data_seeds is 922337203255980; exp"),
    (lambda: other_seeds(initialise((2, 1), [0, LAST - 2**32 + 1])), ValueError,
     r"seeds\[1\] is 9223372032559808512; expected .* at most 9223372032559808511"),
    (lambda: noise_floor(initialise((2, 3, 1), [LAST]), MOONS, FEW), ValueError,
     r"seeds\[0\] is 9223372036854775807; expected .* at most 9223372032559808511"),
    (lambda: noise_floor_with(print, initialise((2, 3, 1), [LAST]), MOONS), ValueError,
     r"seeds\[0\] is 9223372036854775807; expected .* at most 9223372032559808511"),
    (lambda: estimate(torch.ones(2, 2, requires_grad=True)), TypeError, r"values is tensor\(\[\["),
    (lambda: estimate(META), TypeError, r"values is tensor\(\.\.\., device='meta'"),
    (lambda: share([[1], [1, 0]]), TypeError, r"values is \[\[1\], \[1, 0\]\]; expected numbers"),
    (lambda: share(np.full((99, 99), 0.5)), ValueError, r"events is array\(\[\[0.5, 0.5, .*True o"),
    (lambda: share([[np.nan]]), ValueError, r"values has shape \(1, 1\); expected finite"),
    (lambda: estimate_in_draws(torch.ones(4), 3), ValueError, "count is 3 for 4 networks; expecte"),
    (lambda: densest(torch.tensor([1, torch.nan])), ValueError, r"values is tensor\(\[1., nan\]"),
    (lambda: densest(torch.zeros(40, 40)), ValueError, r"values is tensor\(\[0., 0., .*positive"),
    (lambda: usual_moves(torch.zeros(2, 3)), ValueError, r"values is tensor\(\[\], .*positive"),
    (lambda: adam_drift(0.9, 0.999, -torch.ones(9, 9)), ValueError, r"epsilon is tensor\(\[\[-1"),
    (lambda: correlation(torch.ones(2, 3), torch.ones(2, 4)), ValueError, r"\(2, 4\) and \(2, 3\)"),
    (lambda: check_kept(A, "all"), TypeError, "kept is str; expected a tuple, one tensor per la"),
    (lambda: check_kept(A, HALF[:1]), ValueError, "kept has 1 layers; expected 2"),
    (lambda: Networks([TABLE], [TABLE], [0]), TypeError, r"weights\[0\] is 0 0 1 1 2; expected a"),
    (lambda: writable(__file__), OSError, "folder cannot be written .*exists.*test_bad_input.py"),
    (lambda: writable_file(f"{__file__}/below"), OSError, "folder cannot .*exists.*bad_input.py'$"),
    (lambda: writable_file("."), OSError, r"write the file \(it is not a regular file\): '.'$"),
    (lambda: write_table(f"{__file__}/below", TABLE), OSError,
     r"cannot write the file \(Not a directory\).*test_bad_input.py/below"),
    (lambda: encode([np.zeros((4, 4), np.uint8)], "flat"), ValueError, r"shapes \[\(4, 4\)\]; exp"),
    (lambda: bound_tables.node_sets("train", "new"), ValueError, "means is 'new'; .*'fresh', 'sta"),
    (lambda: summarise("rings", "."), ValueError, "grid is 'rings'; expected one of 'headline'"),
    (lambda: one("rings", "headline"), ValueError, "rings of headline where {}: 0 estimates"),
)
@pytest.mark.filterwarnings("ignore:__array__")
def test_what_cannot_be_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("arguments, message", [
    (["--hidden", ""], "hidden is ''; expected widths such as 50-50"),
    (["--hidden", "5--5"], "hidden is '5--5'; expected widths such as 50-50"),
    (["--batch-size", "0"], "batch_size is 0; expected an integer of at least 1"),
    (["--batch-size", "1e1"], "batch_size is '1e1'; expected a number or full"),
    (["--prune-time", "2"], r"prune_times\[0\] is 2.0; expected a number in"),
    (["--prune-time", "nan"], r"prune_times\[0\] is nan; expected a number in"),
    (["--prune-time", "0.5", "--budget", "flops"], r"expected \(0.0,\) for budget 'flops'"),
    (["--fraction", "nan"], "fraction is nan; expected a number in"),
    (["--fraction", "-0.1"], "fraction is -0.1; expected a number in"),
    (["--learning-rate", "inf"], "learning_rate is inf; expected a number in"),
    (["--learning-rate", "0.1", "0.1"], "recipes holds Recipe.* more than once; expected each onc"),
    (["--steps", "9" * 30], "steps is 9{30}; expected an integer of at least 0 and at most 214748"),
    (["--fine-tune-steps", "-1"], "fine_tune_steps is -1; expected an integer of at least 0"),
    (["--draws", "-1"], "data_seeds is empty; expected at least one"),
    (["--seeds", "10001"], "seeds is 10001; expected an integer of at least 1 and at most 10000"),
    (["--scheme", "he_uniform", "he_uniform"], "schemes holds 'he_uniform' more than once"),
    (["--problem", "moons noise=1e999"], "problem is 'moons noise=1e999': noise is inf"),
    (["--problem", "moons", "moons"], "problems holds 'moons' more than once"),
    (["--problem", ""], "problem is ''; expected one of 'spirals'"),
    (["--optimiser", "sgd", "--prune-time", "0.5", "--optimiser-state", "kept", "--arms", "B"],
     "training cannot go on where it stopped; expected 'adam'"),
    (["--workers", "-1"], "workers is -1; expected an integer of at least 1")])
def test_flags_of_a_sweep_are_refused_in_one_line_and_leave_no_file(arguments, message, count,
                                                                    tmp_path):
    with pytest.raises(SystemExit, match=f"^python -m helpers.sweep: .*{message}") as caught:
        command.main([str(tmp_path / "sweep"), *arguments])
    assert len(caught.value.code.splitlines()) == 1 and not list(tmp_path.iterdir())
    count("bad calls", 1)


def test_a_folder_that_is_none_ends_a_sweep_in_one_line(count, tmp_path):
    place = tmp_path / "file"
    place.write_text("mine")
    for main, arguments in ((command.main, [str(place)]),
                            (results.main, ["--folder", str(place), "--workers", "1"])):
        with pytest.raises(SystemExit, match="folder cannot be written.*file") as caught:
            main(arguments)
        assert len(caught.value.code.splitlines()) == 1
        count("bad calls", 1)
    assert place.read_text() == "mine" and list(tmp_path.iterdir()) == [place]


# Data that are odd, and as good as any

POINTS = np.random.default_rng(0).integers(-9, 9, (40, 3)).astype(float)
CLASSES = np.arange(40) % 2
READ_ONLY = POINTS.copy()
READ_ONLY.flags.writeable = False
PLAIN = Problem.from_arrays(POINTS, CLASSES)


@pytest.mark.parametrize("x", [
    POINTS.astype(int), POINTS.astype(np.int8), POINTS.astype(np.float16), POINTS.astype(object),
    np.asfortranarray(POINTS), np.repeat(POINTS, 2, 1)[:, ::2], POINTS[::-1][::-1], READ_ONLY,
    POINTS.tolist(), torch.tensor(POINTS), torch.tensor(POINTS).float(),
    torch.tensor(POINTS, requires_grad=True), pd.DataFrame(POINTS),
    pd.DataFrame(POINTS, dtype="Int64"), tuple(map(tuple, POINTS))],
    ids=["int", "int8", "float16", "object", "Fortran", "strided", "reversed", "read-only", "list",
         "tensor", "float32", "requires_grad", "frame", "nullable frame", "tuples"])
def test_points_of_every_kind_make_the_same_problem(x):
    problem = Problem.from_arrays(x, CLASSES)
    assert torch.equal(problem.x_train, PLAIN.x_train)
    assert torch.equal(problem.x_test, PLAIN.x_test)


@pytest.mark.parametrize("y", [
    CLASSES.tolist(), CLASSES > 0, CLASSES.astype(float), torch.tensor(CLASSES),
    pd.Series(CLASSES, index=CLASSES), pd.Categorical.from_codes(CLASSES, ["no", "yes"]),
    np.array(["no", "yes"])[CLASSES], 5 * CLASSES - 3],
    ids=["list", "bool", "float", "tensor", "series", "categories", "words", "other numbers"])
def test_labels_of_every_kind_make_the_same_problem(y):
    problem = Problem.from_arrays(POINTS, y)
    assert torch.equal(problem.y_train, PLAIN.y_train)
    assert torch.equal(problem.y_test, PLAIN.y_test)


@refuses(
    (lambda: Problem.from_arrays(POINTS * 1j, CLASSES), TypeError, "not complex128"),
    (lambda: Problem.from_arrays(POINTS.astype(str), CLASSES), TypeError, "not <U32"),
    (lambda: Problem.from_arrays(POINTS.astype("M8[D]"), CLASSES), TypeError, "not datetime"),
    (lambda: Problem.from_arrays(torch.empty(40, 3, device="meta"), CLASSES), TypeError, "x is"),
    (lambda: Problem.from_arrays(np.full((40, 3), "a", object), CLASSES), TypeError,
     r"x is ndarray; expected numbers \(points, features\)$"),
    (lambda: Problem.from_arrays(POINTS, ["a", 1] * 19 + [None, 2]), ValueError, "y holds NaN or"),
    (lambda: Problem.from_arrays(POINTS, np.array(["a", 1] * 20, object)), TypeError,
     "y holds labels that have no order"),
    (lambda: Problem.from_arrays(POINTS, np.array(["2020", "NaT"] * 20, "M8[Y]")), ValueError,
     "y holds NaN or None"),
    (lambda: Problem.from_arrays(POINTS, torch.empty(40, device="meta")), TypeError, "y is Tensor"),
    (lambda: Problem.from_arrays(POINTS * 1e200, CLASSES), ValueError, "features of arrays spread"),
    (lambda: Problem.from_arrays(POINTS * 1e-322, CLASSES), ValueError, "spread over .* rescale"),
    (lambda: Problem.from_arrays(POINTS * 1e307, CLASSES), ValueError, "features of arrays sprea"),
    (lambda: spirals(noise=1e300), ValueError, "features of spirals spread over"),
)
def test_arrays_that_are_no_points_or_labels_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("factor", [1e38, 1e100, 1e-38, 1e-100])
def test_huge_and_tiny_points_are_standardised(factor):
    problem = Problem.from_arrays(factor * POINTS, CLASSES)
    assert torch.allclose(problem.x_train, PLAIN.x_train, atol=1e-5)
    assert torch.allclose(problem.x_test, PLAIN.x_test, atol=1e-5)


@pytest.mark.parametrize("x", [np.full((40, 2), 0.1), np.repeat(POINTS[:1], 40, 0),
                               np.repeat(POINTS[:2], 20, 0), np.c_[POINTS[:, :1], np.ones(40)]],
                         ids=["constant", "one point", "two points", "one constant feature"])
def test_all_is_finite_on_data_that_hardly_vary(x):
    problem = Problem.from_arrays(x, CLASSES)
    networks = train(tiny(2, (x.shape[1], 4, 3, 1)), problem, FEW).networks
    for criterion in CRITERIA:
        kept = choose(networks, problem, criterion, 0.5)
        for compensation in COMPENSATIONS:
            pruned = prune(networks, kept, problem, compensation)
            assert loss(pruned, problem.x_test, problem.y_test).isfinite().all()
        assert np.isfinite(ladder(networks, kept, problem).to_numpy()).all()


@pytest.mark.parametrize("x", [
    X.clone().requires_grad_(), X.double(), X.T.contiguous().T, X.repeat(1, 2)[:, :2]],
    ids=["requires_grad", "float64", "transposed", "strided"])
def test_points_of_every_kind_give_the_same_answers(x):
    with torch.no_grad():
        assert torch.equal(A(x), A(X))
    assert torch.equal(accuracy(A, x, Y), accuracy(A, X, Y))
    assert torch.equal(barrier(A, louder(A, 2), x, Y), barrier(A, louder(A, 2), X, Y))
    assert not loss(A, x, Y).requires_grad


# A million points

NARROW = tiny(5, (2, 4, 1)).select([2, 4])  # std chooses otherwise than other criteria do


@pytest.fixture(scope="module")
def million() -> Problem:
    x = np.random.default_rng(0).normal(size=(10**6, 2))
    return Problem.from_arrays(x, x[:, 0] > 0)


def test_a_table_of_a_million_rows_is_the_problem_of_its_arrays(million):
    x = np.random.default_rng(0).normal(size=(10**6, 2))
    found = Problem.from_frame(pd.DataFrame(x).assign(right=x[:, 0] > 0), "right")
    for name in "x_train", "y_train", "x_test", "y_test":
        assert torch.equal(getattr(found, name), getattr(million, name))
    assert torch.cat([found.x_train, found.x_test]).shape == x.shape
    points = found.x_train.double()
    torch.testing.assert_close(points.mean(0), torch.zeros(2).double(), rtol=0, atol=1e-6)
    torch.testing.assert_close(points.std(0, correction=0), torch.ones(2).double())


@pytest.mark.parametrize("measure", [
    accuracy, loss, lambda networks, x, y: disagreement(networks, louder(networks, -1), x)],
    ids=["accuracy", "loss", "disagreement"])
def test_a_million_points_are_measured_tile_by_tile(measure, million, monkeypatch):
    most, layers = [], Networks._layers

    def watched(self, x, networks):
        most.append(len(x) * len(self.seeds[networks]) * max(self.widths))
        return layers(self, x, networks)

    x = torch.cat([million.x_train, million.x_test])
    y = torch.cat([million.y_train, million.y_test])
    with monkeypatch.context() as patch:
        patch.setattr(Networks, "_layers", watched)
        whole = measure(NARROW, x, y)
    assert len(most) > 2 and max(most) <= TILE, "the activations held together"
    parts = torch.stack([measure(NARROW, *part) for part in
                         zip(x.split(50_000), y.split(50_000), strict=True)])
    assert torch.allclose(whole, parts.mean(0), atol=1e-6) and (whole > 0).all()


@pytest.mark.parametrize("compensation", ["mean", "linear"])
def test_a_million_points_choose_and_compensate_as_their_formulas_say(compensation, million):
    kept = choose(NARROW, million, "std", 0.5)
    smaller = prune(NARROW, kept, million, compensation)
    x = million.x_train.double().numpy()
    for i, found in enumerate(smaller(million.x_train).detach().numpy()):
        below, _, above = NARROW.to_sequential(i).double()
        weight, bias, after, offset = (parameter.detach().numpy() for layer in (below, above)
                                       for parameter in layer.parameters())
        outputs = np.maximum(x @ weight.T + bias, 0)
        *gone, _, _ = outputs.std(0).argsort()
        assert kept[0][i].tolist() == sorted({*range(4)} - {*gone})
        known = np.ones((len(x), 1))
        if compensation == "linear":
            known = np.c_[np.delete(outputs, gone, 1), known]
        outputs[:, gone] = known @ np.linalg.lstsq(known, outputs[:, gone])[0]
        np.testing.assert_allclose(found, (outputs @ after.T + offset)[:, 0], atol=1e-5)


# Settings at the ends of their ranges

def test_a_learning_rate_of_0_and_no_steps_leave_every_bit():
    for recipe in (replace(FEW, learning_rate=0), replace(FEW, steps=0)):
        assert same_bits(train(A, MOONS, recipe).networks, A)


@pytest.mark.parametrize("recipe", [
    replace(FEW, batch_size=1), replace(FEW, batch_size=60), replace(FEW, batch_size=None),
    replace(FEW, betas=(0, 0)), replace(FEW, betas=(0, 0.999)), replace(FEW, learning_rate=1),
    replace(FEW, epsilon=10**3)],
    ids=["1", "all", "full", "betas 0", "beta 0", "rate 1", "epsilon"])
def test_recipes_at_their_ends_train(recipe):
    run = train(A, MOONS, recipe)
    assert not run.diverged.any() and not same_bits(run.networks, A)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_fraction_of_0_keeps_all_and_of_almost_1_keeps_one(criterion):
    assert all(map(torch.equal, choose(A, MOONS, criterion, 0), everything(A)))
    assert [stay.shape for stay in choose(A, MOONS, criterion, 0.999)] == [(3, 1), (3, 1)]


@pytest.mark.parametrize("criterion", CRITERIA)
def test_networks_of_single_nodes_are_left_whole(criterion):
    narrow = tiny(2, (2, 1, 1, 1))
    kept = choose(narrow, MOONS, criterion, 0.999)
    for compensation in COMPENSATIONS:
        assert same_bits(prune(narrow, kept, MOONS, compensation), narrow)
    assert len(every_node(narrow, MOONS)) == 4


def test_the_largest_seed_is_a_seed_like_any_other():
    last = initialise((2, 5, 1), [LAST])
    pair = initialise((2, 5, 1), [3, LAST])
    assert same_bits(pair.select(1), last)
    square = commute(pair, MOONS, FEW, "random", 0.5)
    alone = commute(last, MOONS, FEW, "random", 0.5)
    assert same_bits(square.prune_first.select(1), alone.prune_first)
    assert torch.tensor(last.seeds).tolist() == [LAST], "a tensor holds it"


def test_the_largest_seeds_with_a_noise_floor_have_one():
    assert other_seeds(initialise((2, 1), [LAST - 2**32])) == [LAST]
    *_, task = Grid(data_seeds=(0, LAST_DRAW), seeds=10_000).tasks()
    assert LAST - 10_000 < max(other_seeds(initialise((2, 1), task.setting.seeds))) <= LAST


# Networks that diverged

def corners(networks: Networks) -> list:
    square = commute(networks, MOONS, FEW, "std", 0.5, "linear", fine_tune_steps=3)
    return [square.dense, square.kept, square.train_first, square.fine_tuned, square.prune_first]


MEASURES = {  # (networks, ...) of each; NaN where a network is lost
    "loss": lambda n: loss(n, X, Y), "probabilities": lambda n: probabilities(n, X),
    "function_distance": lambda n: function_distance(A, n, X),
    "barrier": lambda n: barrier(A, n, X, Y), "reach": lambda n: reach(n, HALF, MOONS, (X, Y))[0],
    "first_order": lambda n: first_order(n, MOONS)[1],
    "second_order": lambda n: second_order(n, MOONS)[1],
    "match_nodes": lambda n: match_nodes(A, n, X)[1][1], "cka": lambda n: cka(A, n, X)[1],
    "ladder": lambda n: ladder(n, HALF, MOONS),
    "certificate": lambda n: certificate(n, HALF, MOONS),
    "ladder of stale means": lambda n: ladder(n, HALF, MOONS, stale_means),
    "ladder of fits": lambda n: ladder(n, HALF, MOONS, fresh_fits),
    "rescaling": lambda n: rescaling(n, 0, 0, MOONS, [2.0]),
    "every_node": lambda n: every_node(n, MOONS).drop(columns=["std", "norms_before"]).sort_index(
        level=["layer", "node", "seed"]).to_numpy().reshape(12, 3, -1).swapaxes(0, 1)}
OTHERS = {
    "accuracy": lambda n: accuracy(n, X, Y), "classify": lambda n: classify(n, X),
    "disagreement": lambda n: disagreement(n, A, X), "same_roles": lambda n: same_roles(n, A, X),
    "sgd": lambda n: train(n, MOONS, replace(FEW, optimiser="sgd")).networks, "corners": corners}
OTHERS |= {f"scores by {name}": lambda n, score=score: score(n, MOONS)
           for name, score in CRITERIA.items()}
OTHERS |= {f"kept by {name}": lambda n, name=name: choose(n, MOONS, name, 0.5) for name in CRITERIA}
OTHERS |= {f"prune {name}": lambda n, name=name: prune(n, HALF, MOONS, name)
           for name in COMPENSATIONS}


def arrays(found) -> list[np.ndarray]:
    """Return what a function gave as arrays (networks, ...)."""
    if isinstance(found, Networks):
        return [parameter.numpy() for parameter in parameters(found)]
    if isinstance(found, (list, tuple)):
        return [array for part in found for array in arrays(part)]
    return [found.detach().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)]


@pytest.mark.filterwarnings("ignore:.*networks diverged")
@pytest.mark.parametrize("kind", SPOILT)
@pytest.mark.parametrize("name", MEASURES | OTHERS)
def test_a_network_that_diverged_changes_no_bit_of_its_neighbours(name, kind):
    function = (MEASURES | OTHERS)[name]
    for sound, beside in zip(arrays(function(A)), arrays(function(SPOILT[kind])), strict=True):
        np.testing.assert_array_equal(beside[[0, 2]], sound[[0, 2]])


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("name", MEASURES)
def test_what_is_measured_of_a_network_that_diverged_is_not_a_number(name, kind):
    (found,) = arrays(MEASURES[name](LOST[kind]))
    assert np.isnan(found[1]).all() and np.isfinite(found[[0, 2]]).all()


def test_bounds_of_a_network_whose_last_layer_alone_is_lost_are_not_numbers():
    last = tiny()
    with torch.no_grad():
        last.weights[-1][1, 0, 0] = torch.nan
    table = ladder(last, HALF, MOONS)
    assert table.loc[1].isna().all() and np.isfinite(table.loc[[0, 2]].to_numpy()).all()


def test_a_network_that_diverged_gives_class_0_and_has_no_roles():
    assert (classify(BROKEN, X)[1] == 0).all()
    assert [count[1].item() for count in same_roles(BROKEN, A, X)] == [0, 0]


@pytest.mark.filterwarnings("ignore:.*networks diverged")
def test_a_setting_that_diverges_is_measured_to_the_end():
    wild = Setting("moons n_train=60 n_test=40", hidden=(4, 3), seeds=(0, 1),
                   recipe=replace(FEW, learning_rate=1e30))
    table = rows(wild, [Cut(arms=("A_tuned", "B", "B_other_order"))], tuple(EXTRAS))
    assert (table.dense_diverged == 1).all() and table.dense_train_loss.isna().all()
    problem = wild.draw()
    arms = dense_arms(wild, problem)
    (pruned,) = cut_arms(wild, [Cut(compensation="linear")], arms, problem)
    assert pruned.arms["A"].widths == (2, 2, 1, 1)
