"""Recipes: how networks are trained, and the optimisers that carry them out."""

from dataclasses import dataclass

import torch

from helpers import checks


@dataclass(frozen=True)
class Recipe:
    """How to train: the optimiser, its settings, the batches and the number of steps.

    optimiser: `adam`, `sgd`, `momentum` or `sign_sgd`; betas and epsilon belong to Adam (epsilon
    is added after bias correction, as in PyTorch), momentum to `momentum`. A batch is `batch_size`
    points drawn uniformly with replacement; None is the full training set.
    """

    optimiser: str = "adam"
    learning_rate: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-7
    momentum: float = 0.9
    batch_size: int | None = 32
    steps: int = 1500

    def __post_init__(self):
        checks.one_of("optimiser", self.optimiser, OPTIMISERS)
        checks.real("learning_rate", self.learning_rate, 0)
        if not isinstance(self.betas, tuple) or len(self.betas) != 2:
            raise TypeError(f"betas is {checks.shown(self.betas)}; expected a pair of numbers in "
                            "[0, 1)")
        for i, beta in enumerate(self.betas):
            checks.real(f"betas[{i}]", beta, 0, 1)
        checks.real("epsilon", self.epsilon, 0)
        checks.real("momentum", self.momentum, 0, 1)
        if self.batch_size is not None:
            checks.integer("batch_size", self.batch_size, 1)
        checks.integer("steps", self.steps, 0, 2**31 - 1)


def check_recipe(recipe: Recipe) -> None:
    """Raise TypeError for anything but a Recipe."""
    if not isinstance(recipe, Recipe):
        raise TypeError(f"recipe is {checks.shown(recipe)}; expected a Recipe")


def _adam(recipe: Recipe, parameters):
    betas = tuple(map(float, recipe.betas))  # PyTorch wants no 0 that is an integer
    return torch.optim.Adam(parameters, recipe.learning_rate, betas, recipe.epsilon, fused=True)


def _sgd(recipe: Recipe, parameters):
    return torch.optim.SGD(parameters, recipe.learning_rate, fused=True)


def _momentum(recipe: Recipe, parameters):
    return torch.optim.SGD(parameters, recipe.learning_rate, recipe.momentum, fused=True)


class SignSGD(torch.optim.SGD):
    """Gradient descent that moves every parameter by the learning rate (Bernstein et al. 2018)."""

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad.sign_()
        return super().step(closure)


def _sign_sgd(recipe: Recipe, parameters):
    return SignSGD(parameters, recipe.learning_rate, fused=True)


OPTIMISERS = {"adam": _adam, "sgd": _sgd, "momentum": _momentum, "sign_sgd": _sign_sgd}

POST = Recipe()  # Keras' defaults with the learning rate that gives the post's pictures
