"""Figures of the chapters: scores, networks as a row of slabs or a flow chart, bars by layer, ten classes."""

import math
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon

from palm_course.terminal import width as columns_of
from palm_course.words import word, worded
from palm_utils.figures import BLUE, GREEN, GREY, INK, ORANGE, RED, image_grid
from palm_utils.metrics import Scores

# Colours by class of layer; size of a line of text, of a letter and of the margin, in inches.
_POOLS = dict.fromkeys(("MaxPool2D", "AvgPool2D", "AdaptiveAvgPool2D"), ORANGE)
_COLORS = {"Conv2D": BLUE, "Linear": GREEN, "add": RED, "concat": RED, **_POOLS}
_LINE, _LETTER, _PAD = 0.22, 0.088, 0.14


def architecture(stages: Sequence[tuple[str, str, Sequence[int]]], *, title: str) -> Figure:
    """Draw stages from left to right as slabs: height of the feature map, thickness by channels (log scale).

    stages: (name, class, shape without the batch) of the input and of each stage, such as
    ("conv1", "Conv2D", [6, 24, 24]) or ("fc1", "Linear", [64]); the class sets the colour.
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
        # Room for this slab and its labels.
        x += max(thick + slant, 0.11 * max(len(name), len(size))) + 0.3
        highest = max(highest, tall + slant)
    ax.set(xlim=(-0.5, x), ylim=(-0.5, highest + 0.5))
    ax.set_title(f"{title} (channels × height × width; drawn on a logarithmic scale)", fontsize=11)
    ax.axis("off")
    return fig


def _slab(ax, x: float, tall: float, thick: float, slant: float, color: str) -> None:
    """Draw a box seen from the front, above and right: front, top and right side."""
    bottom, top, right = 0.0, tall, x + thick
    front = [(x, bottom), (right, bottom), (right, top), (x, top)]
    roof = [(x, top), (right, top), (right + slant, top + slant), (x + slant, top + slant)]
    side = [(right, bottom), (right + slant, bottom + slant), (right + slant, top + slant), (right, top)]
    for corners, alpha in ((front, 0.85), (roof, 0.55), (side, 0.35)):
        ax.add_patch(Polygon(corners, closed=True, facecolor=color, alpha=alpha, edgecolor="white", linewidth=0.8))


@worded
def flow(
    boxes: dict[str, tuple[float, float, str, str]],
    arrows: Sequence[tuple],
    *,
    title: str,
    size: tuple[float, float] = (9.0, 4.0),
) -> Figure:
    """Draw a flow chart of boxes with text and arrows, such as an Inception module or a residual block.

    size: width and height in inches. boxes: by name (x, y, text, kind); x, y: the centre in inches from the lower left
    corner; kind: class of the layer, "add" or "concat", sets the colour, grey for any other. arrows: (from, to), or
    (from, to, bend) for an arrow that makes a detour of `bend` inches to the side, such as a shortcut.
    """
    fig, ax = plt.subplots(figsize=(size[0], size[1] + 0.4))
    half = {}
    for name, (x, y, text, kind) in boxes.items():
        lines, color = word(text).split("\n"), _COLORS.get(kind, GREY)
        half[name] = (max(map(columns_of, lines)) * _LETTER / 2 + _PAD, len(lines) * _LINE / 2 + _PAD)
        corner, (width, height) = (x - half[name][0], y - half[name][1]), (2 * side for side in half[name])
        for look in ({"facecolor": color, "alpha": 0.18, "linewidth": 0}, {"fill": False, "edgecolor": color}):
            look = {"boxstyle": "round,pad=0,rounding_size=0.08", "linewidth": 1.2} | look
            ax.add_patch(FancyBboxPatch(corner, width, height, **look))
        ax.text(x, y, word(text), ha="center", va="center", fontsize=10, linespacing=1.25)
    for start, end, *bend in arrows:
        _arrow(ax, boxes[start][:2], half[start], boxes[end][:2], half[end], bend[0] if bend else 0.0)
    ax.set(xlim=(0, size[0]), ylim=(0, size[1]), aspect="equal")
    ax.set_title(word(title), fontsize=11)
    ax.axis("off")
    return fig


def _arrow(ax, start, start_half, end, end_half, bend: float) -> None:
    """Draw an arrow between the borders of two boxes; a bent one goes from side to side."""
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
    """Return the point where the line from a box's centre to another point leaves the box."""
    dx, dy = towards[0] - center[0], towards[1] - center[1]
    reach = min(half[0] / abs(dx) if dx else math.inf, half[1] / abs(dy) if dy else math.inf)
    return center[0] + dx * reach, center[1] + dy * reach


def gradient_norms(model) -> dict[str, float]:
    """Return the root mean square of each layer's weight gradient after a backward pass, by the layer's name."""
    return {
        name.removesuffix(".weight"): float(np.sqrt(np.mean(np.square(p.grad.numpy().astype(np.float64)))))
        for name, p in model.named_parameters()
        if name.endswith(".weight") and p.grad is not None
    }


def probability_histogram(scores: Scores, *, title: str) -> Figure:
    """Draw a histogram of the predicted probabilities for each true class."""
    fig, ax = plt.subplots(figsize=(7, 3.4))
    bins = np.linspace(0, 1, 41)
    for label, name, color in ((0, "not PM", BLUE), (1, "PM", RED)):
        ax.hist(scores.probabilities[scores.labels == label], bins, color=color, alpha=0.6, label=name)
    ax.axvline(scores.threshold, color=GREY, linestyle=":", label=f"threshold {scores.threshold:g}")
    ax.set(title=title, xlabel="predicted probability of PM", ylabel="images", xlim=(0, 1))
    ax.legend()
    return fig


def confusion_and_roc(scores: Scores, *, title: str, names: Sequence[str] = ("not PM", "PM")) -> Figure:
    """Draw the confusion matrix, and beside it the ROC curve with a point for the threshold."""
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
    """Show photographs with true class and probability; blue: the prediction is right, red: wrong."""
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
    """Show images with the predicted class; blue: it is right, red: wrong, with the true class added.

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


def class_confusion(
    labels: Sequence[int], predictions: Sequence[int], names: Sequence[str], *, title: str = "Confusion matrix"
) -> Figure:
    """Draw a confusion matrix in per cent of each true class (row: true class, column: predicted class)."""
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (np.asarray(labels, int), np.asarray(predictions, int)), 1)
    fig, ax = plt.subplots(figsize=(1.6 + 0.62 * len(names), 1.4 + 0.5 * len(names)))
    _confusion(ax, counts, names, lambda count, share: f"{100 * share:.0f}" if count else "", aspect="auto")
    ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
    ax.set_title(title)
    return fig


def _confusion(ax, counts, names, text=lambda count, share: f"{count}\n({share:.0%})", **look) -> None:
    """Draw counts [C, C], coloured by their share of the row; text(count, share) returns the text of a cell."""
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
