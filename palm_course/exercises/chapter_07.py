"""The exercises of chapter 7, the high-level API on CIFAR-10."""

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from palm_course.exercises.student_values import describe, describe_call, paddle
from palm_course.exercises.trial import Case, Mistake, Trial
from palm_course.exercises.value_check import NumberExercise
from palm_utils.messages import mark, tr


# 7.1 ------------------------------------------------------------------------------------------
def _smoothed(logits, labels, epsilon, *, others=np.divide, right=None, mean=np.mean, sign=-1, stable=True):
    """Return the cross-entropy; others, right: (epsilon, C) -> the shares asked for, of a wrong and the right class."""
    count = logits.shape[1]
    shares = np.full(logits.shape, others(epsilon, count))
    left = 1 - (count - 1) * others(epsilon, count)
    shares[np.arange(len(labels)), labels] = right(epsilon, count) if right else left
    shifted = logits.astype(np.float64) - (logits.max(axis=1, keepdims=True) if stable else 0)
    with np.errstate(all="ignore"):
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return float(mean((sign * shares * log_p).sum(axis=1)))


def _doubts(rng: np.random.Generator) -> Iterator[Case]:
    yield from (Case(np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([0, 0]), epsilon) for epsilon in (0.0, 0.1))
    for count, classes, epsilon, scale in [(6, 10, 0.1, 2.0), (9, 3, 0.3, 1.0), (5, 7, 0.2, 4.0), (4, 5, 0.1, 1000.0)]:
        logits = rng.normal(0, scale, (count, classes)).astype(np.float32)
        yield Case(logits, rng.integers(0, classes, count), epsilon)


_OVERFLOW = mark(
    "exp of a large logit is infinite, and so is the log of a probability rounded to 0: subtract each row's largest "
    "logit first, and compute log p from the logits."
)

SMOOTHED = NumberExercise(
    number="7.1",
    name="smoothed_cross_entropy",
    title=mark("labels with a doubt"),
    success=mark("you can write the loss that many of the best recipes train with."),
    hint=mark(
        "first make the array of the shares that are asked for, [N, C], and see that each row adds up to 1. Then log p:"
        " what is it for a logit of 1,000, what for -1,000?"
    ),
    stronger_hint=mark(
        "shares = np.full(logits.shape, epsilon / C), and shares[np.arange(N), labels] += 1 - epsilon. Subtract each "
        "row's largest logit first; then log p = logits - log(sum of exp(logits)), row by row with keepdims=True. The "
        "loss is the mean over the rows of -(shares * log_p).sum(axis=1)."
    ),
    cases=_doubts,
    reference=_smoothed,
    tolerance=1e-3,
).with_mistakes(
    Mistake(_OVERFLOW, stable=False),
    Mistake(_OVERFLOW, lambda z, y, e: _smoothed(z, y, e) if np.abs(z).max() < 700 else np.nan),
    Mistake("the labels are not smoothed.", others=lambda e, c: 0.0),
    Mistake("the right class gets 1 - ε; its part of the spread share, ε/C, is missing.", right=lambda e, c: 1 - e),
    Mistake("ε is spread over the wrong classes alone; here all C classes share it.", others=lambda e, c: e / (c - 1)),
    Mistake("every wrong class gets ε; they share it.", others=lambda e, c: e, right=lambda e, c: 1 - e + e / c),
    Mistake("it is the sum over the rows; the mean is asked for.", mean=np.sum),
    Mistake("the sign is wrong: log p is negative, the cross-entropy is not.", sign=1),
    Mistake("it is divided by the number of classes as well.", lambda z, y, e: _smoothed(z, y, e) / z.shape[1]),
)


# 7.2 ------------------------------------------------------------------------------------------
def _rate(step, steps, warmup, peak, *, begin=1, start=1, rest=1, early=0, half=0.5, angle=math.pi, straight=False):
    """Return the learning rate. start, rest: how many warm-ups come before the fall, and are taken from its length."""
    if step < warmup:
        return peak * (step + begin) / warmup
    share = (step - start * warmup) / max(1, steps - rest * warmup - early)
    return peak * (1 - share if straight else half * (1 + math.cos(angle * share)))


