"""The fast path of training as one compiled kernel: each network's steps in one core's cache.

One idea carries the speed: a matrix product works on panels, rows of LANES numbers (samples, or
nodes for the gradient of a weight), and keeps ROWS rows of sums in vector registers. A layer is
its weights times [activations; 1], so the bias is their last column. No sum adds two products: a
compiler may fuse either of them, and bits would differ from one compilation to the next.
"""

import math

import numpy as np
from llvmlite import ir
from numba import carray, f4, i4, i8, njit, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

ROWS = 5  # written out in `_product`
FEATURES = cpu_target.target_context.codegen().magic_tuple()[2].split(",")  # of this processor
LANES = 32 if "+avx512f" in FEATURES else 16  # sums of a block fill 10 vector registers
ZERO, ONE = np.float32(0), np.float32(1)  # a bare 0 or 1.0 would widen sums to double precision
OPTIONS = {"fastmath": {"contract", "nsz"}, "error_model": "numpy"}  # fused sums, true inf and nan
jit = njit(**OPTIONS)


@intrinsic
def _registers(typing):
    """Return ROWS * LANES numbers that LLVM keeps in registers, as it does no NumPy array."""
    def code(context, builder, signature, arguments):
        sums = cgutils.alloca_once(builder, ir.ArrayType(ir.FloatType(), ROWS * LANES))
        return builder.bitcast(sums, ir.FloatType().as_pointer())
    return types.CPointer(types.float32)(), code


@jit
def _product(out, a, row, column, panel, rows, inner):
    """Set out[r] to the sum over k of a[r, k] panel[k]; a is flat, its strides row and column.

    Reads and writes up to ROWS - 1 rows too many. Slices show that no index is negative.
    """
    sums = carray(_registers(), (ROWS * LANES,))
    for r in range(0, rows, ROWS):
        for s in range(ROWS * LANES):
            sums[s] = ZERO
        for k in range(inner):
            x = panel[k * LANES:(k + 1) * LANES]
            w = a[r * row + k * column:]
            w0, w1, w2, w3, w4 = w[0], w[row], w[2 * row], w[3 * row], w[4 * row]
            for s in range(LANES):
                sums[s] += w0 * x[s]
                sums[s + LANES] += w1 * x[s]
                sums[s + 2 * LANES] += w2 * x[s]
                sums[s + 3 * LANES] += w3 * x[s]
                sums[s + 4 * LANES] += w4 * x[s]
        block = out[r * LANES:(r + ROWS) * LANES]
        for s in range(ROWS * LANES):
            block[s] = sums[s]


@njit(fastmath={"contract", "nsz", "reassoc"})  # sums in any order, so that they are vectorised
def _dot(x, y):
    total = ZERO
    for s in range(len(x)):
        total += x[s] * y[s]
    return total


@jit
def _add_outer(gradient, row, column, a, m, b, n, panel, turned):
    """Add the sum over samples of a[i] b[j] to gradient[i, j], for i < m and j < n."""
    for i in range(m if m < ROWS else 0):
        x = a[i * LANES:(i + 1) * LANES]
        for j in range(n):
            gradient[i * row + j * column] += _dot(x, b[j * LANES:(j + 1) * LANES])
    for j in range(0, n if m >= ROWS else 0, LANES):
        for s in range(LANES):
            into, values = turned[s * LANES:(s + 1) * LANES], b[j * LANES + s:]
            for k in range(LANES):
                into[k] = values[k * LANES]
        _product(panel, a, LANES, 1, turned, m, LANES)
        for i in range(m):
            into, values = gradient[i * row + j * column:], panel[i * LANES:]
            for k in range(min(LANES, n - j)):
                into[k * column] += values[k]


@jit
def _gather(panel, values, batch, first):
    """Fill a panel with a batch's columns of values; the batch's last fills what is left."""
    for f in range(len(values)):
        into, row = panel[f * LANES:(f + 1) * LANES], values[f]
        for s in range(LANES):
            into[s] = row[first + batch[min(s, len(batch) - 1)]]


