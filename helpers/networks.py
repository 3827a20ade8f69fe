"""N multilayer perceptrons of one shape, side by side.

Every network has its own weights and its own seed, its name in all comparisons. Hidden layers
apply ReLU; the last layer gives logits.
"""

import json
import math
import reprlib
from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from helpers import checks, files, sequential
from helpers.data import Problem
from helpers.streams import stream

FLOATS = {"BF16", "F16", "F32", "F64"}  # types of numbers, as files name them
BLOCK = 64  # networks evaluated together
TILE = 2**17  # activations of one layer computed together: half a megabyte stays in the cache


class Networks(nn.Module):
    """Networks of equal widths, evaluated together.

    weights: one tensor (networks, fan_out, fan_in) per layer; biases: (networks, fan_out); seeds:
    one integer per network. What is done with networks happens on the device of their tensors.
    Raises ValueError where shapes or devices do not fit or a seed comes twice.
    """

    def __init__(self, weights: Iterable[Tensor], biases: Iterable[Tensor], seeds: Iterable[int]):
        super().__init__()
        self.seeds = checks.seeds("seeds", seeds)
        weights, biases = (checks.several(*named) for named in
                           (("weights", weights), ("biases", biases)))
        for name, tensors in ("weights", weights), ("biases", biases):
            for k, tensor in enumerate(tensors):
                if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
                    kind = getattr(tensor, "dtype", checks.shown(tensor))
                    raise TypeError(f"{name}[{k}] is {kind}; expected a float tensor")
        if not weights or len(weights) != len(biases):
            raise ValueError(f"weights and biases hold {len(weights)} and {len(biases)} tensors; "
                             "expected one of each per layer")
        widths = [*weights[0].shape[-1:], *(n for weight in weights for n in weight.shape[-2:-1])]
        expected = [((len(self), o, i), (len(self), o)) for i, o in pairwise(widths)]
        given = [(tuple(weight.shape), tuple(bias.shape))
                 for weight, bias in zip(weights, biases, strict=True)]
        if given != expected:
            raise ValueError(f"weights and biases have shapes {given}; expected {expected}")
        if len(types := {tensor.dtype for tensor in [*weights, *biases]}) > 1:
            raise ValueError(f"weights and biases are of {sorted(map(str, types))}; expected one "
                             "type of numbers")
        if len(devices := {str(tensor.device) for tensor in [*weights, *biases]}) > 1:
            raise ValueError(f"weights and biases lie on {sorted(devices)}; expected one device")
        self.weights = nn.ParameterList(weight.detach().clone() for weight in weights)
        self.biases = nn.ParameterList(bias.detach().clone() for bias in biases)

    def __len__(self) -> int:
        return len(self.seeds)

    def extra_repr(self) -> str:
        return f"{len(self)} networks of widths {self.widths}"

    @property
    def widths(self) -> tuple[int, ...]:
        """Nodes per layer, from the inputs to the logits."""
        return self.weights[0].shape[2], *(weight.shape[1] for weight in self.weights)

    @property
    def device(self) -> torch.device:
        """Where the networks lie."""
        return self.weights[0].device

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits at x (points, features), computed tile by tile.

        Shape (networks, points) for one logit, (networks, points, classes) otherwise.
        """
        x = self._inputs(x)
        size = max(1, TILE // (min(len(self), BLOCK) * max(self.widths)))
        blocks = [slice(k, k + BLOCK) for k in range(0, len(self), BLOCK)]
        return self._logits(torch.cat([
            torch.cat([self._layers(tile, block)[-1] for tile in x.split(size)], dim=2)
            for block in blocks]))

    def activations(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of every hidden layer at x, each (networks, points, nodes)."""
        return [layer.mT for layer in self._layers(self._inputs(x), slice(None))[:-1]]

    def logits_from(self, layer: int, activations: Tensor) -> Tensor:
        """Return the logits that follow from given outputs of a hidden layer, as `forward`.

        activations: (networks, points, nodes of that layer). Raises ValueError for another layer
        or shape.
        """
        layer = checks.integer("layer", layer, 0, len(self.weights) - 2)
        if not isinstance(activations, Tensor):
            raise TypeError(f"activations is {type(activations).__name__}; expected a tensor")
        count, nodes, shape = len(self), self.widths[layer + 1], tuple(activations.shape)
        if len(shape) != 3 or shape[::2] != (count, nodes):
            raise ValueError(f"activations has shape {shape}; expected ({count}, points, {nodes})")
        hidden = activations.mT
        for weight, bias in zip(self.weights[layer + 1:], self.biases[layer + 1:], strict=True):
            before = torch.baddbmm(bias[..., None], weight, hidden)
            hidden = before.relu()
        return self._logits(before)

    def select(self, index) -> "Networks":
        """Return a copy of some networks: a slice, a mask, integers or one integer.

        Raises ValueError for an index that finds none, none there, or one twice.
        """
        try:
            index = index.cpu() if isinstance(index, Tensor) else index
            index = torch.arange(len(self))[index].reshape(-1)
        except (IndexError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"index is {checks.shown(index)} for {len(self)} networks: {error}"
                             ) from None
        return Networks([weight[index] for weight in self.weights],
                        [bias[index] for bias in self.biases],
                        [self.seeds[i] for i in index])

    @classmethod
    def from_sequential(cls, *modules: nn.Sequential, seeds: Iterable[int] | None = None):
        """Return copies of the user's own models, all of one shape, type and device.

        Each is an `nn.Sequential` of Linear layers with ReLU between them, nested or not; what does
        nothing to points (Identity, Flatten, Dropout after `model.eval()`) is left out. Parameters
        that are frozen or shared become parameters of their own; seeds default to 0, 1, ...
        Raises TypeError naming the first layer that does not belong, and what to do about it.
        """
        if not modules:
            raise ValueError("modules is empty; expected at least one nn.Sequential")
        return _alike("modules", [sequential.layers(f"modules[{i}]", module)
                                  for i, module in enumerate(modules)], seeds)

    @classmethod
    def from_state_dicts(cls, *state_dicts: Mapping[str, Tensor],
                         seeds: Iterable[int] | None = None):
        """Return networks of the parameters that `model.state_dict()` gave, all of one shape.

        Each holds `*.weight` and perhaps `*.bias` of Linear layers, taken to have ReLU between
        them: in the order of their numbers where names differ in these alone, else in that of the
        dictionary, which files may not keep. A state_dict does not tell of which class a layer is:
        any weight (nodes, inputs), of an Embedding too, is taken as a Linear layer's. Seeds default
        to 0, 1, ... Raises TypeError or ValueError naming the first entry that does not belong.
        """
        if not state_dicts:
            raise ValueError("state_dicts is empty; expected at least one")
        return _alike("state_dicts", [sequential.saved_layers(f"state_dicts[{i}]", state)
                                      for i, state in enumerate(state_dicts)], seeds)

    def to_sequential(self, i: int) -> nn.Sequential:
        """Return network i as plain PyTorch; its output is (points, logits)."""
        i = checks.integer("i", i, 0, len(self) - 1)
        layers = []
        for weight, bias in zip(self.weights, self.biases, strict=True):
            layer = nn.utils.skip_init(nn.Linear, *weight.shape[:0:-1], dtype=weight.dtype,
                                       device=weight.device)  # draws nothing
            with torch.no_grad():
                layer.weight.copy_(weight[i])
                layer.bias.copy_(bias[i])
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def save(self, path) -> None:
        """Write weights and seeds to a safetensors file, whole or not at all."""
        tensors = {name: value.contiguous() for name, value in self.state_dict().items()}
        files.write(path, save(tensors, metadata={"seeds": json.dumps(self.seeds)}))

    @classmethod
    def load(cls, path) -> "Networks":
        """Read networks that `save` wrote; ValueError if the file holds something else.

        Names, shapes, types and seeds stand in its header and are checked before anything is read.
        """
        open(path, "rb").close()  # Python's errors name the path
        try:
            opened = safe_open(path, framework="pt")
        except SafetensorError as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"path {path} is no safetensors file: {reason}") from None
        with opened as file:
            seeds = _read_seeds(f"path {path}", (file.metadata() or {}).get("seeds", ""))
            layers = range(_check_header(f"path {path}", file, seeds))
            return cls([file.get_tensor(f"weights.{k}") for k in layers],
                       [file.get_tensor(f"biases.{k}") for k in layers], seeds)

    def _inputs(self, x: Tensor) -> Tensor:
        inputs = checks.points("x", x, self.widths[0]).to(self.weights[0])
        if inputs.dtype != x.dtype and not inputs.is_meta:
            checks.points(f"x in {inputs.dtype}", inputs)  # it may have become infinite
        return inputs

    def _layers(self, x: Tensor, networks: slice) -> list[Tensor]:
        """Return the outputs of every layer, each (networks, nodes, points); logits come last."""
        outputs = [x.T.expand(len(self.seeds[networks]), -1, -1)]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            before = torch.baddbmm(bias[networks, :, None], weight[networks], outputs[-1])
            outputs.append(before.relu())
        return [*outputs[1:-1], before]

    def _logits(self, last: Tensor) -> Tensor:
        """Return (networks, logits, points) in the shape that `forward` promises."""
        return last[:, 0] if self.widths[-1] == 1 else last.mT