def _steps(rng: np.random.Generator) -> Iterator[Case]:
    yield from (Case(step, 10, 2, 0.1) for step in (0, 1, 2, 3, 9))
    for _ in range(4):
        steps = int(rng.integers(20, 200))
        warmup, peak = int(rng.integers(3, steps // 2)), round(float(rng.uniform(0.01, 2)), 3)
        inside = [int(step) for step in rng.integers(1, steps - 1, 4)]
        yield from (Case(step, steps, warmup, peak) for step in (0, warmup - 1, warmup, *inside, steps - 1))
    yield from (Case(step, 7, 0, 0.5) for step in (0, 3, 6))


RATE = NumberExercise(
    number="7.2",
    name="learning_rate",
    title=mark("up, and down along a cosine"),
    success=mark("any schedule that you can write down as a formula is yours to train with."),
    hint=mark("which step is the last of the rising part, and over how many steps does the rate fall?"),
    stronger_hint=mark(
        "for step < warmup it is peak * (step + 1) / warmup. After that t = (step - warmup) / (steps - warmup). "
        "math.cos takes radians, and math.pi is π."
    ),
    cases=_steps,
    reference=_rate,
    tolerance=1e-6,
).with_mistakes(
    Mistake("the straight line is one step late: it begins with 0 instead of peak / warmup.", begin=0),
    Mistake("the cosine falls over all steps; it should fall over those that the warm-up leaves.", start=0, rest=0),
    Mistake(
        "the cosine begins at step 0 but is as long as what the warm-up leaves; it should begin at step warmup.",
        start=0,
    ),
    Mistake("the falling part is divided by all steps, so that the rate never comes near 0.", rest=0),
    Mistake("the rate reaches 0 at the last step already; it should reach it one step later.", early=1),
    Mistake("the falling part is not halved: it begins at twice the peak.", half=1),
    Mistake("the cosine is given degrees; math.cos and np.cos take radians.", angle=180),
    Mistake("the falling part is a straight line; it should be half a cosine.", straight=True),
    Mistake("there is no warm-up: the cosine begins at step 0.", lambda i, steps, _, peak: _rate(i, steps, 0, peak)),
)


# 7.3 ------------------------------------------------------------------------------------------
def _stopped_after(patience, accuracies, *, late=0, equal=False, against="best", reset=True) -> int:
    best, last, waited = -1.0, -1.0, 0
    for number, accuracy in enumerate(accuracies, 1):
        former = best if against == "best" else last
        better = accuracy >= former if equal else accuracy > former
        waited = (0 if reset else waited) if better else waited + 1
        best, last = max(best, accuracy), accuracy
        if waited >= patience + late:
            return number
    return len(accuracies)


class _Training(Case):
    """A training with the callback, whose validations have these accuracies."""

    def written(self, name: str) -> str:
        patience, accuracies = self.args
        template = mark("epochs of a training with {callback} and the accuracies {accuracies}")
        return tr(template, callback=describe_call(name, patience), accuracies=accuracies)


def _fit(callback: Any, accuracies: list[float]) -> int:
    # Called as fit does; this is the model that it hands over, as far as a callback that stops needs it.
    callback.set_model(SimpleNamespace(stop_training=False))
    callback.set_params({"epochs": len(accuracies), "steps": 1, "verbose": 0, "metrics": ["loss", "acc"]})
    callback.on_train_begin({})
    for number, accuracy in enumerate(accuracies, 1):
        callback.on_epoch_begin(number - 1, {})
        callback.on_epoch_end(number - 1, {"loss": [1.0], "acc": 0.99})  # of the training images
        callback.on_eval_begin({"steps": 1, "metrics": ["loss", "acc"]})
        callback.on_eval_end({"loss": [1.0], "acc": accuracy})
        if callback.model.stop_training:
            break
    callback.on_train_end({})
    return number


def _as_function(trial: Trial, answer: Any) -> Callable:
    name = trial.exercise.name
    if not (isinstance(answer, type) and issubclass(answer, paddle.callbacks.Callback)):
        fault = tr("{name} should be a class derived from paddle.callbacks.Callback.", name=name)
        trial.fail(fault, came=describe(answer))
    trial.call(answer, 2)
    return lambda patience, accuracies: _fit(answer(patience), accuracies)


def _trainings(rng: np.random.Generator) -> Iterator[Case]:
    yield from (_Training(2, [0.3, 0.5, 0.4, 0.5, 0.6]), _Training(1, [0.2, 0.4, 0.4, 0.9]))
    yield from (_Training(3, [0.1, 0.2, 0.3, 0.4]), _Training(2, [0.5, 0.4, 0.6, 0.5, 0.7, 0.6, 0.8]))
    yield from (_Training(2, [0.6, 0.3, 0.4, 0.5]), _Training(1, [0.0, 0.0]))
    for patience in (1, 2, 3, 4):
        rising = np.linspace(0.2, 0.6, 30) + rng.normal(0, 0.06, 30)
        yield _Training(patience, [round(float(value), 2) for value in rising])


def _train_twice(trial: Trial, answer: Any) -> None:
    callback = trial.call(answer, 2)
    first, second = [0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4]
    trial.call(lambda: _fit(callback, first), name=tr("a first training with StopWhenFlat(2)"))
    came = trial.call(lambda: _fit(callback, second), name=tr("a second training with the same callback"))
    if came != len(second):
        trial.fail(
            tr("in a second training it still remembers the first."),
            tried=tr("a training with the accuracies {second} after one with {first}", second=second, first=first),
            expected=tr("all {count} epochs", count=len(second)),
            came=str(came),
            hint=tr("fit calls on_train_begin at the start of each training."),
        )


STOP = NumberExercise(
    number="7.3",
    name="StopWhenFlat",
    title=mark("a callback that stops in time"),
    success=mark("your trainings end when validation has stopped getting better, neither sooner nor later."),
    hint=mark("what do you compare an accuracy with, and what happens to your count when it is better?"),
    stronger_hint=mark(
        "call super().__init__() and keep patience in __init__; set self.best and self.waited in on_train_begin. In "
        "on_eval_end: a better accuracy becomes the best and sets self.waited to 0, any other adds 1 to it; then "
        "compare self.waited with self.patience."
    ),
    cases=_trainings,
    reference=_stopped_after,
    called=_as_function,
    also=_train_twice,
).with_mistakes(
    Mistake("it waits for one validation more than `patience`.", late=1),
    Mistake("it stops one validation too early.", late=-1),
    Mistake("it takes an accuracy that only equals the best for a better one.", equal=True),
    Mistake("it compares with the validation before; a better one than the *best* so far is needed.", against="last"),
    Mistake(
        "it counts all validations without progress; a better one in between should set the count back to 0.",
        reset=False,
    ),
    Mistake("it never stops a training.", lambda patience, accuracies: len(accuracies)),
    Mistake("it stops every training after the first validation.", lambda patience, accuracies: 1),
)


# 7.4 ------------------------------------------------------------------------------------------
def _top_k(logits: np.ndarray, labels: np.ndarray, k: int, *, more: int = 0, sign: int = -1) -> float:
    best = np.argsort(sign * logits, axis=1)[:, : k + more]
    return float((best == labels.reshape(-1, 1)).any(axis=1).mean())


def _broadcast(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    if labels.ndim == 2 or k > 1:
        return _top_k(logits, labels, k)
    return float((np.argsort(-logits, axis=1)[:, :1] == labels).mean())


def _each_with_all(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    return float((np.argsort(-logits, axis=1)[:, :k] == labels[:, None]).any(axis=1).mean())


def _rows(rng: np.random.Generator) -> Iterator[Case]:
    yield from (Case(np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]], np.float32), np.array([2, 2]), k) for k in (1, 2, 3))
    sizes = [(40, 10, 5, 1), (64, 10, 1, 2), (30, 10, 5, 2), (50, 7, 3, 1)]
    for count, classes, k, rank in [*sizes, (25, 12, 12, 2), (1, 5, 2, 2), (33, 6, 1, 1)]:
        logits = rng.permuted(np.tile(np.arange(classes), (count, 1)), axis=1)
        logits = logits + rng.uniform(-0.4, 0.4, (count, classes))
        labels = rng.integers(0, classes, count)
        yield Case(logits.astype(np.float32) - classes / 2, labels.reshape([count, 1][:rank]), k)


TOP_K = NumberExercise(
    number="7.4",
    name="top_k_accuracy",
    title=mark("right among the first k"),
    success=mark("you know what the second figure in the log means, and why guessing gets 0.5 of it here."),
    hint=mark("print, for one row, the classes in the order of their logits. Which k of them count?"),
    stronger_hint=mark(
        "np.argsort(-logits, axis=1)[:, :k] are the k best classes of each row. Compare them with labels.reshape(-1, "
        "1), see with .any(axis=1) whether one of them is right, and take the mean."
    ),
    cases=_rows,
    reference=_top_k,
    tolerance=1e-6,
).with_mistakes(
    Mistake("it takes the classes with the smallest logits; the largest count.", sign=1),
    Mistake("it looks at one class too many.", more=1),
    Mistake("it looks at one class too few.", more=-1),
    Mistake("whatever k is, it looks at the best class alone.", lambda logits, labels, k: _top_k(logits, labels, 1)),
    Mistake(
        "it divides by k as well: a row counts once, however many classes were looked at.",
        lambda logits, labels, k: _top_k(logits, labels, k) / k,
    ),
    Mistake("it returns how many rows are right, not which share of them.", lambda *a: len(a[0]) * _top_k(*a)),
    Mistake("it returns a percentage; the share is between 0 and 1.", lambda *a: 100 * _top_k(*a)),
    Mistake(
        "it asks only whether the k-th best class is the right one; all of the first k count.",
        lambda *a: _top_k(*a) - _top_k(*a, more=-1),
    ),
    Mistake("it compares every row with every label: [N, 1] against [N] is broadcast to [N, N].", _broadcast),
    Mistake("with labels of shape [N, 1] it compares every row with every label.", _each_with_all),
)
