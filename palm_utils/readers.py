"""Read a folder of fundus photographs as batches for a network. Chapter 2 builds this step by step.

Names, argument order and defaults are the tutorial's; additional arguments are keyword-only. In this order: one
photograph, the two readers, data augmentation, and the disk cache of decoded photographs.
"""

import errno
import hashlib
import os
import random
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from palm_utils import machine
from palm_utils.files import expanded, locked, shortage, user_cache_folder
from palm_utils.messages import CourseError, DataError, DataNotFound, Text, WrongArgument, mark, tr

IMAGE_SIZE = 224
# The first letter of a training photograph's name is its diagnosis.
LABEL_OF_LETTER = {"P": 1, "H": 0, "N": 0}
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
_RESIZABLE = ("uint8", "uint16", "int16", "float32", "float64")
# What transform_img computes for each byte value; a look-up is faster and gives the same bits.
_IN_UNIT_RANGE = np.arange(256, dtype=np.float32) / 255.0 * 2.0 - 1.0

Augment = Callable[[np.ndarray], np.ndarray]


def read_image(file: str | Path) -> np.ndarray:
    """Return a photograph as uint8 [H, W, 3] in OpenCV's order blue, green, red.

    Grey, CMYK and 16-bit photographs are converted; one that the camera marked as rotated is rotated back.
    Raises DataNotFound when it is missing, DataError when it is damaged or truncated. In these cases cv2.imread
    returns None, or a picture whose lower part is grey.
    """
    file = Path(file)
    try:
        data = np.frombuffer(file.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise DataNotFound("{file}: no such photograph", file=file) from None
    except OSError as error:  # no permission, a folder, a link to itself
        template = mark("{file}: cannot be read ({error}). Put the photograph itself there.")
        raise DataError(template, file=file, error=error.strerror) from None
    try:
        # From memory: cv2.imread cannot open every Windows path, and reports no error for truncated files.
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error:  # more pixels than OpenCV allows
        image = None
    if image is None:
        raise DataError(
            "{file}: not a readable image ({size} bytes). Copy it again from the data set, or prepare the data set "
            "anew: python -m palm_utils data palm --from PATH --force",
            file=file,
            size=data.size,
        )
    return image


def transform_img(img: np.ndarray) -> np.ndarray:
    """Turn a photograph, uint8 [H, W, 3], into a network's input, float32 [3, 224, 224] in [-1, 1].
    Raises WrongArgument for anything but an [H, W, 3] array, such as the None of a failed cv2.imread, and for a dtype
    that OpenCV cannot resize (it can resize uint8, uint16, int16, float32 and float64).
    """
    _require_image(img)
    img = cv2.resize(img, (IMAGE_SIZE, IMAGE_SIZE))
    img = np.transpose(img, (2, 0, 1)).astype("float32", order="C")  # [H, W, C] -> [C, H, W]
    return img / 255.0 * 2.0 - 1.0


def _require_image(img: object) -> None:
    if not isinstance(img, np.ndarray) or img.ndim != 3 or img.shape[2] != 3 or 0 in img.shape:
        got = Text("an array of shape {shape}", shape=list(img.shape)) if isinstance(img, np.ndarray) else repr(img)
        got = Text("None: cv2.imread returns None where it cannot read the file") if img is None else got
        raise WrongArgument("transform_img takes an image of shape [height, width, 3] and got {got}", got=got)
    if img.dtype not in _RESIZABLE:  # an array in another byte order is refused too
        template = mark("transform_img takes an image of uint8 and got {dtype}: img.astype('uint8') changes it")
        raise WrongArgument(template, dtype=img.dtype)


@dataclass(eq=False, repr=False)
class Reader:
    """A function without arguments that yields (images, labels) batches, as the tutorial's readers do.

    images: float32 [B, 3, 224, 224] in [-1, 1], channels in OpenCV's order blue, green, red;
    labels: float32 [B, 1]. The last batch may be shorter.
    `files` and `labels` list every photograph once, sorted by name (training) or in the order of the
    label table (validation); `len(reader)` is the number of batches.
    Unless `cache` is False, decoded photographs are kept on the disk. The batches do not depend on it.
    """

    files: list[Path]
    labels: list[int]
    batch_size: int
    _: KW_ONLY
    shuffle: bool = False
    augment: Augment | None = None
    cache: bool = True

    def __post_init__(self):
        size = self.batch_size
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise WrongArgument("batch_size is {size!r}; it must be a whole number of at least 1", size=size)
        self.batch_size = int(size)

    def only(self, indices: Iterable[int], *, train: bool) -> "Reader":
        """Return a reader of some of the photographs; without shuffling and augmentation unless `train`."""
        indices = list(indices)
        files, labels = [self.files[i] for i in indices], [self.labels[i] for i in indices]
        options = {"shuffle": self.shuffle, "augment": self.augment} if train else {}
        return Reader(files, labels, self.batch_size, cache=self.cache, **options)

    def __str__(self) -> str:
        from palm_utils import sample

        folder = self.files[0].parent
        with suppress(ValueError):  # Windows: on another drive
            folder = min(str(folder), os.path.relpath(folder), key=len)
        kind = " of the SAMPLE" if any(map(sample.is_sample, self.files[0].parents)) else ""
        return f"{len(self.files)} photographs{kind} in {folder}"

    def __len__(self) -> int:
        return -(-len(self.files) // self.batch_size)

    def __call__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        order = list(range(len(self.files)))
        if self.shuffle:
            # Starts from the same list in every epoch, so that the order depends only on the seed.
            random.shuffle(order)
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        if self.cache:
            _fill_cache(self.files)
        image_of = _cached_image if self.cache else _decode

        def load(batch: list[int]) -> np.ndarray:
            images = np.empty((len(batch), 3, IMAGE_SIZE, IMAGE_SIZE), np.float32)
            for image, i in zip(images, batch, strict=True):
                for channel, plane in zip(image, cv2.split(image_of(self.files[i])), strict=True):
                    cv2.LUT(plane, _IN_UNIT_RANGE, dst=channel)
            return images

        ahead = min(2, machine.thread_count())  # more threads would slow the training down
        with closing(loaded_ahead(load, batches, ahead)) as loaded:
            for batch, images in zip(batches, loaded, strict=True):
                if self.augment is not None:
                    # Not in the loading threads: the order of random draws must be fixed.
                    images = np.stack([np.asarray(self.augment(image), np.float32) for image in images])
                yield images, np.array([[self.labels[i]] for i in batch], np.float32)


def as_batch(batch: object) -> tuple[np.ndarray, np.ndarray]:
    """Return a batch of any reader as train_pm computes with it: images float32 [N, ...], labels float32 [N, 1].

    Labels may be [N], of any number type; images of any float type. Raises WrongArgument for all else, such as nan.
    """
    try:
        images, labels = map(np.asarray, batch)
    except (TypeError, ValueError):
        got = type(batch).__name__
        raise WrongArgument("a reader yields pairs (images, labels); this one yields {got}", got=got) from None
    labels = labels[:, None] if labels.ndim == 1 else labels
    values = {"images": list(images.shape), "labels": list(labels.shape), "dtype": images.dtype}
    if not images.ndim or not len(images) or labels.shape != (len(images), 1):
        raise WrongArgument("a reader yields a label for each image; images are {images}, labels {labels}", **values)
    if images.ndim == 4 and images.shape[3] == 3 != images.shape[1]:
        template = mark("images are {images}; networks take [N, 3, height, width]: images.transpose(0, 3, 1, 2)")
        raise WrongArgument(template, **values)
    if images.dtype.kind != "f":
        raise WrongArgument("images are {dtype}; transform_img turns a photograph into float32 in [-1, 1]", **values)
    if not np.isfinite(images).all():
        raise WrongArgument("images hold nan or infinity: look at what your reader or augment does")
    if labels.dtype.kind not in "biuf" or not ((labels >= 0) & (labels <= 1)).all():
        found = sorted({*labels[:, 0].tolist()}, key=str)
        raise WrongArgument("labels are 0 or 1; a reader yields {found}", found=found)
    return images.astype(np.float32, copy=False), labels.astype(np.float32, copy=False)


def loaded_ahead(load: Callable, items: Iterable, ahead: int = 1) -> Generator:
    """Yield load(item) for each item in order, while `ahead` threads load the next ones (prefetching).
    An error of `load` is raised when its item is due. The threads end with the generator.
    """
    waiting: deque[Future] = deque()
    pool = ThreadPoolExecutor(ahead, thread_name_prefix="palm-ahead")
    try:
        for item in items:
            waiting.append(pool.submit(load, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def data_loader(datadir, batch_size=10, mode="train", *, augment: Augment | None = None, cache: bool = True) -> Reader:
    """Return a reader of the photographs in a folder, labelled by the first letter of their names.

    mode: "train" shuffles anew in every epoch (seed with palm_utils.machine.seed_everything) and applies
    `augment`, a function from float32 [3, 224, 224] to the same; "eval" does neither.
    cache: keep decoded photographs on the disk for the next epoch, chapter or process.
    Raises DataNotFound for a missing folder, DataError for a folder without photographs or a name that starts with
    another letter than H, N or P, WrongArgument for a wrong mode or batch size.
    """
    if mode not in ("train", "eval"):
        raise WrongArgument("mode is {mode!r}; data_loader knows 'train' (shuffled) and 'eval' (in order)", mode=mode)
    files = _photographs(Path(datadir))
    for file in files:
        if file.name[0].upper() not in LABEL_OF_LETTER:
            raise DataError(
                "{file}: the name of a training photograph starts with H, N or P, which is its label. Move other files "
                "out of the folder; validation photographs need valid_data_loader.",
                file=file,
            )
    labels = [LABEL_OF_LETTER[file.name[0].upper()] for file in files]
    options = {"shuffle": True, "augment": augment} if mode == "train" else {}
    return Reader(files, labels, batch_size, cache=cache, **options)


def valid_data_loader(datadir, csvfile, batch_size=10, mode="valid", *, cache: bool = True) -> Reader:
    """Return a reader of the photographs that a label table names, in the order of the table.

    csvfile: a table with at least the columns imgName and Label (ID,imgName,Label,Fovea_X,Fovea_Y in iChallenge-PM);
    upper and lower case of a name may differ from the file's. cache: as for data_loader.
    Raises DataNotFound when the folder, the table or a photograph in it is missing, DataError for a table that cannot
    be used, WrongArgument for a wrong mode or batch size.
    """
    from palm_course.getting.tables import read_labels  # reads tables that Excel has saved, too

    if mode not in ("valid", "test"):
        template = mark("mode is {mode!r}; valid_data_loader knows 'valid' and 'test', which read alike")
        raise WrongArgument(template, mode=mode)
    # Comes first: a missing or empty folder gets an error of its own.
    photographs = _photographs(Path(datadir))
    by_name = {file.name.casefold(): file for file in photographs} | {file.name: file for file in photographs}
    rows = read_labels(csvfile)
    files = [by_name.get(row.name) or by_name.get(row.name.casefold()) for row in rows]
    if None in files:
        row = rows[files.index(None)]
        raise DataNotFound(
            "{csvfile} line {line}: {photograph} is not in {folder}. Does the table belong to this folder, and is the "
            "folder complete?",
            csvfile=csvfile,
            line=row.line,
            photograph=row.name,
            folder=photographs[0].parent,
        )
    return Reader(files, [row.label for row in rows], batch_size, cache=cache)


def _photographs(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataNotFound(
            "{folder}: no such folder. `python -m palm_utils data` shows where each data set is; "
            "palm_utils.datasets.palm() returns the folders that a notebook should use.",
            folder=folder,
        )
    # AI Studio's archives unpack to PALM-Training400/PALM-Training400/.
    files = _images(folder) or _images(folder / folder.name)
    if not files:
        template = mark("{folder}: no photographs in this folder (looked for {suffixes})")
        raise DataError(template, folder=folder, suffixes=", ".join(sorted(_SUFFIXES)))
    return files


def _images(folder: Path) -> list[Path]:
    found = folder.iterdir() if folder.is_dir() else ()
    # Sorted, because the order of files in a folder differs between machines. macOS adds hidden files.
    names = sorted(f.name for f in found if f.suffix.lower() in _SUFFIXES and not f.name.startswith("."))
    files = [folder / name for name in names]
    for file in files:
        if file.is_symlink() and not file.exists():
            raise DataNotFound(
                "{file}: the photograph is a link to {target}, which is not there. Put the photograph there, or remove "
                "the link.",
                file=file,
                target=file.readlink(),
            )
    return [file for file in files if file.is_file()]


# --- data augmentation: random changes that keep the diagnosis, of float32 [3, H, W] in [-1, 1] with black at -1

# None changes its input. All draw from numpy's global generator, which train_pm seeds anew in every epoch.


def flip(image: np.ndarray) -> np.ndarray:
    """Mirror left and right with probability 1/2: a left eye looks like a mirrored right one."""
    return image[:, :, ::-1].copy() if np.random.rand() < 0.5 else image


def brightness(image: np.ndarray, strength: float = 0.2) -> np.ndarray:
    """Multiply all pixels by one factor between 1 - strength and 1 + strength; black stays black."""
    factor = np.random.uniform(1 - strength, 1 + strength)
    return np.clip((image + 1.0) * np.float32(factor) - 1.0, -1.0, 1.0).astype(np.float32)


def rotate(image: np.ndarray, degrees: float = 20.0, zoom: float = 0.0) -> np.ndarray:
    """Rotate the photograph about its centre by a random angle of up to `degrees`; empty corners are black.
    zoom: it is also enlarged or reduced, by a random factor between 1 - zoom and 1 + zoom."""
    _, height, width = image.shape
    angle, factor = np.random.uniform(-degrees, degrees), 1.0 + (np.random.uniform(-zoom, zoom) if zoom else 0.0)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, factor)
    turned = cv2.warpAffine(image.transpose(1, 2, 0), matrix, (width, height), borderValue=(-1.0, -1.0, -1.0))
    return np.ascontiguousarray(turned.transpose(2, 0, 1))


def compose(*steps: Augment) -> Augment:
    """Return one function that applies the steps in order."""

    def augment(image: np.ndarray) -> np.ndarray:
        for step in steps:
            image = step(image)
        return image

    return augment


# --- the disk cache of decoded photographs

# One file for each photograph, shared by all chapters and processes: the bytes of uint8 [224, 224, 3]. Files are read
# as a whole, not mapped (np.memmap): mapped pages would count as memory of this process, and reading a mapped file that
# another process has shortened would crash this process.

_PIXELS = IMAGE_SIZE * IMAGE_SIZE * 3  # bytes
_SPARE = 256 * 2**20  # bytes left free on the disk for everything else
_unusable: set[Path] = set()  # cache folders that could not be written to; the message was printed once


def cache_folder() -> Path:
    """Return the cache folder, which the environment variable PALM_CACHE can name. You can delete it at any time."""
    return expanded(os.environ.get("PALM_CACHE", "").strip(' "') or user_cache_folder() / "images")


def _decode(file: Path) -> np.ndarray:
    return cv2.resize(read_image(file), (IMAGE_SIZE, IMAGE_SIZE))


def _fill_cache(files: list[Path]) -> None:
    """Decode the photographs that are not cached yet. If they cannot be cached, print one line on stderr."""
    if cache_folder() in _unusable or all(map(_is_cached, files)):
        return
    try:
        _cache_all(files)
    except OSError as error:
        _unusable.add(cache_folder())
        template = mark(
            "Decoded photographs cannot be kept in {folder} ({error}); each is decoded whenever it is read. "
            "The environment variable PALM_CACHE names another folder."
        )
        print(tr(template, folder=cache_folder(), error=error), file=sys.stderr)


def _cache_all(files: list[Path]) -> None:
    decoding = cache_folder() / "decoding"

    def keep(file: Path) -> None:
        with suppress(CourseError):  # a damaged photograph raises when it is read
            image, target = _decode(file), _cache_file(file)
            part = target.with_name(f".decoding.{target.stem}.part")  # `locked` removes it after a killed process
            try:
                part.write_bytes(image)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)

    with locked(decoding, Text("decoding photographs")):
        left = [file for file in files if not _is_cached(file)]
        if lacking := shortage(decoding.parent, len(left) * _PIXELS + _SPARE):
            raise OSError(errno.ENOSPC, str(lacking))
        with closing(loaded_ahead(keep, left, machine.thread_count())) as cached:
            # The bar appears after two seconds, when the sample is decoded already.
            for _ in tqdm(cached, "decoding photographs, once", len(left), unit="", leave=False, delay=2):
                pass


def _cached_image(file: Path) -> np.ndarray:
    """Return _decode(file), from the cache if it is there."""
    try:
        return np.fromfile(_cache_file(file), np.uint8).reshape(IMAGE_SIZE, IMAGE_SIZE, 3)
    except (OSError, ValueError):  # ValueError: it was cut short
        return _decode(file)


def _is_cached(file: Path) -> bool:
    with suppress(OSError):
        return _cache_file(file).stat().st_size == _PIXELS
    return False


def _cache_file(file: Path) -> Path:
    """Return the cache file of a photograph; a changed photograph has another one. Raises OSError: it is missing."""
    status = file.stat()
    # Another version of OpenCV may return other values.
    key = f"{file.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{cv2.__version__}"
    return cache_folder() / f"{hashlib.sha256(os.fsencode(key)).hexdigest()[:32]}.pixels"
