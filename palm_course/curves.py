"""Training curves of several runs, each in the colour of its recipe, with accuracies where the action is."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from palm_utils.figures import BLUE, RED
from palm_utils.history import History

TUTORIAL, STEADY = RED, BLUE  # the colours of the two recipes in all chapters


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
