"""Exercises 7.2 and 7.4: the reference passes, so do other right ways; wrong answers are named."""

import math

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference


@pytest.mark.parametrize("number", ["7.2", "7.4"])
def test_reference_solution_passes(number):
    assert_right(number, reference(number, {"math": math, "np": np}))


# 7.2 ------------------------------------------------------------------------------------------


def rate(step, steps, warmup, peak, *, begin=1, early=0, over=None, half=0.5, fall=None):
    """The right schedule; the options make its usual mistakes."""
    if step < warmup:
        return peak * (step + begin) / warmup
    over = over(step, steps, warmup) if over else (step - warmup) / max(1, steps - warmup - early)
    return peak * (fall(over) if fall else half * (1 + math.cos(math.pi * over)))


def rate_by_table(step, steps, warmup, peak):
    rising = np.linspace(0, peak, warmup + 1)[1:]
    falling = peak * np.cos(np.pi / 2 * np.linspace(0, 1, steps - warmup, endpoint=False)) ** 2
    return np.concatenate([rising, falling])[step]


def rate_by_squares(step, steps, warmup, peak):
    if step + 1 <= warmup:
        return np.float64(peak / warmup) * (1 + step)
    return peak * np.cos(np.pi * (step - warmup) / (2 * (steps - warmup))) ** 2


@pytest.mark.parametrize("answer", [rate, rate_by_table, rate_by_squares])
def test_rate_in_other_right_ways(answer):
    assert_right("7.2", answer)


def with_options(**options):
    return lambda step, steps, warmup, peak: rate(step, steps, warmup, peak, **options)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (with_options(begin=0), "one step late(.|\n)*expected: 0.05(.|\n)*came: +0"),
        (with_options(over=lambda step, steps, warmup: step / steps), "falls over all steps"),
        (with_options(over=lambda step, steps, warmup: (step - warmup) / steps), "divided by all steps"),
        (with_options(over=lambda step, steps, warmup: step / (steps - warmup)), "should begin at step warmup"),
        (with_options(early=1), "reaches 0 at the last step already"),
        (with_options(half=1), "not halved"),
        (with_options(fall=lambda over: 0.5 * (1 + math.cos(180 * over))), "radians"),
        (with_options(fall=lambda over: 1 - over), "should be half a cosine"),
        (lambda step, steps, warmup, peak: peak * 0.5 * (1 + math.cos(math.pi * step / steps)), "no warm-up"),
        (lambda step, steps, warmup, peak: {0: 0.05, 1: 0.1, 2: 0.1, 3: 0.0962}.get(step, 0.0), "right for"),
        (lambda step, steps, warmup, peak: peak * (step + 1) / warmup, "right for|raises ZeroDivisionError"),
        (lambda step, steps, warmup, peak: [rate(step, steps, warmup, peak)] * 2, "one number"),
    ],
)
def test_rate_wrong(answer, words):
    assert_wrong("7.2", answer, words)


# 7.4 ------------------------------------------------------------------------------------------


def top_k(logits, labels, k):
    return np.mean([label in np.argsort(row)[::-1][:k] for row, label in zip(logits, labels.ravel(), strict=True)])


def top_k_by_rank(logits, labels, k):
    own = np.take_along_axis(logits, labels.reshape(-1, 1), axis=1)
    return ((logits > own).sum(axis=1) < k).mean()


def top_k_by_paddle(logits, labels, k):
    paddle = pytest.importorskip("paddle")
    metric = paddle.metric.Accuracy(topk=(k,))
    metric.update(metric.compute(paddle.to_tensor(logits), paddle.to_tensor(labels.reshape(-1, 1))))
    return metric.accumulate()


@pytest.mark.parametrize("answer", [top_k, top_k_by_rank, top_k_by_paddle])
def test_top_k_in_other_right_ways(answer):
    assert_right("7.4", answer)


def top_k_in_place(logits, labels, k):
    logits *= -1
    return (np.argsort(logits, axis=1)[:, :k] == labels.reshape(-1, 1)).any(axis=1).mean()


def kth_alone(logits, labels, k):
    return np.mean(np.argsort(-logits, axis=1)[:, k - 1] == labels.ravel())


def without_reshape(logits, labels, k):
    best = np.argsort(-logits, axis=1)[:, :k]
    return np.mean([np.isin(labels, row).mean() for row in best])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda logits, labels, k: top_k(-logits, labels, k), "smallest logits"),
        (lambda logits, labels, k: top_k(logits, labels, k + 1), "one class too many"),
        (lambda logits, labels, k: top_k(logits, labels, k - 1), "one class too few"),
        (lambda logits, labels, k: top_k(logits, labels, 1), "best class alone"),
        (lambda logits, labels, k: top_k(logits, labels, k) / k, "divides by k"),
        (lambda logits, labels, k: 100 * top_k(logits, labels, k), "percentage"),
        (lambda logits, labels, k: len(logits) * top_k(logits, labels, k), "how many rows"),
        (kth_alone, "k-th best class"),
        (without_reshape, "right for"),
        (top_k_in_place, "changes its input"),
        (lambda logits, labels, k: 0.5, "same answer whatever"),
        (lambda logits, labels, k: print(top_k(logits, labels, k)), "returns nothing"),
    ],
)
def test_top_k_wrong(answer, words):
    assert_wrong("7.4", answer, words)
