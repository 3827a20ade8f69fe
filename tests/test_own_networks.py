"""Other people's networks, tables and trainings give what they give by themselves."""

import copy
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
import torch_pruning
from safetensors.torch import load, save
from torch import nn
from torch.nn.utils import prune as masks

from examples import (
    FEW,
    MOONS,
    double,
    furthest,
    parameters,
    refuses,
    same_bits,
    three_classes,
    tiny,
)
from helpers import sequential
from helpers.data import Problem
from helpers.networks import Networks
from helpers.own import commute_with, noise_floor_with, train_with
from helpers.pruning import choose, prune
from helpers.square import commute
from helpers.training import batch_order

torch.manual_seed(0)  # of X and MODELS
X = torch.randn(23, 4)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def mlp(*extra, bias=True, **kwargs):
    """Return a model of 4 inputs and 3 logits with some layers before its last."""
    return nn.Sequential(nn.Linear(4, 6, bias=bias, **kwargs), nn.ReLU(), *extra,
                         nn.Linear(6, 3, bias=bias, **kwargs))


def shared():
    """Return a model that uses one layer twice."""
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer)


class Frozen(nn.Sequential):
    """A subclass that computes as its base."""

    def __init__(self):
        super().__init__(*mlp())
        self.requires_grad_(False)


MODELS = {
    "plain": mlp(), "without bias": mlp(bias=False), "dropout": mlp(nn.Dropout(0.9)).eval(),
    "alpha dropout": mlp(nn.AlphaDropout(0.9)).eval(), "identity": mlp(nn.Identity()),
    "flatten": nn.Sequential(nn.Flatten(), *mlp()), "nested": nn.Sequential(mlp(), nn.Identity()),
    "deep": nn.Sequential(nn.Sequential(*mlp()[:1]), nn.Sequential(nn.ReLU(), mlp()[-1])),
    "in place": nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 3)),
    "half known": mlp(nn.Linear(6, 6), nn.ReLU()), "double": mlp(dtype=torch.float64),
    "frozen": Frozen(), "shared": shared(), "masked": mlp(),
    "one layer": nn.Sequential(nn.Linear(4, 1)), "masked and trained": mlp(),
    "normed and trained": mlp()}
masks.random_unstructured(MODELS["masked"][0], "weight", 0.5)
masks.random_unstructured(MODELS["masked and trained"][0], "weight", 0.5)
with warnings.catch_warnings(action="ignore", category=FutureWarning):  # the older of two norms
    nn.utils.weight_norm(MODELS["normed and trained"][0])
for name in "masked and trained", "normed and trained":
    MODELS[name](X).square().sum().backward()
    torch.optim.SGD(MODELS[name].parameters(), 0.1).step()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_computes_the_same_as_networks(name):
    model = MODELS[name]
    networks, x = Networks.from_sequential(model), X.to(next(model.parameters()))
    expected = model(x).detach()
    outputs = networks(x).detach()[0].view_as(expected)
    torch.testing.assert_close(outputs, expected, rtol=1e-6, atol=1e-6)
    back = networks.to_sequential(0)(x).detach()
    torch.testing.assert_close(back, expected, rtol=1e-6, atol=1e-6)
    assert all(parameter.requires_grad for parameter in networks.parameters())


def test_what_was_shared_is_copied():
    networks = Networks.from_sequential(model := shared())
    networks.weights[0].data += 1
    assert torch.equal(networks.weights[1][0], model[0].weight)


def test_type_and_device_are_kept():
    assert Networks.from_sequential(mlp(dtype=torch.float64)).weights[0].dtype == torch.float64
    assert Networks.from_sequential(mlp(device="meta")).device.type == "meta"


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class MonteCarlo(nn.Dropout):
    def forward(self, x):
        return nn.functional.dropout(x, self.p)


class Halved(nn.Identity):
    def forward(self, x):
        return x / 2


def hooked_model(place, register, *arguments):
    """Return a call with a model in whose place (none: itself) a method registers something."""
    model = mlp(nn.Identity())
    getattr(model if place is None else model[place], register)(*arguments)
    return lambda: Networks.from_sequential(model)


