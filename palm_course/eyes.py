"""Figures of chapter 2: photographs with arrows, and one number per layer as dots."""

from collections.abc import Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from palm_utils.figures import CYCLE, as_rgb

# In three training photographs, 224 × 224: by word, where the arrow points, and where the word stands.
MARKS = {
    "N0012": {
        "disc": ((26, 114), (50, 84)),
        "macula": ((108, 123), (140, 150)),
        "vessels": ((108, 40), (140, 72)),
    },
    "H0001": {
        "disc": ((8, 111), (40, 84)),
        "macula": ((115, 121), (140, 88)),
        "choroid shows": ((45, 183), (105, 160)),
    },
    "P0031": {
        "disc": ((37, 107), (90, 126)),
        "atrophy at disc": ((62, 80), (90, 32)),
        "patchy atrophy": ((157, 147), (170, 105)),
    },
}


def pointed(images: Sequence[np.ndarray], titles: Sequence[str], marks: Sequence[dict[str, tuple]]) -> Figure:
    """Show photographs, uint8 [224, 224, 3] BGR, side by side, with an arrow and a word for each of `marks`.

    marks: for each photograph, by word, two places (x, y) in pixels: where the arrow points, and where the word stands.
    """
    fig, axes = plt.subplots(1, len(images), figsize=(3.6 * len(images), 3.9), squeeze=False)
    for ax, image, title, places in zip(axes.flat, images, titles, marks, strict=True):
        ax.imshow(as_rgb(image))
        ax.set_title(title)
        ax.axis("off")
        for word, (place, at) in places.items():
            arrow = {"arrowstyle": "-|>", "color": "white", "linewidth": 1.6}
            ax.annotate(word, place, at, color="white", fontsize=12, ha="center", va="center", arrowprops=arrow)
    return fig


def layer_dots(values: dict[str, dict[str, float]], *, title: str, ylabel: str) -> Figure:
    """Draw one positive number per layer as dots, on a logarithmic axis; values: by network, then by layer."""
    fig, ax = plt.subplots(figsize=(8, 3.4))
    for color, (name, of_layer) in zip(cycle(CYCLE), values.items(), strict=False):
        ax.plot(list(of_layer), list(of_layer.values()), "o:", color=color, markersize=9, linewidth=1, label=name)
    ax.set_yscale("log")
    ax.margins(x=0.1)
    ax.set(title=title, xlabel="layer, input side first", ylabel=ylabel)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


layer_bars = layer_dots  # older notebooks call it so
