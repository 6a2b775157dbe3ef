"""How the answers to exercises 2.1 to 2.3 are judged."""

from typing import Any

import numpy as np

from palm_course.exercises.trial import Case, Mistake, Trial

# 2.1 ------------------------------------------------------------------------------------------


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


_LABEL_MISTAKES = [
    Mistake(
        "it looks at the first letter of the folder, not of the file's name.",
        lambda path: int(path[0] == "P"),
    ),
    Mistake(
        "it finds a P anywhere in the path; only the name's first letter counts.",
        lambda path: int("P" in path),
    ),
    Mistake(
        "it finds a P anywhere in the name (the suffix .JPG has one); only the first letter counts.",
        lambda path: int("P" in _name(path)),
    ),
    Mistake("high myopia (H) is not pathologic myopia: its label is 0.", lambda path: int(_name(path)[0] in "HP")),
    Mistake("the two labels are exchanged.", lambda path: int(_name(path)[0] != "P")),
]


def judge_label(trial: Trial, answer: Any) -> None:
    """Check 2.1 on names with and without folders, then on names that must be refused."""
    rng = np.random.default_rng(21)
    paths = ["N0012.jpg", "P0095.jpg", "H0003.jpg", "PALM-Training400/N0001.jpg", "normal/Paul/H0020.JPG"]
    paths += ["Notes/P0100.JPG", "N0007.JPG"]
    for letter in "HNPHNP":
        folder = rng.choice(["", "Hospital/", "data/palm/PALM-Training400/", "/home/nina/PM/"])
        paths.append(f"{folder}{letter}{rng.integers(10000):04d}{rng.choice(['.jpg', '.JPG'])}")
    cases = [Case((path,)) for path in paths]
    trial.compare(answer, cases, lambda path: int(_name(path)[0] == "P"), _LABEL_MISTAKES)
    for path in ("V0001.jpg", "PALM-Validation400/V0400.jpg", "Photos/thumbs.db"):
        trial.call_for_error(ValueError, answer, (path,))


# 2.2 ------------------------------------------------------------------------------------------


def _accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean((logits.reshape(-1) > 0) == (labels.reshape(-1) == 1)))


_ACCURACY_MISTAKES = [
    Mistake(
        "it always answers class 0: the arg-max over a single column is 0, whatever the logit.",
        lambda logits, labels: np.mean(labels == 0),
    ),
    Mistake(
        "it compares the logit itself with 0.5; 0.5 is meant for its sigmoid.",
        lambda logits, labels: _accuracy(logits - 0.5, labels),
    ),
    Mistake(
        "it compares every image with every label: [N, 1] against [N] is broadcast to [N, N].",
        lambda logits, labels: np.mean((logits > 0) == (labels == 1)),
    ),
    Mistake(
        "it returns a percentage; the share is between 0 and 1.",
        lambda logits, labels: 100 * _accuracy(logits, labels),
    ),
    Mistake(
        "it returns how many are right, not which share of them.",
        lambda logits, labels: labels.size * _accuracy(logits, labels),
    ),
    Mistake(
        "it has the classes the wrong way round: a large logit means 1.",
        lambda logits, labels: 1 - _accuracy(logits, labels),
    ),
]


def judge_accuracy(trial: Trial, answer: Any) -> None:
    """Check 2.2 for all four combinations of shapes, several sizes and both dtypes of labels."""
    rng = np.random.default_rng(22)
    example = np.array([[2.0], [-1.0], [0.3], [-4.0]], dtype=np.float32)
    cases = [Case((example, np.array([[1], [0], [0], [0]])))]
    for trial_number, (count, rank, label_rank) in enumerate(
        [
            (5, 2, 2),
            (6, 1, 1),
            (4, 2, 1),
            (5, 1, 2),
            (37, 2, 1),
            (50, 2, 2),
            (1, 2, 2),
            (64, 1, 2),
            (101, 1, 1),
        ]
    ):
        # Keeps clear of 0, where rounding could decide.
        logits = rng.choice([-1, 1], count) * rng.uniform(0.05, 3, count)
        labels = (rng.random(count) < 0.4).astype(np.float32 if trial_number % 2 else np.int64)
        logits = logits.astype(np.float32).reshape([count, 1][:rank])
        cases.append(Case((logits, labels.reshape([count, 1][:label_rank]))))
    trial.compare(answer, cases, _accuracy, _ACCURACY_MISTAKES, tolerance=1e-5)


# 2.3 ------------------------------------------------------------------------------------------


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _counts(predictions: np.ndarray, labels: np.ndarray) -> tuple[int, int, int, int]:
    """Return true positives, false positives, true negatives and false negatives."""
    pairs = list(zip(predictions.tolist(), labels.tolist(), strict=True))
    return pairs.count((1, 1)), pairs.count((1, 0)), pairs.count((0, 0)), pairs.count((0, 1))


def _rates(predictions: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    tp, fp, tn, fn = _counts(predictions, labels)
    return _share(tp, tp + fn), _share(tn, tn + fp)


def _predictive_values(predictions: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    tp, fp, tn, fn = _counts(predictions, labels)
    return _share(tp, tp + fp), _share(tn, tn + fn)


def _shares_of_all(predictions: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    tp, _, tn, _ = _counts(predictions, labels)
    return tp / len(labels), tn / len(labels)


_SENSITIVITY_MISTAKES = [
    Mistake(
        "where a class is absent its share is unknown: nan, not 0.",
        lambda predictions, labels: np.nan_to_num(_rates(predictions, labels), nan=0.0),
    ),
    Mistake(
        "where a class is absent its share is unknown: nan, not 1.",
        lambda predictions, labels: np.nan_to_num(_rates(predictions, labels), nan=1.0),
    ),
    Mistake(
        "the two are exchanged: sensitivity, of the eyes with PM, comes first.",
        lambda predictions, labels: _rates(predictions, labels)[::-1],
    ),
    Mistake(
        "it divides by the number of eyes *predicted* to have PM or not: that is the predictive value.",
        _predictive_values,
    ),
    Mistake("it divides by the number of all eyes instead of those of one class.", _shares_of_all),
    Mistake(
        "it counts the eyes that are missed instead of those that are found.",
        lambda predictions, labels: tuple(1 - rate for rate in _rates(predictions, labels)),
    ),
]


def judge_sensitivity(trial: Trial, answer: Any) -> None:
    """Check 2.3 on mixed labels and where a class is absent."""
    rng = np.random.default_rng(23)
    cases = [
        Case((np.array([1, 1, 0, 0, 1]), np.array([1, 1, 1, 0, 0]))),
        Case((np.array([1, 1, 1, 1, 1, 1]), np.array([1, 0, 1, 0, 0, 1]))),
        Case((np.array([1, 0, 1, 1]), np.array([1, 1, 1, 1]))),
        Case((np.array([1, 0, 0]), np.array([0, 0, 0]))),
    ]
    for _ in range(8):
        labels = (rng.random(rng.integers(20, 60)) < 0.4).astype(np.int64)
        # Two thirds right, so that no two of the counts are likely to agree.
        predictions = np.where(rng.random(len(labels)) < 0.67, labels, 1 - labels)
        cases.append(Case((predictions, labels)))
    trial.compare(answer, cases, _rates, _SENSITIVITY_MISTAKES, count=2, tolerance=1e-5)
