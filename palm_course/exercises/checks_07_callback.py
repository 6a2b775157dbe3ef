"""How the answers to exercise 7.3 are judged."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from palm_course.exercises.trial import Case, Mistake, Trial
from palm_course.exercises.values import describe
from palm_utils.messages import tr


def _stopped_after(
    patience: int, accuracies: list[float], *, late: int = 0, equal: bool = False, against="best", reset=True
) -> int:
    """Return after how many validations a training ends; all but the first two arguments serve the mistakes."""
    best, last, waited = -1.0, -1.0, 0
    for number, accuracy in enumerate(accuracies, 1):
        former = best if against == "best" else last
        better = accuracy >= former if equal else accuracy > former
        waited = (0 if reset else waited) if better else waited + 1
        best, last = max(best, accuracy), accuracy
        if waited >= patience + late:
            return number
    return len(accuracies)


_MISTAKES = [
    Mistake(
        "it waits for one validation more than `patience`.",
        lambda patience, accuracies: _stopped_after(patience, accuracies, late=1),
    ),
    Mistake(
        "it stops one validation too early.",
        lambda patience, accuracies: _stopped_after(patience, accuracies, late=-1) if patience > 1 else 1,
    ),
    Mistake(
        "it takes an accuracy that only equals the best for a better one.",
        lambda patience, accuracies: _stopped_after(patience, accuracies, equal=True),
    ),
    Mistake(
        "it compares with the validation before; a better one than the *best* so far is needed.",
        lambda patience, accuracies: _stopped_after(patience, accuracies, against="last"),
    ),
    Mistake(
        "it counts all validations without progress; a better one in between should set the count back to 0.",
        lambda patience, accuracies: _stopped_after(patience, accuracies, reset=False),
    ),
    Mistake("it never stops a training.", lambda patience, accuracies: len(accuracies)),
    Mistake("it stops every training after the first validation.", lambda patience, accuracies: 1),
]


def judge_stop(trial: Trial, answer: Any) -> None:
    """Check 7.3 by calling it as fit does: one training, several ones, and a second one with the same callback."""
    import paddle

    if not (isinstance(answer, type) and issubclass(answer, paddle.callbacks.Callback)):
        trial.fail(
            tr("{name} should be a class derived from paddle.callbacks.Callback.", name="StopWhenFlat"),
            came=describe(answer),
        )

    def fit(callback: Any, accuracies: list[float]) -> int:
        # The model that fit hands over, as far as a callback that stops needs it.
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

    def epochs_of(patience: int, accuracies: list[float]) -> int:
        return fit(answer(patience), accuracies)

    cases = [Case((2, [0.3, 0.5, 0.4, 0.5, 0.6])), Case((1, [0.2, 0.4, 0.4, 0.9])), Case((3, [0.1, 0.2, 0.3, 0.4]))]
    cases += [Case((2, [0.5, 0.4, 0.6, 0.5, 0.7, 0.6, 0.8])), Case((2, [0.6, 0.3, 0.4, 0.5])), Case((1, [0.0, 0.0]))]
    rng = np.random.default_rng(73)
    for patience in (1, 2, 3, 4):
        rising = np.linspace(0.2, 0.6, 30) + rng.normal(0, 0.06, 30)
        cases.append(Case((patience, [round(float(value), 2) for value in rising])))
    trial.compare(epochs_of, cases, _stopped_after, _MISTAKES)

    callback = trial.call(answer, (2,))
    first, second = [0.9, 0.8, 0.7, 0.6], [0.1, 0.2, 0.3, 0.4]
    trial.call(lambda: fit(callback, first), name=tr("a first training with StopWhenFlat(2)"))
    came = trial.call(lambda: fit(callback, second), name=tr("a second training with the same callback"))
    if came != len(second):
        trial.fail(
            tr("in a second training it still remembers the first."),
            tried=tr("a training with the accuracies {second} after one with {first}", second=second, first=first),
            expected=tr("all {count} epochs", count=len(second)),
            came=f"{came}",
            hint=tr("fit calls on_train_begin at the start of each training."),
        )
