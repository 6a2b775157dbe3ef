"""Open exercises: a figure to beat within a number of steps, and a table of the student's tries.

The student writes a function that trains and returns the network and the History of its training. The figure is
computed anew from the network, on held-out training photographs, so it cannot be typed in; the steps are those of the
history. What keeps the held-out photographs out of the training is the student's own interest: they decide what to
trust.
"""

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from palm_course.exercises.trial import remark
from palm_course.results.stored import CifarRun
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
    column: ClassVar[str] = "valid_loss"  # of a History; what counts
    goal: ClassVar[str] = mark(
        "to beat within {steps} steps on the real photographs: {loss:.4f} (accuracy {accuracy:.4f})"
    )

    def readers(self, loader: Reader) -> tuple[Reader, Reader]:
        """Return readers of the photographs to train with and of those held out, from one of all of them."""
        from palm_course.results.candidates import folds

        with warnings.catch_warnings():  # of the sample, which has fewer highly myopic eyes than parts
            warnings.simplefilter("ignore", UserWarning)
            return list(folds(loader))[self.fold]

    def to_beat(self) -> dict:
        """Return the stored epoch that is to be beaten: valid_loss, valid_accuracy, …, on the real photographs."""
        from palm_course.results import candidates

        return candidates.held_out(self.network, self.recipe, self.fold)

    def score(self, network, held_out) -> dict[str, float]:
        """Return valid_loss and valid_accuracy of a network on the held-out photographs."""
        from palm_utils.training import predict

        scores = predict(network, held_out)
        return {"valid_loss": scores.loss, "valid_accuracy": scores.accuracy}


@dataclass(frozen=True, kw_only=True)
class CifarExercise(OpenExercise):
    """The same on CIFAR-10: what counts is the accuracy on the pictures that the recipe of chapter 7 holds out."""

    column: ClassVar[str] = "valid_accuracy"  # losses with smoothed labels and without do not compare
    goal: ClassVar[str] = mark("to beat within {steps} steps on the real photographs: accuracy {accuracy:.4f}")

    def readers(self, loader: Any) -> tuple[Any, Any]:
        """Return batches to train with, in a new order each time, and those held out, as in section 7.6."""
        from palm_utils.highlevel import Batches

        order = np.random.RandomState(0).permutation(len(loader.images))
        split = min(self._run.arguments.held_out, len(order) // 10)
        images, labels, size = loader.images, loader.labels, loader.batch_size
        train = Batches(images[order[split:]], labels[order[split:]], size, shuffle=True)
        return train, Batches(images[order[:split]], labels[order[:split]], 500)

    def to_beat(self) -> dict:
        return self._run.load().last

    def score(self, network, held_out) -> dict[str, float]:
        import paddle

        network.eval()
        with paddle.no_grad():
            logits = np.concatenate([network(x).numpy() for x, _ in held_out])
        loss = paddle.nn.functional.cross_entropy(paddle.to_tensor(logits), paddle.to_tensor(held_out.labels))
        return {"valid_loss": float(loss), "valid_accuracy": float(np.mean(logits.argmax(1) == held_out.labels))}

    @property
    def _run(self):
        return CifarRun.of(self.network, self.recipe)


_ALL = (
    OpenExercise(number="3.6", network="03_alexnet:AlexNet", recipe="rate-1e-4", steps=300),
    OpenExercise(number="4.5", network="04_vgg:VGG", recipe="adam-1e-4", steps=300),
    OpenExercise(number="5.5", network="05_googlenet:GoogLeNet", recipe="adam-3e-4", steps=360),
    OpenExercise(number="6.7", network="06_resnet:ResNet", recipe="adam-1e-3", steps=360),
    CifarExercise(number="7.5", network="WhitenedResNet", recipe="improved", steps=704),
)
EXERCISES = {exercise.number: exercise for exercise in _ALL}


def compete(number: str, train_my_way: Callable, loader: Any, *, real: bool = True) -> None:
    """Train by the student's function, compute its figure anew, keep the try and print the table of all tries.

    train_my_way: (train_loader, held_out) -> (network, History). loader: a Reader or Batches of all photographs. real:
    whether they are the real ones, of which alone the figure to beat speaks. Raises CourseError for another return.
    """
    exercise = EXERCISES[number]
    train_loader, held_out = exercise.readers(loader)
    try:
        returned = train_my_way(train_loader, held_out)
    except NotImplementedError as error:
        if error.__traceback__.tb_next.tb_next:  # not the stub's own
            raise
        return print(remark(number, tr("not attempted yet.")))
    network, history = returned if isinstance(returned, (tuple, list)) and len(returned) == 2 else (None, None)
    if not isinstance(history, History) or not len(history) or not hasattr(network, "training"):
        raise CourseError("train_my_way should return two things: the network, and the history of its training.")
    found, column = exercise.score(network, held_out), exercise.column
    if not np.isclose(found[column], history.last[column], rtol=1e-2, atol=1e-3):
        told = {"what": column.removeprefix("valid_"), "found": found[column], "said": history.last[column]}
        template = mark(
            "On the held-out photographs the network's {what} is {found:.4f}, and its history says {said:.4f}: "
            "validate with held_out while it trains, and return the network that was trained."
        )
        raise CourseError(template, **told)
    images = min(len(train_loader.labels), history.about.get("images", sys.maxsize))
    steps = len(history) * -(-images // (history.about.get("batch_size") or train_loader.batch_size))
    row = {"steps": steps, "loss": found["valid_loss"], "accuracy": found["valid_accuracy"], "real": real}
    return _print(exercise, _keep(number, row))


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
    goal, column = exercise.to_beat(), exercise.column
    print("try  steps  held-out loss  accuracy")
    for i, row in enumerate(tries, 1):
        figure = row[column.removeprefix("valid_")]
        better = figure < goal[column] if column == "valid_loss" else figure > goal[column]
        beaten = row["real"] and row["steps"] <= exercise.steps and better
        note = "★" if beaten else "" if row["real"] else tr("sample")
        print(f"{i:3}  {row['steps']:5}  {row['loss']:13.4f}  {row['accuracy']:8.4f}  {note}".rstrip())
    print(tr(exercise.goal, steps=exercise.steps, loss=goal["valid_loss"], accuracy=goal["valid_accuracy"]))
