"""What a threshold does to a screening programme: a point on the ROC curve, counts of eyes, alarms among 10,000 people.

Chapter 8 moves the threshold with a slider.
"""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from palm_utils.figures import BLUE, GREY, INK, RED
from palm_utils.messages import WrongArgument, mark
from palm_utils.metrics import Scores, score

PEOPLE = 10_000


def threshold_for(scores: Scores, sensitivity: float) -> float:
    """Return the highest threshold, a probability, that finds at least this share of the diseased eyes.

    Raises WrongArgument for a share outside (0, 1], or where there are no diseased eyes.
    """
    ill = np.sort(scores.probabilities[scores.labels == 1])[::-1]
    if not 0 < sensitivity <= 1 or not len(ill):
        template = mark("a sensitivity of {sensitivity} of {count} diseased eyes: it must be above 0 and at most 1")
        raise WrongArgument(template, sensitivity=sensitivity, count=len(ill))
    must_find = int(np.ceil(sensitivity * len(ill) - 1e-9))
    return float(ill[must_find - 1])


class Screened(NamedTuple):
    """How many of PEOPLE are what, if each showed one eye."""

    found: float
    overlooked: float
    false_alarms: float
    cleared: float

    @property
    def predictive_value(self) -> float:
        """The share of alarms that are true; nan where there are none."""
        alarms = self.found + self.false_alarms
        return self.found / alarms if alarms else float("nan")


def screen(sensitivity: float, specificity: float, prevalence: float) -> Screened:
    """Send PEOPLE of whom a share `prevalence` is ill through a test, supposing that its two rates stay the same."""
    ill, well = prevalence * PEOPLE, (1 - prevalence) * PEOPLE
    return Screened(sensitivity * ill, (1 - sensitivity) * ill, (1 - specificity) * well, specificity * well)


def picture(scores: Scores, threshold: float = 0.5, prevalence: float = 0.01) -> Figure:
    """Draw what a threshold does: its point on the ROC curve, the eyes counted, and the same among PEOPLE."""
    import matplotlib.pyplot as plt

    at = score(scores.logits, scores.labels, threshold)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), gridspec_kw={"width_ratios": (1, 1.25)})
    left.plot(*scores.roc(), color=BLUE)
    left.plot(1 - at.specificity, at.sensitivity, "o", color=RED, markersize=10)
    left.set(title=f"threshold {threshold:.3g}", xlabel="1 - specificity", ylabel="sensitivity")
    # Nearly all of the curve lies in this corner; a point outside it pulls the axes along.
    left.set(xlim=(-0.01, max(0.3, 1.05 - at.specificity)), ylim=(min(0.7, at.sensitivity - 0.05), 1.01))
    _table(right, at, screen(at.sensitivity, at.specificity, prevalence), prevalence)
    return fig


def _table(ax, at: Scores, people: Screened, prevalence: float) -> None:
    """Write the confusion matrix of the eyes that were measured, and below it the same for PEOPLE."""
    ax.axis("off")
    ax.set(xlim=(0, 3), ylim=(-1.4, 6.4))
    (cleared, false_alarms), (overlooked, found) = at.confusion
    blocks = [
        (f"{len(at.labels)} validation eyes", (found, overlooked, false_alarms, cleared)),
        (f"{PEOPLE:,} people, {prevalence:.1%} of them ill", tuple(people)),
    ]
    for top, (title, counts) in zip((6.0, 2.5), blocks, strict=True):
        ax.text(0, top, title, weight="bold", va="center")
        for column, words in enumerate(("alarm", "no alarm"), start=1):
            ax.text(column + 0.4, top - 0.8, words, color=GREY, ha="center", va="center")
        for row, words in enumerate(("ill", "healthy")):
            ax.text(0, top - 1.6 - 0.8 * row, words, color=GREY, va="center")
            for column in (0, 1):
                color = INK if row == column else RED  # red: the test is wrong
                text = f"{counts[2 * row + column]:,.0f}"
                ax.text(column + 1.4, top - 1.6 - 0.8 * row, text, color=color, ha="center", va="center", size=12)
    ax.text(0, -1.0, f"{people.predictive_value:.0%} of these alarms are true", va="center", color=INK)
