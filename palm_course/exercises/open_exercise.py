"""Open exercises: a figure to beat within a number of steps, and a table of the student's tries.

The student writes a function that trains and returns the network and what train_pm returned. The figure is computed
anew from the network, on held-out training photographs, so it cannot be typed in; the steps are those of the history.
What keeps the held-out photographs out of the training is the student's own interest: they decide what to trust.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from palm_course.exercises.registry import say
from palm_course.exercises.trial import remark
from palm_utils.files import replacing
from palm_utils.history import History
from palm_utils.messages import CourseError, mark, tr
from palm_utils.readers import Reader

TRIES = Path("checkpoints") / "open_exercises.json"  # beside the notebook; git ignores the folder


@dataclass(frozen=True, kw_only=True)
class OpenExercise:
    """One open exercise: whose held-out loss is to be beaten, and within how many steps.

    network: "03_alexnet:AlexNet", whose candidate recipe was measured with the same held-out photographs; recipe: the
    candidate's name; fold: which part of the training photographs is held out, of results.candidates.FOLDS.
    """

    number: str
    network: str
    recipe: str
    steps: int
    fold: int = 0

    def readers(self, loader: Reader) -> tuple[Reader, Reader]:
        """Return readers of the photographs to train with and of those held out, from one of all of them."""
        from palm_course.results.candidates import folds

        with warnings.catch_warnings():  # of the sample, which has fewer highly myopic eyes than parts
            warnings.simplefilter("ignore", UserWarning)
            return list(folds(loader))[self.fold]

    def to_beat(self) -> dict:
        """Return the stored epoch that is to be beaten: valid_loss, valid_accuracy, …, on the real photographs."""
        from palm_course.results import candidates, stored

        path = candidates.paths(self.network, self.recipe)[self.fold]
        return stored.read(path, lambda content: content["history"]["epochs"][-1])


EXERCISES = {"3.6": OpenExercise(number="3.6", network="03_alexnet:AlexNet", recipe="rate-1e-4", steps=300)}


def find(number: str) -> OpenExercise:
    if number not in EXERCISES:
        raise CourseError("There is no open exercise {number}; there is {known}.", number=number, known=[*EXERCISES])
    return EXERCISES[number]


def compete(number: str, train_my_way: Callable, loader: Reader, *, real: bool = True) -> None:
    """Train by the student's function, compute its figure anew, keep the try and print the table of all tries.

    train_my_way: (train_loader, held_out) -> (network, History). loader: of all training photographs. real: whether
    they are the real ones, of which alone the figure to beat speaks. Raises CourseError for anything else returned.
    """
    from palm_utils.training import predict

    exercise = find(number)
    train_loader, held_out = exercise.readers(loader)
    try:
        returned = train_my_way(train_loader, held_out)
    except NotImplementedError:
        return say(remark(number, tr("not attempted yet.")))
    network, history = returned if isinstance(returned, tuple) and len(returned) == 2 else (None, None)
    if not isinstance(history, History) or not len(history):
        raise CourseError("train_my_way should return two things: the network, and what train_pm returned.")
    scores = predict(network, held_out)
    if not np.isclose(scores.loss, history.last["valid_loss"], rtol=1e-2, atol=1e-3):
        told = {"found": scores.loss, "said": history.last["valid_loss"]}
        template = mark(
            "On the held-out photographs the network has a loss of {found:.4f}, and its history says {said:.4f}: give "
            "train_pm valid_loader=held_out, and return the network that it trained."
        )
        raise CourseError(template, **told)
    batches = -(-len(train_loader.files) // (history.about["batch_size"] or 1))
    steps = len(history) * min(batches, history.about.get("batches", batches))
    row = {"steps": steps, "loss": scores.loss, "accuracy": scores.accuracy, "real": real}
    _print(exercise, _keep(number, row))
    return None


def _keep(number: str, row: dict) -> list[dict]:
    try:
        tries = json.loads(TRIES.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        tries = {}
    tries[number] = [*tries.get(number, []), row]
    with replacing(TRIES) as temporary:
        temporary.write_text(json.dumps(tries, indent=1), encoding="utf-8")
    return tries[number]


def _print(exercise: OpenExercise, tries: list[dict]) -> None:
    goal = exercise.to_beat()
    say("try  steps  held-out loss  accuracy")
    for i, row in enumerate(tries, 1):
        beaten = row["real"] and row["steps"] <= exercise.steps and row["loss"] < goal["valid_loss"]
        note = "★" if beaten else "" if row["real"] else tr("sample")
        say(f"{i:3}  {row['steps']:5}  {row['loss']:13.4f}  {row['accuracy']:8.4f}  {note}".rstrip())
    template = mark("to beat within {steps} steps on the real photographs: {loss:.4f} (accuracy {accuracy:.4f})")
    say(tr(template, steps=exercise.steps, loss=goal["valid_loss"], accuracy=goal["valid_accuracy"]))
