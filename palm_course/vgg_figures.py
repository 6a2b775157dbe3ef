"""Figures of chapter 4: the kernels of networks in rows, bars that share their names, receptive fields on an eye."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from palm_utils.figures import BLUE, GREEN, INK, ORANGE, RED, as_rgb

_ROW = 17.0  # from one network to the next, in weights
_FIELD_COLORS = ("white", "#56B4E9", ORANGE, "#CC79A7", GREEN)


def kernel_rows(networks: dict[str, Sequence[int | str]], *, title: str) -> Figure:
    """Draw each network's convolutional layers as grids of kernel × kernel weights, and poolings as bars.

    networks: by name, input side first, the kernel sizes, and "pool" for a pooling.
    """
    fig, ax = plt.subplots(figsize=(9, 4.6))
    for row, (name, steps) in enumerate(networks.items()):
        x, middle = 0.0, -_ROW * row
        ax.text(0, middle + 6.5, name, ha="left", va="bottom", weight="bold")
        for step in steps:
            if step == "pool":
                ax.add_patch(Rectangle((x, middle - 4), 0.9, 8, color=ORANGE, linewidth=0))
                x += 2.1
                continue
            for i, j in np.ndindex(step, step):
                corner = (x + i, middle - step / 2 + j)
                ax.add_patch(Rectangle(corner, 1, 1, facecolor=BLUE, alpha=0.45, edgecolor="white", linewidth=0.5))
            ax.text(x + step / 2, middle - step / 2 - 0.6, str(step), ha="center", va="top", color=INK)
            x += step + 1.2
    ax.set(xlim=(-0.5, x + 0.5), ylim=(_ROW * (0.6 - len(networks)), 9), aspect="equal")
    ax.set_title(title)
    ax.axis("off")
    return fig


def bar_panels(
    names: Sequence[str],
    panels: Sequence[tuple[str, Sequence[float], Sequence[str]]],
    colors: Sequence[str],
    *,
    title: str,
    ylabel: str,
) -> Figure:
    """Draw panels of horizontal bars side by side, one bar for each name, the first name at the top.

    panels: (title with its unit, the values, the text behind each bar).
    """
    size = (9, 1.4 + 0.27 * len(names))
    fig, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False)
    for ax, (heading, values, texts) in zip(axes[0], panels, strict=True):
        bars = ax.barh(list(names), values, color=colors)
        ax.bar_label(bars, texts, padding=3, fontsize=10)
        ax.set(title=heading.partition(" (")[0].capitalize(), xlabel=heading, xlim=(0, 1.22 * max(values)))
        ax.grid(axis="y", visible=False)
    axes[0, 0].invert_yaxis()
    axes[0, 0].set_ylabel(ylabel)
    fig.suptitle(title)
    return fig


def field_boxes(ax, image: np.ndarray, place: tuple[float, float], sides: dict[int, int], *, title: str) -> None:
    """Draw what a pixel after each block sees, as boxes on an image, float32 [3, H, W] in [-1, 1].

    place: row and column; of each block's map, the pixel is taken whose middle is nearest to it. sides: of the field
    in pixels, by the number of the block, each of which halves the map. What lies beyond the image is padding.
    """
    ax.imshow(as_rgb(image))
    for block, side in sides.items():
        step = 2**block  # pixels of the image from one pixel of the map to the next
        row, column = (step * round((x - (step - 1) / 2) / step) + (step - 1) / 2 for x in place)
        corner = (column - side / 2, row - side / 2)
        box = Rectangle(corner, side, side, fill=False, linewidth=2.2, edgecolor=_FIELD_COLORS[block - 1])
        box.set_label(f"block {block}: {side} × {side}")
        ax.add_patch(box)
    height, width = image.shape[1:]
    ax.set(title=title, xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    ax.set(xlabel="column (pixels)", ylabel="row (pixels)")
    ax.label_outer()
    ax.grid(False)


def dots_by_block(spreads: dict[str, Sequence[float]], *, title: str, ylabel: str) -> Figure:
    """Draw a positive number of the photograph and after each block, as dots on a logarithmic axis; by name."""
    fig, ax = plt.subplots(figsize=(8, 3.8))
    colors = (RED, ORANGE, GREEN, BLUE)
    for color, marker, (name, values) in zip(colors, "sD^o", spreads.items(), strict=False):
        ax.plot(range(len(values)), values, marker, linestyle=":", color=color, markersize=7, label=name)
    ax.set_yscale("log")
    ax.set_xticks(range(len(values)), ["photograph", *(f"block {b}" for b in range(1, len(values)))])
    ax.set(title=title, ylabel=ylabel)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.12), ncols=2)
    return fig
