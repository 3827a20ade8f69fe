"""The picture that a link to the project shows elsewhere: the question and its answer."""

import io

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

WIDTH, HEIGHT, DPI = 1280, 640, 100  # pixels, as code hosts and messengers show them
QUESTION = "Train first or prune first?"
MARGIN, TOP = 0.02, 0.85  # shares of the width and of the height


def preview(pictures):
    """Return a PNG of the question above the PNGs that state the answer, side by side."""
    figure = plt.figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
    figure.text(0.5, (1 + TOP) / 2, QUESTION, ha="center", va="center", fontsize=34, weight="bold")
    width = (1 - MARGIN) / len(pictures) - MARGIN
    for place, picture in enumerate(pictures):
        left = MARGIN + place * (width + MARGIN)
        ax = figure.add_axes((left, MARGIN, width, TOP - MARGIN))
        ax.imshow(plt.imread(io.BytesIO(picture)), interpolation="lanczos")
        ax.axis("off")
    content = io.BytesIO()
    figure.savefig(content, metadata={"Software": None})
    plt.close(figure)
    return content.getvalue()
