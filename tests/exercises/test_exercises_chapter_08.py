"""Exercises of chapter 8: right answers written in several ways pass; in wrong ones the fault is named."""

import math

import numpy as np
import pytest
from exercise_verdicts import answer_tests
from sklearn.metrics import roc_auc_score

from palm_course import screening
from palm_utils.metrics import score, sigmoid

pytestmark = pytest.mark.filterwarnings("ignore")  # some answers take the mean of nothing
RIGHT, WRONG = {}, {}


def plan(p, labels, sensitivity, prevalence, up=math.ceil, raises=np.greater_equal, wanted=False, off=1e-9):
    ill = sorted(p[labels == 1], reverse=True)
    threshold = ill[max(0, up(sensitivity * len(ill) - off) - 1)]
    s = sensitivity if wanted else np.mean(raises(p[labels == 1], threshold))
    true, false = s * prevalence, np.mean(raises(p[labels == 0], threshold)) * (1 - prevalence)
    return threshold, true / (true + false)


def plan_by_trying(p, labels, sensitivity, prevalence):
    threshold = max(t for t in p if np.mean(p[labels == 1] >= t) >= sensitivity - 1e-9)
    s, c = np.mean(p[labels == 1] >= threshold), np.mean(p[labels == 0] < threshold)
    return threshold, s * prevalence / (s * prevalence + (1 - c) * (1 - prevalence))


def plan_by_the_course(p, labels, sensitivity, prevalence):
    logits = np.log(p / (1 - p))
    at = score(logits, labels, screening.threshold_for(score(logits, labels), sensitivity) - 1e-9)
    return at.threshold, screening.screen(at.sensitivity, at.specificity, prevalence).predictive_value


RIGHT["8.1"] = [plan, plan_by_trying, plan_by_the_course]
WRONG["8.1"] = [
    (lambda p, y, s, prevalence: plan(p, y, 1.0, prevalence), "finds every diseased eye"),
    (lambda *a: plan(*a, up=math.floor), "one diseased eye too few"),
    (lambda *a: plan(*a, off=0), "take 1e-9 off before rounding up"),
    (lambda *a: plan(*a, wanted=True), "uses the wanted sensitivity"),
    (lambda *a: plan(*a, raises=np.greater), "equals the threshold"),
    (lambda p, y, s, prevalence: plan(p, y, s, np.mean(y)), "not `prevalence`"),
    (lambda p, y, s, prevalence: plan(p, y, s, 0.5), "leaves the prevalence out"),
    (lambda *a: plan(*a)[0], "2 numbers"),
]


def interval(logits, labels, rows, ends=(2.5, 97.5), own=True):
    drawn = [(labels[row] if own else labels, logits[row]) for row in rows]
    return np.percentile([roc_auc_score(*pair) for pair in drawn if len(set(pair[0])) == 2], ends)


def interval_by_ranks(logits, labels, rows):
    values = []
    for row in rows:
        x, y = logits[row], labels[row]
        if y.min() < y.max():
            wins = [(a > b) + 0.5 * (a == b) for a in x[y == 1] for b in x[y == 0]]
            values.append(sum(wins) / len(wins))
    return tuple(np.quantile(values, (0.025, 0.975)))


def interval_with_all_draws(logits, labels, rows):
    auc = [roc_auc_score(labels[row], logits[row]) if len(set(labels[row])) == 2 else math.nan for row in rows]
    return np.percentile(auc, (2.5, 97.5))


RIGHT["8.2"] = [interval, interval_by_ranks]
WRONG["8.2"] = [
    (lambda *a: interval(*a, ends=(5, 95)), "one draw in twenty"),
    (lambda *a: interval(*a, ends=(0, 100)), "least to the largest"),
    (lambda *a: interval(*a, own=False), "not the labels"),
    (interval_with_all_draws, "left out|one class"),
    (lambda logits, labels, rows: roc_auc_score(labels, logits), "2 numbers"),
]


def table(logits, labels, bins=5, probability=sigmoid, absent=np.nan, share=lambda p, y: y):
    p = probability(logits)
    place = np.clip((p * bins).astype(int), 0, bins - 1)
    inside = [place == b for b in range(bins)]
    means = [(p[i].mean(), share(p, labels)[i].mean()) if i.any() else (absent, absent) for i in inside]
    return np.array([(i.sum(), *pair) for i, pair in zip(inside, means, strict=True)])


def by_edges(logits, labels, bins=5):
    p, edges = sigmoid(logits), np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights, minlength=bins) for weights in (p, labels)]
    return np.stack([count, *(part / count for part in sums)], axis=1)


def by_upper_edges(logits, labels, bins=5):
    place = np.clip(np.ceil(sigmoid(logits) * bins).astype(int) - 1, 0, bins - 1)
    sums = [np.bincount(place, weights, minlength=bins) for weights in (np.ones(len(place)), sigmoid(logits), labels)]
    return np.stack([sums[0], *(part / sums[0] for part in sums[1:])], axis=1)


RIGHT["8.3"] = [table, by_edges]
WRONG["8.3"] = [
    (lambda *a: table(*a, probability=lambda x: x.clip(0, 1)), "sigmoid is missing"),
    (lambda *a: table(*a, absent=0.0), "nan, not 0"),
    (lambda *a: table(*a, share=lambda p, y: (p >= 0.5) == y), "predictions are right"),
    (lambda *a: table(*a, share=lambda p, y: 1 - y), "healthy eyes"),
    (lambda *a: table(*a).T, "transposed"),
    (by_upper_edges, "belongs to the upper one"),
    (lambda *a: table(*a)[:, :2], "three columns"),
]

test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
