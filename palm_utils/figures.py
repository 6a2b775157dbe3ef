"""Plots of images and of training.

Chapter 1 draws training curves; palm_course.diagrams draws scores and networks. Every function draws one finished
figure with title, axis labels and units, and returns it; end the cell with plt.show(). The white background makes it
look the same in a light and in a dark notebook.
"""

from collections.abc import Sequence
from functools import partial
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from palm_utils import old_name
from palm_utils.history import History

# Okabe and Ito's colours: readers with colour-vision deficiency can tell them apart.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#6F6F6F"
INK = "#222222"
CYCLE = [BLUE, RED, GREEN, ORANGE, "#CC79A7", "#56B4E9", GREY]


def use_style() -> None:
    """Set the look of all figures; a chapter calls it once, in its first cell."""
    plt.style.use(Path(__file__).with_name("course.mplstyle"))


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Return an image for matplotlib, uint8 [H, W, 3] RGB.

    image: uint8 [H, W, 3] BGR from OpenCV, or float32 [3, H, W] BGR in [-1, 1] from a reader.
    """
    if image.dtype != np.uint8:
        image = np.rint((image.transpose(1, 2, 0) + 1.0) * 127.5).clip(0, 255).astype(np.uint8)
    return image[..., ::-1]


def image_grid(
    images: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    *,
    columns: int = 6,
    title: str | None = None,
    title_colors: Sequence[str] | None = None,
    size: float = 1.8,
    cmap: str = "gray",
    symmetric: bool = False,
) -> Figure:
    """Show images in rows of `columns`, each with its own title.

    images: [H, W] or [H, W, 3] arrays. symmetric: one colour range for all images, with 0 in the middle (for filters);
    otherwise each image has its own range.
    """
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    height = rows * (size + (0.3 if titles is not None else 0.0)) + (0.4 if title else 0.0)
    fig, axes = plt.subplots(rows, columns, figsize=(columns * size, height), squeeze=False)
    limit = max(float(np.abs(image).max()) for image in images) if symmetric else None
    for ax in axes.flat:
        ax.axis("off")
    for i, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
        ax.imshow(image, cmap=cmap, vmin=-limit if symmetric else None, vmax=limit)
        if titles is not None:
            ax.set_title(titles[i], fontsize=10, color=title_colors[i] if title_colors is not None else INK)
    if title:
        fig.suptitle(title)
    return fig


def training_curves(
    histories: History | dict[str, History], *, title: str, baseline: tuple[str, float] | None = None
) -> Figure:
    """Draw loss (training dashed, validation solid) and validation accuracy over the epochs.

    histories: one History, or several by name, each in its own colour; the accuracy plot has the legend.
    baseline: name and value of an accuracy to compare with, such as ("always PM", 0.5275), drawn as a dotted line.
    """
    histories = {"": histories} if isinstance(histories, History) else histories
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    for color, (name, history) in zip(cycle(CYCLE), histories.items(), strict=False):
        epochs = [epoch + 1 for epoch in history["epoch"]]
        left.plot(epochs, history["train_loss"], "o--", color=color, alpha=0.6, label="training")
        left.plot(epochs, history["valid_loss"], "o-", color=color, label="validation")
        right.plot(epochs, history["valid_accuracy"], "o-", color=color, label=name or "validation")
    if baseline is not None:
        right.axhline(baseline[1], color=GREY, linestyle=":", label=baseline[0])
    left.set(title="Loss", xlabel="epoch", ylabel="mean cross-entropy (nats)")
    right.set(title="Validation accuracy", xlabel="epoch", ylabel="share of images", ylim=(0, 1.02))
    longest = max(map(len, histories.values()))
    for ax in (left, right):
        ax.set_xlim(0.5, longest + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    # Only two entries, dashed and solid: one for each run would cover the curves.
    legend = left.legend(handles=left.lines[:2], fontsize=9)
    if len(histories) > 1:
        for line in legend.get_lines():
            line.set_color(GREY)
    right.legend(fontsize=9)
    fig.suptitle(title)
    return fig


__getattr__ = partial(old_name, __name__)  # other figures have moved
