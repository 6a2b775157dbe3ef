"""How the answers to exercises 7.2 and 7.4 are judged."""

import math
from typing import Any

import numpy as np

from palm_course.exercises.trial import Case, Mistake, Trial

# 7.2 ------------------------------------------------------------------------------------------


def _rate(step: int, steps: int, warmup: int, peak: float) -> float:
    return peak * (step + 1) / warmup if step < warmup else _fall(step - warmup, steps - warmup, peak)


def _fall(step: float, steps: float, peak: float) -> float:
    return peak * 0.5 * (1 + math.cos(math.pi * step / steps))


_RATE_MISTAKES = [
    Mistake(
        "the straight line is one step late: it begins with 0 instead of peak / warmup.",
        lambda step, steps, warmup, peak: peak * step / warmup if step < warmup else _rate(step, steps, warmup, peak),
    ),
    Mistake(
        "the cosine falls over all steps; it should fall over those that the warm-up leaves.",
        lambda step, steps, warmup, peak: peak * (step + 1) / warmup if step < warmup else _fall(step, steps, peak),
    ),
    Mistake(
        "the cosine begins at step 0 but is as long as what the warm-up leaves; it should begin at step warmup.",
        lambda step, steps, warmup, peak: (
            peak * (step + 1) / warmup if step < warmup else _fall(step, steps - warmup, peak)
        ),
    ),
    Mistake(
        "the falling part is divided by all steps, so that the rate never comes near 0.",
        lambda step, steps, warmup, peak: (
            peak * (step + 1) / warmup if step < warmup else _fall(step - warmup, steps, peak)
        ),
    ),
    Mistake(
        "the rate reaches 0 at the last step already; it should reach it one step later.",
        lambda step, steps, warmup, peak: (
            peak * (step + 1) / warmup if step < warmup else _fall(step - warmup, max(1, steps - warmup - 1), peak)
        ),
    ),
    Mistake(
        "the falling part is not halved: it begins at twice the peak.",
        lambda step, steps, warmup, peak: _rate(step, steps, warmup, peak) * (1 if step < warmup else 2),
    ),
    Mistake(
        "the cosine is given degrees; math.cos and np.cos take radians.",
        lambda step, steps, warmup, peak: (
            peak * (step + 1) / warmup
            if step < warmup
            else peak * 0.5 * (1 + math.cos(180 * (step - warmup) / (steps - warmup)))
        ),
    ),
    Mistake(
        "the falling part is a straight line; it should be half a cosine.",
        lambda step, steps, warmup, peak: (
            peak * (step + 1) / warmup if step < warmup else peak * (1 - (step - warmup) / (steps - warmup))
        ),
    ),
    Mistake(
        "there is no warm-up: the cosine begins at step 0.",
        lambda step, steps, warmup, peak: _fall(step, steps, peak),
    ),
]


def judge_rate(trial: Trial, answer: Any) -> None:
    """Check 7.2 at the ends of both parts and between, with and without warm-up."""
    rng = np.random.default_rng(72)
    cases = [Case((step, 10, 2, 0.1)) for step in (0, 1, 2, 3, 9)]
    for _ in range(4):
        steps = int(rng.integers(20, 200))
        warmup, peak = int(rng.integers(3, steps // 2)), round(float(rng.uniform(0.01, 2)), 3)
        inside = [int(step) for step in rng.integers(1, steps - 1, 4)]
        cases += [Case((step, steps, warmup, peak)) for step in (0, warmup - 1, warmup, *inside, steps - 1)]
    cases += [Case((step, 7, 0, 0.5)) for step in (0, 3, 6)]
    trial.compare(answer, cases, _rate, _without_zero_division(_RATE_MISTAKES), tolerance=1e-6)


def _without_zero_division(mistakes: list[Mistake]) -> list[Mistake]:
    """Let the mistakes give nan where they divide by a warm-up of 0."""

    def guarded(function):
        def call(*args):
            try:
                return function(*args)
            except ZeroDivisionError:
                return math.nan

        return call

    return [Mistake(mistake.fault, guarded(mistake.function)) for mistake in mistakes]


# 7.4 ------------------------------------------------------------------------------------------


def _top_k(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    best = np.argsort(-logits, axis=1)[:, :k]
    return float((best == labels.reshape(-1, 1)).any(axis=1).mean())


def _broadcast(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    if labels.ndim == 2 or k > 1:
        return _top_k(logits, labels, k)
    return float((np.argsort(-logits, axis=1)[:, :1] == labels).mean())


_TOP_K_MISTAKES = [
    Mistake(
        "it takes the classes with the smallest logits; the largest count.",
        lambda logits, labels, k: _top_k(-logits, labels, k),
    ),
    Mistake(
        "it looks at one class too many.",
        lambda logits, labels, k: _top_k(logits, labels, k + 1),
    ),
    Mistake(
        "it looks at one class too few.",
        lambda logits, labels, k: _top_k(logits, labels, k - 1),
    ),
    Mistake(
        "whatever k is, it looks at the best class alone.",
        lambda logits, labels, k: _top_k(logits, labels, 1),
    ),
    Mistake(
        "it divides by k as well: a row counts once, however many classes were looked at.",
        lambda logits, labels, k: _top_k(logits, labels, k) / k,
    ),
    Mistake(
        "it returns how many rows are right, not which share of them.",
        lambda logits, labels, k: _top_k(logits, labels, k) * len(logits),
    ),
    Mistake(
        "it returns a percentage; the share is between 0 and 1.",
        lambda logits, labels, k: 100 * _top_k(logits, labels, k),
    ),
    Mistake(
        "it asks only whether the k-th best class is the right one; all of the first k count.",
        lambda logits, labels, k: _top_k(logits, labels, k) - (_top_k(logits, labels, k - 1) if k > 1 else 0),
    ),
    Mistake(
        "it compares every row with every label: [N, 1] against [N] is broadcast to [N, N].",
        _broadcast,
    ),
]


def judge_top_k(trial: Trial, answer: Any) -> None:
    """Check 7.4 for several sizes, both shapes of the labels and k from 1 to the number of classes."""
    rng = np.random.default_rng(74)
    example = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]], np.float32)
    cases = [Case((example, np.array([2, 2]), k)) for k in (1, 2, 3)]
    for count, classes, k, rank in [
        (40, 10, 5, 1),
        (64, 10, 1, 2),
        (30, 10, 5, 2),
        (50, 7, 3, 1),
        (25, 12, 12, 2),
        (1, 5, 2, 2),
        (33, 6, 1, 1),
    ]:
        logits = rng.permuted(np.tile(np.arange(classes), (count, 1)), axis=1) + rng.uniform(
            -0.4, 0.4, (count, classes)
        )
        labels = rng.integers(0, classes, count)
        cases.append(Case((logits.astype(np.float32) - classes / 2, labels.reshape([count, 1][:rank]), k)))
    trial.compare(answer, cases, _top_k, _TOP_K_MISTAKES, tolerance=1e-6)
