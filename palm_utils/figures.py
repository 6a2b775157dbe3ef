"""Plots, and drawings of networks: as slabs with the shapes that pass through them, or as a flow chart.

Chapter 1 draws a network and its training curves, chapter 2 what the scores say, chapter 5 a block of a network.
Every function draws one finished figure: axes named, units given, a title, and an opaque light background, so that it
reads the same in a light and in a dark notebook. Each returns the figure; end the cell with plt.show().
"""

import math
from collections.abc import Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon
from matplotlib.ticker import MaxNLocator

from palm_utils.history import History
from palm_utils.metrics import Scores

# Okabe and Ito's colours, told apart by readers with colour-vision deficiency too.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#6F6F6F"
INK = "#222222"
CYCLE = [BLUE, RED, GREEN, ORANGE, "#CC79A7", "#56B4E9", GREY]
# Drawings of networks: colours by a layer's class; inches for a line of text, a letter, and the margin around.
_POOLS = dict.fromkeys(("MaxPool2D", "AvgPool2D", "AdaptiveAvgPool2D"), ORANGE)
_COLORS = {"Conv2D": BLUE, "Linear": GREEN, "add": RED, "concat": RED, **_POOLS}
_LINE, _LETTER, _PAD = 0.22, 0.088, 0.14


def use_style() -> None:
    """Set the look of all figures; a chapter calls it once, in its first cell."""
    plt.rcParams.update(dict.fromkeys(("figure.facecolor", "savefig.facecolor", "axes.facecolor"), "white"))
    plt.rcParams.update(dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK))
    plt.rcParams.update(
        {
            "axes.edgecolor": "#888888",
            "axes.prop_cycle": plt.cycler(color=CYCLE),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#E3E3E3",
            "axes.axisbelow": True,
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "font.size": 11,
            "legend.frameon": False,
            "figure.dpi": 90,
            "figure.constrained_layout.use": True,
        }
    )


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Return an image as matplotlib shows it, uint8 [H, W, 3] RGB.

    image: uint8 [H, W, 3] BGR as OpenCV reads it, or float32 [3, H, W] BGR in [-1, 1] as a reader
    yields it.
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
    """Show images in rows of `columns`, each with a title of its own.

    images: [H, W] or [H, W, 3] arrays. symmetric: one colour range for all of them, with 0 in its
    middle (filters); otherwise each image has its own range.
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


def prediction_grid(
    images: Sequence[np.ndarray],
    probabilities: Sequence[float],
    labels: Sequence[int],
    *,
    names: Sequence[str] = ("not PM", "PM"),
    columns: int = 6,
    title: str = "Predictions",
    threshold: float = 0.5,
) -> Figure:
    """Show photographs with truth and probability, blue where the prediction is right and red where wrong."""
    titles, colors = [], []
    for probability, label in zip(probabilities, labels, strict=True):
        right = (probability >= threshold) == bool(label)
        titles.append(f"{'✓' if right else '✗'} {names[label]}, p(PM) {probability:.2f}")
        colors.append(BLUE if right else RED)
    return image_grid(images, titles, columns=columns, title=title, title_colors=colors, size=2.0)


def class_grid(
    images: Sequence[np.ndarray],
    probabilities: np.ndarray,
    labels: Sequence[int],
    *,
    names: Sequence[str],
    columns: int = 6,
    title: str = "Predictions",
) -> Figure:
    """Show images with the most probable class, blue where it is right and red, with the truth, where wrong.

    images: uint8 [H, W, 3] RGB; probabilities: [N, classes]; labels: the true classes, [N].
    """
    titles, colors = [], []
    for row, label in zip(probabilities, labels, strict=True):
        answer = int(np.argmax(row))
        right = answer == int(label)
        second = f"p {row[answer]:.2f}" if right else f"p {row[answer]:.2f}, is {names[int(label)]}"
        titles.append(f"{'✓' if right else '✗'} {names[answer]}\n{second}")
        colors.append(BLUE if right else RED)
    return image_grid(images, titles, columns=columns, title=title, title_colors=colors, size=1.9)


def training_curves(
    histories: History | dict[str, History], *, title: str, baseline: tuple[str, float] | None = None
) -> Figure:
    """Draw loss (training dashed, validation solid) and validation accuracy over the epochs.

    histories: one History, or several by name, a colour each, named beside the accuracy.
    baseline: name and value of an accuracy to compare with, drawn as a dotted line, such as ("always PM", 0.5275).
    """
    if isinstance(histories, History):
        histories = {"": histories}
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
    # Both kinds of line once, however many runs there are: their names would cover the curves.
    legend = left.legend(handles=left.lines[:2], fontsize=9)
    if len(histories) > 1:
        for line in legend.get_lines():
            line.set_color(GREY)
    right.legend(fontsize=9)
    fig.suptitle(title)
    return fig


def confusion_matrix(
    scores: Scores, *, title: str = "Confusion matrix", names: Sequence[str] = ("not PM", "PM")
) -> Figure:
    """Draw the counts of `scores.confusion`, rows true and columns predicted, shares within a row in brackets."""
    fig, ax = plt.subplots(figsize=(4.2, 3.8))
    _confusion(ax, scores.confusion, names)
    ax.set_title(title)
    return fig


def confusion_and_roc(scores: Scores, *, title: str, names: Sequence[str] = ("not PM", "PM")) -> Figure:
    """Draw the confusion matrix beside the ROC curve, on which the threshold in use is marked."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4))
    _confusion(left, scores.confusion, names)
    left.set_title(f"Confusion at threshold {scores.threshold:g}")
    false_positive, true_positive = scores.roc()
    right.plot(false_positive, true_positive, color=BLUE, label=f"AUC {scores.auc:.3f}")
    right.plot([0, 1], [0, 1], ":", color=GREY, label="guessing, AUC 0.5")
    right.plot(1 - scores.specificity, scores.sensitivity, "o", color=RED, label=f"threshold {scores.threshold:g}")
    right.set(title="ROC", xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    right.legend(loc="lower right")
    fig.suptitle(title)
    return fig


def probability_histogram(scores: Scores, *, title: str) -> Figure:
    """Draw how the predicted probabilities of both classes are spread over [0, 1]."""
    fig, ax = plt.subplots(figsize=(7, 3.4))
    bins = np.linspace(0, 1, 41)
    for label, name, color in ((0, "not PM", BLUE), (1, "PM", RED)):
        ax.hist(scores.probabilities[scores.labels == label], bins, color=color, alpha=0.6, label=name)
    ax.axvline(scores.threshold, color=GREY, linestyle=":", label=f"threshold {scores.threshold:g}")
    ax.set(title=title, xlabel="predicted probability of PM", ylabel="images", xlim=(0, 1))
    ax.legend()
    return fig


def class_confusion(
    labels: Sequence[int], predictions: Sequence[int], names: Sequence[str], *, title: str = "Confusion matrix"
) -> Figure:
    """Draw which class is taken for which, in per cent of each true class; rows true, columns predicted."""
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (np.asarray(labels, int), np.asarray(predictions, int)), 1)
    fig, ax = plt.subplots(figsize=(1.6 + 0.62 * len(names), 1.4 + 0.5 * len(names)))
    _confusion(ax, counts, names, lambda count, share: f"{100 * share:.0f}" if count else "", aspect="auto")
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
    ax.set_title(title)
    return fig


