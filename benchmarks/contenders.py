"""The ways to train that the benchmark compares: this project's, and what one would write instead.

All of them start from the same weights, see the same batches and take the same steps of Adam, so
their losses agree. This project draws the batches itself while the clock runs; the others are
handed models, optimisers and batches ready made.
"""

import importlib.util
import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

from helpers.data import spirals
from helpers.networks import initialise
from helpers.recipes import Recipe
from helpers.training import batch_order, reference_engine, train

OURS, NUMBA = "this project", "this project, with numba"
LOOP, FUSED, VMAP = "plain loop", "plain loop, fused Adam", "torch.func.vmap"
SKLEARN, JAX, PRODUCTS = "scikit-learn", "JAX", "matrix products alone"


@dataclass(frozen=True)
class Contender:
    """A way to train: prepare(networks, problem, recipe, loss_every) returns what is timed.

    The timed function takes nothing and returns the losses (networks, records), or None if it does
    not train; networks, on_all_points: how many to train on batches and on the full training set,
    near the best time per network; needs: a package that may be missing; process: contenders with
    the same name share a process, others do not: thread pools of two libraries disturb each other.
    """

    prepare: Callable
    networks: int
    on_all_points: int
    needs: str | None = None
    process: str = "torch"
    trains: bool = True

    def count(self, recipe: Recipe) -> int:
        """Return how many networks to train by a recipe."""
        return self.on_all_points if recipe.batch_size is None else self.networks


@dataclass(frozen=True)
class Workload:
    """Networks of given widths, trained by a recipe on the post's spirals of so many points."""

    widths: tuple[int, ...]
    recipe: Recipe
    points: int = 500


def with_torch(networks, problem, recipe: Recipe, loss_every: int):
    """Train all networks at once, as the notebooks do."""
    def run() -> Tensor:
        with reference_engine():
            return train(networks, problem, recipe, loss_every=loss_every).losses

    return run


def with_numba(networks, problem, recipe: Recipe, loss_every: int):
    """Train all networks at once, as the notebooks do where numba is installed."""
    return lambda: train(networks, problem, recipe, loss_every=loss_every).losses


def plain_loop(networks, problem, recipe: Recipe, loss_every: int, fused: bool | None = None):
    """Train one network after the other in plain PyTorch."""
    models = [networks.to_sequential(i) for i in range(len(networks))]
    optimisers = [_adam(model.parameters(), recipe, fused) for model in models]
    x, y, orders = problem.x_train, problem.y_train.float(), _orders(networks, problem, recipe)

    def train_one(model, optimiser, order) -> Tensor:
        losses = []
        for step in range(recipe.steps):
            inputs, labels = (x, y) if order is None else (x[order[step]], y[order[step]])
            optimiser.zero_grad()
            loss = binary_cross_entropy_with_logits(model(inputs).squeeze(1), labels)
            loss.backward()
            optimiser.step()
            if step % loss_every == 0:
                losses.append(loss.detach())
        return torch.stack(losses)

    return lambda: torch.stack(list(map(train_one, models, optimisers, orders)))


def vmapped(networks, problem, recipe: Recipe, loss_every: int):
    """Train all networks at once with PyTorch's own function transforms."""
    models = [networks.to_sequential(i) for i in range(len(networks))]
    parameters, _ = stack_module_state(models)
    optimiser = _adam(parameters.values(), recipe, fused=True)
    x, y, orders = problem.x_train, problem.y_train.float(), _orders(networks, problem, recipe)
    full = recipe.batch_size is None

    def loss(parameters, inputs, labels) -> Tensor:
        logits = functional_call(models[0], parameters, (inputs,)).squeeze(1)
        return binary_cross_entropy_with_logits(logits, labels)

    gradient = vmap(grad_and_value(loss), in_dims=(0, None, None) if full else 0)
    order = None if full else torch.stack(orders, 1)

    @torch.no_grad()
    def run() -> Tensor:
        losses = []
        for step in range(recipe.steps):
            inputs, labels = (x, y) if full else (x[order[step]], y[order[step]])
            gradients, values = gradient(parameters, inputs, labels)
            for name, parameter in parameters.items():
                parameter.grad = gradients[name]
            optimiser.step()
            if step % loss_every == 0:
                losses.append(values)
        return torch.stack(losses, 1)

    return run


class Classifier(MLPClassifier):
    """scikit-learn's network with the loss of every step, and epsilon where PyTorch has it.

    Both forms of Adam are Kingma and Ba's (2015). scikit-learn adds epsilon before the bias
    correction, PyTorch after it: an epsilon that shrinks with the correction makes them one.
    """

    def _backprop(self, *arguments):
        loss, *gradients = super()._backprop(*arguments)
        self.losses.append(loss)
        correction = math.sqrt(1 - self.beta_2 ** (self._optimizer.t + 1))
        self._optimizer.epsilon = self.epsilon * correction
        return loss, *gradients