def given(*layers):
    return lambda: Networks.from_sequential(nn.Sequential(*layers))


@refuses(
    (given(mlp(nn.Dropout())), TypeError,
     r"^modules\[0\]\[0\]\[2\] is Dropout in training mode.*Call model.eval"),
    (given(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU()), TypeError,
     r"\[1\] is BatchNorm1d; expected ReLU. Fold it .*fuse_linear_bn_eval"),
    (given(*mlp(nn.LayerNorm(6))), TypeError, r"\[2\] is LayerNorm; .* Prune the part"),
    (given(nn.Conv2d(1, 2, 3)), TypeError, r"\[0\] is Conv2d; expected Linear. Prune the part"),
    (given(nn.Linear(4, 6), nn.GELU()), TypeError, r"\[1\] is GELU; .*with ReLU betw"),
    (given(*mlp(), nn.Sigmoid()), TypeError, r"\[3\] is Sigmoid; .*Drop it at the end: .* logits"),
    (given(*mlp(), nn.Softmax(1)), TypeError, r"\[3\] is Softmax; .*Drop it at the end"),
    (given(*mlp(), nn.ReLU()), TypeError, r"modules\[0\] ends with ReLU; expected Linear"),
    (given(nn.Linear(4, 6), nn.Linear(6, 3)), TypeError, r"\[1\] is Linear; expected ReLU"),
    (given(nn.LazyLinear(6)), TypeError, r"\[0\] is LazyLinear; .*Call the model once"),
    (given(Doubled(4, 3)), TypeError, r"\[0\] is Doubled; expected Linear"),
    (given(Residual(nn.Linear(4, 4))), TypeError, r"\[0\] is Residual; expected an nn.Sequential"),
    (given(nn.Flatten(0), *mlp()), TypeError, r"\[0\] is Flatten\(start_dim=0.*start_dim=1"),
    (given(nn.Identity()), TypeError, r"modules\[0\] holds no layer"),
    (given(*mlp(MonteCarlo()).eval()), TypeError, r"\[2\] is MonteCarlo; expected Linear"),
    (given(*mlp(Halved())), TypeError, r"\[2\] is Halved; expected Linear"),
    (hooked_model(0, "register_forward_hook", lambda layer, x, y: 2 * y), TypeError,
     r"\[0\]\[0\] is Linear with a hook .*Remove"),
    (hooked_model(1, "register_forward_pre_hook", lambda layer, x: 2 * x[0]), TypeError,
     r"\[0\]\[1\] is ReLU with a hook"),
    (hooked_model(2, "register_forward_hook", lambda layer, x, y: 2 * y), TypeError,
     r"\[0\]\[2\] is Identity with a hook"),
    (hooked_model(None, "register_forward_hook", lambda layer, x, y: 2 * y), TypeError,
     r"modules\[0\] is Sequential with a hook"),
    (hooked_model(0, "__setattr__", "forward", torch.relu), TypeError,
     r"\[0\]\[0\] is Linear with .* a forward of its own"),
    (lambda: Networks.from_sequential([*mlp()]), TypeError, r"is list; expected an nn.Sequential$"),
    (lambda: sequential.layers("model", [*mlp()]), TypeError, "^model is list; expected an nn.Seq"),
    (lambda: Networks.from_sequential(nn.ModuleList(mlp())), TypeError,
     r"modules\[0\] is ModuleList; expected an nn.Sequential.*from_state_dicts"),
    (lambda: Networks.from_sequential(mlp(), mlp(dtype=torch.float64)), ValueError,
     r"modules\[1\] has layers .*float64.*of the first"),
)
def test_a_layer_that_does_not_belong_is_named_with_what_to_do(call, error, message):
    with pytest.raises(error, match=message) as refused:
        call()
    assert "\n" not in str(refused.value)


class Named(nn.Module):
    """A model that is no Sequential."""

    def __init__(self):
        super().__init__()
        self.hidden, self.end = nn.Linear(4, 6), nn.Linear(6, 3, bias=False)

    def forward(self, x):
        return self.end(self.hidden(x).relu())


