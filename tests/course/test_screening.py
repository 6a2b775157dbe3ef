"""The threshold of a screening programme, and what it does among many people."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from palm_course import screening
from palm_utils.messages import WrongArgument
from palm_utils.metrics import score

SCORES = score(np.array([3.0, 1.0, 0.5, -1.0, 0.7, -2.0, -3.0]), np.array([1, 1, 1, 1, 0, 0, 0]))


@pytest.mark.parametrize("sensitivity", [0.25, 0.5, 0.51, 0.75, 1.0])
def test_the_threshold_is_the_highest_that_finds_enough(sensitivity):
    threshold = screening.threshold_for(SCORES, sensitivity)
    enough = [p for p in SCORES.probabilities if score(SCORES.logits, SCORES.labels, p).sensitivity >= sensitivity]
    assert threshold == max(enough)


def test_what_can_be_asked_for():
    for share in (0, 1.2):
        with pytest.raises(WrongArgument, match="above 0 and at most 1"):
            screening.threshold_for(SCORES, share)


def test_people_are_divided_into_four():
    people = screening.screen(0.95, 0.95, 0.01)
    assert people == pytest.approx((95, 5, 495, 9405))
    assert people.predictive_value == pytest.approx(95 / 590)
    assert np.isnan(screening.screen(0, 1, 0.01).predictive_value)


def test_the_picture_says_the_counts():
    fig = screening.picture(SCORES, 0.5, 0.01)
    (point,) = (line for line in fig.axes[0].lines if line.get_marker() == "o")
    at = score(SCORES.logits, SCORES.labels)
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (1 - at.specificity, at.sensitivity)
    words = [text.get_text() for text in fig.axes[1].texts]
    assert words.count("3") == 1 and "10,000 people, 1.0% of them ill" in words
    plt.close(fig)