def scikit_learn(networks, problem, recipe: Recipe, loss_every: int):
    """Train one network after the other by `fit`, which sees the batches as one epoch of points."""
    x, y = problem.x_train.numpy(), problem.y_train.numpy()
    orders = [None if order is None else order.flatten().numpy()
              for order in _orders(networks, problem, recipe)]
    given = [(x, y) if order is None else (x[order], y[order]) for order in orders]
    models = [_classifier(networks, i, x, y, recipe) for i in range(len(networks))]

    def run() -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # all steps were taken, as asked
            losses = [model.fit(*points).losses[::loss_every]
                      for model, points in zip(models, given, strict=True)]
        return torch.tensor(np.array(losses))

    return run


def jax_vmapped(networks, problem, recipe: Recipe, loss_every: int):
    """Train all networks at once with JAX: a scan over steps under vmap, compiled beforehand."""
    from jax import numpy as jnp

    steps = np.arange(1, recipe.steps + 1)
    corrections = [1 - beta**steps for beta in recipe.betas]  # in double precision, as PyTorch's
    scales = [jnp.asarray(scale, jnp.float32)
              for scale in (recipe.learning_rate / corrections[0], corrections[1] ** -0.5)]
    layers = [(jnp.asarray(weight.detach().numpy()), jnp.asarray(bias.detach().numpy()))
              for weight, bias in zip(networks.weights, networks.biases, strict=True)]
    order = [] if recipe.batch_size is None else [
        jnp.asarray(torch.stack(_orders(networks, problem, recipe)).numpy(), jnp.int32)]
    x, y = (jnp.asarray(values.float().numpy()) for values in (problem.x_train, problem.y_train))
    training = _jax_training(recipe)
    return lambda: torch.tensor(np.asarray(training(layers, order, scales, x, y))[:, ::loss_every])


@cache
def _jax_training(recipe: Recipe):
    """Return a compiled function (layers, order, scales, x, y) of the losses (networks, steps)."""
    import jax
    from jax import numpy as jnp

    (slow, slower), epsilon = recipe.betas, recipe.epsilon

    def loss(layers, x, y):
        *hidden, (weight, bias) = layers
        for below, offset in hidden:
            x = jax.nn.relu(x @ below.T + offset)
        logits = (x @ weight.T + bias)[:, 0]
        return (jax.nn.softplus(logits) - y * logits).mean()

    def train_one(layers, order, scales, x, y):
        def step(state, given):
            layers, means, squares = state
            batch, (rate, correction) = given
            value, gradient = jax.value_and_grad(loss)(layers, *_batch(x, y, batch))
            means = jax.tree.map(lambda m, g: slow * m + (1 - slow) * g, means, gradient)
            squares = jax.tree.map(
                lambda v, g: slower * v + (1 - slower) * g * g, squares, gradient)
            layers = jax.tree.map(
                lambda p, m, v: p - rate * m / (jnp.sqrt(v) * correction + epsilon),
                layers, means, squares)
            return (layers, means, squares), value

        zeros = jax.tree.map(jnp.zeros_like, layers)
        return jax.lax.scan(step, (layers, zeros, zeros), (order, scales))[1]

    return jax.jit(jax.vmap(train_one, in_axes=(0, 0, None, None, None)))


def _batch(x, y, batch: list):
    """Return the points of a batch, given as a list of no index (all points) or of one."""
    return (x[batch[0]], y[batch[0]]) if batch else (x, y)


def matrix_products(networks, problem, recipe: Recipe, loss_every: int):
    """Compute the matrix products of every step and nothing else, each in its fastest layout."""
    size = recipe.batch_size or len(problem.x_train)
    products = _fastest_products(networks.widths, len(networks), size)

    def run() -> None:
        for _ in range(recipe.steps):
            for left, right, out in products:
                torch.bmm(left, right, out=out)

    return run


