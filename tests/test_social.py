"""The picture that a link shows: of the size that code hosts ask for, with every picture given."""

import io

import matplotlib.pyplot as plt
import numpy as np

import social


def plain(colour):
    """A square PNG of one colour."""
    content = io.BytesIO()
    plt.imsave(content, np.full((40, 40, 3), colour, dtype=float))
    return content.getvalue()


def test_the_preview_has_the_size_asked_for_and_shows_all_pictures():
    drawn = plt.imread(io.BytesIO(social.preview([plain((1, 0, 0)), plain((0, 0, 1))])))[..., :3]
    assert drawn.shape == (640, 1280, 3)
    red, blue = ((drawn == colour).all(2) for colour in ((1, 0, 0), (0, 0, 1)))
    assert red[:, :640].sum() == red.sum() > 100_000, "the first picture is on the left"
    assert blue[:, 640:].sum() == blue.sum() > 100_000, "the second picture is on the right"
    assert (drawn[:96] < 0.5).any(), "the question is missing"
    assert not plt.get_fignums(), "a figure was left open"


def test_the_preview_repeats_exactly():
    assert social.preview([plain((0, 1, 0))]) == social.preview([plain((0, 1, 0))])
