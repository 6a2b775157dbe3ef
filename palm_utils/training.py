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

from palm_utils import datasets, distributed, prefetch
from palm_utils.checkpoints import Checkpoint
from palm_utils.history import History, describe_machine
from palm_utils.identity import identity
from palm_utils.messages import CourseError, tr
from palm_utils.readers import Reader, data_loader, valid_data_loader
from palm_utils.scoring import evaluation, logits_of, predict, predict_together, use_device
from palm_utils.seeds import epoch_seed, seed_process
from palm_utils.steps import Losses, Precision

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
    amp: bool = False,
    log_every: int = 20,
    progress: bool = True,
) -> History:
    """Train a network with one logit on iChallenge-PM and validate it after every epoch.

    model: a paddle.nn.Layer from float32 [N, 3, 224, 224] to logits [N, 1].
    optimizer: one of its parameters; a learning-rate scheduler in it takes a step after every batch.
    train_loader, valid_loader: readers as data_loader and valid_data_loader return them; by default of
        the data set that palm_utils.datasets.palm() finds, in batches of `batch_size`, the training
        images changed by `augment` (see data_loader).
    epochs: 5 (EPOCH_NUM), or the environment variable PALM_EPOCHS. Where PALM_BATCHES is set, an epoch ends after
        so many batches: a look at whether everything runs.
    folder, name: after every epoch `name`.pdparams and `name`.pdopt are replaced there, `name`.json
        (history) with them, and `name`.best.pdparams when the validation accuracy was the best so far.
    resume: go on after the last epoch saved there, to the same figures as without the interruption. By
        default False; where the environment variable PALM_RESUME is set (as `make course` does), a run
        that started exactly like this one is gone on with, and any other is replaced.
    seed: what shuffling, augmentation and dropout draw from; by default drawn from numpy, so that
        seed_everything before the model was made fixes the whole run.
    device: "cpu" or "gpu"; by default a GPU where there is one.
    amp: train in mixed precision, float16 where that is safe (O1), which takes a GPU; validation stays in float32.

    In processes that were started together (palm_utils.distributed) each takes an equal part of every batch, all
    share the validation, and the first prints, saves and resumes; a run may be resumed by another number of them.

    Losses are means over images. Returns the History. Raises TrainingDiverged at the first loss that is
    not finite (on a GPU, where losses are read at printed lines and ends of epochs, at the next of them),
    ValueError for a model with another output than one logit an image, CourseError for amp without a GPU
    or a batch that the processes cannot share evenly; Ctrl-C (or the notebook's stop button) says where the
    finished epochs are and then interrupts as usual.
    """
    import paddle

    epochs = default_epochs() if epochs is None else epochs
    use_device(device)
    precision = Precision(amp)
    distributed.join()
    train_loader, valid_loader = _default_loaders(train_loader, valid_loader, batch_size, augment)
    if isinstance(optimizer._learning_rate, paddle.optimizer.lr.ReduceOnPlateau):
        raise ValueError("train_pm steps its scheduler after every batch; ReduceOnPlateau needs a loss to step by")
    checkpoint = Checkpoint(folder, name)
    new_seed = int(np.random.randint(2**31)) if seed is None else _whole_number(seed, "seed")
    new_seed = distributed.by_first(lambda: new_seed)
    rank, processes = distributed.world()
    unusual = ({"processes": processes} if processes > 1 else {}) | ({"amp": True} if amp else {})
    unusual |= {"batches": limit} if (limit := _count("PALM_BATCHES")) else {}
    history = History([], {"model": type(model).__name__, "optimizer": type(optimizer).__name__})
    history.about["seed"] = new_seed
    history.about |= {"batch_size": getattr(train_loader, "batch_size", None), **describe_machine(), **unusual}
    history.about["identity"] = identity(model, optimizer, train_loader, new_seed, **unusual)
    log = Log(log_every, progress, shown=rank == 0)
    with distributed.interrupted_together(), checkpoint.held(model):
        log.show("start training ...")
        if resume:
            history = _resume(checkpoint, model, optimizer, precision, history, seed, log)
            done = f"resuming after {len(history)} finished epochs"
            log.show(done if history else f"nothing saved in {checkpoint.folder}")
        elif (
            resume is None
            and os.environ.get("PALM_RESUME")
            and distributed.by_first(lambda: _is_saved(checkpoint, history, epochs))
        ):
            history = _resume(checkpoint, model, optimizer, precision, history, seed, log)
            log.show(*log.lines)  # as if they had been trained just now
        return _train(model, optimizer, precision, history, checkpoint, epochs, train_loader, valid_loader, log)


class Log:
    """The lines that a training prints, kept so that a run that goes on shows those of its beginning too."""

    def __init__(self, every: int, progress: bool, *, shown: bool):
        self.every, self.progress, self.shown, self.lines = every, progress and shown, shown, []

    def say(self, line: str) -> None:
        self.lines.append(line)
        self.show(line)

    def show(self, *lines: str) -> None:
        """Print lines that are not kept."""
        if self.shown:
            print(*lines, sep="\n", flush=True)


