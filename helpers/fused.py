"""Training by the compiled kernel: optional (extra `fast`), Adam in single precision on the CPU.

The kernel does the steps; this hands it networks and batches, some networks to every thread.
`helpers.engine` is the reference and does everything else.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from helpers import kernel
from helpers.engine import mean_losses
from helpers.networks import Networks

PIECE = 250  # steps between moves of the progress bar


def train_chunk(networks, moments, batches, recipe, loss_every, keep, bar):
    """Train as `helpers.training` asks; return networks, losses, snapshots and Adam's two means."""
    count, steps, taken = len(networks), recipe.steps, moments.step if moments else 0
    parts = [networks, moments.mean, moments.square] if moments else [networks]
    room = kernel.ROWS * (max(networks.widths) + 1)
    state = pad(torch.stack([_flat(part) for part in parts], 1), (0, room, 0, 3 - len(parts)))
    order = batches.order.view(steps, count, batches.size)
    first = batches.first_point[::batches.size]
    adam = np.array([1 - recipe.betas[0], 1 - recipe.betas[1], recipe.epsilon], np.float32)
    rates = np.array([(recipe.learning_rate / (1 - recipe.betas[0]**t),
                       1 / math.sqrt(1 - recipe.betas[1]**t))
                      for t in range(taken + 1, taken + steps + 1)], np.float32)
    data = np.array(networks.widths), batches.x.numpy(), batches.targets.numpy()

    def run(some: slice):
        kernel.train(state[some].numpy(), *data, order[begin:end, some].numpy(),
                     first[some].numpy(), begin, loss_every, logits[some].numpy(), adam,
                     rates[begin:end])

    losses, copies = [torch.empty(count, 0)], [networks] * keep.count(0)
    threads = torch.get_num_threads()
    size = 1 + count // (4 * threads)  # several shares a thread: one may be slowed down
    shares = [slice(k, k + size) for k in range(0, count, size)]
    # what nodes that died leave in Adam's means becomes 0, as in the reference
    with ThreadPoolExecutor(threads, "training", torch.set_flush_denormal, (True,)) as pool:
        for begin, end in pairwise(sorted({0, *keep, *range(0, steps, PIECE), steps})):
            recorded = [step for step in range(begin, end) if step % loss_every == 0]
            logits = torch.empty(count, len(recorded), networks.widths[-1], batches.size)
            list(pool.map(run, shares))
            y = batches.y[order[recorded].transpose(0, 1) + first[:, None, None]]
            loss = mean_losses(logits.flatten(0, 1), y.flatten(0, 1))
            losses.append(loss.view(count, len(recorded)))
            copies += [_networks(state[:, 0], networks)] * keep.count(end)
            bar.update(count * (end - begin))
    end, *means = (_networks(part, networks) for part in state.unbind(1))
    return end, torch.cat(losses, 1), copies, means if taken + steps else []


def _flat(networks) -> Tensor:
    """Return the parameters (networks, numbers): layer by layer the weights, biases last."""
    layers = zip(networks.weights, networks.biases, strict=True)
    return torch.cat([torch.cat([weight.detach(), bias.detach()[..., None]], 2).flatten(1)
                      for weight, bias in layers], 1)


def _networks(flat: Tensor, like: Networks) -> Networks:
    """Return the networks whose parameters these are."""
    shapes = [(o, i + 1) for i, o in pairwise(like.widths)]
    parts = flat[:, :sum(map(math.prod, shapes))].split([*map(math.prod, shapes)], 1)
    layers = [part.view(-1, *shape) for part, shape in zip(parts, shapes, strict=True)]
    return Networks([layer[..., :-1] for layer in layers], [layer[..., -1] for layer in layers],
                    like.seeds)
