"""What chapter 7 shows of trainings by paddle.Model: a log told again, and several ways to train side by side."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from palm_utils.figures import CYCLE, GREY
from palm_utils.history import History


def retell(history: History, epochs: int) -> None:
    """Print the epochs of a training of `epochs` epochs that an earlier process has trained, much as `fit` does.

    Losses are means over all images, where fit prints that of the last batch. Prints nothing for an empty history.
    """
    for row in history.epochs:
        print(f"Epoch {row['epoch'] + 1}/{epochs} (logbook)")
        for part in ("train", "valid"):
            shares = {name.removeprefix(f"{part}_"): row[name] for name in row if name.startswith(f"{part}_acc_")}
            told = [f"loss: {row[f'{part}_loss']:.4f}", *(f"{name}: {share:.4f}" for name, share in shares.items())]
            print(f"{part} -", " - ".join(told))
        print(f"{row['seconds']:.0f} s")


def ways(runs: dict[str, list[History]], *, title: str, baseline: tuple[str, float]) -> Figure:
    """Draw validation accuracies of several ways to train, each from some seeds: by epoch of the first seed, and the
    last epoch of every seed as dots.

    runs: histories by the way's name. baseline: name and value of an accuracy to compare with, a dotted line.
    """
    fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
    for row, (color, (name, seeds)) in enumerate(zip(cycle(CYCLE), runs.items(), strict=False)):
        accuracies = seeds[0]["valid_accuracy"]
        left.plot(np.arange(len(accuracies)) + 1, accuracies, "o-", color=color, markersize=4)
        last = [history.last["valid_accuracy"] for history in seeds]
        right.plot(last, [row] * len(last), "o", color=color, alpha=0.7, markersize=8)
        right.text(0.02, row - 0.22, name, color=color, fontsize=9, transform=right.get_yaxis_transform(), va="bottom")
    lowest = min(min(history["valid_accuracy"]) for seeds in runs.values() for history in seeds)
    left.axhline(baseline[1], color=GREY, linestyle=":")
    left.annotate(baseline[0], (1, baseline[1]), (0, 3), textcoords="offset points", fontsize=9, color=GREY)
    left.set(title="Each epoch, first seed", xlabel="epoch", ylabel="validation accuracy")
    left.set_ylim(min(lowest, baseline[1]) - 0.03, 1.01)
    left.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    right.set(title="Last epoch, every seed", xlabel="validation accuracy", yticks=[], ylim=(len(runs) - 0.4, -0.9))
    right.margins(x=0.08)
    fig.suptitle(title)
    return fig
