"""What chapter 7 adds to paddle.Model: batches of CIFAR-10, and a callback that saves and resumes a run.

paddle.vision.datasets.Cifar10 transforms one picture at a time in Python. The functions here transform all pictures of
a batch at once, which takes a fraction of the time.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import paddle
from paddle.callbacks import ModelCheckpoint

from palm_utils import layers, old_name
from palm_utils.checkpoints import Checkpoint, load_parameters
from palm_utils.history import History
from palm_utils.machine import describe_machine, epoch_seed, from_environment, seed_everything
from palm_utils.messages import CourseError, DataNotFound, WrongArgument, tr
from palm_utils.training import refuse_divergence

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Mean and standard deviation of CIFAR-10's training pictures: red, green, blue, in [0, 1].
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)


def as_arrays(dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures, uint8 [N, 3, 32, 32] RGB, and labels, int64 [N], of a paddle Cifar10, without its transform."""
    pictures, labels = zip(*dataset.data, strict=True)
    return np.stack(pictures).astype(np.uint8).reshape(len(labels), 3, 32, 32), np.array(labels, np.int64)


def normalise(pictures: np.ndarray, mean=MEAN, std=STD) -> np.ndarray:
    """Turn uint8 [..., 3, H, W] into float32 with about mean 0 and standard deviation 1 in each channel."""
    scale, shift = _per_channel(mean, std)
    return (pictures.astype(np.float32) - shift) / scale


def undo_normalise(pictures: np.ndarray, mean=MEAN, std=STD) -> np.ndarray:
    """Turn float32 [..., 3, H, W] from `normalise` back into uint8, rounded."""
    scale, shift = _per_channel(mean, std)
    return np.rint(pictures * scale + shift).clip(0, 255).astype(np.uint8)


def _per_channel(mean, std) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array(values, np.float32).reshape(3, 1, 1) * 255 for values in (std, mean))


def crop_and_flip(pictures: np.ndarray, padding=4, *, border="constant", flip=0.5) -> np.ndarray:
    """Add a border to each picture of uint8 [N, C, H, W], cut out a random window of its old size, mirror some of them.

    padding: width of the border in pixels. border: a mode of np.pad: "constant" is black, "reflect" the picture's own
    margin. flip: how probable a mirror image is. Draws from numpy's global generator.
    """
    count, _, height, width = pictures.shape
    padded = np.pad(pictures, ((0, 0), (0, 0), (padding, padding), (padding, padding)), mode=border)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
    top, left = (np.random.randint(places, size=count) for places in windows.shape[2:4])
    cropped = windows[np.arange(count), :, top, left]
    return np.where(np.random.random((count, 1, 1, 1)) < flip, cropped[..., ::-1], cropped)


class Batches:
    """Batches for Model.fit, evaluate and predict; each iteration yields all pictures once.

    images: uint8 [N, 3, H, W]; labels: int64 [N]. Yields tensors, float32 [B, 3, H, W] and int64 [B, 1]; the last batch
    may be shorter. shuffle: a new order each time, from numpy's global generator. augment: a function that changes a
    uint8 batch; prepare: one that then turns it into float32. Raises WrongArgument if the numbers of images and labels
    differ or are 0, or batch_size is below 1.
    """

    def __init__(self, images, labels, batch_size: int, *, shuffle: bool = False, augment=None, prepare=normalise):
        if len(images) != len(labels) or not len(images):
            values = {"images": len(images), "labels": len(labels)}
            raise WrongArgument("{images} images and {labels} labels; there must be one label for each image", **values)
        if batch_size < 1:
            raise WrongArgument("batch_size is {batch_size}; it must be 1 or more", batch_size=batch_size)
        self.images, self.labels, self.batch_size = images, np.asarray(labels), batch_size
        self.shuffle, self.augment, self.prepare = shuffle, augment, prepare

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[list]:
        order = np.random.permutation(len(self.images)) if self.shuffle else np.arange(len(self.images))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            images, labels = self.images[chosen], self.labels[chosen].reshape(-1, 1)
            if self.augment is not None:
                images = self.augment(images)
            yield [paddle.to_tensor(self.prepare(images)), paddle.to_tensor(labels)]