def _train(model, optimizer, precision, history, checkpoint, epochs, train_loader, valid_loader, log):
    """Train the epochs that the history does not have yet, saving after each."""
    rank, _ = distributed.world()
    parallel, train_loader = _parallel(model, train_loader)
    try:
        for epoch in range(len(history), epochs):
            started = time.perf_counter()
            seed_process(epoch_seed(history.about["seed"], epoch), rank)
            train_loss = _train_epoch(parallel, optimizer, precision, train_loader, epoch, history, log)
            distributed.agree_on_statistics(model)
            scores = predict_together(model, valid_loader)
            _refuse_divergence(scores.loss, f"validation after epoch {epoch}", optimizer, history)
            log.say(f"[validation] accuracy/loss: {scores.accuracy:.4f}/{scores.loss:.4f}")
            seconds = time.perf_counter() - started
            history.add(epoch, train_loss, scores.loss, scores.accuracy, valid_auc=scores.auc, seconds=seconds)
            is_best = history.best["epoch"] == epoch
            state = {"history": history.to_dict(), "lines": log.lines}
            state |= {"scaler": precision.state()} if precision.state() else {}
            checkpoint.save(model, optimizer, state, best=is_best)
    except KeyboardInterrupt:
        if rank == 0:
            print(_interrupted(checkpoint, history), flush=True)
        raise
    return history


def _parallel(model, train_loader) -> tuple:
    """Return what one of several processes trains with: gradients averaged over all, a reader of its part."""
    processes = distributed.world()[1]
    if processes == 1:
        return model, train_loader
    if not isinstance(train_loader, Reader):
        raise CourseError(tr("Several processes can only share the batches of a reader that data_loader returned."))
    distributed.refuse_uneven(train_loader.batch_size, processes)
    return distributed.averaging(model), train_loader.split_by(distributed.part_of_batches)


def default_epochs() -> int:
    """Return how many epochs train_pm trains: EPOCH_NUM, or what PALM_EPOCHS says."""
    return _count("PALM_EPOCHS") or EPOCH_NUM


def _count(variable: str) -> int | None:
    """Return the number that an environment variable holds, None where it is not set."""
    value = os.environ.get(variable)
    if value is not None and (not value.isdigit() or int(value) < 1):
        raise CourseError(
            tr(
                "The environment variable {variable} is {value!r}; it must be a whole number, 1 or more.",
                variable=variable,
                value=value,
            )
        )
    return None if value is None else int(value)


def _default_loaders(train_loader, valid_loader, batch_size: int, augment) -> tuple[Callable, Callable]:
    if train_loader is not None and augment is not None:
        raise ValueError("augment belongs to the reader: data_loader(..., augment=...) when you pass train_loader")
    if train_loader is None or valid_loader is None:
        data = datasets.palm()
        train_loader = train_loader or data_loader(data.DATADIR, batch_size, "train", augment=augment)
        valid_loader = valid_loader or valid_data_loader(data.DATADIR2, data.CSVFILE, batch_size)
    return train_loader, valid_loader


def _train_epoch(model, optimizer, precision, loader, epoch: int, history: History, log: Log) -> float:
    """Take one optimizer step per batch; return the mean training loss over the images."""
    import paddle
    import paddle.nn.functional as F

    model.train()
    optimizer.clear_grad()  # what a look at the gradients or an interrupted step has left

    def check(loss: float, batch_id: int) -> None:
        _refuse_divergence(loss, f"epoch {epoch}, batch {batch_id}", optimizer, history)

    losses, at_once = Losses(check), not prefetch.on_gpu()
    limit = history.about.get("batches")
    number_of_batches = min(len(loader), limit or len(loader)) if isinstance(loader, Reader) else None
    batches = prefetch.first(loader(), limit) if limit else loader()
    batches = distributed.begun_together(prefetch.on_device(batches))
    bar = tqdm(batches, total=number_of_batches, desc=f"epoch {epoch}", leave=False, disable=not log.progress)
    for batch_id, (images, labels) in enumerate(bar):
        with precision.computing():
            logits = logits_of(model, images, labels)
            loss = F.binary_cross_entropy_with_logits(logits, labels)
        losses.add(loss, len(images))
        printed = log.every and batch_id % log.every == 0
        if printed or at_once:  # on a GPU reading a loss means waiting for it
            value = losses.read()
        if printed:
            log.say(f"epoch: {epoch}, batch_id: {batch_id}, loss is: {value:.4f}")
        precision.step(loss, optimizer)
        if isinstance(optimizer._learning_rate, paddle.optimizer.lr.LRScheduler):
            optimizer._learning_rate.step()
    losses.read()
    return losses.mean


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


def _resume(checkpoint, model, optimizer, precision, fresh: History, seed: int | None, log: Log) -> History:
    state = checkpoint.load(model, optimizer)
    if state is None:
        return fresh
    history = History.from_dict(state["history"])
    saved = {"batches": "all", **history.about}
    for what, asked in (
        ("seed", seed),
        ("batch_size", fresh.about["batch_size"]),
        ("batches", fresh.about.get("batches", "all")),
    ):
        if None not in (asked, saved[what]) and asked != saved[what]:
            raise ValueError(
                f"{what} is {asked}, but the run saved in {checkpoint.state} has {saved[what]}: going on "
                "would mix two runs. Resume with the same, or train in another folder."
            )
    log.lines = state.get("lines", [])
    precision.load(state.get("scaler", {}))
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
