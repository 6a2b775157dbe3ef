"""train_pm: the training loop (in `_train`) of the iChallenge-PM chapters, which chapter 2 builds step by step.

Names, argument order and defaults are the tutorial's. `paddle.distributed.launch` can start several processes that
train one network: all read the same batches, each computes its share of them, paddle.DataParallel averages the
gradients, and the first process prints and saves.
"""

import math
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from palm_utils import cpu, datasets, machine, metrics
from palm_utils.checkpoints import Checkpoint, load_parameters
from palm_utils.history import History
from palm_utils.layers import evaluating
from palm_utils.machine import epoch_seed, seed_everything, use_device
from palm_utils.messages import CourseError, WrongArgument, mark
from palm_utils.readers import Reader, as_batch, data_loader, loaded_ahead, valid_data_loader

# isort: split
import paddle  # after palm_utils.machine, which prepares it
import paddle.nn.functional as F

EPOCH_NUM = machine.EPOCH_NUM


class TrainingDiverged(CourseError, ArithmeticError):
    """The loss became nan or infinite. history: the epochs finished before that."""

    history: History


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
    resume: bool | str | None = None,
    seed: int | None = None,
    device: str | None = None,
    amp: bool = False,
    replicas: int = 1,
    log_every: int = 20,
    progress: bool = True,
) -> History:
    """Train a network with one logit on iChallenge-PM, validate and save it after every epoch; return the History.

    model: a paddle.nn.Layer from float32 [N, 3, 224, 224] to logits [N, 1].
    optimizer: made with the model's parameters; its learning-rate scheduler, if any, takes a step after every batch.
    train_loader, valid_loader: readers as data_loader and valid_data_loader return them; by default of what the
        notebook calls DATADIR, DATADIR2 and CSVFILE, else of what palm_utils.datasets.palm() finds, in batches of
        `batch_size`, the training images changed by `augment`.
    epochs: by default the environment variable PALM_EPOCHS, else the notebook's EPOCH_NUM, else 5. The environment
        variable PALM_IMAGES is how many of a Reader's photographs are trained on.
    folder, name: where `name`.pdparams, .pdopt, .json (the history) and .best.pdparams go (palm_utils.checkpoints).
    resume: True continues after the last epoch saved there, with the same results as without the interruption; False
        starts anew. A string identifies your program: a run saved with the same string, seed and settings is
        continued, any other is replaced. By default the string in the environment variable PALM_RESUME.
    seed: for shuffling, augmentation and dropout; by default drawn from numpy, which seed_everything seeds.
    device: "cpu" or "gpu"; by default a GPU where there is one.
    amp: train in mixed precision (O1: float16 where that is safe), which needs a GPU; validation stays in float32.
    replicas: parts of a batch that are computed at the same time on the cores of a CPU (palm_utils.cpu.Replicas).

    Raises TrainingDiverged at the first loss that is not finite, NotSaved where the run cannot be saved, WrongArgument
    (a ValueError) for a model, optimizer, batch or argument that does not fit, DataError for data or a checkpoint that
    cannot be used, CourseError for any other reason. Ctrl-C prints where the finished epochs are.
    """
    epochs, limit, resume = machine.from_environment(epochs, resume)
    use_device(device)
    if paddle.distributed.get_world_size() > 1 and not paddle.distributed.is_initialized():
        paddle.distributed.init_parallel_env()
    rank, processes = paddle.distributed.get_rank(), paddle.distributed.get_world_size()
    if train_loader is not None and augment is not None:
        raise WrongArgument("augment belongs to the reader: data_loader(..., augment=...) when you pass train_loader")
    if train_loader is None or valid_loader is None:
        paths = datasets.paths_of_notebook()
        train_loader = train_loader or data_loader(paths["DATADIR"], batch_size, "train", augment=augment)
        valid_loader = valid_loader or valid_data_loader(paths["DATADIR2"], paths["CSVFILE"], batch_size)
    for what, loader in {"train_loader": train_loader, "valid_loader": valid_loader}.items():
        if not callable(loader):
            template = mark("{what} is a {kind}, which cannot be called; train_pm calls a reader in every epoch.")
            raise WrongArgument(template, what=what, kind=type(loader).__name__)
    if limit := limit if isinstance(train_loader, Reader) else None:
        rows = range(0, len(train_loader.files), max(1, len(train_loader.files) // limit))
        train_loader = train_loader.only(rows[:limit], train=True)  # sorted by name: so of every class
    batch_size = getattr(train_loader, "batch_size", None)
    machine.refuse(batch_size or 0, processes, amp, paddle.device.get_device(), replicas)
    _refuse_other_optimizers(model, optimizer)
    if isinstance(optimizer._learning_rate, paddle.optimizer.lr.ReduceOnPlateau):
        raise WrongArgument("train_pm steps its scheduler after every batch; ReduceOnPlateau needs a loss to step by")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0):
        raise WrongArgument("seed is {seed!r}; it must be a whole number of at least 0", seed=seed)
    about = {"model": type(model).__name__, "optimizer": type(optimizer).__name__}
    about["seed"] = _from_first(np.random.randint(2**31) if seed is None else seed, rank, processes)
    about |= {"batch_size": batch_size, **machine.describe_machine()}
    optional = {"processes": processes > 1 and processes, "replicas": replicas > 1 and replicas}
    optional |= {"amp": amp, "images": limit, "code": isinstance(resume, str) and resume}
    about |= {what: value for what, value in optional.items() if value}
    run = _Run(History([], about), Checkpoint(folder, name), rank, processes, log_every, progress and processes == 1)
    scaler = paddle.amp.GradScaler(enable=amp)  # without amp it passes the loss and the step through
    with run.checkpoint.held(model) if rank == 0 else nullcontext():
        read = "{}; validation: {}".format(*(getattr(r, "__name__", r) for r in (train_loader, valid_loader)))
        where = f"{epochs} epochs on {paddle.device.get_device()}; saved as {run.checkpoint.params}"
        run.say(f"start training ... {read}; {where}", keep=False)
        _resume(run, model, optimizer, scaler, resume, seed, epochs)
        try:
            _train(run, model, optimizer, scaler, train_loader, valid_loader, epochs)
        except KeyboardInterrupt:
            run.say(run.checkpoint.what_is_saved(run.history), keep=False)
            raise
    return run.history


def _train(run: "_Run", model, optimizer, scaler, train_loader, valid_loader, epochs: int) -> None:
    """Train the epochs that are not in the history yet: a step for each batch, then validation and a checkpoint."""
    network = model  # takes the batches: the model, or what shares them among processes or replicas
    if run.processes > 1:
        network = paddle.DataParallel(model)  # averages the gradients
        vars(model).setdefault("_parallel", []).append(network)  # keep it alive: its hooks in the model need it
    elif "replicas" in run.history.about:
        network = cpu.Replicas(model, run.history.about["replicas"], machine.threads_in_use())
    for epoch in range(len(run.history), epochs):
        started, total, images_seen = time.perf_counter(), 0, 0
        seed = epoch_seed(run.history.about["seed"], epoch)
        seed_everything(seed)
        if run.rank:  # same augmentation in all processes, different dropout
            paddle.seed(epoch_seed(seed, run.rank))
        model.train()
        if isinstance(network, cpu.Replicas):
            network.start_epoch(seed)
        optimizer.clear_grad()  # gradients of an interrupted step, or of a backward pass outside train_pm
        for batch_id, (images, labels, batch_size) in enumerate(_batches(run, train_loader, epoch)):
            with paddle.amp.auto_cast(enable=scaler.is_enable(), level="O1"):
                logits = network(images)
                _refuse_other_outputs(model, logits, labels)
                loss = F.binary_cross_entropy_with_logits(logits, labels)
            mean = float(_sum(loss.item(), run.processes)) / run.processes  # this loss, over all processes
            refuse_divergence(mean, f"epoch {epoch}, batch {batch_id}", optimizer, run.history)
            if run.log_every and batch_id % run.log_every == 0:
                run.say(f"epoch: {epoch}, batch_id: {batch_id}, loss is: {mean:.4f}")
            scaler.scale(loss).backward()  # without amp: loss.backward()
            scaler.step(optimizer)  # without amp: optimizer.step()
            scaler.update()  # without amp: nothing
            optimizer.clear_grad()
            if isinstance(optimizer._learning_rate, paddle.optimizer.lr.LRScheduler):
                optimizer._learning_rate.step()
            total, images_seen = total + mean * batch_size, images_seen + batch_size
        if not images_seen:
            raise WrongArgument("train_loader yields no batches; a reader yields them anew each time it is called")
        # Batch norm's running statistics differ: each process or replica has seen other images.
        if isinstance(network, cpu.Replicas):
            network.end_epoch()
        for buffer in model.state_dict().values() if run.processes > 1 else []:
            if buffer.stop_gradient:
                paddle.distributed.broadcast(buffer, src=0)
        scores = predict(model, valid_loader, share=(run.rank, run.processes))
        refuse_divergence(scores.loss, f"validation after epoch {epoch}", optimizer, run.history)
        run.say(f"[validation] accuracy/loss: {scores.accuracy:.4f}/{scores.loss:.4f}")
        seconds = time.perf_counter() - started
        run.history.add(epoch, total / images_seen, scores.loss, scores.accuracy, valid_auc=scores.auc, seconds=seconds)
        if run.rank == 0:
            state = {"history": run.history.to_dict(), "lines": run.lines, "scaler": scaler.state_dict()}
            run.checkpoint.save(model, optimizer, state, best=run.history.best["epoch"] == epoch)


def evaluation(
    model, params_file_path: str | Path, *, loader: Callable | None = None, batch_size: int = 10, threshold: float = 0.5
) -> metrics.Scores:
    """Load parameters into a model, evaluate it (on a GPU where there is one), print the Scores and return them.

    loader: by default a reader of the validation set that train_pm takes. threshold: as in `predict`.
    Raises DataNotFound for a missing file, DataError for a file of another network.
    """
    use_device(None)
    load_parameters(model, params_file_path)
    if loader is None:
        paths = datasets.paths_of_notebook()
        loader = valid_data_loader(paths["DATADIR2"], paths["CSVFILE"], batch_size)
    scores = predict(model, loader, threshold=threshold)
    print(scores)
    return scores


def predict(model, loader: Callable, *, threshold: float = 0.5, share: tuple[int, int] = (0, 1)) -> metrics.Scores:
    """Return the Scores of a model on every image of a reader, in evaluation mode and without gradients.

    threshold: an image with at least this probability counts as pathologic. share: (k, n) in process k (from 0) of n.
    """
    rank, processes = share

    def answers(numbered: tuple) -> np.ndarray:
        number, (images, labels) = numbered[0], as_batch(numbered[1])
        if number % processes != rank:
            return np.zeros([2, len(labels)])  # another process computes this batch
        with paddle.no_grad():
            logits = model(paddle.to_tensor(images))
            _refuse_other_outputs(model, logits, labels)
        return np.stack([np.ravel(logits.numpy()), np.ravel(labels)])

    threads = machine.threads_in_use()
    at_once = cpu.batches_at_once(model, threads)
    with evaluating(model), cpu.sharing(at_once, threads):
        batches = enumerate(loader())
        found = list(loaded_ahead(answers, batches, at_once) if at_once > 1 else map(answers, batches))
    if not found:
        raise WrongArgument("the reader yields no batches; a reader yields them anew each time it is called")
    return metrics.score(*_sum(np.concatenate(found, axis=1), processes), threshold)


@dataclass
class _Run:
    """A running training."""

    history: History
    checkpoint: Checkpoint
    rank: int  # of this process, from 0
    processes: int
    log_every: int
    progress: bool
    lines: list[str] = field(default_factory=list)  # saved, so that a resumed run can print them again

    def say(self, line: str, *, keep: bool = True) -> None:
        self.lines += [line] if keep else []
        if self.rank == 0:
            print(line, flush=True)


def _batches(run: _Run, loader: Callable, epoch: int) -> Iterator[tuple]:
    """Yield this process's share of each batch, as tensors, and the size of the whole batch."""
    number = len(loader) if hasattr(loader, "__len__") else None
    bar = tqdm(loader(), f"epoch {epoch}", number, leave=False, disable=not run.progress)
    for images, labels in map(as_batch, bar):
        # Every processes-th image, from rank on. At the end some come twice, so that all processes have equally many.
        mine = np.arange(run.rank, math.ceil(len(labels) / run.processes) * run.processes, run.processes) % len(labels)
        yield paddle.to_tensor(images[mine]), paddle.to_tensor(labels[mine]), len(labels)


def _resume(run: _Run, model, optimizer, scaler, resume: bool | str | None, seed: int | None, epochs: int) -> None:
    """Continue the saved run if `resume` asks for it (see train_pm)."""
    fresh, there = run.history.about, None
    usual = {"seed": None, "batch_size": None, "images": "all", "replicas": 1}
    with suppress(CourseError):  # no history is saved there, or none that `load` would accept
        there = History.load(run.checkpoint.state)
    if named := isinstance(resume, str):
        resume = there is not None and there.about == fresh and 0 < len(there) <= epochs
    if not _from_first(bool(resume), run.rank, run.processes):
        return
    for what, default in usual.items() if there else ():  # before anything is loaded
        wanted, saved = seed if what == "seed" else fresh.get(what, default), there.about.get(what, default)
        if None not in (wanted, saved) and wanted != saved:
            values = {"what": what, "asked": wanted, "saved": saved, "file": run.checkpoint.state}
            raise WrongArgument(
                "{what} is {asked}, but the run saved in {file} has {saved}. Resume with that, or use another folder.",
                **values,
            )
    state = run.checkpoint.load(model, optimizer)
    digest = zlib.crc32(str(state).encode())
    if digest != _from_first(digest, run.rank, run.processes):
        raise CourseError("{folder} is not the first machine's: copy that here first.", folder=run.checkpoint.folder)
    if state is None:
        return run.say(f"nothing saved in {run.checkpoint.folder}", keep=False)
    run.history, run.lines = History.from_dict(state["history"]), state.get("lines", [])
    scaler.load_state_dict(state.get("scaler") or scaler.state_dict())
    for line in run.lines if named else [f"resuming after {len(run.history)} finished epochs"]:
        run.say(line, keep=False)


def _from_first(number: int, rank: int, processes: int) -> int:
    """Return, in every process, the whole number of the first process."""
    return int(_sum(number if rank == 0 else 0, processes))


def _sum(values, processes: int) -> np.ndarray:
    """Return the sum of float64 values over the processes, the same in each of them."""
    if processes == 1:
        return values
    total = paddle.to_tensor(values, "float64")
    paddle.distributed.all_reduce(total)
    return total.numpy()


def refuse_divergence(loss: float, where: str, optimizer, history: History) -> None:
    """Raise TrainingDiverged for a loss that is not finite; where: such as "epoch 0, batch 3"."""
    if not math.isfinite(loss):
        values = {"loss": loss, "where": where, "rate": optimizer.get_lr(), "number": len(history)}
        raised = TrainingDiverged(
            "The loss is {loss} in {where}: training has diverged. A smaller learning rate is the first thing to "
            "try (it is {rate:g}). The {number} epochs finished before are in this error's .history.",
            **values,
        )
        raised.history = history
        raise raised


def _refuse_other_outputs(model, logits, labels) -> None:
    if list(logits.shape) != [len(labels), 1]:
        values = {"network": type(model).__name__, "shape": list(logits.shape), "number": len(labels)}
        raise WrongArgument(
            "{network} returns shape {shape}; train_pm needs one logit an image, [{number}, 1]. Is num_classes 1?",
            **values,
        )
    if len(labels) > 1 and bool((logits == 1).all()):
        template = mark(
            "{network} returns 1 for every image, as a softmax over one column does: leave the softmax out."
        )
        raise WrongArgument(template, network=type(model).__name__)


def _refuse_other_optimizers(model, optimizer) -> None:
    groups = (group["params"] if isinstance(group, dict) else [group] for group in optimizer._param_groups)
    if not {id(p) for group in groups for p in group} & {id(p) for p in model.parameters()}:
        template = mark(
            "The optimizer holds no parameter of this {network}: run the cell that makes the optimizer again."
        )
        raise WrongArgument(template, network=type(model).__name__)
