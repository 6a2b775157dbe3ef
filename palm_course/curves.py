"""Training curves of several runs, each in the colour of its recipe, with accuracies where the action is."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from palm_utils.figures import BLUE, GREY, INK, RED
from palm_utils.history import History

TUTORIAL, STEADY = RED, BLUE  # the colours of the two recipes in all chapters
_SEEDS = ("o-", "s--", "^:", "d-.", "v-")  # runs of one colour, told apart by their markers


def draw(runs: dict[str, History], colors: Sequence[str], *, title: str, lowest: float = 0.5) -> Figure:
    """Draw loss (training dashed, validation solid) and validation accuracy, from `lowest` to 1, over the epochs."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
    for (name, run), color in zip(runs.items(), colors, strict=True):
        epochs = np.arange(len(run)) + 1
        left.plot(epochs, run["train_loss"], "o--", color=color, alpha=0.5, markersize=4)
        left.plot(epochs, run["valid_loss"], "o-", color=color, markersize=4, label=name)
        right.plot(epochs, run["valid_accuracy"], "o-", color=color, markersize=4)
    left.set(title="Loss (training dashed)", xlabel="epoch", ylabel="mean cross-entropy (nats)")
    right.set(title="Validation accuracy", xlabel="epoch", ylabel="share of photographs", ylim=(lowest, 1.0))
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    fig.legend(loc="outside lower center", ncols=len(runs))
    fig.suptitle(title)
    return fig


def draw_seeds(runs: dict[str, dict[int, History]], *, title: str, lowest: float, level: tuple[str, float]) -> Figure:
    """Draw validation accuracy in percent over the epochs: a panel for each recipe in it, a line for each seed.

    runs: by "tutorial" and "steady", then by seed; level: name and percentage of a dotted line to compare with.
    """
    fig, axes = plt.subplots(1, len(runs), figsize=(9, 3.8), sharex=True, sharey=True)
    colors, markers = {"tutorial": TUTORIAL, "steady": STEADY}, {}
    for ax, (recipe, of_seed) in zip(axes, runs.items(), strict=True):
        for (seed, run), style in zip(of_seed.items(), _SEEDS, strict=False):
            reached = np.multiply(100, run["valid_accuracy"])
            ax.plot(np.arange(len(run)) + 1, reached, style, color=colors[recipe], markersize=5)
            markers[f"seed {seed}"] = Line2D([], [], color=INK, marker=style[0], linestyle=style[1:], markersize=5)
        line = ax.axhline(level[1], color=GREY, linestyle=":")
        ax.set(title=f"{recipe} recipe", xlabel="epoch", ylim=(lowest, 100))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes[0].set_ylabel("validation accuracy (%)")
    fig.legend([*markers.values(), line], [*markers, level[0]], loc="outside lower center", ncols=6, fontsize=10)
    fig.suptitle(title)
    return fig