def initialise(widths, seeds, scheme: str = "glorot_uniform", device="cpu") -> Networks:
    """Return one untrained network per seed.

    widths: nodes per layer from inputs to logits, e.g. (2, 50, 50, 1); scheme: `glorot_uniform`
    (zero biases, Glorot and Bengio 2010, Keras' default), `torch_default` (biases drawn too) or
    `he_uniform` (zero biases, He et al. 2015); device: where they lie and are trained, pruned and
    compared. A network depends on its own seed alone. Raises ValueError for a width below 1,
    fewer than two layers' ends, an unknown scheme or a device that the machine has not.
    """
    widths = [checks.integer(f"widths[{i}]", width, 1)
              for i, width in enumerate(checks.several("widths", widths))]
    if len(widths) < 2:
        raise ValueError(f"widths is {widths}; expected at least inputs and logits")
    limits = checks.lookup("scheme", scheme, SCHEMES)
    seeds = checks.seeds("seeds", seeds)
    device = checks.device("device", device)
    generators = [stream(seed, "initial weights") for seed in seeds]
    weights, biases = [], []
    for fan_in, fan_out in pairwise(widths):
        weight_limit, bias_limit = limits(fan_in, fan_out)
        drawn = np.stack([generator.random((fan_out, fan_in + 1), dtype=np.float32)
                          for generator in generators])
        uniform = torch.from_numpy(2 * drawn - 1).to(device)
        weights.append(weight_limit * uniform[..., :-1])
        biases.append(bias_limit * uniform[..., -1])
    return Networks(weights, biases, seeds)


