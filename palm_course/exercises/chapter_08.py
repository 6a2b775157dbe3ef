"""The exercises of chapter 8, the comparison: a threshold for a programme, an interval, a reliability diagram."""

from collections.abc import Iterator

import numpy as np

from palm_course.exercises.trial import Case, Mistake
from palm_course.exercises.value_check import ArrayExercise, NumberExercise
from palm_utils.messages import mark, tr
from palm_utils.metrics import sigmoid


def _eyes(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return logits of `count` eyes that overlap, and their labels, of which both occur."""
    labels = (np.arange(count) % 5 < rng.integers(2, 4)).astype(np.int64)
    rng.shuffle(labels)
    return rng.normal(2.0 * (2 * labels - 1), 1.6), labels


# 8.1 ------------------------------------------------------------------------------------------
def _plan(probabilities, labels, sensitivity, prevalence, *, take="highest", rates="reached", strict=False) -> tuple:
    ill, well = np.sort(probabilities[labels == 1]), probabilities[labels == 0]
    more = int(np.ceil(sensitivity * len(ill)))
    must_find = {"all": len(ill), "more": more, "fewer": int(np.floor(sensitivity * len(ill) - 1e-9))}
    threshold = ill[-max(1, must_find.get(take, int(np.ceil(sensitivity * len(ill) - 1e-9))))]
    if take == "quantile":
        threshold = np.quantile(probabilities, 1 - sensitivity)
    raised = (lambda p: p > threshold) if strict else (lambda p: p >= threshold)
    found, false = np.mean(raised(ill)), np.mean(raised(well))
    found = sensitivity if rates == "wanted" else found
    share = np.mean(labels) if rates == "sample" else prevalence
    if rates == "cleared":
        return threshold, (1 - false) * (1 - share) / ((1 - false) * (1 - share) + (1 - found) * share)
    if rates == "forgotten":
        return threshold, found / (found + false)
    return threshold, found * share / (found * share + false * (1 - share))


def _programmes(rng: np.random.Generator) -> Iterator[Case]:
    example = np.array([0.95, 0.8, 0.6, 0.3, 0.7, 0.2, 0.1, 0.05]), np.array([1, 1, 1, 1, 0, 0, 0, 0])
    yield Case(*example, 0.75, 0.1)
    for sensitivity, prevalence in ((0.9, 0.01), (0.98, 0.03), (0.8, 0.2), (0.95, 0.05), (0.6, 0.02), (1.0, 0.5)):
        logits, labels = _eyes(rng, int(rng.integers(43, 90)))
        yield Case(sigmoid(logits), labels, sensitivity, prevalence)
    labels = (np.arange(60) % 12 < 5).astype(np.int64)  # 25 diseased: 0.56 * 25 comes out slightly above 14
    yield Case(sigmoid(rng.normal(2.0 * (2 * labels - 1), 1.6)), labels, 0.56, 0.05)


PLAN = NumberExercise(
    number="8.1",
    name="screening_plan",
    title=mark("a threshold for a programme"),
    success=mark("you choose the threshold by what a programme needs, and know what its alarms are worth."),
    hint=mark("which diseased eye is the last one that has to be found? Its probability is the threshold."),
    stronger_hint=mark(
        "sort the probabilities of the n diseased eyes, the largest first. np.ceil(sensitivity * n - 1e-9) of them must"
        " be found. Then take both rates at this threshold, and put them into the formula of section 8.5."
    ),
    cases=_programmes,
    reference=_plan,
    count=2,
    tolerance=1e-6,
).with_mistakes(
    Mistake("the threshold finds every diseased eye; the highest one that finds enough is asked for.", take="all"),
    Mistake("the threshold finds one diseased eye too few: round the number that must be found up.", take="fewer"),
    Mistake("a rounding error makes it find one diseased eye too many: take 1e-9 off before rounding up.", take="more"),
    Mistake("the threshold is a quantile of all eyes; sensitivity is a share of the diseased ones.", take="quantile"),
    Mistake("the predictive value uses the wanted sensitivity, not the one that is reached.", rates="wanted"),
    Mistake("the predictive value uses the share of diseased eyes among these, not `prevalence`.", rates="sample"),
    Mistake("the predictive value leaves the prevalence out.", rates="forgotten"),
    Mistake("that is the share of the cleared eyes that are healthy; the share of true alarms is asked for.",
            rates="cleared"),
    Mistake("an eye whose probability equals the threshold raises an alarm, too (>=).", strict=True),
)  # fmt: skip


# 8.2 ------------------------------------------------------------------------------------------
def _auc(logits: np.ndarray, labels: np.ndarray, *, tie: float = 0.5) -> float:
    ill, well = logits[labels == 1][:, None], logits[labels == 0][None]
    return float(np.mean((ill > well) + tie * (ill == well)))


def _interval(logits, labels, rows, *, ends=(2.5, 97.5), way="percentiles", tie=0.5) -> tuple:
    drawn = [(logits[row], (labels if way == "labels stay" else labels[row])) for row in rows]
    both = [pair for pair in drawn if 0 < pair[1].sum() < len(pair[1])]
    values = np.array([_auc(*pair, tie=tie) for pair in both])
    if way == "nan" and len(both) < len(drawn):
        return np.nan, np.nan
    if way == "kept":  # the draws with one class count as a coin
        values = np.append(values, [0.5] * (len(drawn) - len(both)))
    if way == "normal":
        return values.mean() - 1.96 * values.std(), values.mean() + 1.96 * values.std()
    return tuple(np.percentile(values, ends))


def _draws(rng: np.random.Generator) -> Iterator[Case]:
    for count, draws in ((6, 8), (5, 60), (40, 30), (61, 40), (6, 60)):
        logits, labels = _eyes(rng, count)
        logits = np.round(logits, 0 if count > 30 else 1)  # with ties
        yield Case(logits, labels, rng.integers(0, count, (draws, count)))


AUC_INTERVAL = NumberExercise(
    number="8.2",
    name="auc_interval",
    title=mark("bootstrap interval of an AUC"),
    success=mark("a single number from 400 eyes now comes with the interval that it deserves."),
    hint=mark("a row of `rows` says which eyes one draw consists of: logits[row] and labels[row] belong together."),
    stronger_hint=mark(
        "for each row with both classes: compare every diseased eye with every healthy one, ill[:, None] > well[None],"
        " add half of the ties, take the mean. Then np.percentile(values, [2.5, 97.5])."
    ),
    cases=_draws,
    reference=_interval,
    count=2,
    seconds=20.0,
    tolerance=1e-6,
).with_mistakes(
    Mistake("ties count nothing; a tie is half right.", tie=0.0),
    Mistake("ties count as right; a tie is half right.", tie=1.0),
    Mistake("it draws the logits anew, but not the labels that belong to them.", way="labels stay"),
    Mistake("a draw with one class has no AUC: leave it out.", way="kept"),
    Mistake("a draw with one class has no AUC: leave it out.", way="nan"),
    Mistake("one draw in twenty is left out on each side; take the 2.5th and the 97.5th percentile.", ends=(5, 95)),
    Mistake(
        "the interval reaches from the least to the largest value; take the 2.5th and the 97.5th percentile.",
        ends=(0, 100),
    ),
    Mistake("it takes the mean ± 1.96 standard deviations; take the percentiles.", way="normal"),
)


# 8.3 ------------------------------------------------------------------------------------------
def _reliability(
    logits, labels, bins=5, *, of="logits", share="ill", absent=np.nan, last=True, equal=False, lower=False
):
    p = np.clip(logits, 0, 1) if of == "given" else 1 / (1 + np.exp(-logits))  # of 0 exactly 0.5, on every machine
    place = np.maximum(np.ceil(p * bins) - 1, 0).astype(int) if lower else np.floor(p * bins).astype(int)
    place = np.minimum(place, bins - 1) if last else place
    if equal:
        place = np.argsort(np.argsort(p, kind="stable"), kind="stable") * bins // len(p)
    good = {"ill": labels == 1, "right": (p >= 0.5) == (labels == 1), "healthy": labels == 0}[share]
    table = np.full((bins, 3), absent, np.float64)
    for b in range(bins):
        inside = place == b
        table[b, 0] = inside.sum()
        if inside.any():
            table[b, 1:] = p[inside].mean(), good[inside].mean()
    return table


def _answers(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(np.array([-2.0, -1.0, 0.2, 0.3, 3.0, 40.0]), np.array([0, 1, 0, 1, 1, 1]))
    yield Case(np.array([-1.0, 0.0, 0.0, 0.5]), np.array([0, 0, 1, 1]), 4)  # 0.5 is the border of two bins
    for count, bins in ((50, 5), (30, 10), (80, 4), (12, 8)):
        logits, labels = _eyes(rng, count)
        logits[:2] = -60.0, 60.0  # probabilities of 0 and, in float64, of 1
        yield Case(logits, labels, bins)


def _wrong_table(shape: tuple, right: tuple, *args) -> str:
    if shape == right[::-1]:
        return tr("the table is transposed: a row for each bin, a column for each number.")
    return tr("the shape is wrong: a row for each bin, empty ones too, and three columns.")


def _first_rows(table: np.ndarray) -> str:
    rows = (", ".join(f"{value:.3g}" for value in row) for row in np.atleast_2d(table)[:5])
    return "[" + "], [".join(rows) + "]"


RELIABILITY = ArrayExercise(
    number="8.3",
    name="reliability",
    title=mark("a reliability diagram"),
    success=mark("you can say now whether a probability of 0.8 is one."),
    hint=mark("which numbers go into the bins, and what does a bin hold when no eye falls into it?"),
    stronger_hint=mark(
        "p = 1 / (1 + np.exp(-logits)); the bin of an eye is int(p * bins), and p = 1 belongs to the last bin: "
        "np.minimum(..., bins - 1). For each bin: how many eyes, the mean of p, the mean of labels."
    ),
    cases=_answers,
    reference=_reliability,
    close=lambda right, came: np.allclose(right, came, rtol=0, atol=1e-6, equal_nan=True),
    wrong_shape=_wrong_table,
    unknown=mark("the numbers in the bins are not right."),
    show=_first_rows,
).with_mistakes(
    Mistake("it takes the logits for probabilities; the sigmoid is missing.", of="given"),
    Mistake("an eye with a probability of 1 belongs to the last bin.", last=False),
    Mistake("a probability on the border of two bins belongs to the upper one.", lower=True),
    Mistake("the bins hold equally many eyes; they should be equally wide.", equal=True),
    Mistake("it counts how many predictions are right; how many eyes are ill is asked for.", share="right"),
    Mistake("it counts the healthy eyes; the share of ill ones is asked for.", share="healthy"),
    Mistake("an empty bin has no mean and no share: nan, not 0.", absent=0.0),
)
