"""The drawing of dropout in chapter 3: the same small network in evaluation and in two steps of training."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from palm_course.words import word, worded
from palm_utils.figures import BLUE, GREY, RED

_UNITS = (4, 6, 6, 1)  # of each layer; the two in the middle have dropout


@worded
def draw(p: float = 0.5, seed: int = 3) -> Figure:
    """Draw a network of four layers with all units, and twice with each inner unit dropped with probability `p`.

    p: 0 <= p < 1; what stays is multiplied by 1 / (1 - p), as the figure says. seed: of the two draws.
    """
    rng = np.random.default_rng(seed)
    everything = [np.ones(units, bool) for units in _UNITS]
    fig, axes = plt.subplots(1, 3, figsize=(9, 3.4))
    titles = (word("evaluation: all units"), word("training, one step"), word("training, the next step"))
    for ax, title in zip(axes, titles, strict=True):
        stays = everything
        if ax is not axes[0]:
            stays = [mask if i in (0, 3) else rng.random(mask.size) >= p for i, mask in enumerate(everything)]
        _network(ax, stays, "" if ax is axes[0] else f"×{1 / (1 - p):g}")
        ax.set_title(title, fontsize=11)
    return fig


def _network(ax, stays: list[np.ndarray], factor: str) -> None:
    places = [[(2.0 * layer, row - (units - 1) / 2) for row in range(units)] for layer, units in enumerate(_UNITS)]
    for layer in range(len(_UNITS) - 1):
        for i, start in enumerate(places[layer]):
            for j, end in enumerate(places[layer + 1]):
                if stays[layer][i] and stays[layer + 1][j]:
                    ax.plot(*zip(start, end, strict=True), color=BLUE, linewidth=0.6, alpha=0.6, zorder=1)
    for layer, row in ((layer, row) for layer, units in enumerate(_UNITS) for row in range(units)):
        (x, y), kept = places[layer][row], stays[layer][row]
        ax.plot(x, y, "o", markersize=17, markerfacecolor="white", markeredgecolor=BLUE if kept else GREY, zorder=2)
        if not kept:
            ax.text(x, y, "0", color=RED, ha="center", va="center")
        elif factor and layer in (1, 2):
            ax.text(x, y, factor, color=BLUE, ha="center", va="center", fontsize=9)
    ax.set(xlim=(-0.6, 6.6), ylim=(-3.2, 3.2))
    ax.axis("off")