@jit
def _output_error(error, z, target, logits, used, samples):
    """Set d loss / d logits: softmax minus target; one logit stands against a logit of 0."""
    for s in range(LANES):
        highest = ZERO if logits == 1 else z[s]
        for c in range(logits):
            highest = max(z[c * LANES + s], highest)
        total = math.exp(-highest) if logits == 1 else ZERO
        for c in range(logits):
            error[c * LANES + s] = math.exp(z[c * LANES + s] - highest)
            total += error[c * LANES + s]
        for c in range(logits):
            share = error[c * LANES + s] / total
            error[c * LANES + s] = (share - target[c * LANES + s]) / samples if s < used else ZERO


@jit
def _add_gradient(gradient, p, widths, h, target, used, samples, errors, panel, turned):
    """Add the loss gradient of the samples in h[0], of which some are used; h[-1]: the logits."""
    start, last = 0, len(widths) - 2
    for layer in range(last + 1):
        i, o = widths[layer] + 1, widths[layer + 1]
        h[layer, (i - 1) * LANES:i * LANES] = ONE
        _product(h[layer + 1], p[start:], i, 1, h[layer], o, i)
        start += o * i
        outputs = h[layer + 1, :o * LANES if layer < last else 0]
        for s in range(len(outputs)):
            outputs[s] = ZERO if outputs[s] < ZERO else outputs[s]
    _output_error(errors[last + 1], h[last + 1], target, o, used, samples)
    for layer in range(last, -1, -1):
        i, o = widths[layer] + 1, widths[layer + 1]
        start -= o * i
        error, below, own = errors[layer + 1], errors[layer, :(i - 1) * LANES], gradient[start:]
        if o <= i:
            _add_outer(own, i, 1, error, o, h[layer], i, panel, turned)
        else:
            _add_outer(own, 1, i, h[layer], i, error, o, panel, turned)
        if layer:
            _product(errors[layer], p[start:], 1, i, error, i - 1, o)
            inputs = h[layer, :(i - 1) * LANES]
            for s in range(len(below)):
                below[s] = ZERO if inputs[s] <= ZERO else below[s]


@jit
def _adam(p, gradient, mean, square, to_mean, to_square, rate, root, epsilon):
    for k in range(len(gradient)):
        mean[k] += to_mean * (gradient[k] - mean[k])
        square[k] += to_square * (gradient[k] * gradient[k] - square[k])
        p[k] -= rate * mean[k] / (math.sqrt(square[k]) * root + epsilon)
        gradient[k] = ZERO


def _steps(state, widths, x, targets, order, first_point, begin, every, logits, adam, rates):
    """Train networks by an order (step, network, sample) of which the first step is `begin`.

    state: (network, 3, numbers), parameters and Adam's two means, with room at the end.
    """
    room = (widths.max() + 1 + LANES + ROWS) * LANES
    h, errors = np.zeros((len(widths), room), np.float32), np.zeros((len(widths), room), np.float32)
    target, panel = np.zeros(room, np.float32), np.zeros(room, np.float32)
    turned = np.zeros(LANES * LANES, np.float32)
    gradient = np.zeros(((widths[:-1] + 1) * widths[1:]).sum(), np.float32)
    size = order.shape[2]
    for n in range(len(state)):
        p, mean, square = state[n, 0].copy(), state[n, 1].copy(), state[n, 2].copy()
        record = 0
        for t in range(len(order)):
            recorded = (begin + t) % every == 0
            for b in range(0, size, LANES):
                batch = order[t, n, b:b + LANES]
                _gather(h[0], x, batch, first_point[n])
                _gather(target, targets, batch, first_point[n])
                _add_gradient(gradient, p, widths, h, target, len(batch), np.float32(size), errors,
                              panel, turned)
                if recorded:
                    for c in range(widths[-1]):
                        logits[n, record, c, b:b + LANES] = h[-1, c * LANES:c * LANES + len(batch)]
            record += recorded
            _adam(p, gradient, mean, square, adam[0], adam[1], rates[t, 0], rates[t, 1], adam[2])
        state[n, 0], state[n, 1], state[n, 2] = p, mean, square


signature = types.void(f4[:, :, ::1], i8[::1], f4[:, ::1], f4[:, ::1], i4[:, :, :], i8[:], i8, i8,
                       f4[:, :, :, ::1], f4[::1], f4[:, ::1])
try:
    train = njit(signature, nogil=True, cache=True, **OPTIONS)(_steps)
except (RuntimeError, OSError):  # no folder for compiled code: every process compiles its own
    train = njit(signature, nogil=True, **OPTIONS)(_steps)
