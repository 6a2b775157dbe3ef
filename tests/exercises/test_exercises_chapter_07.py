"""Exercises of chapter 7: right answers written in several ways pass; in wrong ones the fault is named."""

import math
from functools import partial

import numpy as np
import paddle
from exercise_verdicts import answer_tests, variant

RIGHT, WRONG = {}, {}


def smoothed(logits, labels, epsilon, *, rest=None, right=None):
    """The right loss; the options make usual mistakes: the shares of a wrong and of the right class."""
    count = logits.shape[1]
    shares = np.full(logits.shape, epsilon / count if rest is None else rest(epsilon, count))
    shares[np.arange(len(labels)), labels] = 1 - epsilon + epsilon / count if right is None else right(epsilon, count)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(shares * log_p).sum(axis=1).mean()


def by_two_parts(logits, labels, epsilon):
    """(1 - ε) times the plain loss, and ε times the mean of all classes' losses."""
    shifted = logits.astype("float64") - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1, keepdims=True)) - shifted
    return np.mean((1 - epsilon) * losses[np.arange(len(labels)), labels] + epsilon * losses.mean(axis=1))


def overflowing(logits, labels, epsilon):
    with np.errstate(all="ignore"):
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return -np.mean((1 - epsilon) * np.log(p[np.arange(len(labels)), labels]) + epsilon * np.log(p).mean(axis=1))


def rounded_to_0(logits, labels, epsilon):
    with np.errstate(all="ignore"):
        return overflowing(logits - logits.max(axis=1, keepdims=True), labels, epsilon)


RIGHT["7.1"] = [smoothed, by_two_parts]
WRONG["7.1"] = [
    (overflowing, "exp of a large logit is infinite"),
    (rounded_to_0, "the log of a probability rounded to 0"),
    (lambda z, y, e: smoothed(z, y, 0.0), "not smoothed"),
    (partial(smoothed, right=lambda e, c: 1 - e), "is missing"),
    (partial(smoothed, rest=lambda e, c: e / (c - 1), right=lambda e, c: 1 - e), "wrong classes alone"),
    (partial(smoothed, rest=lambda e, c: e), "they share it"),
    (lambda z, y, e: len(z) * smoothed(z, y, e), "sum over the rows"),
    (lambda z, y, e: -smoothed(z, y, e), "sign is wrong"),
    (lambda z, y, e: smoothed(z, y, e) / z.shape[1], "number of classes as well"),
]


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


RIGHT["7.2"] = [rate, rate_by_table]
WRONG["7.2"] = [
    (partial(rate, begin=0), "one step late(.|\n)*expected: 0.05(.|\n)*came: +0"),
    (partial(rate, over=lambda step, steps, warmup: step / steps), "falls over all steps"),
    (partial(rate, over=lambda step, steps, warmup: (step - warmup) / steps), "divided by all steps"),
    (partial(rate, over=lambda step, steps, warmup: step / (steps - warmup)), "should begin at step warmup"),
    (partial(rate, early=1), "reaches 0 at the last step already"),
    (partial(rate, half=1), "not halved"),
    (partial(rate, fall=lambda over: 0.5 * (1 + math.cos(180 * over))), "radians"),
    (partial(rate, fall=lambda over: 1 - over), "should be half a cosine"),
    (lambda step, steps, warmup, peak: peak * 0.5 * (1 + math.cos(math.pi * step / steps)), "no warm-up"),
]


def top_k(logits, labels, k):
    return np.mean([label in np.argsort(row)[::-1][:k] for row, label in zip(logits, labels.ravel(), strict=True)])


def top_k_by_rank(logits, labels, k):
    own = np.take_along_axis(logits, labels.reshape(-1, 1), axis=1)
    return ((logits > own).sum(axis=1) < k).mean()


def top_k_by_paddle(logits, labels, k):
    metric = paddle.metric.Accuracy(topk=(k,))
    metric.update(metric.compute(paddle.to_tensor(logits), paddle.to_tensor(labels.reshape(-1, 1))))
    return metric.accumulate()


RIGHT["7.4"] = [top_k, top_k_by_rank, top_k_by_paddle]
WRONG["7.4"] = [
    (lambda logits, labels, k: top_k(-logits, labels, k), "smallest logits"),
    (lambda logits, labels, k: top_k(logits, labels, k + 1), "one class too many"),
    (lambda logits, labels, k: top_k(logits, labels, k - 1), "one class too few"),
    (lambda logits, labels, k: top_k(logits, labels, 1), "best class alone"),
    (lambda logits, labels, k: top_k(logits, labels, k) / k, "divides by k"),
    (lambda z, y, k: (np.argsort(-z)[:, :k] == y[:, None]).any(axis=1).mean(), r"every row with every label"),
    (lambda logits, labels, k: 100 * top_k(logits, labels, k), "percentage"),
    (lambda logits, labels, k: len(logits) * top_k(logits, labels, k), "how many rows"),
    (lambda logits, labels, k: np.mean(np.argsort(-logits)[:, k - 1] == labels.ravel()), "k-th best class"),
]


def stop_when_flat(*, late=0, equal=False, against="best", reset=True, base=paddle.callbacks.Callback, start=True):
    """The class asked for; the options make its usual mistakes."""

    class StopWhenFlat(base):
        def __init__(self, patience):
            super().__init__()
            self.patience = patience
            self.begin()

        def begin(self):
            self.best, self.last, self.waited = -1.0, -1.0, 0

        def on_train_begin(self, logs=None):
            if start:
                self.begin()

        def on_eval_end(self, logs=None):
            former = self.best if against == "best" else self.last
            better = logs["acc"] >= former if equal else logs["acc"] > former
            self.waited = (0 if reset else self.waited) if better else self.waited + 1
            self.best, self.last = max(self.best, logs["acc"]), logs["acc"]
            if self.waited >= self.patience + late:
                self.model.stop_training = True

    return StopWhenFlat


class ByHistory(paddle.callbacks.Callback):
    def __init__(self, patience):
        super().__init__()
        self.patience = patience

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_eval_end(self, logs=None):
        self.seen.append(logs["acc"])
        first_best = int(np.argmax(self.seen))  # the first of equals
        self.model.stop_training = len(self.seen) - 1 - first_best >= self.patience


class ByEarlyStopping(paddle.callbacks.EarlyStopping):
    def __init__(self, patience):
        super().__init__("acc", mode="max", patience=patience, verbose=0, save_best_model=False)


RIGHT["7.3"] = [stop_when_flat(), ByHistory, ByEarlyStopping]
WRONG["7.3"] = [
    (stop_when_flat(late=1), r"one validation more than `patience`(.|\n)*epochs of a training with StopWhenFlat\(\d\)"),
    (variant(stop_when_flat(), __init__=lambda self: None), r"cannot be called this way(.|\n)*StopWhenFlat\(2\)"),
    (stop_when_flat(late=-1), "one validation too early"),
    (stop_when_flat(equal=True), "only equals the best"),
    (stop_when_flat(against="last"), "compares with the validation before"),
    (stop_when_flat(reset=False), "set the count back to 0"),
    (stop_when_flat(start=False), "still remembers the first"),
    (variant(stop_when_flat(), on_eval_end=lambda self, logs=None: True), "never stops"),
    (stop_when_flat(base=object), r"derived from paddle\.callbacks\.Callback"),
    (lambda patience: stop_when_flat()(patience), r"derived from paddle\.callbacks\.Callback"),
]

test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
