"""Drawings of architectures, made from the shapes that really pass through a network."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from palm_utils.figures import BLUE, GREEN, GREY, ORANGE

_COLORS = {"Conv2D": BLUE, "MaxPool2D": ORANGE, "AvgPool2D": ORANGE, "AdaptiveAvgPool2D": ORANGE, "Linear": GREEN}


def architecture(stages: Sequence[tuple[str, str, Sequence[int]]], *, title: str) -> Figure:
    """Draw stages from left to right as slabs: as tall as their maps, as thick as their channels (log scale).

    stages: (name, class, shape without the batch) of the input and of each stage, such as
    ("conv1", "Conv2D", [6, 24, 24]) or ("fc1", "Linear", [64]); the class picks the colour.
    """
    fig, ax = plt.subplots(figsize=(10, 3.4))
    x = 0.0
    for name, kind, shape in stages:
        channels, height = (shape[0], shape[1]) if len(shape) == 3 else (1, shape[0])
        tall = 0.35 + 0.42 * math.log2(height + 1)
        thick = 0.14 + 0.1 * math.log2(channels + 1)
        slant = 0.16 * tall if len(shape) == 3 else 0.0
        _slab(ax, x, tall, thick, slant, _COLORS.get(kind, GREY))
        middle = x + (thick + slant) / 2
        ax.text(middle, -tall / 2 - 0.25, name, ha="center", va="top", fontsize=10)
        size = "×".join(map(str, shape))
        ax.text(middle, tall / 2 + slant + 0.15, size, ha="center", va="bottom", fontsize=10)
        x += thick + slant + max(0.55, 0.095 * max(len(name), len(size)) - thick - slant + 0.35)
    ax.set(title=f"{title} (channels × height × width; sizes on a logarithmic scale)")
    ax.axis("off")
    ax.set_aspect("equal")
    ax.autoscale_view()
    return fig


def _slab(ax, x: float, tall: float, thick: float, slant: float, color: str) -> None:
    """Draw a box seen from the front left: face (channels side), then top and right side."""
    bottom, top, right = -tall / 2, tall / 2, x + thick
    front = [(x, bottom), (right, bottom), (right, top), (x, top)]
    roof = [(x, top), (right, top), (right + slant, top + slant), (x + slant, top + slant)]
    side = [(right, bottom), (right + slant, bottom + slant), (right + slant, top + slant), (right, top)]
    for corners, alpha in ((front, 0.85), (roof, 0.55), (side, 0.35)):
        ax.add_patch(Polygon(corners, closed=True, facecolor=color, alpha=alpha, edgecolor="white", linewidth=0.8))
