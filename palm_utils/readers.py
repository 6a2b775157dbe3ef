"""Readers of fundus photographs: from a folder of JPEGs to batches that a network takes.

Names, argument order and defaults are those of the tutorial (course section 2, "iChallenge-PM: data
readers"); what it lacks is keyword-only.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from copy import copy
from pathlib import Path

import cv2
import numpy as np

from palm_utils import image_cache, threads
from palm_utils.datasets.labels import read_labels
from palm_utils.messages import DataError, DataNotFound, tr
from palm_utils.prefetch import loaded_ahead

IMAGE_SIZE = 224
# The first letter of a training photograph's name is its diagnosis.
LABEL_OF_LETTER = {"P": 1, "H": 0, "N": 0}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
_RESIZABLE = ("uint8", "uint16", "int16", "float32", "float64")

Batch = tuple[np.ndarray, np.ndarray]
Augment = Callable[[np.ndarray], np.ndarray]


class Reader:
    """A function without arguments that yields (images, labels) batches, as the tutorial's readers do.

    images: float32 [B, 3, 224, 224] in [-1, 1], channels in OpenCV's order blue, green, red;
    labels: float32 [B, 1]. The last batch holds what is left and may be shorter.
    `files` and `labels` list every photograph once, sorted by name (training) or in the order of the
    label table (validation); `len(reader)` is the number of batches.

    Photographs are decoded once and then kept on the disk (palm_utils.image_cache), unless `cache` is
    False; the batches are the same. The next batch is prepared while the present one is used.
    """

    def __init__(
        self,
        files: list[Path],
        labels: list[int],
        batch_size: int,
        *,
        shuffle: bool = False,
        augment: Augment | None = None,
        cache: bool = True,
    ):
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"batch_size is {batch_size!r}; it must be a whole number of at least 1")
        self.files, self.labels, self.batch_size = files, labels, int(batch_size)
        self.shuffle, self.augment, self.cache = shuffle, augment, cache
        self._split = in_batches

    def only(self, indices: Iterable[int], *, train: bool) -> "Reader":
        """Return a reader of some of the photographs; without shuffling and augmentation unless `train`."""
        indices = list(indices)
        files, labels = [self.files[i] for i in indices], [self.labels[i] for i in indices]
        augment = self.augment if train else None
        shuffle = train and self.shuffle
        return Reader(files, labels, self.batch_size, shuffle=shuffle, augment=augment, cache=self.cache)

    def split_by(self, split: Callable[[list[int], int], list[list[int]]]) -> "Reader":
        """Return a reader of the batches that split(order, batch_size) makes; order: photographs by their numbers."""
        reader = copy(self)
        reader._split = split
        return reader

    def __len__(self) -> int:
        return -(-len(self.files) // self.batch_size)

    def __call__(self) -> Iterator[Batch]:
        order = list(range(len(self.files)))
        if self.shuffle:
            # From a sorted list every time, so that the order depends on the seed and nothing else.
            random.shuffle(order)
        batches = self._split(order, self.batch_size)
        with self._decoder() as decoded:

            def load(batch: list[int]) -> np.ndarray:
                images = np.empty((len(batch), 3, IMAGE_SIZE, IMAGE_SIZE), np.float32)
                for image, i in zip(images, batch, strict=True):
                    for channel, plane in zip(image, cv2.split(decoded(self.files[i])), strict=True):
                        cv2.LUT(plane, _IN_UNIT_RANGE, dst=channel)
                return images

            ahead = min(2, threads.count())  # more would only take the cores from the training
            with closing(loaded_ahead(load, batches, ahead)) as loaded:
                for batch, images in zip(batches, loaded, strict=True):
                    if self.augment is not None:
                        # Not in the other thread: what it draws must come from numpy's generator in turn.
                        images = np.stack([np.asarray(self.augment(image), np.float32) for image in images])
                    yield images, np.array([[self.labels[i]] for i in batch], np.float32)

    def _decoder(self) -> AbstractContextManager[Callable[[Path], np.ndarray]]:
        if not self.cache:
            return nullcontext(_decode)
        return image_cache.opened(self.files, _decode, (IMAGE_SIZE, IMAGE_SIZE), cv2.INTER_LINEAR)


def in_batches(order: list[int], batch_size: int) -> list[list[int]]:
    """Return `order` in parts of batch_size; the last may be shorter."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def read_image(file: str | Path) -> np.ndarray:
    """Return a photograph as uint8 [H, W, 3] in OpenCV's order blue, green, red.

    Grey, CMYK and 16-bit photographs become that too, and one that the camera marked as turned is turned.

    Raises DataNotFound when it is not there and DataError when it cannot be decoded or is truncated, where
    cv2.imread would return None or a picture that is grey from some row on.
    """
    file = Path(file)
    try:
        data = np.frombuffer(file.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise DataNotFound(f"{file}: no such photograph") from None
    except OSError as error:  # not ours to read, a folder, a link that leads to itself
        raise DataError(
            tr("{file}: cannot be read ({error}). Put the photograph itself there.", file=file, error=error.strerror)
        ) from None
    try:
        # From memory: cv2.imread cannot open every path that Windows can, and takes truncated files for whole.
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # more pixels than OpenCV allows
        image = None
    if image is None:
        raise DataError(
            tr(
                "{file}: not a readable image ({size} bytes). Copy it again from the data set, or prepare the "
                "data set anew: python -m palm_utils data palm --from PATH --force",
                file=file,
                size=data.size,
            )
        )
    return image


def transform_img(img: np.ndarray) -> np.ndarray:
    """Turn a photograph, uint8 [H, W, 3], into a network's input, float32 [3, 224, 224] in [-1, 1].

    Raises ValueError for anything but an [H, W, 3] array, such as the None of a failed cv2.imread, and for
    numbers that OpenCV does not resize (it does uint8, uint16, int16, float32 and float64).
    """
    if not isinstance(img, np.ndarray) or img.ndim != 3 or img.shape[2] != 3 or 0 in img.shape:
        got = f"an array of shape {list(img.shape)}" if isinstance(img, np.ndarray) else repr(img)
        raise ValueError(
            f"transform_img takes an image of shape [height, width, 3] and got {got}"
            + (": cv2.imread returns None where it cannot read the file" if img is None else "")
        )
    if img.dtype not in _RESIZABLE:  # in this machine's byte order, which others are unequal to
        raise ValueError(f"transform_img takes an image of uint8 and got {img.dtype}: img.astype('uint8') changes it")
    img = cv2.resize(img, (IMAGE_SIZE, IMAGE_SIZE))
    img = np.transpose(img, (2, 0, 1)).astype("float32", order="C")  # [H, W, C] -> [C, H, W]
    return _to_unit_range(img)


def _decode(file: Path) -> np.ndarray:
    return cv2.resize(read_image(file), (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_LINEAR)


def _to_unit_range(img: np.ndarray) -> np.ndarray:
    """Turn 0 to 255 into -1 to 1, in place: img / 255 * 2 - 1."""
    img /= 255.0
    img *= 2.0
    img -= 1.0
    return img


# Of every value of a byte: looking it up gives the same bits in less time than computing it.
_IN_UNIT_RANGE = _to_unit_range(np.arange(256, dtype=np.float32))


def data_loader(datadir, batch_size=10, mode="train", *, augment: Augment | None = None, cache: bool = True) -> Reader:
    """Return a reader of the photographs in a folder, labelled by the first letter of their names.

    mode: "train" shuffles anew in every epoch (seed with palm_utils.seeds.seed_everything) and applies
    `augment`, a function from float32 [3, 224, 224] to the same; "eval" does neither.
    cache: keep decoded photographs on the disk for the next epoch, chapter or process.

    Raises DataNotFound for a missing folder, DataError for one without photographs or with a name
    that starts with another letter than H, N or P, ValueError for another mode or batch size.
    """
    if mode not in ("train", "eval"):
        raise ValueError(f"mode is {mode!r}; data_loader knows 'train' (shuffled) and 'eval' (in order)")
    files = _photographs(Path(datadir))
    labels = []
    for file in files:
        if file.name[0].upper() not in LABEL_OF_LETTER:
            raise DataError(
                tr(
                    "{file}: the name of a training photograph starts with H, N or P, which is its label. Move other "
                    "files out of the folder; validation photographs need valid_data_loader.",
                    file=file,
                )
            )
        labels.append(LABEL_OF_LETTER[file.name[0].upper()])
    train = mode == "train"
    return Reader(files, labels, batch_size, shuffle=train, augment=augment if train else None, cache=cache)


def valid_data_loader(datadir, csvfile, batch_size=10, mode="valid", *, cache: bool = True) -> Reader:
    """Return a reader of the photographs that a label table names, in the order of the table.

    csvfile: columns imgName and Label at least (ID,imgName,Label,Fovea_X,Fovea_Y in iChallenge-PM); a name
    may differ from the file's in upper and lower case.
    cache: as for data_loader.

    Raises DataNotFound when the folder, the table or a photograph it names is missing, DataError for
    a table that cannot be used, ValueError for another mode or batch size.
    """
    if mode not in ("valid", "test"):
        raise ValueError(f"mode is {mode!r}; valid_data_loader knows 'valid' and 'test', which read alike")
    # A missing or empty folder is told as such, not photograph by photograph.
    photographs = _photographs(Path(datadir))
    by_name = {file.name.casefold(): file for file in photographs} | {file.name: file for file in photographs}
    files, labels = [], []
    for row in read_labels(csvfile):
        file = by_name.get(row.name) or by_name.get(row.name.casefold())
        if file is None:
            raise DataNotFound(
                tr(
                    "{csvfile} line {line}: {photograph} is not in {folder}. Does the table belong to this folder, "
                    "and is the folder complete?",
                    csvfile=csvfile,
                    line=row.line,
                    photograph=row.name,
                    folder=photographs[0].parent,
                )
            )
        files.append(file)
        labels.append(row.label)
    return Reader(files, labels, batch_size, cache=cache)


def _photographs(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataNotFound(
            tr(
                "{folder}: no such folder. `python -m palm_utils data` shows where each data set is; "
                "palm_utils.datasets.palm() returns the folders that a notebook should use.",
                folder=folder,
            )
        )
    # AI Studio's archives unpack to PALM-Training400/PALM-Training400/.
    files = _images(folder) or _images(folder / folder.name)
    if not files:
        raise DataError(
            tr(
                "{folder}: no photographs in this folder (looked for {suffixes})",
                folder=folder,
                suffixes=", ".join(sorted(_SUFFIXES)),
            )
        )
    return files


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    # Sorted by name: the order in which a folder lists its files differs between machines. Hidden files
    # are what macOS leaves beside photographs.
    names = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES and not f.name.startswith("."))
    files = [folder / name for name in names]
    for file in files:
        if file.is_symlink() and not file.exists():
            raise DataNotFound(
                tr(
                    "{file}: the photograph is a link to {target}, which is not there. Put the photograph there, or "
                    "remove the link.",
                    file=file,
                    target=file.readlink(),
                )
            )
    return [file for file in files if file.is_file()]
