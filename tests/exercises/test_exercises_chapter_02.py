"""Exercises 2.1 to 2.3: the reference passes, so do other right ways; wrong answers are named."""

import re
from pathlib import Path

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference


@pytest.mark.parametrize("number", ["2.1", "2.2", "2.3"])
def test_reference_solution_passes(number):
    assert_right(number, reference(number, {"np": np, "Path": Path}))


# 2.1 ------------------------------------------------------------------------------------------


def label_by_branches(filename):
    letter = filename.rpartition("/")[2][0]
    if letter == "P":
        return np.float32(1)
    if letter in ("H", "N"):
        return np.float32(0)
    raise ValueError(filename)


def label_by_pattern(filename):
    return bool(re.fullmatch(r"(?:.*/)?([HNP])\d+\.jpg", filename, re.IGNORECASE).group(1) == "P")


def label_by_position(filename):
    return ["HN", "P"].index({"H": "HN", "N": "HN"}.get(filename.split("/")[-1][0], filename.split("/")[-1][0]))


@pytest.mark.parametrize("answer", [label_by_branches, label_by_position])
def test_label_in_other_right_ways(answer):
    assert_right("2.1", answer)


def refusing(label):
    """Give `label`, a function of the path, the refusal of unknown names."""

    def answer(filename):
        if Path(filename).name[0] not in "HNP":
            raise ValueError(filename)
        return label(filename)

    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusing(lambda path: int(path[0] == "P")), "letter of the folder"),
        (refusing(lambda path: int("P" in path)), "anywhere in the path"),
        (refusing(lambda path: int("P" in Path(path).name)), "anywhere in the name"),
        (refusing(lambda path: int(Path(path).name[0] in "HP")), r"high myopia \(H\) is not"),
        (refusing(lambda path: 1 - int(Path(path).name[0] == "P")), "exchanged"),
        (refusing(lambda path: str(int(Path(path).name[0] == "P"))), "one number(.|\n)*type str"),
        (
            lambda path: int(Path(path).name[0] == "P"),
            r"should raise ValueError here(.|\n)*V0001(.|\n)*value 0",
        ),
        (
            lambda path: {"P": 1, "H": 0, "N": 0}[Path(path).name[0]],
            "raise ValueError here(.|\n)*came: +KeyError",
        ),
        (lambda path: {"N0012.jpg": 0, "PALM-Training400/N0012.jpg": 0}.get(path, 0), "same answer whatever"),
        (label_by_pattern, "should raise ValueError here(.|\n)*came: +AttributeError"),
    ],
)
def test_label_wrong(answer, words):
    assert_wrong("2.1", answer, words)


# 2.2 ------------------------------------------------------------------------------------------


def accuracy_by_sigmoid(logits, labels):
    probability = 1 / (1 + np.exp(-logits.astype(np.float64).flatten()))
    return np.mean((probability > 0.5) == labels.flatten())


def accuracy_by_loop(logits, labels):
    right = 0
    for logit, label in zip(np.ravel(logits), np.ravel(labels), strict=True):
        right += (1 if logit > 0 else 0) == label
    return right / len(labels)


def accuracy_by_paddle(logits, labels):
    paddle = pytest.importorskip("paddle")
    positive = paddle.nn.functional.sigmoid(paddle.to_tensor(logits).reshape([-1])) > 0.5
    return paddle.mean((positive.astype("int64") == paddle.to_tensor(labels.astype("int64").ravel())).astype("float32"))


@pytest.mark.parametrize("answer", [accuracy_by_sigmoid, accuracy_by_loop, accuracy_by_paddle])
def test_accuracy_in_other_right_ways(answer):
    assert_right("2.2", answer)


def accuracy(logits, labels, threshold=0.0):
    return np.mean((logits.reshape(-1) > threshold) == labels.reshape(-1))


def accuracy_of_the_tutorial(logits, labels):
    columns = logits.reshape(len(logits), -1)
    return np.mean(np.argmax(columns, axis=1) == labels.reshape(-1))


def accuracy_in_place(logits, labels):
    logits[logits > 0] = 1
    logits[logits < 0] = 0
    return np.mean(logits.reshape(-1) == labels.reshape(-1))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (accuracy_of_the_tutorial, "always answers class 0"),
        (lambda logits, labels: accuracy(logits, labels, threshold=0.5), "0.5 is meant for its sigmoid"),
        (lambda logits, labels: np.mean((logits > 0) == labels), "broadcast"),
        (lambda logits, labels: 100 * accuracy(logits, labels), "percentage"),
        (lambda logits, labels: labels.size * accuracy(logits, labels), "how many"),
        (lambda logits, labels: 1 - accuracy(logits, labels), "wrong way round"),
        (lambda logits, labels: 0.75, "same answer whatever"),
        (lambda logits, labels: (logits.reshape(-1) > 0) == labels.reshape(-1), "one number"),
        (accuracy_in_place, "changes its input"),
        (lambda logits, labels: print(accuracy(logits, labels)), "returns nothing(.|\n)*printed: 0.75"),
    ],
)
def test_accuracy_wrong(answer, words):
    assert_wrong("2.2", answer, words)


# 2.3 ------------------------------------------------------------------------------------------


def rates(predictions, labels, absent=float("nan")):
    found, let_go = predictions[labels == 1] == 1, predictions[labels == 0] == 0
    return tuple(part.mean() if part.size else absent for part in (found, let_go))


def rates_by_scikit_learn(predictions, labels):
    metrics = pytest.importorskip("sklearn.metrics")
    return [metrics.recall_score(labels, predictions, pos_label=label, zero_division=np.nan) for label in (1, 0)]


def rates_by_matrix(predictions, labels):
    matrix = np.zeros((2, 2))
    np.add.at(matrix, (labels, predictions), 1)
    with np.errstate(invalid="ignore"):
        return (np.diag(matrix) / matrix.sum(axis=1))[::-1]


def rates_with_warnings(predictions, labels):
    return np.mean(predictions[labels == 1]), 1 - np.mean(predictions[labels == 0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("answer", [rates, rates_by_scikit_learn, rates_by_matrix, rates_with_warnings])
def test_sensitivity_in_other_right_ways(answer):
    assert_right("2.3", answer)


def rates_without_guard(predictions, labels):
    pairs = list(zip(predictions.tolist(), labels.tolist(), strict=True))
    found, missed = pairs.count((1, 1)), pairs.count((0, 1))
    let_go, alarmed = pairs.count((0, 0)), pairs.count((1, 0))
    return found / (found + missed), let_go / (let_go + alarmed)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda predictions, labels: rates(predictions, labels)[::-1], "exchanged"),
        (lambda predictions, labels: rates(predictions, labels, absent=0.0), "nan, not 0"),
        (lambda predictions, labels: rates(predictions, labels, absent=1.0), "nan, not 1"),
        (lambda predictions, labels: rates(labels, predictions), "predictive value"),
        (
            lambda predictions, labels: (
                np.mean(predictions * labels),
                np.mean((1 - predictions) * (1 - labels)),
            ),
            "number of all eyes",
        ),
        (lambda predictions, labels: 1 - np.array(rates(predictions, labels)), "missed instead of"),
        (rates_without_guard, "raises ZeroDivisionError in line"),
        (lambda predictions, labels: (2 / 3, 0.5), "same answer whatever"),
        (lambda predictions, labels: np.mean(predictions == labels), "2 numbers"),
    ],
)
def test_sensitivity_wrong(answer, words):
    assert_wrong("2.3", answer, words)