@cache
def _fastest_products(widths, count: int, size: int) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return (left, right, out) of every product of a step: forward, and per layer its gradients.
    """
    layers = list(pairwise(widths))
    forward = [(fan_out, fan_in, size) for fan_in, fan_out in layers]
    of_weights = [(fan_out, size, fan_in) for fan_in, fan_out in layers]
    of_inputs = [(fan_in, fan_out, size) for fan_in, fan_out in layers[1:]]
    return [min(_layouts(count, *shape), key=_seconds)
            for shape in forward + of_weights + of_inputs]


def _layouts(count: int, rows: int, inner: int, columns: int) -> Iterator:
    """Yield a batched product with its operands stored and its result written either way."""
    for turned_left, turned_right, turned in itertools.product((False, True), repeat=3):
        left = _operand(count, rows, inner, turned_left)
        right = _operand(count, inner, columns, turned_right)
        if turned:
            yield right.mT, left.mT, torch.empty(count, columns, rows)
        else:
            yield left, right, torch.empty(count, rows, columns)


def _operand(count: int, rows: int, columns: int, turned: bool) -> Tensor:
    if turned:
        return torch.ones(count, columns, rows).mT
    return torch.ones(count, rows, columns)


def _seconds(product, calls: int = 15) -> float:
    """Return the least time of one batched product."""
    left, right, out = product
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        torch.bmm(left, right, out=out)
        times.append(time.perf_counter() - start)
    return min(times)


CONTENDERS = {
    OURS: Contender(with_torch, 224, 32),
    NUMBA: Contender(with_numba, 224, 32, "numba", "numba"),
    LOOP: Contender(plain_loop, 2, 2),
    FUSED: Contender(partial(plain_loop, fused=True), 2, 2),
    VMAP: Contender(vmapped, 256, 32),
    SKLEARN: Contender(scikit_learn, 2, 1),
    JAX: Contender(jax_vmapped, 32, 4, "jax", "jax"),
    PRODUCTS: Contender(matrix_products, 32, 4, trains=False),
}
WORKLOADS = {
    "batch 32": Workload((2, 50, 50, 1), Recipe(steps=200)),
    "half-pruned": Workload((2, 25, 25, 1), Recipe(steps=200)),
    "full batch": Workload((2, 50, 50, 1), Recipe(batch_size=None, steps=60)),
}


def missing(contenders: dict[str, Contender]) -> dict[str, str]:
    """Return the package that each contender lacks, of those that cannot run here."""
    return {name: contender.needs for name, contender in contenders.items()
            if contender.needs and importlib.util.find_spec(contender.needs) is None}


def visit(contender: Contender, workload: Workload) -> float:
    """Return the microseconds per network and step of one training."""
    recipe, count = workload.recipe, contender.count(workload.recipe)
    networks = initialise(workload.widths, range(count))
    run = contender.prepare(networks, spirals(workload.points), recipe, 10)
    start = time.perf_counter()
    run()
    return 1e6 * (time.perf_counter() - start) / count / recipe.steps


def disagreements(contenders: dict[str, Contender], workload: Workload,
                  steps: int = 20) -> dict[str, float]:
    """Return the largest difference of each contender's losses from the plain loop's, in nats.

    Three networks start from the same weights and see the same batches; every step counts.
    """
    recipe = Recipe(batch_size=workload.recipe.batch_size, steps=steps)
    start, problem = initialise(workload.widths, range(3)), spirals(workload.points)
    expected = plain_loop(start, problem, recipe, 1)()
    return {name: (contender.prepare(start, problem, recipe, 1)() - expected).abs().max().item()
            for name, contender in contenders.items() if contender.trains}


def _classifier(networks, i: int, x, y, recipe: Recipe) -> Classifier:
    """Return scikit-learn's network with the weights of network i, ready to be fitted further."""
    full = recipe.batch_size is None
    model = Classifier(
        networks.widths[1:-1], alpha=0, batch_size=recipe.batch_size or len(x),
        learning_rate_init=recipe.learning_rate, beta_1=recipe.betas[0], beta_2=recipe.betas[1],
        epsilon=recipe.epsilon, max_iter=recipe.steps if full else 1, shuffle=False, tol=0,
        n_iter_no_change=recipe.steps, warm_start=True)
    model.losses = []
    model.partial_fit(x, y, classes=[0, 1])  # makes what `fit` goes on from
    model.losses = []
    model.coefs_ = [weight[i].detach().numpy().T.copy() for weight in networks.weights]
    model.intercepts_ = [bias[i].detach().numpy().copy() for bias in networks.biases]
    return model


def _adam(parameters, recipe: Recipe, fused: bool | None) -> torch.optim.Adam:
    return torch.optim.Adam(
        parameters, recipe.learning_rate, recipe.betas, recipe.epsilon, fused=fused)


def _orders(networks, problem, recipe: Recipe) -> list[Tensor | None]:
    """Return each network's batches (steps, samples) as `train` draws them; None if full."""
    if recipe.batch_size is None:
        return [None] * len(networks)
    drawn = batch_order(networks.seeds, recipe.steps, recipe.batch_size, len(problem.x_train))
    return list(drawn.long().view(recipe.steps, len(networks), -1).unbind(1))
