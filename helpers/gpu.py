"""Train networks of the post's shape on a GPU, each from its first step to its last in one kernel.

One program of the grid holds one network with Adam's means in its registers; only batches are read
while it trains, and losses written. The order of the batches is counted, not drawn one after the
other, so that no table of it is needed: Philox (Salmon et al., SC 2011) of the seed, the purpose
and the place in the order. So batches differ from those of `train`; all else is its arithmetic.
"""

import math
from collections.abc import Iterable

import torch
import triton
import triton.language as tl
from torch import Tensor

from helpers.data import Problem
from helpers.networks import Networks
from helpers.recipes import POST, Recipe
from helpers.streams import PURPOSES
from helpers.training import Run, check_training, warn_if_diverged

DEVICE = "cuda"  # Triton's
LARGEST = 64  # nodes of a layer, samples of a batch: what the registers of one program hold
SMALLEST = 16  # side of a matrix product of the tensor cores
PRODUCTS = tl.constexpr("tf32x3")  # three passes of the tensor cores: as exact as single precision


def train_whole(networks: Networks, problem: Problem, recipe: Recipe = POST,
                order_seeds: Iterable[int] | None = None, loss_every: int = 10) -> Run:
    """Return networks of two hidden layers and one logit, in the plane, trained by Adam on a GPU.

    As `train`, on other batches: those of a seed are the same in any company and on any GPU.
    At most 64 nodes per layer and 64 samples per batch; single precision, products by three
    passes of the tensor cores. Snapshots and moments are not kept. Raises TypeError or ValueError
    for anything else.
    """
    order_seeds = check_training(networks, problem, recipe, order_seeds, loss_every, 0)
    _check_shape(networks, recipe)
    inputs, first, second, _ = networks.widths
    like, records = networks.weights[0].detach(), range(0, recipe.steps, loss_every)
    parameters = [parameter.detach().clone() for layer in
                  zip(networks.weights, networks.biases, strict=True) for parameter in layer]
    losses = like.new_empty(len(networks), len(records))
    seeds = torch.tensor(order_seeds, device=like.device)
    with torch.cuda.device_of(like):  # Triton takes the current GPU
        _train[(len(networks),)](
            *parameters, seeds, PURPOSES.index("batch order"),
            problem.x_train.to(like).T.contiguous(), problem.y_train.to(like),
            _step_sizes(recipe).to(like), losses, recipe.steps, len(problem.x_train), loss_every,
            len(records), recipe.epsilon, *(1 - beta for beta in recipe.betas), FIRST=first,
            SECOND=second, BATCH=recipe.batch_size, ROWS=_padded(first), COLUMNS=_padded(second),
            SAMPLES=_padded(recipe.batch_size))
    run = Run(Networks(parameters[::2], parameters[1::2], networks.seeds), losses, tuple(records),
              (), ())
    warn_if_diverged(run)
    return run


def _check_shape(networks: Networks, recipe: Recipe) -> None:
    """Raise ValueError for networks or a recipe that the kernel is not made for."""
    widths, weight = networks.widths, networks.weights[0]
    if len(widths) != 4 or widths[0] != 2 or widths[3] != 1 or max(widths) > LARGEST:
        raise ValueError(f"networks have widths {widths}; expected two inputs, two hidden layers "
                         f"of at most {LARGEST} nodes and one logit")
    if weight.device.type != DEVICE or weight.dtype != torch.float32:
        raise ValueError(f"networks are {weight.dtype} on {weight.device}; expected torch.float32 "
                         f"on {DEVICE}")
    if recipe.optimiser != "adam" or not recipe.batch_size or recipe.batch_size > LARGEST:
        raise ValueError(f"recipe is {recipe}; expected 'adam' and a batch_size of at most "
                         f"{LARGEST}")


def _step_sizes(recipe: Recipe) -> Tensor:
    """Return per step Adam's step size and what its root is multiplied by: bias corrections."""
    step = torch.arange(1, recipe.steps + 1, dtype=torch.float64)
    mean, square = (1 - beta**step for beta in recipe.betas)
    return torch.stack([recipe.learning_rate / mean, square.rsqrt()], 1)


def _padded(size: int) -> int:
    return max(SMALLEST, 2**math.ceil(math.log2(size)))


