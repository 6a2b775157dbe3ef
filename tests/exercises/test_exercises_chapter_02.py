"""Exercises of chapter 2: right answers written in several ways pass; in wrong ones the fault is named."""

import cv2
import numpy as np
import paddle
import pytest
from exercise_verdicts import answer_tests

pytestmark = pytest.mark.filterwarnings("ignore")  # some answers take the mean of nothing
RIGHT, WRONG = {}, {}


def hold_out(groups, count, enough=lambda held_out, number, count: sum(held_out) >= count):
    held_out = [False] * len(groups)
    for number, group in enumerate(sorted(set(groups.tolist()))):
        if enough(held_out, number, count):
            break
        held_out = [held or its == group for held, its in zip(held_out, groups, strict=True)]
    return np.array(held_out)


def hold_out_by_count(groups, count):
    held_out, number = np.zeros(len(groups), bool), 0
    while held_out.sum() < count and number < len(groups):
        held_out |= groups == number
        number += 1
    return held_out


RIGHT["2.1"] = [hold_out, lambda groups, count: hold_out(groups, count).tolist()]
WRONG["2.1"] = [
    (lambda groups, count: np.arange(len(groups)) < count, "tears groups apart"),
    (lambda groups, count: hold_out(groups, count, lambda _, number, count: number >= count), "number of photographs"),
    (lambda groups, count: hold_out(groups, count, lambda held, number, count: sum(held) > count), "a group too many"),
    (lambda groups, count: ~hold_out(groups, count), "exchanged"),
    (hold_out_by_count, "other photographs"),
    (lambda groups, count: hold_out(groups, count).astype(int), "dtype is wrong"),
    (lambda groups, count: np.flatnonzero(hold_out(groups, count)), "shape is wrong"),
    (lambda groups, count: np.zeros(len(groups), bool), "other photographs"),
]


def accuracy_by_paddle(logits, labels):
    positive = paddle.nn.functional.sigmoid(paddle.to_tensor(logits).reshape([-1])) > 0.5
    return paddle.mean((positive.astype("int64") == paddle.to_tensor(labels.astype("int64").ravel())).astype("float32"))


def accuracy(logits, labels, threshold=0.0):
    return np.mean((logits.reshape(-1) > threshold) == labels.reshape(-1))


RIGHT["2.2"] = [accuracy, accuracy_by_paddle]
WRONG["2.2"] = [
    (lambda z, y: np.mean(np.argmax(z.reshape(len(z), -1), axis=1) == y.reshape(-1)), "always answers class 0"),
    (lambda logits, labels: accuracy(logits, labels, threshold=0.5), "0.5 is meant for its sigmoid"),
    (lambda logits, labels: np.mean((logits > 0) == labels), "broadcast"),
    (lambda logits, labels: np.mean((logits.ravel() >= 0) == labels.ravel()), r"right for \d+ of the"),
    (lambda logits, labels: 100 * accuracy(logits, labels), "percentage"),
    (lambda logits, labels: labels.size * accuracy(logits, labels), "how many"),
    (lambda logits, labels: 1 - accuracy(logits, labels), "wrong way round"),
    (lambda logits, labels: print(accuracy(logits, labels)), "returns nothing(.|\n)*printed: 0.75"),
]


def rates(predictions, labels, absent=float("nan")):
    found, let_go = predictions[labels == 1] == 1, predictions[labels == 0] == 0
    return tuple(part.mean() if part.size else absent for part in (found, let_go))


def rates_by_scikit_learn(predictions, labels):
    metrics = pytest.importorskip("sklearn.metrics")
    return [metrics.recall_score(labels, predictions, pos_label=label, zero_division=np.nan) for label in (1, 0)]


RIGHT["2.3"] = [rates, rates_by_scikit_learn, lambda p, y: (np.mean(p[y == 1]), 1 - np.mean(p[y == 0]))]
WRONG["2.3"] = [
    (lambda predictions, labels: rates(predictions, labels)[::-1], "exchanged"),
    (lambda predictions, labels: rates(predictions, labels, absent=0.0), "nan, not 0"),
    (lambda predictions, labels: rates(predictions, labels, absent=1.0), "nan, not 1"),
    (lambda predictions, labels: rates(labels, predictions), "predictive value"),
    (lambda p, y: (np.mean(p * y), np.mean((1 - p) * (1 - y))), "number of all eyes"),
    (lambda predictions, labels: 1 - np.array(rates(predictions, labels)), "missed instead of"),
    (lambda predictions, labels: np.mean(predictions == labels), "2 numbers"),
]


def keep_aspect(img, size=224, pad=0, interpolation=cv2.INTER_LINEAR, rounding=round):
    """Return uint8 [size, size, 3] by the way that most would choose."""
    height, width = img.shape[:2]
    factor = size / max(height, width)
    new = rounding(height * factor), rounding(width * factor)
    small = cv2.resize(img, new[::-1], interpolation=interpolation)
    top, left = (size - new[0]) // 2, (size - new[1]) // 2
    bottom, right = size - new[0] - top, size - new[1] - left
    return cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(pad,) * 3)


def to_chw(img):
    return (img.astype(np.float32) / 255 * 2 - 1).transpose(2, 0, 1)


def keeping(**options):
    return lambda img, size=224: to_chw(keep_aspect(img, size, **options))


def pad_first(img, size=224):
    height, width = img.shape[:2]
    longer = max(height, width)
    square = np.zeros((longer, longer, 3), np.uint8)
    top, left = (longer - height + 1) // 2, (longer - width + 1) // 2
    square[top : top + height, left : left + width] = img
    return to_chw(cv2.resize(square, (size, size)))


