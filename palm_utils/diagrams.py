"""Drawings of architectures, made from the shapes that really pass through a network."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from palm_utils.figures import BLUE, GREEN, GREY, ORANGE

_COLORS = {
    "Conv2D": BLUE,
    "MaxPool2D": ORANGE,
    "AvgPool2D": ORANGE,
    "AdaptiveAvgPool2D": ORANGE,
    "Linear": GREEN,
}


def architecture(stages: Sequence[tuple[str, str, Sequence[int]]], *, title: str) -> Figure:
    """Draw stages from left to right as slabs: as tall as their maps, as thick as their channels (log scale).

    stages: (name, class, shape without the batch) of the input and of each stage, such as
    ("conv1", "Conv2D", [6, 24, 24]) or ("fc1", "Linear", [64]); the class picks the colour.
    """
    fig, ax = plt.subplots(figsize=(10, 3.2))
    x = highest = 0.0
    for name, kind, shape in stages:
        channels, height = (shape[0], shape[1]) if len(shape) == 3 else (1, shape[0])
        tall, thick = 0.3 + 0.3 * math.log2(height + 1), 0.14 + 0.1 * math.log2(channels + 1)
        slant = 0.16 * tall if len(shape) == 3 else 0.0
        _slab(ax, x, tall, thick, slant, _COLORS.get(kind, GREY))
        size = "×".join(map(str, shape))
        ax.text(x + (thick + slant) / 2, tall + slant + 0.1, size, ha="center", va="bottom", fontsize=9)
        ax.text(x + (thick + slant) / 2, -0.12, name, ha="center", va="top", fontsize=9)
        # The next slab stands clear of this one's drawing and of its labels.
        x += max(thick + slant, 0.11 * max(len(name), len(size))) + 0.3
        highest = max(highest, tall + slant)
    ax.set(xlim=(-0.5, x), ylim=(-0.5, highest + 0.5))
    ax.set_title(f"{title} (channels × height × width; drawn on a logarithmic scale)", fontsize=11)
    ax.axis("off")
    return fig


def _slab(ax, x: float, tall: float, thick: float, slant: float, color: str) -> None:
    """Draw a box seen from the front left: face (channels side), then top and right side."""
    bottom, top, right = 0.0, tall, x + thick
    front = [(x, bottom), (right, bottom), (right, top), (x, top)]
    roof = [(x, top), (right, top), (right + slant, top + slant), (x + slant, top + slant)]
    side = [(right, bottom), (right + slant, bottom + slant), (right + slant, top + slant), (right, top)]
    for corners, alpha in ((front, 0.85), (roof, 0.55), (side, 0.35)):
        ax.add_patch(Polygon(corners, closed=True, facecolor=color, alpha=alpha, edgecolor="white", linewidth=0.8))