def _confusion(ax, counts, names, text=lambda count, share: f"{count}\n({share:.0%})", **look) -> None:
    """Draw counts [C, C] as shares of their row; text(count, share) is what a field says."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, **look)
    ax.grid(False)
    for row, column in np.ndindex(shares.shape):
        if said := text(counts[row, column], shares[row, column]):
            color = "white" if shares[row, column] > 0.5 else INK
            ax.text(column, row, said, ha="center", va="center", color=color)
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="predicted", ylabel="true")


def layer_bars(values: dict[str, dict[str, float]], *, title: str, ylabel: str) -> Figure:
    """Draw one positive figure per layer for several networks on a logarithmic axis.

    values: by network, then by layer in the order in which an image passes them.
    """
    layers = list(next(iter(values.values())))
    fig, ax = plt.subplots(figsize=(9, 3.4))
    width = 0.8 / len(values)
    for i, (color, (name, of_layer)) in enumerate(zip(cycle(CYCLE), values.items(), strict=False)):
        positions = np.arange(len(layers)) + (i - (len(values) - 1) / 2) * width
        ax.bar(positions, [of_layer[layer] for layer in layers], width, color=color, label=name)
    ax.set_yscale("log")
    ax.set_xticks(range(len(layers)), layers)
    ax.grid(axis="x", visible=False)
    ax.set(title=title, xlabel="layer, input side first", ylabel=ylabel)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


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


def flow(
    boxes: dict[str, tuple[float, float, str, str]],
    arrows: Sequence[tuple],
    *,
    title: str,
    size: tuple[float, float] = (9.0, 4.0),
) -> Figure:
    """Draw boxes with text and arrows between them: an Inception module, a residual block.

    boxes: by name (x, y, text, kind), the centre in inches from the lower left corner of the drawing,
    `size` wide and high; kind is a layer's class, "add" or "concat" and picks the colour, grey for any other. arrows:
    (from, to), or (from, to, bend) for one that swings out sideways by `bend` inches, such as a shortcut.
    """
    fig, ax = plt.subplots(figsize=(size[0], size[1] + 0.4))
    half = {}
    for name, (x, y, text, kind) in boxes.items():
        lines = text.split("\n")
        width = max(map(len, lines)) * _LETTER + 2 * _PAD
        height = len(lines) * _LINE + 2 * _PAD
        half[name] = (width / 2, height / 2)
        corner = (x - width / 2, y - height / 2)
        style = "round,pad=0,rounding_size=0.08"
        color = _COLORS.get(kind, GREY)
        ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, facecolor=color, alpha=0.18, linewidth=0))
        ax.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, fill=False, edgecolor=color, linewidth=1.2))
        ax.text(x, y, text, ha="center", va="center", fontsize=10, linespacing=1.25)
    for start, end, *bend in arrows:
        _arrow(ax, boxes[start][:2], half[start], boxes[end][:2], half[end], bend[0] if bend else 0.0)
    ax.set(xlim=(0, size[0]), ylim=(0, size[1]), aspect="equal")
    ax.set_title(title, fontsize=11)
    ax.axis("off")
    return fig


def _arrow(ax, start, start_half, end, end_half, bend: float) -> None:
    """Draw an arrow from border to border; a bent one leaves and arrives at the side that it swings out to."""
    style = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    if not bend:
        a, b = _border(start, start_half, end), _border(end, end_half, start)
        ax.annotate("", xy=b, xytext=a, arrowprops=style)
        return
    side = math.copysign(1, bend)
    a, b = (start[0] + side * start_half[0], start[1]), (end[0] + side * end_half[0], end[1])
    corner = (max(a[0], b[0]) if bend > 0 else min(a[0], b[0])) + bend
    ax.plot([a[0], corner, corner], [a[1], a[1], b[1]], color=INK, linewidth=1.1)
    ax.annotate("", xy=b, xytext=(corner, b[1]), arrowprops=style)


def _border(center, half, towards) -> tuple[float, float]:
    """Return where the line from a box's centre towards another point leaves the box."""
    dx, dy = towards[0] - center[0], towards[1] - center[1]
    reach = min(half[0] / abs(dx) if dx else math.inf, half[1] / abs(dy) if dy else math.inf)
    return center[0] + dx * reach, center[1] + dy * reach
