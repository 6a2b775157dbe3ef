"""train_pm: the training loop that every iChallenge-PM chapter shares.

Names, argument order and defaults are the tutorial's; what it lacks is keyword-only. Source of the
steps: the course's section 2 ("train_pm"); where it was wrong, chapter 2 shows what and why.
"""

import math
import operator
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from palm_utils import datasets
from palm_utils.checkpoints import Checkpoint
from palm_utils.errors import CourseError
from palm_utils.history import History, describe_machine
from palm_utils.identity import identity
from palm_utils.readers import Reader, data_loader, valid_data_loader
from palm_utils.scoring import evaluation, logits_of, predict, use_device
from palm_utils.seeds import epoch_seed, seed_everything

__all__ = ["EPOCH_NUM", "TrainingDiverged", "evaluation", "predict", "train_pm", "use_device"]

EPOCH_NUM = 5


class TrainingDiverged(CourseError, ArithmeticError):
    """The loss became nan or infinite. `history` holds the epochs that were finished before."""

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


def train_pm(
    model,
    optimizer,
    *,
    train_loader: Callable | None = None,
    valid_loader: Callable | None = None,
    epochs: int | None = None,
    batch_size: int = 10,
    augment: Callable[[np.ndarray], np.ndarray] | None = None,
    folder: str | Path = ".",
    name: str = "palm",
    resume: bool | None = None,
    seed: int | None = None,
    device: str | None = None,
    log_every: int = 20,
    progress: bool = True,
) -> History:
    """Train a network with one logit on iChallenge-PM and validate it after every epoch.

    model: a paddle.nn.Layer from float32 [N, 3, 224, 224] to logits [N, 1].
    optimizer: one of its parameters; a learning-rate scheduler in it takes a step after every batch.
    train_loader, valid_loader: readers as data_loader and valid_data_loader return them; by default of
        the data set that palm_utils.datasets.palm() finds, in batches of `batch_size`, the training
        images changed by `augment` (see data_loader).
    epochs: 5 (EPOCH_NUM), or the environment variable PALM_EPOCHS.
    folder, name: after every epoch `name`.pdparams and `name`.pdopt are replaced there, `name`.json
        (history) with them, and `name`.best.pdparams when the validation accuracy was the best so far.
    resume: go on after the last epoch saved there, to the same figures as without the interruption. By
        default False; where the environment variable PALM_RESUME is set (as `make course` does), a run
        that started exactly like this one is gone on with, and any other is replaced.
    seed: what shuffling, augmentation and dropout draw from; by default drawn from numpy, so that
        seed_everything before the model was made fixes the whole run.
    device: "cpu" or "gpu"; by default a GPU where there is one.

    Losses are means over images. Returns the History. Raises TrainingDiverged at the first loss that is
    not finite, ValueError for a model with another output than one logit an image; Ctrl-C (or the
    notebook's stop button) says where the finished epochs are and then interrupts as usual.
    """
    import paddle

    epochs = default_epochs() if epochs is None else epochs
    use_device(device)
    train_loader, valid_loader = _default_loaders(train_loader, valid_loader, batch_size, augment)
    if isinstance(optimizer._learning_rate, paddle.optimizer.lr.ReduceOnPlateau):
        raise ValueError("train_pm steps its scheduler after every batch; ReduceOnPlateau needs a loss to step by")
    checkpoint = Checkpoint(folder, name)
    new_seed = int(np.random.randint(2**31)) if seed is None else _whole_number(seed, "seed")
    history = History([], {"model": type(model).__name__, "optimizer": type(optimizer).__name__})
    history.about["seed"] = new_seed
    history.about |= {"batch_size": getattr(train_loader, "batch_size", None), **describe_machine()}
    history.about["identity"] = identity(model, optimizer, train_loader, new_seed)
    log = Log(log_every, progress)
    with checkpoint.held():
        print("start training ...")
        if resume:
            history = _resume(checkpoint, model, optimizer, history, seed, log)
            done = f"resuming after {len(history)} finished epochs"
            print(done if history else f"nothing saved in {checkpoint.folder}")
        elif resume is None and os.environ.get("PALM_RESUME") and _is_saved(checkpoint, history, epochs):
            history = _resume(checkpoint, model, optimizer, history, seed, log)
            print(*log.lines, sep="\n")  # as if they had been trained just now
        return _train(model, optimizer, history, checkpoint, epochs, train_loader, valid_loader, log)


class Log:
    """The lines that a training prints, kept so that a run that goes on shows those of its beginning too."""

    def __init__(self, every: int, progress: bool):
        self.every, self.progress, self.lines = every, progress, []

    def say(self, line: str) -> None:
        self.lines.append(line)
        print(line, flush=True)