def scale_first(img, size=224):
    height, width = img.shape[:2]
    factor = size / max(height, width)
    values = (img.astype(np.float32) - 127.5) / 127.5
    small = cv2.resize(values, (max(1, int(width * factor)), max(1, int(height * factor))))
    result = -np.ones((3, size, size), np.float32)
    top, left = (size - small.shape[0] + 1) // 2, (size - small.shape[1] + 1) // 2
    result[:, top : top + small.shape[0], left : left + small.shape[1]] = small.transpose(2, 0, 1)
    return result


RIGHT["2.4"] = [
    pad_first,
    scale_first,
    *(keeping(interpolation=way) for way in (cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC)),
    *(keeping(interpolation=way) for way in (cv2.INTER_LANCZOS4, cv2.INTER_NEAREST)),
    keeping(rounding=lambda side: int(side + 0.999)),
]


def shrunk(img, size, side=max):
    factor = size / side(img.shape[:2])
    return cv2.resize(img, (round(img.shape[1] * factor), round(img.shape[0] * factor)))


def in_the_corner(img, size=224):
    small, square = shrunk(img, size), np.zeros((size, size, 3), np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    return to_chw(square)


def cropped(img, size=224):
    small = shrunk(img, size, min)
    top, left = (small.shape[0] - size) // 2, (small.shape[1] - size) // 2
    return to_chw(small[top : top + size, left : left + size])


def beside_the_middle(img, size=224, by=2):
    return np.roll(to_chw(keep_aspect(img, size)), by, axis=1 if img.shape[0] < img.shape[1] else 2)


def not_enlarged(img, size=224):
    height, width = img.shape[:2]
    longest = max(height, width, size)
    square, (top, left) = np.zeros((longest, longest, 3), np.uint8), ((longest - height) // 2, (longest - width) // 2)
    square[top : top + height, left : left + width] = img
    return to_chw(square if longest == size else cv2.resize(square, (size, size)))


def replicated(img, size=224):
    small = shrunk(img, size)
    rows, columns = (size - side for side in small.shape[:2])
    sides = rows // 2, rows - rows // 2, columns // 2, columns - columns // 2
    return to_chw(cv2.copyMakeBorder(small, *sides, cv2.BORDER_REPLICATE))


def grey_border(img, size=224):
    result = scale_first(img, size)
    result[:, keep_aspect(np.full_like(img, 255), size)[:, :, 0] == 0] = 0
    return result


WRONG["2.4"] = [
    (lambda img, size=224: to_chw(cv2.resize(img, (size, size))), "squeezes"),
    (cropped, "cuts off the ends"),
    (in_the_corner, "in the corner"),
    (grey_border, "border is grey"),
    (beside_the_middle, "not those of the resized"),
    (not_enlarged, "small photographs stay small"),
    (replicated, "not those of the resized"),
    (lambda img, size=224: keep_aspect(img, size).transpose(2, 0, 1).astype(np.float32) / 128 - 1, "not those of"),
    (keeping(pad=255), "border is white"),
    (lambda img, size=224: to_chw(keep_aspect(img, size)[:, :, ::-1]), "reordered to RGB"),
    (lambda img, size=224: (to_chw(keep_aspect(img, size)) + 1) / 2, r"in \[0, 1\]"),
    (lambda img, size=224: keep_aspect(img, size).transpose(2, 0, 1).astype(np.float32), "still 0…255"),
    (lambda img, size=224: keep_aspect(img, size).astype(np.float32) / 127.5 - 1, "last axis"),
    (lambda img, size=224: to_chw(keep_aspect(img, size)).astype(np.float64), "dtype is wrong"),
    (lambda img, size=224: to_chw(keep_aspect(img, 224)), "square of `size` pixels"),
    (lambda img, size=224: to_chw(keep_aspect(img, size))[np.newaxis], "batch axis"),
    (lambda img, size=224: to_chw(keep_aspect(img, size)).transpose(0, 2, 1), "not those of the resized"),
    (lambda img, size=224: [img, size], "array of numbers"),
]


def batches(images, labels, order, batch_size=10, follow=True, last=True):
    for start in range(0, len(order) if last else len(order) - len(order) % batch_size, batch_size):
        chosen = order[start : start + batch_size]
        truth = [labels[i] for i in chosen] if follow else labels[start : start + batch_size]
        yield images[chosen], np.array(truth, "float32")[:, None]


def piling(images, labels, order, batch_size=10):
    seen = np.zeros((0, 1), "float32")
    for some, truth in batches(images, labels, order, batch_size):
        seen = np.concatenate([seen, truth])
        yield some, seen


def by_arrays(images, labels, order, batch_size=10):
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        yield images[chosen], labels[chosen].reshape(-1, 1).astype("float32")


def yielding(change):
    return lambda *args: (change(some, truth) for some, truth in batches(*args))


RIGHT["2.5"] = [batches, by_arrays, lambda *args: list(batches(*args))]
WRONG["2.5"] = [
    (lambda *args: batches(*args, follow=False), "do not follow `order`(.|\n)*expected: +photographs . labels"),
    (lambda *args: batches(*args, last=False), "left over at the end"),
    (lambda *args: batches(*args, follow=False, last=False), "do not follow"),
    (piling, "earlier batches come again"),
    (yielding(lambda some, truth: (some, truth.ravel())), r"float32 \[B, 1\]"),
    (yielding(lambda some, truth: (some, truth.astype(int))), r"float32 \[B, 1\]"),
    (yielding(lambda some, truth: some), r"should yield pairs"),
    (lambda *args: next(batches(*args)), r"should yield pairs"),
    (lambda *args: None, "not those asked for"),
    (lambda images, labels, order, size: batches(images, labels, sorted(order), size), "not those asked for"),
]

test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
