"""Many networks at once give what plain PyTorch modules give one at a time."""

import json
import re
from unittest.mock import patch

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from examples import MOONS, double, furthest, refuses, same_bits, three_classes, tiny
from helpers.networks import SCHEMES, Networks, check_fit, initialise, join, nudged
from helpers.streams import stream

torch.manual_seed(0)  # of X and MODEL
X = torch.randn(23, 2)
WIDTHS = [(2, 1), (2, 7, 1), (2, 7, 5, 1), (2, 6, 3), (2, 4, 9, 3, 10)]
MODEL = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 3))



@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("count", [1, 3, 65])
def test_forward_and_activations_equal_plain_modules(widths, count):
    networks = double(tiny(count, widths))
    outputs, hidden = networks(X), networks.activations(X)
    shape = (count, 23) if widths[-1] == 1 else (count, 23, widths[-1])
    assert outputs.shape == shape and networks.widths == widths and len(networks) == count
    for i in {0, count - 1}:
        module, x = networks.to_sequential(i), X.double()
        for k, layer in enumerate(module):
            x = layer(x)
            if k % 2:
                torch.testing.assert_close(hidden[k // 2][i], x, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(outputs[i], x.view(shape[1:]), rtol=1e-12, atol=1e-12)
    for layer, values in enumerate(hidden):
        torch.testing.assert_close(networks.logits_from(layer, values), outputs)


def test_tiles_do_not_show(monkeypatch):
    networks = tiny(3)
    whole = networks(X)
    monkeypatch.setattr("helpers.networks.TILE", 64)
    torch.testing.assert_close(networks(X), whole)


def test_users_own_models_come_in_and_go_out():
    models = [nn.Sequential(nn.Linear(2, 6, bias=k > 0), nn.ReLU(), nn.Linear(6, 3))
              for k in range(3)]
    networks = Networks.from_sequential(*models, seeds=(5, 1, 9))
    assert networks.seeds == (5, 1, 9) and Networks.from_sequential(MODEL).seeds == (0,)
    for i, model in enumerate(models):
        torch.testing.assert_close(networks(X)[i], model(X))
        torch.testing.assert_close(networks.to_sequential(i)(X), model(X))
    models[0][0].weight.data += 1
    assert not torch.equal(networks.weights[0][0], models[0][0].weight), "not a copy"


@pytest.mark.parametrize("scheme, weight, bias", [
    ("glorot_uniform", (6 / 52) ** 0.5, 0), ("he_uniform", (6 / 2) ** 0.5, 0),
    ("torch_default", 1 / 2 ** 0.5, 1 / 2 ** 0.5)])
def test_first_layers_are_uniform_up_to_their_limits(scheme, weight, bias):
    networks = initialise((2, 50, 1), range(40), scheme)
    for values, limit in (networks.weights[0], weight), (networks.biases[0], bias):
        assert limit * 0.99 <= values.abs().max() <= limit
        assert values.mean().abs() <= 0.05 * limit
        assert values.std().item() == pytest.approx(limit / 3 ** 0.5, rel=0.05)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_network_depends_on_its_seed_alone(scheme):
    many = initialise((2, 7, 5, 1), (8, 3, 5), scheme)
    assert same_bits(many.select(1), initialise((2, 7, 5, 1), [3], scheme))
    drawn = torch.from_numpy(stream(3, "initial weights").random((7, 3), dtype=np.float32))
    weight_limit, bias_limit = SCHEMES[scheme](2, 7)
    torch.testing.assert_close(many.weights[0][1], weight_limit * (2 * drawn - 1)[:, :2])
    torch.testing.assert_close(many.biases[0][1], bias_limit * (2 * drawn - 1)[:, 2])


def test_networks_hold_copies():
    weight, bias = torch.ones(2, 1, 3), torch.ones(2, 1)
    networks = Networks([weight], [bias], [0, 1])
    weight += 1
    bias += 1
    assert (networks.weights[0] == 1).all() and (networks.biases[0] == 1).all()


@pytest.mark.parametrize("index, seeds", [
    (1, (1,)), (-1, (3,)), (slice(1, 3), (1, 2)), ([3, 0], (3, 0)),
    (torch.tensor([True, False, False, True]), (0, 3))])
def test_select(index, seeds):
    networks = tiny(4)
    part = networks.select(index)
    assert part.seeds == seeds and torch.equal(part(X), networks(X)[list(seeds)])


def test_join_undoes_select():
    networks = tiny(5)
    assert same_bits(join([networks.select(slice(2)), networks.select(slice(2, 5))]), networks)


def test_saved_networks_come_back_exactly(tmp_path):
    networks = double(tiny(3).select([2, 0, 1]))
    networks.save(tmp_path / "n.safetensors")
    loaded = Networks.load(tmp_path / "n.safetensors")
    assert same_bits(loaded, networks) and loaded.widths == networks.widths
    assert furthest(loaded, networks) == 0


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def filed(seeds="[0]", **tensors):
    """Return a file as safetensors lays it out: length of the header, header, numbers."""
    entries = {"weights.0": entry([1, 1, 2], 0, 8), "biases.0": entry([1, 1], 8, 12), **tensors}
    header = json.dumps({**entries, "__metadata__": {"seeds": seeds}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(
        max(entry["data_offsets"][1] for entry in entries.values()))


def test_the_layout_of_spoiled_files_is_right(tmp_path):
    (tmp_path / "n").write_bytes(filed("[5]"))
    networks = Networks.load(tmp_path / "n")
    assert networks.widths == (2, 1) and networks.seeds == (5,)


HUGE = 2**40


class Header:
    """An open file whose numbers may not be read."""

    def __init__(self, *arguments, **options):
        self.file = safe_open(*arguments, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __getattr__(self, name):
        assert name != "get_tensor", "a tensor is read"
        return getattr(self.file, name)


@pytest.mark.parametrize("content, message", [
    (b"", "is no safetensors file"), (b"not tensors", "is no safetensors file"),
    (b"\x80\x04N.", "is no safetensors file"),  # a pickle
    (filed()[:-1], "is no safetensors file"), (filed()[:40], "is no safetensors file"),
    (filed() + b"0", "is no safetensors file"), (b"\xff" * 7 + b"\x0f{}", "header too large"),
    (filed(**{"weights.0": entry([HUGE, HUGE, HUGE], 0, 8)}), "overflow"),
    (filed(**{"weights.0": entry([1, HUGE, 2], 0, 8)}), "is no safetensors file"),
    (filed(**{"weights.0": entry([1, 1, -2], 0, 8)}), "is no safetensors file"),
    (filed(**{"weights.0": entry([1, 0, HUGE], 0, 0), "biases.0": entry([1, 0], 0, 0)}),
     "layer 0 of shapes"),
    (filed(**{"weights.0": entry([2, 1, 1], 0, 8)}), "layer 0 of shapes"),
    (filed(**{"weights.0": entry([1, 2], 0, 8)}), "layer 0 of shapes"),
    (filed(**{"weights.0": entry([], 0, 4), "biases.0": entry([], 4, 8)}), "layer 0 of shapes"),
    (filed(**{"weights.1": entry([1, 1, 2], 12, 20), "biases.1": entry([1, 1], 20, 24)}),
     "layer 1 of shapes"),
    (filed(**{"weights.0": entry([1, 1, 2], 0, 8, "I32")}), "holds .*I32.*expected one of"),
    (filed(**{"weights.0": entry([1, 1, 2], 0, 8, "I32"), "biases.0": entry([1, 1], 8, 12, "I32")}),
     r"holds \['I32'\]; expected one of"),
    (filed(**{"weights.0": entry([1, 1, 2], 0, 4, "F16"), "biases.0": entry([1, 1], 4, 8)}),
     r"holds \['F16', 'F32'\]"),
    (filed(**{"weights.2": entry([1, 1, 2], 12, 20), "biases.2": entry([1, 1], 20, 24)}),
     "expected saved Networks"),
    (filed(**{"../../weights": entry([1], 12, 16)}), "expected saved Networks"),
    (filed("[0, 1]"), "layer 0 of shapes"), (filed("[0, 0]"), "has seeds"),
    (filed("[1.5]"), "has seeds"), (filed("7"), "has seeds"), (filed('{"0": 0}'), "has seeds"),
    (filed("[" * 100_000), "has seeds"), (filed(f"[{'9' * 10_000}]"), "has seeds"),
    (filed("__import__('os')"), "has seeds"), (filed(""), "has seeds"),
    (filed([0]), "is no safetensors file"), (filed("[-1]"), "has seeds")])
def test_a_spoiled_file_is_refused_before_any_tensor_is_read(tmp_path, content, message, count):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^path .*foreign .*{message}") as refused, \
            patch("helpers.networks.safe_open", Header):
        Networks.load(path)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 500
    count("bad calls", 1)


@pytest.mark.parametrize("content", [{"a": X}, {"weights.0": X, "biases.0": X + 1}])
def test_a_foreign_file_is_refused(tmp_path, content):
    save_file(content, tmp_path / "foreign", metadata={"seeds": "[0]"})
    with pytest.raises(ValueError, match="path .*foreign"):
        Networks.load(tmp_path / "foreign")


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    for path in tmp_path, tmp_path / "missing":
        with pytest.raises(OSError, match=re.escape(str(path))):
            Networks.load(path)


def test_a_network_leaves_without_a_draw():
    before = torch.get_rng_state()
    tiny().to_sequential(0)
    assert torch.equal(torch.get_rng_state(), before)


W, B = [torch.ones(2, 1, 3)], [torch.ones(2, 1)]


@refuses(
    (lambda: Networks([], [], [0]), ValueError, "weights and biases hold 0 and 0"),
    (lambda: Networks(W, [], [0, 1]), ValueError, "hold 1 and 0 tensors"),
    (lambda: Networks([1], B, [0, 1]), TypeError, r"weights\[0\] is 1; expected a float tensor"),
    (lambda: Networks(W, [B[0].long()], [0, 1]), TypeError,
     r"biases\[0\] is torch.int64; expected a float tensor"),
    (lambda: Networks([W[0][0, 0]], B, [0, 1]), ValueError, r"have shapes \[\(\(3,\)"),
    (lambda: Networks(W, B, [0]), ValueError, r"have shapes .*expected \[\(\(1, 1, 3\), \(1, 1\)"),
    (lambda: Networks(W, B, [0, 0]), ValueError, r"seeds holds \[0\] more than once"),
    (lambda: tiny()(X[:, :1]), ValueError, "x has 1 features; expected 2"),
    (lambda: tiny()(X / 0), ValueError, "x holds NaN"),
    (lambda: tiny().activations(X[:0]), ValueError, r"x has shape \(0, 2\)"),
    (lambda: tiny().logits_from(2, torch.ones(3, 1, 5)), ValueError, "layer is 2; .* at most 1"),
    (lambda: tiny().logits_from(0, torch.ones(3, 1, 5)), ValueError, r"expected \(3, points, 7\)"),
    (lambda: tiny().select(3), ValueError, "index is 3 for 3 networks"),
    (lambda: tiny().select(1.5), ValueError, "index is 1.5"),
    (lambda: tiny().select(slice(0)), ValueError, "seeds is empty"),
    (lambda: tiny().select([1, 1]), ValueError, r"seeds holds \[1\] more than once"),
    (lambda: tiny().to_sequential(3), ValueError, "i is 3; .* at most 2"),
    (lambda: Networks.from_sequential(), ValueError, "modules is empty"),
    (lambda: Networks.from_sequential(MODEL[0]), TypeError, r"modules\[0\] is Linear"),
    (lambda: Networks.from_sequential(MODEL, MODEL[:2]), TypeError, r"modules\[1\] ends with ReLU"),
    (lambda: Networks.from_sequential(nn.Sequential(MODEL[0], nn.Tanh())), TypeError,
     r"modules\[0\]\[1\] is Tanh; expected ReLU"),
    (lambda: Networks.from_sequential(MODEL, MODEL[:1]), ValueError, r"modules\[1\] has layers"),
    (lambda: Networks.from_sequential(MODEL, seeds=[-1]), ValueError, r"seeds\[0\] is -1"),
    (lambda: initialise((2, 0, 1), [0]), ValueError, r"widths\[1\] is 0"),
    (lambda: initialise((2, 1.5, 1), [0]), TypeError, r"widths\[1\] is 1.5"),
    (lambda: initialise(5, [0]), TypeError, "widths is 5"),
    (lambda: initialise((2,), [0]), ValueError, r"widths is \[2\]"),
    (lambda: initialise((2, 1), [1, 1]), ValueError, r"seeds holds \[1\] more than once"),
    (lambda: initialise((2, 1), 7), TypeError, "seeds is 7"),
    (lambda: initialise((2, 1), [0], "zeros"), ValueError, "scheme is 'zeros'.*'he_uniform'"),
    (lambda: join([]), ValueError, r"parts have widths \[\]"),
    (lambda: join([tiny(1), tiny(2).select(1), tiny(2)]), ValueError, "more than once"),
    (lambda: join([tiny(1), tiny(1, (2, 1))]), ValueError, r"parts have widths \[\(2, 1\), \(2, 7"),
    (lambda: check_fit(tiny(1, (3, 1)), MOONS), ValueError, "x_train has 2 features; expected 3"),
    (lambda: check_fit(tiny(1, (2, 3)), MOONS), ValueError, "have 3 logits; expected 1 or 2 for 2"),
    (lambda: check_fit(tiny(1, (4, 1)), three_classes()), ValueError, "1 logits; expected 3"),
    (lambda: check_fit(MODEL, MOONS), TypeError, "networks is Sequential"),
    (lambda: check_fit(tiny(), X), TypeError, "problem is Tensor"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_nudged_networks_differ_by_one_unit_in_one_layer():
    networks = tiny(3)
    moved = nudged(networks, 1)
    pairs = zip(moved.parameters(), networks.parameters(), strict=True)
    same = [torch.equal(a, b) for a, b in pairs]
    assert same.count(False) == 1 and moved.seeds == networks.seeds
    weights = networks.weights[1].detach()
    down = moved.weights[1].detach().nextafter(torch.tensor(-torch.inf))
    assert (moved.weights[1] > weights).all() and torch.equal(down, weights)