class Logbook(ModelCheckpoint):
    """A callback of Model.fit that adds each epoch to a History and saves a checkpoint after it::

        logbook = Logbook("checkpoints/run")
        epochs_left = logbook.start(model, train_data, epochs=10)
        if epochs_left:
            model.fit(train_data, valid_data, epochs=epochs_left, callbacks=logbook)

    save_dir, name: where `name`.pdparams, .pdopt, .json (the history) and .best.pdparams go (palm_utils.checkpoints).
    seed: for shuffling, augmentation and dropout. Each epoch is seeded anew by this seed and its number, so a resumed
    run has the same results as one that was never stopped.

    It replaces the callback of fit's own `save_dir`, which keeps all epochs and prints folder names.
    """

    def __init__(self, save_dir: str | Path, *, seed: int = 0, name: str = "model"):
        super().__init__()
        self.checkpoint = Checkpoint(save_dir, name)
        self.seed = seed
        self.history = History()

    def start(
        self, model, train_data, *, epochs: int, batch_size=None, resume=None, input_shape=(1, 3, 32, 32), how=""
    ) -> int:
        """Start or resume a run: return how many of `epochs` are left to train, 0 when the run is complete.

        model: a prepared paddle.Model. train_data, batch_size: the same as for fit; batch_size only if train_data has
        none. resume: True continues the run saved in save_dir with its parameters, momentum, learning rate and history;
        False starts anew. A string identifies your program: a run saved with the same string and settings is continued,
        any other is replaced. By default the string in the environment variable PALM_RESUME. input_shape: of one
        image, for counting multiply-adds. how: any other setting, such as what a callback changes.

        Raises CourseError for a model that is not prepared, and with resume=True when the saved run has other settings;
        DataError when it is damaged or of another network.
        """
        if model._optimizer is None:
            raise CourseError("The model has no optimizer yet: model.prepare(optimizer, loss, metrics) comes first")
        _, _, resume = from_environment(epochs, resume)
        kinds = {"model": type(model.network).__name__, "optimizer": type(model._optimizer).__name__}
        settings = kinds | {
            "learning_rate": float(model._optimizer.get_lr()),
            "seed": self.seed,
            "epochs": epochs,
            "batch_size": getattr(train_data, "batch_size", None) or batch_size,
            "parameters": layers.count_parameters(model.network),
            "multiply_adds": sum(row.multiply_adds for row in layers.layer_rows(model.network, list(input_shape))),
            "how": str(how),
        }
        about = settings | describe_machine() | ({"code": resume} if isinstance(resume, str) else {})
        self.history = History([], about)
        with self.checkpoint.held(model.network):
            saved = {}
            with suppress(DataNotFound if resume is True else CourseError):
                saved = History.load(self.checkpoint.state).about
            if resume is True:
                self._refuse_other_run(saved, settings)
            if resume is True or (resume and saved == about):
                state = self.checkpoint.load(model.network, model._optimizer)
                self.history = History.from_dict(state["history"])
                print(tr("going on after epoch {done} of {epochs}", done=len(self.history), epochs=epochs))
        return max(0, epochs - len(self.history))

    def load_best(self, network) -> None:
        """Put the parameters of the epoch with the best validation accuracy into a network."""
        load_parameters(network, self.checkpoint.best)

    def _refuse_other_run(self, saved: dict, settings: dict) -> None:
        differ = [name for name, value in settings.items() if saved.get(name, value) != value]
        values = {"file": self.checkpoint.state, "what": ", ".join(differ)}
        if not saved:
            raise DataNotFound("{file}: no run is saved there to go on with", **values)
        if differ:
            raise CourseError(
                "{file} was started in another way ({what} differ): going on would mix two runs. Start as that run "
                "did, or use another save_dir.",
                **values,
            )

    # fit calls these methods, in this order.

    def on_train_begin(self, logs=None):
        if not self.history.about:
            raise CourseError("Logbook.start(model, train_data, epochs=...) comes before model.fit")
        # A row of the history needs validation results. fit keeps its second argument here.
        if getattr(self.model, "_test_dataloader", True) is None:
            raise CourseError("A Logbook needs validation data: model.fit(train_data, valid_data, ...)")
        self._first = len(self.history)

    def on_epoch_begin(self, epoch=None, logs=None):
        self._epoch = self._first + epoch
        seed_everything(epoch_seed(self.seed, self._epoch))
        self._started = time.perf_counter()
        self._train, self._valid = np.zeros(2), np.zeros(2)  # sum of the losses, number of images

    def on_train_batch_end(self, step, logs=None):
        loss = float(logs["loss"][0])
        where = f"epoch {self._epoch + 1}, step {step + 1}"
        refuse_divergence(loss, where, self.model._optimizer, self.history)
        self._train += loss * logs["batch_size"], logs["batch_size"]

    def on_epoch_end(self, epoch, logs=None):
        self._train_accuracy = self._accuracies(logs)

    def on_eval_batch_end(self, step, logs=None):
        self._valid += float(logs["loss"][0]) * logs["batch_size"], logs["batch_size"]

    def on_eval_end(self, logs=None):
        accuracies, seconds = self._accuracies(logs), time.perf_counter() - self._started
        losses = [total / count for total, count in (self._train, self._valid)]
        self.history.add(self._epoch, *losses, next(iter(accuracies.values())), seconds=seconds)
        self.history.last.update({f"valid_{name}": value for name, value in accuracies.items()})
        self.history.last.update({f"train_{name}": value for name, value in self._train_accuracy.items()})
        best = self.history.best["epoch"] == self._epoch
        with self.checkpoint.held():
            state = {"history": self.history.to_dict()}
            self.checkpoint.save(self.model.network, self.model._optimizer, state, best=best)

    def on_train_end(self, logs=None):
        """Replace ModelCheckpoint's method: the last epoch is saved already."""

    def _accuracies(self, logs: dict) -> dict[str, float]:
        """Return the accuracies in the logs of fit, such as acc_top1 and acc_top5, in order."""
        # PaddlePaddle passes the same dict to all runs of a process, so pick the metrics of this run by name.
        found = {name: float(logs[name]) for name in self.params["metrics"] if name.startswith("acc")}
        if not found:
            raise CourseError("A Logbook needs an accuracy: model.prepare(optimizer, loss, paddle.metric.Accuracy())")
        return found


__getattr__ = partial(old_name, __name__)
