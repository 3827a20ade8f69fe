"""Recipes are checked when they are made; the post's own is Keras' default at rate 0.1."""

import pytest

from examples import refuses
from helpers.recipes import POST, Recipe, check_recipe


def test_the_posts_recipe():
    assert POST == Recipe("adam", 0.1, (0.9, 0.999), 1e-7, 0.9, 32, 1500)
    assert check_recipe(POST) is None


@refuses(
    (lambda: Recipe(optimiser="lion"), ValueError, "optimiser is 'lion'; .*'adam', 'sgd'"),
    (lambda: Recipe(learning_rate=-1), ValueError, "learning_rate is -1"),
    (lambda: Recipe(learning_rate=float("nan")), ValueError, "learning_rate is nan"),
    (lambda: Recipe(betas=0.9), TypeError, "betas is 0.9"),
    (lambda: Recipe(betas=(0.9, 1)), ValueError, r"betas\[1\] is 1"),
    (lambda: Recipe(epsilon=-1), ValueError, "epsilon is -1"),
    (lambda: Recipe(momentum=1), ValueError, "momentum is 1"),
    (lambda: Recipe(batch_size=0), ValueError, "batch_size is 0"),
    (lambda: Recipe(steps=-1), ValueError, "steps is -1"),
    (lambda: Recipe(steps=1.5), TypeError, "steps is 1.5"),
    (lambda: check_recipe({"steps": 1}), TypeError, "recipe is {'steps': 1}; expected a Recipe"),
)
def test_nonsense_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