@triton.jit
def _train(w1, b1, w2, b2, w3, b3, seeds, purpose, x, y, step_sizes, losses, steps, points,
           loss_every, records, epsilon, rest1, rest2, FIRST: tl.constexpr, SECOND: tl.constexpr,
           BATCH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, SAMPLES: tl.constexpr):
    """Train one network: FIRST, SECOND nodes and BATCH samples, padded to powers of two.

    Padded nodes have weights 0, so they give 0, get no gradient and stay.
    """
    network = tl.program_id(0).to(tl.int64)
    i, j, s = tl.arange(0, ROWS), tl.arange(0, COLUMNS), tl.arange(0, SAMPLES)
    at1, at2, at3 = network * FIRST + i, network * SECOND + j, network
    square = at2[:, None] * FIRST + i[None, :]
    in1, in2 = i < FIRST, j < SECOND
    inside = in2[:, None] & in1[None, :]
    U, V = tl.load(w1 + 2 * at1, in1, 0.0), tl.load(w1 + 2 * at1 + 1, in1, 0.0)
    a = tl.load(b1 + at1, in1, 0.0)
    W, b = tl.load(w2 + square, inside, 0.0), tl.load(b2 + at2, in2, 0.0)
    r, c = tl.load(w3 + at2, in2, 0.0), tl.load(b3 + at3)
    mU, vU, mV, vV, ma, va = U * 0, U * 0, V * 0, V * 0, a * 0, a * 0
    mW, vW, mb, vb = W * 0, W * 0, b * 0, b * 0
    mr, vr, mc, vc = r * 0, r * 0, c * 0, c * 0
    seed = tl.load(seeds + network)
    for step in range(steps):
        drawn, _, _, _ = tl.philox(seed, step * BATCH + s, purpose, 0 * s, 0 * s)
        point = tl.umulhi(drawn, points.to(tl.uint32) + 0 * drawn).to(tl.int32)
        x0, x1, target = tl.load(x + point), tl.load(x + points + point), tl.load(y + point)

        h1 = U[:, None] * x0[None, :] + V[:, None] * x1[None, :] + a[:, None]
        h1 = tl.maximum(h1, 0.0)
        h2 = tl.maximum(tl.dot(W, h1, input_precision=PRODUCTS) + b[:, None], 0.0)
        z = tl.sum(r[:, None] * h2, 0) + c
        if step % loss_every == 0:
            loss = tl.maximum(z, 0.0) - z * target + tl.log(1 + tl.exp(-tl.abs(z)))
            tl.store(losses + network * records + step // loss_every,
                     tl.sum(tl.where(s < BATCH, loss, 0.0), 0) / BATCH)

        d = tl.where(s < BATCH, (1 / (1 + tl.exp(-z)) - target) / BATCH, 0.0)
        d2 = tl.where(h2 > 0, r[:, None] * d[None, :], 0.0)
        d1 = tl.dot(tl.trans(W), d2, input_precision=PRODUCTS)
        d1 = tl.where(h1 > 0, d1, 0.0)
        gW = tl.dot(d2, tl.trans(h1), input_precision=PRODUCTS)

        size, root = tl.load(step_sizes + 2 * step), tl.load(step_sizes + 2 * step + 1)
        W, mW, vW = _adam(W, mW, vW, gW, size, root, epsilon, rest1, rest2)
        r, mr, vr = _adam(r, mr, vr, tl.sum(h2 * d[None, :], 1), size, root, epsilon, rest1, rest2)
        c, mc, vc = _adam(c, mc, vc, tl.sum(d, 0), size, root, epsilon, rest1, rest2)
        b, mb, vb = _adam(b, mb, vb, tl.sum(d2, 1), size, root, epsilon, rest1, rest2)
        U, mU, vU = _adam(U, mU, vU, tl.sum(d1 * x0[None, :], 1), size, root, epsilon, rest1, rest2)
        V, mV, vV = _adam(V, mV, vV, tl.sum(d1 * x1[None, :], 1), size, root, epsilon, rest1, rest2)
        a, ma, va = _adam(a, ma, va, tl.sum(d1, 1), size, root, epsilon, rest1, rest2)
    tl.store(w1 + 2 * at1, U, in1)
    tl.store(w1 + 2 * at1 + 1, V, in1)
    tl.store(b1 + at1, a, in1)
    tl.store(w2 + square, W, inside)
    tl.store(b2 + at2, b, in2)
    tl.store(w3 + at2, r, in2)
    tl.store(b3 + at3, c)


@triton.jit
def _adam(p, m, v, gradient, size, root, epsilon, rest1, rest2):
    m += rest1 * (gradient - m)
    v += rest2 * (gradient * gradient - v)
    return p - size * m / (tl.sqrt(v) * root + epsilon), m, v
