"""Small networks and problems for the tests, and what several test modules ask of them."""

from dataclasses import replace
from functools import wraps
from inspect import Parameter, signature

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from helpers.data import Problem, digits, moons
from helpers.networks import Networks, initialise
from helpers.recipes import Recipe

FEW = Recipe(learning_rate=0.01, batch_size=8, steps=20)
MOONS = moons(n_train=60, n_test=40)


def tiny(count=3, widths=(2, 7, 5, 1), scheme="torch_default") -> Networks:
    return initialise(widths, range(count), scheme)


def double(networks: Networks) -> Networks:
    return Networks([weight.double() for weight in networks.weights],
                    [bias.double() for bias in networks.biases], networks.seeds)


def three_classes() -> Problem:
    """The first four pixel columns of the digits 0, 1 and 2."""
    full = digits()
    train, test = full.y_train < 3, full.y_test < 3
    return replace(full, name="three", classes=3, x_train=full.x_train[train][:60, 2:6],
                   y_train=full.y_train[train][:60], x_test=full.x_test[test][:, 2:6],
                   y_test=full.y_test[test])


def two_points(weights, biases) -> tuple[Networks, Problem]:
    """One network of the given matrices, and the points 0 and 1 of classes 0 and 1."""
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1])
    network = Networks([torch.tensor(weight)[None] for weight in weights],
                       [torch.tensor(bias)[None] for bias in biases], [0])
    return network, Problem("two points", x, y, x, y, 2)


def louder(networks: Networks, factor: float) -> Networks:
    """The networks with all parameters multiplied: more gates switch, margins are larger."""
    return Networks([factor * weight for weight in networks.weights],
                    [factor * bias for bias in networks.biases], networks.seeds)


def parameters(networks: Networks) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in networks.parameters()]


def same_bits(a: Networks, b: Networks) -> bool:
    return a.seeds == b.seeds and all(map(torch.equal, parameters(a), parameters(b)))


def furthest(a: Networks, b: Networks) -> float:
    """Return the largest difference of any parameter."""
    return max((p - q).abs().max().item()
               for p, q in zip(parameters(a), parameters(b), strict=True))


def textbook_loss(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return PyTorch's mean cross-entropy of logits (points, logits)."""
    if logits.shape[1] == 1:
        return binary_cross_entropy_with_logits(logits[:, 0], y.to(logits))
    return cross_entropy(logits, y)


def refuses(*rows):
    """Parametrise a test of refusals by rows of (call, error, words of the message).

    Every call has to be refused in one line, and counts as a bad call.
    """
    table = pytest.mark.parametrize(
        "call, error, message", [(_in_one_line(call), *rest) for call, *rest in rows],
        ids=[row[2] for row in rows])

    def counting(test):
        @wraps(test)
        def counted(request, **arguments):
            test(**arguments)
            request.getfixturevalue("count")("bad calls", 1)

        own = signature(test)
        request = Parameter("request", Parameter.KEYWORD_ONLY)
        counted.__signature__ = own.replace(parameters=[*own.parameters.values(), request])
        return table(counted)

    return counting


def _in_one_line(call):
    """Return the call, which fails the test if its error takes several lines."""
    @wraps(call)
    def checked(*arguments):
        try:
            return call(*arguments)
        except Exception as error:
            assert len(str(error).splitlines()) == 1, f"not in one line: {error}"
            raise

    return checked
