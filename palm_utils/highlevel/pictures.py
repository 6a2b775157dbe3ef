"""CIFAR-10 as arrays, and whole batches of it for paddle.Model.

paddle.vision.datasets.Cifar10 changes one picture at a time in Python; here a change is made to all
pictures of a batch at once, which takes a fraction of the time.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np

from palm_utils.machine import end_workers_with_this_process
from palm_utils.messages import DataError

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Of CIFAR-10's training pictures, red, green and blue, on the scale 0...1.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)

_SIDE = 32
_SHARED_MEMORY = Path("/dev/shm")

Augment = Callable[[np.ndarray], np.ndarray]


def as_arrays(dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures, uint8 [N, 3, 32, 32] RGB, and the labels, int64 [N], of a paddle Cifar10.

    The dataset's transform is not applied. Raises DataError where a picture has not 3 x 32 x 32 values.
    """
    pictures, labels = zip(*dataset.data, strict=True)
    stacked = np.stack(pictures)
    if stacked[0].size != 3 * _SIDE * _SIDE:
        raise DataError(f"{dataset.data_file}: a picture has {stacked[0].size} values; CIFAR-10's have 3072")
    return stacked.astype(np.uint8).reshape(-1, 3, _SIDE, _SIDE), np.array(labels, np.int64)


def normalise(pictures: np.ndarray, mean=MEAN, std=STD) -> np.ndarray:
    """Return uint8 [..., 3, H, W] as float32 of about mean 0 and deviation 1 in each channel."""
    scale, shift = _per_channel(mean, std)
    return (pictures.astype(np.float32) - shift) / scale


def undo_normalise(pictures: np.ndarray, mean=MEAN, std=STD) -> np.ndarray:
    """Return what `normalise` was given: float32 [..., 3, H, W] back to uint8, rounded."""
    scale, shift = _per_channel(mean, std)
    return np.rint(pictures * scale + shift).clip(0, 255).astype(np.uint8)


def _per_channel(mean, std) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array(values, np.float32).reshape(3, 1, 1) * 255 for values in (std, mean))


def crop_and_flip(pictures: np.ndarray, padding: int = 4, side: int | None = None) -> np.ndarray:
    """Return each picture of uint8 [N, C, H, W] cut from a random place of itself with a black border, half mirrored.

    padding: width of the border in pixels. side: of the square that is cut out; by default it is as large as
    the picture, which then moves by `padding` at most. Draws from numpy's global generator.
    """
    count, _, height, width = pictures.shape
    padded = np.pad(pictures, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    window = (height, width) if side is None else (side, side)
    if window[0] > padded.shape[2] or window[1] > padded.shape[3]:
        raise ValueError(f"side is {side}; pictures of {height} x {width} with a border of {padding} are smaller")
    windows = np.lib.stride_tricks.sliding_window_view(padded, window, axis=(2, 3))
    top, left = (np.random.randint(places, size=count) for places in windows.shape[2:4])
    cropped = windows[np.arange(count), :, top, left]
    mirrored = np.random.random(count) < 0.5
    return np.where(mirrored[:, None, None, None], cropped[..., ::-1], cropped)


class Batches:
    """Batches for Model.fit, evaluate and predict: all pictures once, each time it is iterated.

    images: uint8 [N, 3, H, W]; labels: int64 [N]. Yields tensors, float32 [B, 3, H, W] and int64 [B, 1];
    the last batch is short. shuffle: in a new order each time, drawn from numpy's global generator.
    augment: changes a uint8 batch before it becomes float32. prepare: makes the float32 batch, by default
    `normalise`.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        *,
        shuffle: bool = False,
        augment: Augment | None = None,
        prepare: Callable[[np.ndarray], np.ndarray] = normalise,
    ):
        if len(images) != len(labels) or not len(images):
            raise ValueError(f"{len(images)} images and {len(labels)} labels; there must be one label for each image")
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be 1 or more")
        self.images, self.labels, self.batch_size = images, np.asarray(labels), batch_size
        self.shuffle, self.augment, self.prepare = shuffle, augment, prepare

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[list]:
        import paddle

        order = np.random.permutation(len(self.images)) if self.shuffle else np.arange(len(self.images))
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            images = self.images[chosen]
            if self.augment is not None:
                images = self.augment(images)
            labels = self.labels[chosen].reshape(-1, 1)
            yield [paddle.to_tensor(self.prepare(images)), paddle.to_tensor(labels)]


def loader_workers(batch_bytes: int) -> int:
    """Return how many processes a DataLoader may read batches of `batch_bytes` with; 0 is this process itself.

    0 on macOS and Windows, where a worker starts without what a notebook has defined, and where the
    shared memory in which workers hand over their batches is too small (64 MB in a Docker container).
    Otherwise one for each core that this process may use but the one that trains, at most 8; they will end when
    this process does (palm_utils.machine).
    """
    end_workers_with_this_process()
    if not sys.platform.startswith("linux") or not _SHARED_MEMORY.is_dir():
        return 0
    workers = min(8, joblib.cpu_count() - 1)
    # Each worker has two batches under way; as much again is left to others.
    return workers if shutil.disk_usage(_SHARED_MEMORY).free > 4 * workers * batch_bytes else 0