def test_state_dicts_give_the_networks_they_came_from():
    models = [Named() for _ in range(2)]
    networks = Networks.from_state_dicts(*(model.state_dict() for model in models), seeds=[4, 2])
    assert networks.seeds == (4, 2)
    for i, model in enumerate(models):
        torch.testing.assert_close(networks(X)[i], model(X), rtol=1e-6, atol=1e-6)
    networks.weights[0].data += 1
    assert not torch.equal(networks.weights[0][0], models[0].hidden.weight), "not a copy"


def test_numbered_layers_come_in_the_order_of_their_numbers():
    model = nn.Sequential(*(layer for _ in range(7) for layer in (nn.Linear(4, 4), nn.ReLU())))[:-1]
    filed = load(save(model.state_dict()))
    assert list(filed) != list(model.state_dict())
    torch.testing.assert_close(Networks.from_state_dicts(filed)(X)[0], model(X))


PAIR = {"0.weight": torch.ones(3, 4), "0.bias": torch.ones(3)}


def saved(*changes, **more):
    return lambda: Networks.from_state_dicts({**PAIR, **dict(changes), **more})


@refuses(
    (lambda: Networks.from_state_dicts(), ValueError, "state_dicts is empty"),
    (lambda: Networks.from_state_dicts(mlp()), TypeError, r"state_dicts\[0\] is Sequential"),
    (lambda: Networks.from_state_dicts({}), TypeError, r"state_dicts\[0\] is {}; expected what mo"),
    (lambda: Networks.from_state_dicts(PAIR, mlp().state_dict()), ValueError,
     r"state_dicts\[1\] has layers .* of the first"),
    (saved(("1.running_mean", torch.ones(3))), ValueError, r"\['1.running_mean'\] is Tens"),
    (saved(("1.weight", torch.ones(3))), ValueError, r"\['1.weight'\] is Tensor .*\(3,\)"),
    (saved(("1.weight", [[1]])), ValueError, r"\['1.weight'\] is list of shape"),
    (saved(("1.bias", torch.ones(3))), ValueError, "has a bias of '1', but no weight"),
    (saved(("1.weight", torch.ones(3, 2))), ValueError, "weights and biases have shapes"),
    (saved(("0.bias", torch.ones(2))), ValueError, "weights and biases have shapes"),
    (saved(("0.weight", torch.ones(3, 4).int())), TypeError,
     r"weights\[0\] is torch.int32; expected a float tensor"),
    (saved(epoch=3), ValueError, r"\['epoch'\] is int of shape \(\)"),
    (lambda: sequential.saved_layers("saved", []), TypeError, r"^saved is \[\]; expected what mo"),
    (lambda: sequential.saved_layers("saved", {"bias": torch.ones(3)}), ValueError,
     "^saved has a bias of '', but no weight; expected both"),
)
def test_an_entry_that_does_not_belong_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# Tables

FRAME = pd.DataFrame({"length": np.arange(12.0), "wide": [True, False] * 6,
                      "age": pd.array(range(12), "Int64"), "kind": ["oak", "elm", "ash"] * 4})


def test_a_table_gives_the_problem_of_its_arrays():
    points, kinds = FRAME.drop(columns="kind").to_numpy(float), FRAME["kind"].to_numpy()
    ours, theirs = Problem.from_frame(FRAME, "kind"), Problem.from_arrays(points, kinds)
    for name in "x_train", "y_train", "x_test", "y_test":
        assert torch.equal(getattr(ours, name), getattr(theirs, name))
    assert ours.classes == 3 and Problem.from_frame(FRAME.astype({"kind": "category"}), "kind")


def table(**changes):
    return lambda: Problem.from_frame(FRAME.assign(**changes), "kind")