def join(parts: Iterable[Networks]) -> Networks:
    """Return several sets of networks of one shape as one set; ValueError if seeds repeat."""
    parts = checks.several("parts", parts)
    for k, part in enumerate(parts):
        if not isinstance(part, Networks):
            raise TypeError(f"parts[{k}] is {type(part).__name__}; expected Networks")
    if len(shapes := {part.widths for part in parts}) != 1:
        raise ValueError(f"parts have widths {sorted(shapes)}; expected some, all of one shape")
    weights = zip(*(part.weights for part in parts), strict=True)
    biases = zip(*(part.biases for part in parts), strict=True)
    return Networks([torch.cat(layer) for layer in weights], [torch.cat(layer) for layer in biases],
                    [seed for part in parts for seed in part.seeds])


def nudged(networks: Networks, layer: int) -> Networks:
    """Return the networks with every weight of one layer moved up by one unit in the last place."""
    checks.integer("layer", layer, 0, len(networks.weights) - 1)
    weights = [weight.nextafter(torch.full_like(weight, torch.inf)) if place == layer else weight
               for place, weight in enumerate(networks.weights)]
    return Networks(weights, networks.biases, networks.seeds)


def check_fit(networks: Networks, problem: Problem) -> None:
    """Raise TypeError or ValueError unless the widths suit the problem's features and classes.

    Two classes take one logit or two, more take one logit each.
    """
    if not isinstance(networks, Networks):
        raise TypeError(f"networks is {type(networks).__name__}; expected Networks")
    if not isinstance(problem, Problem):
        raise TypeError(f"problem is {type(problem).__name__}; expected a Problem")
    checks.points("problem.x_train", problem.x_train, networks.widths[0])
    suited = (1, 2) if problem.classes == 2 else (problem.classes,)
    if networks.widths[-1] not in suited:
        raise ValueError(f"networks have {networks.widths[-1]} logits; expected "
                         f"{' or '.join(map(str, suited))} for {problem.classes} classes")


