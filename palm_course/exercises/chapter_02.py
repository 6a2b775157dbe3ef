"""The exercises of chapter 2, iChallenge-PM: the data and the readers."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from palm_course.exercises.student_values import as_array, describe
from palm_course.exercises.trial import Case, Mistake, Trial, first_fault
from palm_course.exercises.value_check import ArrayExercise, NumberExercise
from palm_utils.messages import mark, tr


# 2.1 ------------------------------------------------------------------------------------------
def _held_out(groups: np.ndarray, count: int, *, by: str = "group", more: bool = False) -> np.ndarray:
    if by == "photograph":
        return np.arange(len(groups)) < count
    held_out = np.zeros(len(groups), bool)
    for done, group in enumerate(np.unique(groups)):
        if (done if by == "groups" else held_out.sum() - more) >= count:
            break
        held_out |= groups == group
    return held_out


def _patients(rng: np.random.Generator) -> Iterator[Case]:
    """Yield the example, one group, groups of one photograph, and shuffled groups of one to four with gaps."""
    yield from (Case(np.array([2, 0, 1, 0, 2, 1]), 3), Case(np.zeros(5, np.int64), 2), Case(np.arange(6)[::-1], 2))
    for count in (4, 7, 8, 12):
        sizes = [2, 2, *rng.integers(1, 5, 8)]
        groups = np.repeat(np.sort(rng.choice(400, len(sizes), replace=False)), sizes)
        yield Case(rng.permutation(groups), count)


HOLD_OUT = ArrayExercise(
    number="2.1",
    name="hold_out",
    title=mark("split by patient"),
    success=mark("no patient is on both sides of your split."),
    hint=mark("np.unique(groups) gives the groups in order; for each of them, ask whether there are enough by now."),
    stronger_hint=mark(
        "start with np.zeros(len(groups), bool). For each group of np.unique(groups): stop when the sum of that array "
        "has reached `count`, else set it to True where groups == group."
    ),
    cases=_patients,
    reference=_held_out,
    wrong_shape=lambda *args: tr("the shape is wrong: it should be one True or False a photograph."),
    wrong_dtype=mark("the dtype is wrong: return True and False, not numbers."),
    unknown=mark("other photographs are held out than asked for."),
    show=lambda array: str(array.tolist()),
).with_mistakes(
    Mistake("it takes the first photographs and tears groups apart.", by="photograph"),
    Mistake("it holds out `count` groups; `count` is a number of photographs.", by="groups"),
    Mistake("it holds out a group too many: exactly `count` photographs are enough.", more=True),
    Mistake("it has the two sides exchanged: True means held out.", lambda *a: ~_held_out(*a)),
)


# 2.2 ------------------------------------------------------------------------------------------
def _accuracy(logits: np.ndarray, labels: np.ndarray, *, threshold: float = 0.0) -> float:
    return float(np.mean((logits.reshape(-1) > threshold) == (labels.reshape(-1) == 1)))


def _answers(rng: np.random.Generator) -> Iterator[Case]:
    """Yield all four combinations of shapes, several sizes and both dtypes of labels."""
    yield Case(np.array([[2.0], [-1.0], [0.3], [-4.0]], np.float32), np.array([[1], [0], [0], [0]]))
    yield Case(np.array([1.5, 0.0, -2.0], np.float32), np.array([1, 0, 0]))  # the sigmoid of 0 is not above 0.5
    sizes = [(5, 2, 2), (6, 1, 1), (4, 2, 1), (5, 1, 2), (37, 2, 1), (50, 2, 2), (1, 2, 2), (64, 1, 2), (101, 1, 1)]
    for number, (count, rank, label_rank) in enumerate(sizes):
        # Keeps clear of 0, where rounding could decide.
        logits = rng.choice([-1, 1], count) * rng.uniform(0.05, 3, count)
        labels = (rng.random(count) < 0.4).astype(np.float32 if number % 2 else np.int64)
        logits = logits.astype(np.float32).reshape([count, 1][:rank])
        yield Case(logits, labels.reshape([count, 1][:label_rank]))


ACCURACY = NumberExercise(
    number="2.2",
    name="accuracy_from_logits",
    title=mark("accuracy of a single logit"),
    success=mark("you read a single logit as it is meant, and mended the tutorial's evaluation."),
    hint=mark("where does the sigmoid cross 0.5? And which shapes do you compare with each other?"),
    stronger_hint=mark(
        "sigmoid(x) is above 0.5 exactly where x is above 0. Flatten both arrays with reshape(-1) first: comparing "
        "[N, 1] with [N] gives N × N results. The mean of an array of True and False is the share of True."
    ),
    cases=_answers,
    reference=_accuracy,
    tolerance=1e-5,
).with_mistakes(
    Mistake(
        "it always answers class 0: the arg-max over a single column is 0, whatever the logit.",
        lambda logits, labels: np.mean(labels == 0),
    ),
    Mistake("it compares the logit itself with 0.5; 0.5 is meant for its sigmoid.", threshold=0.5),
    Mistake(
        "it compares every image with every label: [N, 1] against [N] is broadcast to [N, N].",
        lambda logits, labels: np.mean((logits > 0) == (labels == 1)),
    ),
    Mistake("it returns a percentage; the share is between 0 and 1.", lambda *a: 100 * _accuracy(*a)),
    Mistake("it returns how many are right, not which share of them.", lambda *a: len(a[0]) * _accuracy(*a)),
    Mistake("it has the classes the wrong way round: a large logit means 1.", lambda *a: 1 - _accuracy(*a)),
)


# 2.3 ------------------------------------------------------------------------------------------
def _rates(predictions: np.ndarray, labels: np.ndarray, *, of: str = "class", absent: float = np.nan) -> tuple:
    """Return how many of the eyes with and without PM are found, as shares `of` what the option says."""
    shares = []
    for label in (1, 0):
        found = np.sum((predictions == label) & (labels == label))
        whole = {"class": np.sum(labels == label), "said": np.sum(predictions == label), "all": len(labels)}[of]
        shares.append(found / whole if whole else absent)
    return tuple(shares)


def _predictions(rng: np.random.Generator) -> Iterator[Case]:
    """Yield mixed labels, and some where a class is absent."""
    pairs = [([1, 1, 0, 0, 1], [1, 1, 1, 0, 0]), ([1] * 6, [1, 0, 1, 0, 0, 1]), ([1, 0, 1, 1], [1] * 4)]
    yield from (Case(*map(np.array, pair)) for pair in [*pairs, ([1, 0, 0], [0] * 3)])
    for _ in range(8):
        labels = (rng.random(rng.integers(20, 60)) < 0.4).astype(np.int64)
        # Two thirds right, so that no two of the counts are likely to agree.
        yield Case(np.where(rng.random(len(labels)) < 0.67, labels, 1 - labels), labels)


SENSITIVITY = NumberExercise(
    number="2.3",
    name="sensitivity_specificity",
    title=mark("sensitivity and specificity"),
    success=mark("a constant answer no longer looks like a half-good model to you."),
    hint=mark("each of the two looks only at the eyes with one *true* label; what if there is none?"),
    stronger_hint=mark(
        "sensitivity is the mean of predictions == 1 over the places where labels == 1, specificity the mean of "
        "predictions == 0 where labels == 0. Count those places first and return nan where there are none."
    ),
    cases=_predictions,
    reference=_rates,
    count=2,
    tolerance=1e-5,
).with_mistakes(
    Mistake("where a class is absent its share is unknown: nan, not 0.", absent=0.0),
    Mistake("where a class is absent its share is unknown: nan, not 1.", absent=1.0),
    Mistake("the two are exchanged: sensitivity, of the eyes with PM, comes first.", lambda *a: _rates(*a)[::-1]),
    Mistake("it divides by the number of eyes *predicted* to have PM or not: that is the predictive value.", of="said"),
    Mistake("it divides by the number of all eyes instead of those of one class.", of="all"),
    Mistake("it counts the eyes that are missed instead of those that are found.", lambda *a: 1 - np.array(_rates(*a))),
)


# 2.4 ------------------------------------------------------------------------------------------
def _photographs(rng: np.random.Generator) -> Iterator[Case]:
    """Yield wide, tall, square, small and odd-sized photographs: smooth, nowhere near black, in unlike colours."""
    import cv2

    shapes = [(100, 200, None), (300, 180, None), (90, 90, 64), (71, 107, 150), (150, 101, 75), (64, 200, 99)]
    for height, width, size in shapes:
        # Without the offset between the channels, exchanged colours could go unseen.
        coarse = rng.uniform(80, 160, (3, 3, 3)) + np.array([60, 0, -30])
        img = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
        yield Case(img, size=size) if size else Case(img)
    yield Case(np.full((30, 60, 3), 255, np.uint8), size=40)  # of one colour: exact by any interpolation


def _fitted(img, size=224, *, fit="longer", place="middle", border=0.0, colours="bgr", scale="signed", enlarge=True):
    import cv2

    height, width = img.shape[:2]
    factor = size / (max(height, width) if fit == "longer" else min(height, width))
    factor = factor if enlarge else min(1, factor)
    new = (size, size) if fit == "stretched" else (round(height * factor), round(width * factor))
    small = cv2.resize(img, new[::-1]).astype(np.float32)
    if fit == "shorter":
        top, left = (new[0] - size) // 2, (new[1] - size) // 2
        small = small[top : top + size, left : left + size]
    square = np.full((size, size, 3), border, np.float32)
    top, left = ({"middle": (size - n) // 2, "start": 0, "end": size - n}[place] for n in small.shape[:2])
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    square = (square[:, :, ::-1] if colours == "rgb" else square).transpose(2, 0, 1)
    return {"signed": square / 127.5 - 1, "unit": square / 255, "raw": square}[scale]


def _is_fitted(right: np.ndarray, came: np.ndarray) -> bool:
    """Say whether a square is right, up to the interpolation and the rounding of the shorter side."""
    import cv2

    content, filled = ((array[0] > -1 + 1e-3).astype(np.uint8) for array in (right, came))
    for lines in (filled.any(axis=1), filled.any(axis=0)):  # as many black ones before as behind, or one more
        if abs(lines.argmax() - lines[::-1].argmax()) > 1:
            return False
    # Two pixels on either side of the photograph's edge may be content or border.
    around = np.ones((5, 5), np.uint8)
    inside, outside = cv2.erode(content, around) == 1, cv2.dilate(content, around) == 0
    difference = np.abs(came - right)
    # On these smooth photographs usual interpolations and roundings differ by up to 0.05, and a wrong colour, scale,
    # shape or place by several times as much somewhere. The border is exact, whatever the interpolation.
    plain = np.ptp(right[:, inside]) < 1e-3
    return bool(difference[:, inside].max() < (1e-3 if plain else 0.1) and difference[:, outside].max(initial=0) < 1e-3)


def _wrong_square(shape: tuple, right: tuple, *args: Any) -> str:
    return first_fault(
        (shape == (*right[1:], 3), tr("the colour channel is still the last axis; it should be the first (CHW).")),
        (shape == (1, *right), tr("there is one axis too many: a single photograph has no batch axis.")),
        otherwise=tr("the shape is wrong: the result should be a square of `size` pixels."),
    )


def _range_and_pixels(square: np.ndarray) -> str:
    """Describe an image by what a student can print: its range, a corner, one pixel in the middle."""
    places = (0, square.shape[1] // 2)
    corner, middle = (f"[{', '.join(f'{value:.2f}' for value in square[:, i, i])}]" for i in places)
    lines = [np.flatnonzero((square > -0.999).any(axis=(0, axis))) for axis in (2, 1)]
    top, bottom, left, right = (int(end) for found in lines for end in (found[:1].sum(), found[-1:].sum()))
    words = mark(
        "rows {top} to {bottom} and columns {left} to {right} filled, values {least:.2f} to {largest:.2f}, "
        "top left pixel {corner}, middle pixel {middle}"
    )
    told = {"top": top, "bottom": bottom, "left": left, "right": right}
    return tr(words, **told, least=square.min(), largest=square.max(), corner=corner, middle=middle)


KEEP_ASPECT = ArrayExercise(
    number="2.4",
    name="transform_keep_aspect",
    title=mark("resize without squeezing"),
    success=mark("round stays round, and the network gets what it expects: shape, dtype and range."),
    hint=mark("work out the new height and width first and print them; then look at the result with plt.imshow."),
    stronger_hint=mark(
        "scale = size / max(height, width). Note that cv2.resize wants (width, height). Start from np.zeros((size, "
        "size, 3), np.uint8) and copy the small photograph into its middle; convert to float32, to [-1, 1] and to CHW"
        " at the end, so that the black border becomes -1 by itself."
    ),
    cases=_photographs,
    reference=_fitted,
    close=_is_fitted,
    # By the mean, which a row of pixels hardly moves; 0.03 is 4 where the values are 0…255.
    near=lambda wrong, came: np.abs(wrong - came).mean() < (4 if wrong.max() > 2 else 0.03),
    wrong_shape=_wrong_square,
    wrong_dtype=mark("the dtype is wrong: networks are fed float32."),
    unknown=mark("the values are not those of the resized photograph with a black border."),
    show=_range_and_pixels,
).with_mistakes(
    Mistake("it squeezes the photograph into a square instead of keeping its shape.", fit="stretched"),
    Mistake("it cuts off the ends: the longer side should have `size` pixels, not the shorter.", fit="shorter"),
    Mistake("small photographs stay small; they should be enlarged, too.", enlarge=False),
    Mistake("the photograph is in the corner; the border should be even on both sides.", place="start"),
    Mistake("the photograph is at the far end; the border should be even on both sides.", place="end"),
    Mistake("the border is grey (0 after scaling); black is -1.", border=127.5),
    Mistake("the border is white; it should be black, -1.", border=255.0),
    Mistake("the colours are reordered to RGB; blue should stay first.", colours="rgb"),
    Mistake("the values are in [0, 1]; they should fill [-1, 1].", scale="unit"),
    Mistake("the values are still 0…255; they should be in [-1, 1].", scale="raw"),
)


# 2.5 ------------------------------------------------------------------------------------------
_BATCH, _LABELS, _NOTHING = -1.0, -2.0, -3.0  # what stands in the row before a batch, before its labels, behind all


def _coded(pairs: Iterable) -> np.ndarray:
    """Return the batches of a reader as one row of numbers: of each image its first pixel, then the labels."""
    row = []
    for images, labels in itertools.islice(pairs, 40):
        row += [_BATCH, *np.asarray(images)[:, 0, 0].tolist(), _LABELS, *(np.ravel(labels) + 1).tolist()]
    return np.array((row + [_NOTHING] * 400)[:400], np.float64)


def _batches(images, labels, order, batch_size=10, *, follow=True, reset=True, last=True) -> Iterator[tuple]:
    some, truth = [], []
    for i, label in zip(order, labels, strict=True):
        some.append(images[i])
        truth.append([labels[i] if follow else label])
        if len(some) == batch_size:
            yield np.stack(some), np.array(truth, "float32")
            some, truth = [], [] if reset else truth
    if some and last:
        yield np.stack(some), np.array(truth, "float32")


def _labelled(rng: np.random.Generator) -> Iterator[Case]:
    """Yield a few small images, each of which holds its own number, with uneven labels and a shuffled order."""
    for count, size in ((7, 3), (6, 3), (25, 10), (5, 8)):
        images = np.arange(1.0, count + 1, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
        labels = (rng.random(count) < 0.4).astype(int)
        labels[:2] = 1, 0
        order = np.roll(rng.permutation(count), 1)
        yield Case(images, labels, order.tolist(), size)


def _listed(reader: Callable) -> Callable:
    @functools.wraps(reader)
    def batches(*args: Any, **kwargs: Any) -> Any:
        found = reader(*args, **kwargs)
        found = [] if found is None else found  # nothing yielded
        return list(itertools.islice(found, 40)) if hasattr(found, "__iter__") else found

    return batches


def _is_batch(batch: Any) -> bool:
    """Say whether this is a pair of stacked images and their labels, float32 [B, 1]."""
    images, labels = map(as_array, batch) if isinstance(batch, (tuple, list)) and len(batch) == 2 else (None, None)
    if images is None or labels is None:
        return False
    return images.ndim == 3 and labels.dtype == np.float32 and labels.ndim == 2 and labels.shape[1] == 1


class _ReaderExercise(ArrayExercise):
    """Looks at the batches themselves before they are compared as rows of numbers."""

    def _call(self, trial: Trial, function: Callable, case: Case) -> tuple:
        found = case.apply(trial.call, _listed(function))
        for batch in found if isinstance(found, list) else [found]:
            if not _is_batch(batch):
                trial.fail(
                    tr("it should yield pairs: images, stacked [B, …], and their labels, float32 [B, 1]."),
                    tried=case.written(self.name),
                    came=tr("a batch {batch}", batch=describe(tuple(batch) if isinstance(batch, list) else batch)),
                )
        return (_coded(found),)


def _said(row: np.ndarray) -> str:
    """Write the row as "2 0 1 | 1 0 0; 3 | 1": the batches' photographs, and their labels."""
    words = {_BATCH: ";", _LABELS: "|"}
    text = " ".join(words.get(number, f"{number - 1:g}") for number in row if number != _NOTHING)
    return tr("photographs | labels: {batches}", batches=text.strip("; ").replace(" ;", ";"))


_PILE = mark("the labels of earlier batches come again: `truth` has to be emptied together with `some`.")
_FOLLOW = mark("photographs and labels do not belong together: the labels do not follow `order`.")

BATCHES = _ReaderExercise(
    number="2.5",
    name="batches",
    title=mark("find the bugs in a reader"),
    success=mark("three bugs found that raise no error in the reader and ruin a training."),
    hint=mark("give it seven photographs, batch_size=3 and a shuffled order; print shapes and labels of each batch."),
    stronger_hint=mark(
        "what does zip pair with what, if `order` is shuffled? What is in `truth` when the second batch begins? And "
        "what becomes of the seventh photograph?"
    ),
    cases=_labelled,
    reference=lambda *args, **options: _coded(_batches(*args, **options)),
    wrong_shape=lambda *args: tr("the batches are not those asked for."),
    unknown=mark("the batches are not those asked for."),
    show=_said,
).with_mistakes(
    *(Mistake(_PILE, reset=False, follow=follow, last=last) for follow in (True, False) for last in (True, False)),
    *(Mistake(_FOLLOW, follow=False, last=last) for last in (True, False)),
    Mistake("the photographs that are left over at the end get lost.", last=False),
)
