"""The hot path: the loss gradient of many networks at once, written by hand.

Per layer two batched matrix products; autograd is the oracle in the tests. Inside, activations
are (networks, nodes, samples) and all parameters lie in one flat buffer. What looks odd is
measured: a batched product is slow when its result has few columns, so every kernel is stored
with its long side last. Two things would make a network's bits depend on its company, and are
padded away: vectorised loops round their last few elements differently, so every block holds whole
vectors; and on some processors a matrix product rounds by where in memory its rows begin, so every
row of samples begins at a quad.
"""

import math
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from helpers.losses import point_losses
from helpers.networks import Networks

VECTOR = 64  # numbers: at least one cache line and one vector register of any type
QUAD = 4  # samples: rows of so many single-precision numbers begin at multiples of 16 bytes
SERIAL = 2**15  # numbers: PyTorch splits longer element-wise loops between threads, anywhere
relu_gradient = torch.ops.aten.threshold_backward.grad_input  # in place; d * (h > 0) is slow


@contextmanager
def at_most_threads(count: int):
    """Compute on so many threads, or on fewer where fewer are set."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(count, before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Engine:
    """Parameters, gradients and work space of some networks for batches of one size.

    parameters: the flat buffer an optimiser steps on; its `.grad` is what `backward` fills.
    """

    def __init__(self, networks: Networks, batch_size: int):
        self.networks, self.batch_size = networks, batch_size
        like = networks.weights[0].detach()
        count, (_, *hidden, last) = len(networks), networks.widths
        self.shapes = [shape for fan_in, fan_out in pairwise(networks.widths)
                       for shape in ((count, *sorted((fan_in, fan_out))), (count, fan_out, 1))]
        self.parameters = nn.Parameter(self.flat(networks))
        self.parameters.grad = torch.zeros_like(self.parameters)
        self.layers = self._views(self.parameters.data)
        self.gradients = self._views(self.parameters.grad)
        self.samples = math.ceil(batch_size / QUAD) * QUAD
        self.hidden = [like.new_empty(count, width, self.samples) for width in hidden]
        self.errors = [like.new_empty(count, width, self.samples) for width in hidden]
        output = (count, last, self.samples)
        self.logits = like.new_empty(output)
        self.flat_error = like.new_zeros(_padded(output))
        self.error = _view(self.flat_error, output)
        self.one_logit = last == 1

    @torch.no_grad()
    def backward(self, x: Tensor, targets: Tensor) -> None:
        """Fill the gradient of each network's own mean loss over its own batch.

        x: (networks, features, samples); targets: (networks, logits, samples), the probabilities
        that the logits should give.
        """
        if self.samples > self.batch_size:
            x = pad(x, (0, self.samples - self.batch_size))
        activations = [x, *self.hidden]
        self._forward(activations)
        error = self._output_error(targets)
        for layer in reversed(range(len(self.layers))):
            (weight, _), (to_weight, to_bias) = self.layers[layer], self.gradients[layer]
            below = activations[layer]
            if to_weight.is_contiguous():
                torch.bmm(error, below.mT, out=to_weight)
            else:
                torch.bmm(below, error.mT, out=to_weight.mT)
            torch.sum(error, 2, keepdim=True, out=to_bias)
            if layer:
                error = _through_relu(weight, error, below, self.errors[layer - 1])

    def losses(self, y: Tensor) -> Tensor:
        """Return each network's mean loss over the batch that `backward` saw last.

        y: (networks, samples) labels.
        """
        return mean_losses(self.logits[..., :self.batch_size], y)

    def copy_networks(self) -> Networks:
        """Return the networks with their present parameters."""
        return self.unpacked(self.parameters.data)

    def flat(self, networks: Networks) -> Tensor:
        """Return a new flat buffer, laid out like `parameters`, that holds other values."""
        buffer = networks.weights[0].new_zeros(sum(map(_padded, self.shapes))).detach()
        own = zip(networks.weights, networks.biases, strict=True)
        for (weight, bias), (start, offset) in zip(self._views(buffer), own, strict=True):
            weight.copy_(start.detach())
            bias.copy_(offset.detach()[..., None])
        return buffer

    def unpacked(self, flat: Tensor) -> Networks:
        """Return a copy of what a flat buffer holds, such as Adam's running means."""
        layers = self._views(flat)
        return Networks([weight for weight, _ in layers], [bias[..., 0] for _, bias in layers],
                        self.networks.seeds)

    def _forward(self, activations: list[Tensor]) -> None:
        outputs = [*self.hidden, self.logits]
        for (weight, bias), below, output in zip(self.layers, activations, outputs, strict=True):
            torch.baddbmm(bias, weight, below, out=output)
            if output is not self.logits:
                output.relu_()

    def _output_error(self, targets: Tensor) -> Tensor:
        """Return d loss / d logits: the probabilities minus their targets, over the samples.

        Sigmoid and exponential run over the padded buffer in parts that no thread pool splits.
        """
        if self.one_logit:
            self.error.copy_(self.logits)
            for part in self.flat_error.split(SERIAL):
                part.sigmoid_()
        else:
            torch.sub(self.logits, self.logits.amax(1, keepdim=True), out=self.error)
            for part in self.flat_error.split(SERIAL):
                part.exp_()
            self.error.div_(self.error.sum(1, keepdim=True))
        self.error[..., :self.batch_size].sub_(targets).div_(self.batch_size)
        self.error[..., self.batch_size:] = 0  # samples of the padding do not count
        return self.error

    def _views(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return (weight, bias) of every layer as views of a flat buffer."""
        blocks = flat.split([_padded(shape) for shape in self.shapes])
        views = [_view(block, shape) for block, shape in zip(blocks, self.shapes, strict=True)]
        layers = zip(views[::2], views[1::2], pairwise(self.networks.widths), strict=True)
        return [(weight.mT if fan_in < fan_out else weight, bias)
                for weight, bias, (fan_in, fan_out) in layers]


def mean_losses(logits: Tensor, y: Tensor) -> Tensor:
    """Return each network's mean loss over its batch.

    logits: (networks, logits, samples); y: (networks, samples) labels.
    """
    logits = logits[:, 0] if logits.shape[1] == 1 else logits.mT
    # in double precision, so that rounding to single hides which elements were vectorised; of
    # networks in double precision it cannot hide a last bit
    return point_losses(logits.double(), y).mean(1).to(logits.dtype)


def _padded(shape) -> int:
    return math.ceil(math.prod(shape) / VECTOR) * VECTOR


def _view(flat: Tensor, shape) -> Tensor:
    return flat[:math.prod(shape)].view(shape)


def _through_relu(weight: Tensor, error: Tensor, activation: Tensor, out: Tensor) -> Tensor:
    """Return the loss gradient before the ReLU below: zero where that node was off."""
    if error.shape[1] == 1:
        torch.mul(weight.mT, error, out=out)
    else:
        torch.bmm(weight.mT, error, out=out)
    return relu_gradient(out, activation, 0, grad_input=out)