SCHEMES = {  # limits of the uniform distributions of weights and biases, by fan-in and fan-out
    "glorot_uniform": lambda fan_in, fan_out: (math.sqrt(6 / (fan_in + fan_out)), 0),
    "torch_default": lambda fan_in, fan_out: (1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in)),
    "he_uniform": lambda fan_in, fan_out: (math.sqrt(6 / fan_in), 0),
}


def _alike(name: str, models: list[list[sequential.Layer]], seeds) -> Networks:
    """Return models, each a list of weight and bias per layer, as networks; seeds 0, 1, ..."""
    found = [[(tuple(weight.shape), weight.dtype, str(weight.device)) for weight, _ in layers]
             for layers in models]
    for i, own in enumerate(found):
        if own != found[0]:
            raise ValueError(f"{name}[{i}] has layers {own}; expected those of the first, "
                             f"{found[0]}")
    places = list(zip(*models, strict=True))
    return Networks([torch.stack([weight for weight, _ in place]) for place in places],
                    [torch.stack([weight.new_zeros(len(weight)) if bias is None else bias
                                  for weight, bias in place]) for place in places],
                    range(len(models)) if seeds is None else seeds)


def _check_header(name: str, file, seeds: tuple[int, ...]) -> int:
    """Return the number of layers in an open file; ValueError unless all fits together."""
    found = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 (no dictionary)
    layers = range(len(found) // 2)
    expected = {f"{kind}.{k}" for kind in ("weights", "biases") for k in layers}
    if found.keys() != expected or not expected:
        raise ValueError(f"{name} holds {reprlib.repr(sorted(found))}; expected saved Networks")
    types = {entry.get_dtype() for entry in found.values()}
    if len(types) > 1 or not types <= FLOATS:
        raise ValueError(f"{name} holds {sorted(types)}; expected one of {sorted(FLOATS)}")
    shapes = {key: entry.get_shape() for key, entry in found.items()}
    inputs = shapes["weights.0"][-1:]
    for k in layers:
        weight, bias = shapes[f"weights.{k}"], shapes[f"biases.{k}"]
        fit = weight == [*bias, *inputs] and len(weight) == 3 and bias[0] == len(seeds)
        if not fit or 0 in weight:
            raise ValueError(f"{name} has layer {k} of shapes {weight} and {bias}; expected "
                             f"{len(seeds)} networks, one per seed, and layers that fit")
        inputs = bias[1:]
    return len(layers)


def _read_seeds(name: str, text: str) -> tuple[int, ...]:
    """Return the seeds that a file's metadata hold, or raise ValueError whatever stands there."""
    try:
        return checks.seeds("seeds", json.loads(text))
    except (TypeError, ValueError, RecursionError):
        raise ValueError(f"{name} has seeds {reprlib.repr(text)}; expected a list of distinct "
                         "integers") from None
