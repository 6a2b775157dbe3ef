"""A callback for paddle.Model.fit that keeps what train_pm keeps: history, parameters, and a way to go on."""

import hashlib
import math
import os
import time
from pathlib import Path

from paddle.callbacks import ModelCheckpoint

from palm_utils import layers
from palm_utils.checkpoints import Checkpoint, load_parameters
from palm_utils.history import History, describe_machine
from palm_utils.messages import CourseError, DataNotFound
from palm_utils.seeds import epoch_seed, seed_everything
from palm_utils.training import TrainingDiverged

__all__ = ["Logbook"]


class Logbook(ModelCheckpoint):
    """Record the epochs of Model.fit in a History and save each in the place of the one before it.

    save_dir, name: after every epoch `name`.pdparams, `name`.pdopt and `name`.json are replaced there, and
    `name`.best.pdparams when the validation accuracy was the best so far. seed: what each epoch's order,
    augmentation and dropout are drawn from; an epoch's draws depend on the seed and its number alone, so
    that a run that was stopped goes on to the figures of one that was not.

    Used as::

        logbook = Logbook("checkpoints/run")
        epochs_left = logbook.start(model, train_data, epochs=10)
        if epochs_left:
            model.fit(train_data, valid_data, epochs=epochs_left, callbacks=logbook)

    It takes the place of the callback that fit's own `save_dir` adds, which keeps all epochs and prints
    this machine's folders.
    """

    def __init__(self, save_dir: str | Path, *, seed: int = 0, name: str = "model"):
        super().__init__()
        self.checkpoint = Checkpoint(save_dir, name)
        self.seed = seed
        self.history = History()
        self._first = 0

    def start(
        self,
        model,
        train_data,
        *,
        epochs: int,
        batch_size: int | None = None,
        resume: bool | str | None = None,
        input_shape: tuple[int, ...] = (1, 3, 32, 32),
        how: object = "",
    ) -> int:
        """Return how many of `epochs` are left to train; 0 when the run is complete already.

        model: a prepared paddle.Model. train_data: what fit will be given; batch_size: likewise, where
        train_data has none of its own. resume: go on with the run saved in save_dir, its momentum, learning
        rate and history put in place. A text names the program that trains: a run that it started exactly like this
        one is gone on with, and any other is replaced. By default the text in the environment variable PALM_RESUME.
        input_shape: of the image whose multiply-adds are noted. how: what else the run depends on and cannot be
        seen here, such as what a callback changes; a run is gone on with only where its text is the same.

        Raises CourseError for a model that was not prepared, and with resume=True where a different run is
        saved; DataError where what is saved is damaged or of another network.
        """
        network, optimizer = model.network, model._optimizer
        if optimizer is None:
            raise CourseError("The model has no optimizer yet: model.prepare(optimizer, loss, metrics) comes first")
        about = {
            "model": type(network).__name__,
            "optimizer": type(optimizer).__name__,
            "seed": self.seed,
            "epochs": epochs,
            "batch_size": getattr(train_data, "batch_size", None) or batch_size,
            "parameters": layers.count_parameters(network),
            "multiply_adds": sum(row.multiply_adds for row in layers.layer_rows(network, list(input_shape))),
            **describe_machine(),
        }
        code = os.environ.get("PALM_RESUME") if resume is None else resume
        about |= {"code": code} if isinstance(code, str) else {}
        settings = f"{optimizer.get_lr()} {self.seed} {epochs} {about['batch_size']} {_data(train_data)}{how}"
        weights = [value.numpy().tobytes() for value in network.state_dict().values()]
        about["identity"] = hashlib.sha256(b"".join([*weights, settings.encode()])).hexdigest()
        self.history, self._first = History([], about), 0
        with self.checkpoint.held(network):
            saved = self._saved()
            if resume is True and saved is None:
                raise DataNotFound(f"{self.checkpoint.state}: no run is saved there to go on with")
            same = saved is not None and saved.about.get("identity") == about["identity"]
            if resume is True and not same:
                raise CourseError(
                    f"{self.checkpoint.state} was started in another way (weights, layers, optimizer, data, seed or "
                    "epochs differ): going on would mix two runs. Start as that run did, or use another save_dir."
                )
            if same and (resume is True or ("code" in about and saved.about.get("code") == about["code"])):
                state = self.checkpoint.load(network, optimizer)
                self.history = History.from_dict(state["history"])
                self._first = len(self.history)
                print(f"going on after epoch {self._first} of {epochs}")
        return max(0, epochs - self._first)

    def load_best(self, network) -> None:
        """Put the parameters of the epoch with the best validation accuracy into a network."""
        load_parameters(network, self.checkpoint.best)

    def _saved(self) -> History | None:
        try:
            return History.load(self.checkpoint.state)
        except CourseError:
            return None

    # What fit calls, in the order of a run.

    def on_train_begin(self, logs=None):
        if "identity" not in self.history.about:
            raise CourseError("Logbook.start(model, train_data, epochs=...) comes before model.fit")
        # Without validation there would be no row to write; fit keeps its second argument here.
        if getattr(self.model, "_test_dataloader", True) is None:
            raise CourseError("A Logbook needs validation data: model.fit(train_data, valid_data, ...)")
        self._first = len(self.history)

    def on_epoch_begin(self, epoch=None, logs=None):
        self._epoch = self._first + epoch
        seed_everything(epoch_seed(self.seed, self._epoch))
        self._started = time.perf_counter()
        self._train = _Mean()

    def on_train_batch_end(self, step, logs=None):
        loss = float(logs["loss"][0])
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"The loss is {loss} in epoch {self._epoch + 1}, step {step + 1}: training has diverged. A smaller "
                f"learning rate is the first thing to try (it is {self.model._optimizer.get_lr():g}).",
                self.history,
            )
        self._train.add(loss, logs["batch_size"])

    def on_epoch_end(self, epoch, logs=None):
        self._train_accuracy = self._accuracies(logs)

    def on_eval_begin(self, logs=None):
        self._valid = _Mean()

    def on_eval_batch_end(self, step, logs=None):
        self._valid.add(float(logs["loss"][0]), logs["batch_size"])

    def on_eval_end(self, logs=None):
        top = self._accuracies(logs)
        seconds = time.perf_counter() - self._started
        self.history.add(self._epoch, self._train.value, self._valid.value, next(iter(top.values())), seconds=seconds)
        self.history.last.update({f"valid_{name}": value for name, value in top.items()})
        self.history.last.update({f"train_{name}": value for name, value in self._train_accuracy.items()})
        best = self.history.best["epoch"] == self._epoch
        with self.checkpoint.held():
            state = {"history": self.history.to_dict()}
            self.checkpoint.save(self.model.network, self.model._optimizer, state, best=best)

    def on_train_end(self, logs=None):
        """Save nothing: the last epoch is saved already."""

    def _accuracies(self, logs: dict) -> dict[str, float]:
        """Return the accuracies among fit's figures, such as acc_top1 and acc_top5, in order.

        By the names of this run's metrics: PaddlePaddle hands the same dict to all runs of a process, and
        what other metrics have left in it stays.
        """
        found = {name: float(logs[name]) for name in self.params["metrics"] if name.startswith("acc")}
        if not found:
            raise CourseError("A Logbook needs an accuracy: model.prepare(optimizer, loss, paddle.metric.Accuracy())")
        return found


class _Mean:
    """The mean over images of what fit reports for each batch."""

    def __init__(self):
        self.total = self.count = 0

    def add(self, value: float, count: int) -> None:
        self.total, self.count = self.total + value * count, self.count + count

    @property
    def value(self) -> float:
        return self.total / self.count


def _data(train_data) -> str:
    """Describe what is trained on: the number of images, and the labels where they can be had."""
    labels = getattr(train_data, "labels", None)
    known = "" if labels is None else hashlib.sha256(labels.tobytes()).hexdigest()
    changes = [getattr(getattr(train_data, name, None), "__qualname__", "") for name in ("augment", "prepare")]
    return f"{len(train_data)} {known} {changes}"
