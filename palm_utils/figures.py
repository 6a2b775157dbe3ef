"""Plots of images, training and scores.

Chapter 1 draws training curves, chapter 2 the scores; palm_course.diagrams draws networks. Every function draws one
finished figure with title, axis labels and units, and returns it; end the cell with plt.show(). The white background
makes it look the same in a light and in a dark notebook.
"""

from collections.abc import Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from palm_utils.history import History
from palm_utils.metrics import Scores

# Okabe and Ito's colours: readers with colour-vision deficiency can tell them apart.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#6F6F6F"
INK = "#222222"
CYCLE = [BLUE, RED, GREEN, ORANGE, "#CC79A7", "#56B4E9", GREY]


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


def training_curves(
    histories: History | dict[str, History], *, title: str, baseline: tuple[str, float] | None = None
) -> Figure:
    """Draw loss (training dashed, validation solid) and validation accuracy over the epochs.

    histories: one History, or several by name, each in its own colour; the accuracy plot has the legend.
    baseline: name and value of an accuracy to compare with, such as ("always PM", 0.5275), drawn as a dotted line.
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
    # Only two entries, dashed and solid: one for each run would cover the curves.
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
    """Draw `scores.confusion` (row: true class, column: predicted class), with shares of the row in brackets."""
    fig, ax = plt.subplots(figsize=(4.2, 3.8))
    _confusion(ax, scores.confusion, names)
    ax.set_title(title)
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


def layer_bars(values: dict[str, dict[str, float]], *, title: str, ylabel: str) -> Figure:
    """Draw one positive number per layer for several networks, on a logarithmic axis.

    values: by network, then by layer, from input to output.
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
