"""Plain PyTorch models, as people have them, as weight and bias per layer.

What does not belong is refused by its name and place, with what to do about it.
"""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.weight_norm import WeightNorm

from helpers import checks

Layer = tuple[Tensor, Tensor | None]  # weight (nodes, inputs) and perhaps bias (nodes,)

ADVICE = {  # what to do about a layer that does not belong
    nn.LazyLinear: "Call the model once on some points first",
    _BatchNorm: "Fold it into the Linear before it: torch.nn.utils.fuse_linear_bn_eval",
    (nn.Sigmoid, nn.LogSigmoid, nn.Softmax, nn.LogSoftmax):
        "Drop it at the end: networks give logits",
    (_ConvNd, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.MultiheadAttention):
        "Prune the part of your model after it, on its outputs as points",
}

OTHERWISE = ". For Linear and ReLU written otherwise: from_state_dicts(model.state_dict())"
PASSING = (nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
           nn.AlphaDropout, nn.FeatureAlphaDropout)
REPARAMETRISING = (BasePruningMethod, WeightNorm)  # hooks that set weight or bias, and no more


def layers(name: str, module: nn.Sequential) -> list[Layer]:
    """Return the Linear layers of a model that alternates Linear and ReLU, ending on Linear.

    name: of the model in messages. Raises TypeError naming the first layer that does not belong.
    """
    flat = _flattened(name, module)
    found = [place for place in flat if not _passes_points(*place)]
    if not found:
        raise TypeError(f"{name} holds no layer; expected Linear layers with ReLU between them")
    for k, (place, layer) in enumerate(found):
        expected = nn.ReLU if k % 2 else nn.Linear
        if not _computes_as(layer, expected) or isinstance(layer, nn.LazyLinear):
            raise TypeError(f"{place} is {type(layer).__name__}; expected {expected.__name__}"
                            f"{_advice(layer)}")
    if len(found) % 2 == 0:
        raise TypeError(f"{name} ends with ReLU; expected Linear, which gives the logits")
    for place in flat:
        _refuse_hooks(*place)
    return [_parameters(layer) for _, layer in found[::2]]


def saved_layers(name: str, state: Mapping[str, Tensor]) -> list[Layer]:
    """Return the layers of a state_dict: by number where names differ in numbers alone.

    name: of the state_dict in messages. Raises TypeError or ValueError naming the first entry that
    is no weight or bias of a Linear layer.
    """
    if not isinstance(state, Mapping) or not state:
        raise TypeError(f"{name} is {checks.shown(state)}; expected what model.state_dict() gives")
    found = {}
    for key, value in state.items():
        layer, _, kind = str(key).rpartition(".")
        dimensions = {"weight": 2, "bias": 1}.get(kind)
        if not isinstance(value, Tensor) or value.ndim != dimensions:
            shape = tuple(getattr(value, "shape", ()))
            raise ValueError(f"{name}[{key!r}] is {type(value).__name__} of shape {shape}; "
                             "expected only 'weight' (nodes, inputs) and 'bias' (nodes,) of Linear")
        found.setdefault(layer, {})[kind] = value
    if alone := [layer for layer, parts in found.items() if "weight" not in parts]:
        raise ValueError(f"{name} has a bias of {alone[0]!r}, but no weight; expected both")
    return [(found[layer]["weight"], found[layer].get("bias")) for layer in _in_order(found)]


def _flattened(name: str, module: nn.Sequential) -> list[tuple[str, nn.Module]]:
    """Return the layers of nested models in their order, each with its place."""
    if not isinstance(module, nn.Sequential) or not _computes_as(module, nn.Sequential):
        raise TypeError(f"{name} is {type(module).__name__}; expected an nn.Sequential"
                        f"{OTHERWISE if isinstance(module, nn.Module) else ''}")
    _refuse_hooks(name, module)
    found = []
    for k, layer in enumerate(module):
        place = f"{name}[{k}]"
        nested = isinstance(layer, nn.Sequential)
        found += _flattened(place, layer) if nested else [(place, layer)]
    return found


def _passes_points(place: str, layer: nn.Module) -> bool:
    """Tell whether a layer gives points (points, features) as they come; TypeError if it might."""
    if not any(_computes_as(layer, kind) for kind in PASSING):
        return False
    if isinstance(layer, _DropoutNd) and layer.training:
        raise TypeError(f"{place} is {type(layer).__name__} in training mode; expected evaluation "
                        "mode. Call model.eval() first")
    if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) != (1, -1):
        raise TypeError(f"{place} is {layer}; expected Flatten(start_dim=1, end_dim=-1)")
    return True


def _computes_as(layer: nn.Module, kind: type[nn.Module]) -> bool:
    """Tell whether a layer is of a kind and, if of a subclass, has no forward of its own."""
    return isinstance(layer, kind) and type(layer).forward is kind.forward


def _refuse_hooks(place: str, layer: nn.Module) -> None:
    """Raise TypeError for a layer that is made to compute something else than its class does."""
    before = [hook for hook in layer._forward_pre_hooks.values()
              if not isinstance(hook, REPARAMETRISING)]
    if before or layer._forward_hooks or "forward" in vars(layer):
        raise TypeError(f"{place} is {type(layer).__name__} with a hook or a forward of its own; "
                        f"expected what {type(layer).__name__} computes. Remove it first")


def _parameters(layer: nn.Linear) -> Layer:
    """Return weight and bias as the next call would use them."""
    for hook in layer._forward_pre_hooks.values():
        hook(layer, ())  # masks and norms since the last step are applied only on a call
    return layer.weight, layer.bias


def _advice(layer: nn.Module) -> str:
    """Return what to do about a layer, as the end of a message."""
    found = [advice for kinds, advice in ADVICE.items() if isinstance(layer, kinds)]
    return f". {found[0] if found else 'Networks are Linear layers with ReLU between them'}"


def _in_order(names: Iterable[str]) -> list[str]:
    """Return names by their numbers if they differ in these alone, else as they come."""
    names = list(names)
    if len({re.sub(r"\d+", "0", name) for name in names}) > 1:
        return names
    return sorted(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