@refuses(
    (lambda: Problem.from_frame(FRAME.to_numpy(), "kind"), TypeError, "frame is ndarray; .* Data"),
    (lambda: Problem.from_frame(FRAME, "sort"), ValueError, "label is 'sort'; .*'length', 'wide'"),
    (lambda: Problem.from_frame(FRAME, "length"), TypeError, r"frame\['kind'\] is of .*dummies"),
    (table(when=pd.Timestamp("2026-01-01")), TypeError, r"frame\['when'\] is of type datetime64"),
    (table(length=1j), TypeError, r"frame\['length'\] is of type complex128"),
    (table(length=np.nan), ValueError, r"frame\['length'\] lacks values; .*dropna"),
    (table(kind=["oak", None] * 6), ValueError, r"frame\['kind'\] lacks values"),
    (table(length=np.inf), ValueError, r"frame\['length'\] holds infinite values"),
    (table(kind="oak"), ValueError, "y holds 1 class"),
    (lambda: Problem.from_frame(FRAME[["kind"]], "kind"), ValueError, r"x has shape \(12, 0\)"),
)
def test_a_table_that_holds_no_points_is_refused_by_its_column(call, error, message):
    with pytest.raises(error, match=message):
        call()


# A training of one's own

INITIAL = double(tiny(3).select([2, 0, 1]))


def as_train(model, x, y, seed, steps=FEW.steps):
    """Train by the recipe FEW, batch by batch, in plain PyTorch."""
    optimiser = torch.optim.Adam(model.parameters(), FEW.learning_rate, FEW.betas, FEW.epsilon)
    for batch in batch_order([seed], steps, FEW.batch_size, len(x)).long():
        loss = nn.functional.binary_cross_entropy_with_logits(model(x[batch])[:, 0], y[batch].to(x))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def by_global_generator(model, x, y, seed):
    for parameter in model.parameters():
        parameter.data += torch.randn(())


@pytest.mark.parametrize("compensation, layers", [("mean", None), ("none", [1]), ("linear", [0])])
def test_the_square_of_a_function_is_that_of_the_recipe_it_follows(compensation, layers):
    ours = commute(INITIAL, MOONS, FEW, "std", 0.4, compensation, layers, fine_tune_steps=7)
    theirs = commute_with(as_train, INITIAL, MOONS, "std", 0.4, compensation, layers,
                          partial(as_train, steps=7))
    assert all(map(torch.equal, ours.kept, theirs.kept)) and theirs.initial is INITIAL
    for name in "dense", "train_first", "fine_tuned", "prune_first":
        corner = getattr(theirs, name)
        assert corner.seeds == INITIAL.seeds and furthest(corner, getattr(ours, name)) < 1e-9
    assert theirs.problem is MOONS and theirs.compensation == compensation and not theirs.recipe


def test_without_fine_tuning_its_corner_is_the_one_before():
    square = commute_with(as_train, INITIAL, MOONS, "std", 0.4)
    assert square.fine_tuned is square.train_first


def test_the_noise_floor_gets_other_seeds_and_keeps_the_networks_names():
    seen = []
    floor = noise_floor_with(lambda model, x, y, seed: seen.append(seed), INITIAL, MOONS)
    assert same_bits(floor, INITIAL) and len({*seen, 0, 1, 2}) == 6
    assert all(0 <= seed < 2**32 for seed in seen), "PyTorch's and NumPy's own generators differ"


def test_the_noise_floor_draws_other_numbers_from_the_global_generator():
    once, other = (trained(by_global_generator, INITIAL, MOONS)
                   for trained in (train_with, noise_floor_with))
    moved = zip(parameters(once), parameters(other), strict=True)
    assert all((a != b).all() for a, b in moved)


def test_the_global_generator_starts_from_the_seed_and_is_left_as_it_was():
    before = torch.get_rng_state()
    once, again = (train_with(by_global_generator, INITIAL, MOONS) for _ in range(2))
    alone = train_with(by_global_generator, INITIAL.select(1), MOONS)
    assert torch.equal(torch.get_rng_state(), before) and same_bits(once, again)
    assert same_bits(once.select(1), alone) and furthest(once, INITIAL) > 0.01


def spoils_points(model, x, y, seed):
    x.zero_()
    y.zero_()


def test_a_function_cannot_change_the_points_or_the_networks():
    problem, networks = copy.deepcopy(MOONS), tiny(3)
    train_with(spoils_points, networks, problem)
    train_with(by_global_generator, networks, problem)
    assert torch.equal(problem.x_train, MOONS.x_train) and same_bits(networks, tiny(3))
    assert torch.equal(problem.y_train, MOONS.y_train)


def in_half(model, x, y, seed):
    model.bfloat16()