def _train(model, optimizer, history, checkpoint, epochs, train_loader, valid_loader, log):
    """Train the epochs that the history does not have yet, saving after each."""
    try:
        for epoch in range(len(history), epochs):
            started = time.perf_counter()
            seed_everything(epoch_seed(history.about["seed"], epoch))
            train_loss = _train_epoch(model, optimizer, train_loader, epoch, history, log)
            scores = predict(model, valid_loader)
            _refuse_divergence(scores.loss, f"validation after epoch {epoch}", optimizer, history)
            log.say(f"[validation] accuracy/loss: {scores.accuracy:.4f}/{scores.loss:.4f}")
            seconds = time.perf_counter() - started
            history.add(epoch, train_loss, scores.loss, scores.accuracy, valid_auc=scores.auc, seconds=seconds)
            is_best = history.best["epoch"] == epoch
            checkpoint.save(model, optimizer, {"history": history.to_dict(), "lines": log.lines}, best=is_best)
    except KeyboardInterrupt:
        print(_interrupted(checkpoint, history))
        raise
    return history


def default_epochs() -> int:
    """Return how many epochs train_pm trains: EPOCH_NUM, or what PALM_EPOCHS says."""
    value = os.environ.get("PALM_EPOCHS", str(EPOCH_NUM))
    if not value.isdigit() or int(value) < 1:
        raise CourseError(
            f"The environment variable PALM_EPOCHS is {value!r}; it must be a number of epochs, 1 or more."
        )
    return int(value)


def _default_loaders(train_loader, valid_loader, batch_size: int, augment) -> tuple[Callable, Callable]:
    if train_loader is not None and augment is not None:
        raise ValueError("augment belongs to the reader: data_loader(..., augment=...) when you pass train_loader")
    if train_loader is None or valid_loader is None:
        data = datasets.palm()
        train_loader = train_loader or data_loader(data.DATADIR, batch_size, "train", augment=augment)
        valid_loader = valid_loader or valid_data_loader(data.DATADIR2, data.CSVFILE, batch_size)
    return train_loader, valid_loader


def _train_epoch(model, optimizer, loader, epoch: int, history: History, log: Log) -> float:
    """Take one optimizer step per batch; return the mean training loss over the images."""
    import paddle
    import paddle.nn.functional as F

    model.train()
    optimizer.clear_grad()  # what a look at the gradients or an interrupted step has left
    total = images_seen = 0
    batches = len(loader) if isinstance(loader, Reader) else None
    bar = tqdm(loader(), total=batches, desc=f"epoch {epoch}", leave=False, disable=not log.progress)
    for batch_id, (images, labels) in enumerate(bar):
        logits = logits_of(model, paddle.to_tensor(images), labels)
        loss = F.binary_cross_entropy_with_logits(logits, paddle.to_tensor(labels))
        value = loss.item()
        _refuse_divergence(value, f"epoch {epoch}, batch {batch_id}", optimizer, history)
        if log.every and batch_id % log.every == 0:
            log.say(f"epoch: {epoch}, batch_id: {batch_id}, loss is: {value:.4f}")
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        if isinstance(optimizer._learning_rate, paddle.optimizer.lr.LRScheduler):
            optimizer._learning_rate.step()
        total += value * len(images)
        images_seen += len(images)
    if not images_seen:
        raise ValueError(
            "train_loader yields no batches; a reader is a function that yields them each time it is called"
        )
    return total / images_seen


def _refuse_divergence(loss: float, where: str, optimizer, history: History) -> None:
    """Raise TrainingDiverged for a loss that is not finite: nothing after it is worth saving."""
    if not math.isfinite(loss):
        raise TrainingDiverged(
            f"The loss is {loss} in {where}: training has diverged. A smaller learning rate is the first "
            f"thing to try (it is {optimizer.get_lr():g}). The {len(history)} epochs finished before are in this "
            "error's .history.",
            history,
        )


def _whole_number(value, what: str) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise ValueError(f"{what} is {value!r}; it must be a whole number of at least 0")
    return number


def _is_saved(checkpoint: Checkpoint, history: History, epochs: int) -> bool:
    """Tell whether what is saved is the beginning, or all, of the run that `history` is about."""
    try:
        saved = History.load(checkpoint.state)
    except CourseError:
        return False
    return saved.about.get("identity") == history.about["identity"] and 0 < len(saved) <= epochs


def _resume(checkpoint, model, optimizer, fresh: History, seed: int | None, log: Log) -> History:
    state = checkpoint.load(model, optimizer)
    if state is None:
        return fresh
    history = History.from_dict(state["history"])
    for what, asked in (("seed", seed), ("batch_size", fresh.about["batch_size"])):
        if None not in (asked, history.about[what]) and asked != history.about[what]:
            raise ValueError(
                f"{what} is {asked}, but the run saved in {checkpoint.state} has {history.about[what]}: going on "
                "would mix two runs. Resume with the same, or train in another folder."
            )
    log.lines = state.get("lines", [])
    return history


def _interrupted(checkpoint: Checkpoint, history: History) -> str:
    """Say what is on the disk, where a save may or may not have been completed."""
    checkpoint.recover()
    saved = History.load(checkpoint.state).epochs if checkpoint.state.exists() else []
    if not saved or saved != history.epochs[: len(saved)]:
        earlier = f"; {checkpoint.params} is of an earlier run" if saved else ""
        return f"Interrupted before the first epoch was finished and saved{earlier}."
    return (
        f"Interrupted. {checkpoint.params} holds the run after {len(saved)} finished epoch(s); "
        f"History.load({str(checkpoint.state)!r}) reads its history, train_pm(..., resume=True) goes on from there."
    )
