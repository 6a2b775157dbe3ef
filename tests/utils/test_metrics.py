import math

import numpy as np
import pytest

from palm_course.claims import ClaimFailed, claim
from palm_utils.metrics import cross_entropy, score, sigmoid


def test_scores_of_a_small_example_worked_out_by_hand():
    # probabilities 0.88, 0.73, 0.27, 0.12, 0.73; threshold 0.5 -> 1, 1, 0, 0, 1
    scores = score([[2.0], [1.0], [-1.0], [-2.0], [1.0]], [[1], [0], [1], [0], [1]])
    assert scores.predictions.tolist() == [1, 1, 0, 0, 1]
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.confusion.tolist() == [[1, 1], [1, 2]]
    assert scores.sensitivity == pytest.approx(2 / 3) and scores.specificity == pytest.approx(1 / 2)
    # Of the 3 x 2 pairs, positives score higher in 3.5 (an equal pair counts half): 2>1, 2>-2, 1=1, 1>-2, -1>-2.
    assert scores.auc == pytest.approx(4.5 / 6)
    expected = np.mean([math.log1p(math.exp(-z)) for z in (2, -1, -1, 2, 1)])
    assert scores.loss == pytest.approx(expected)
    assert "5 images: loss=" in str(scores) and "acc=0.6000" in str(scores)


def test_half_counts_as_positive_and_another_threshold_moves_predictions_and_nothing_else():
    assert score([0.0], [1]).predictions.tolist() == [1]
    low, high = (score([-1.0, 1.0], [0, 1], threshold=t) for t in (0.2, 0.8))
    assert low.predictions.tolist() == [1, 1] and high.predictions.tolist() == [0, 0]
    assert low.auc == high.auc == 1.0


def test_an_absent_class_gives_nan_instead_of_an_error():
    scores = score([1.0, -1.0], [1, 1])
    assert math.isnan(scores.specificity) and math.isnan(scores.auc)
    assert scores.sensitivity == 0.5
    assert scores.confusion.tolist() == [[0, 0], [1, 1]]


def test_large_logits_do_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
        assert cross_entropy([1e4, -1e4], [0, 1]) == pytest.approx(1e4)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [([1], [1, 0], "1 logits for 2 labels"), ([], [], "0 logits for 0 labels"), ([1], [2], "labels must be 0 or 1")],
)
def test_what_cannot_be_scored(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        score(logits, labels)


@pytest.mark.parametrize("value", [0.94, 1.0, float("nan")])
def test_a_claim_out_of_bounds_fails_on_real_data_and_only_there(value, capsys):
    with pytest.raises(ClaimFailed, match="does not hold"):
        claim("accuracy", value, real=True, at_least=0.95, at_most=0.99)
    claim("accuracy", value, real=False, at_least=0.95, at_most=0.99)
    assert "not checked on the sample" in capsys.readouterr().out


def test_where_real_data_is_required_the_sample_does_not_pass_for_it(monkeypatch):
    monkeypatch.setenv("PALM_REQUIRE_REAL", "1")
    with pytest.raises(ClaimFailed, match="this is the sample"):
        claim("accuracy", 0.96, real=False, at_least=0.95)
    claim("accuracy", 0.96, real=True, at_least=0.95)