def test_another_type_comes_back():
    trained = train_with(in_half, INITIAL, MOONS)
    assert trained.weights[0].dtype == torch.float64 and 0 < furthest(trained, INITIAL) < 0.01


def to_nan(model, x, y, seed):
    if seed == 0:
        model[0].bias.data[:] = torch.nan


def test_a_network_that_diverges_is_named():
    with pytest.warns(RuntimeWarning, match=r"1 of 3 networks diverged; seeds \[0\]"):
        train_with(to_nan, INITIAL, MOONS)


def grows(model, x, y, seed):
    model.append(nn.ReLU())


def renews(model, x, y, seed):
    return copy.deepcopy(model)


def hooked(training=as_train, problem=MOONS, criterion="std", fraction=0.5, **kwargs):
    return lambda: commute_with(training, INITIAL, problem, criterion, fraction, **kwargs)


@refuses(
    (hooked("adam"), TypeError, "training is 'adam'; expected a function of model, x, y and seed"),
    (hooked(fine_tune=7), TypeError, "fine_tune is 7; expected a function"),
    (hooked(problem=three_classes()), ValueError, "x_train has 4"),
    (hooked(criterion="snip"), ValueError, "criterion is 'snip'"),
    (hooked(fraction=1), ValueError, "fraction is 1"),
    (hooked(layers=[5]), ValueError, "layers is 5"),
    (hooked(compensation="median"), ValueError, "compensation is 'median'"),
    (lambda: train_with(None, INITIAL, MOONS), TypeError, "training is None"),
    (lambda: train_with(FRAME, INITIAL, MOONS), TypeError, "training is length .*; expected a fun"),
    (lambda: train_with(as_train, INITIAL, MOONS, [1]), ValueError, "order_seeds holds 1 s"),
    (lambda: train_with(as_train, mlp(), MOONS), TypeError, "networks is Sequential"),
    (lambda: train_with(grows, INITIAL, MOONS), ValueError, "training left layers .*as they were"),
    (lambda: train_with(renews, INITIAL, MOONS), TypeError, "training returned another Sequential"),
)
def test_nonsense_is_refused_before_any_training(call, error, message, monkeypatch):
    monkeypatch.setattr("test_own_networks.batch_order", None)
    with pytest.raises(error, match=message):
        call()


# Other pruners

NETWORKS, DIGITS = tiny(2, (4, 9, 8, 3)), three_classes()
KEPT = choose(NETWORKS, DIGITS, "contribution", 0.5)
OURS = prune(NETWORKS, KEPT, DIGITS, "none")


def gone(i):
    """Return per hidden layer the nodes that network i loses."""
    return [sorted({*range(width)} - {*stay[i].tolist()})
            for width, stay in zip(NETWORKS.widths[1:-1], KEPT, strict=True)]


@pytest.mark.parametrize("i", [0, 1])
def test_pytorch_masks_the_same_nodes_to_the_same_function(i):
    model = NETWORKS.to_sequential(i)
    for layer, nodes in zip(model[::2], gone(i), strict=False):
        for name in "weight", "bias":
            mask = torch.ones_like(getattr(layer, name))
            mask[nodes] = 0
            masks.custom_from_mask(layer, name, mask)
    torch.testing.assert_close(OURS(DIGITS.x_test)[i], model(DIGITS.x_test), rtol=1e-5, atol=1e-6)
    taken = Networks.from_sequential(model)(DIGITS.x_test)[0]
    torch.testing.assert_close(taken, OURS(DIGITS.x_test)[i], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("i", [0, 1])
def test_torch_pruning_leaves_the_same_matrices(i):
    model = NETWORKS.to_sequential(i)
    for layer, nodes in zip(model[::2], gone(i), strict=False):
        graph = torch_pruning.DependencyGraph().build_dependency(model, DIGITS.x_test[:2])
        graph.get_pruning_group(layer, torch_pruning.prune_linear_out_channels, nodes).prune()
    ours = OURS.to_sequential(i)
    assert [str(layer) for layer in model] == [str(layer) for layer in ours]
    for a, b in zip(model.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-7)
    torch.testing.assert_close(model(DIGITS.x_test), ours(DIGITS.x_test), rtol=1e-5, atol=1e-6)
