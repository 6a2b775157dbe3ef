"""What is inside the files of MNIST and CIFAR-10: looked at before PaddlePaddle reads them, which trusts them."""

import gzip
import hashlib
import io
import math
import pickle
import pickletools
import re
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from palm_utils.datasets import CIFAR10_FILE, MNIST_FILES
from palm_utils.files import expanded
from palm_utils.messages import DataError, Text, mark

# As in paddle/vision/datasets/mnist.py and cifar.py of PaddlePaddle 3.3.1.
PUBLISHED_MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    CIFAR10_FILE: "c58f30108f718f92721af3b95e74349a",
}
# PaddlePaddle's own download cache (paddle.dataset.common.DATA_HOME); to ask for it would take importing paddle.
_PADDLE_CACHE = Path("~/.cache/paddle/dataset")


def has_checksum(path: Path, algorithm: str, expected: str) -> bool:
    """Whether `path` is a file whose checksum by `algorithm` ("md5", "sha256") is `expected` (hex)."""
    # The sums guard against damage, not against forgery; md5 must work on FIPS machines too.
    digest = hashlib.new(algorithm, usedforsecurity=False)
    try:
        with open(path, "rb") as f:
            while block := f.read(1 << 20):
                digest.update(block)
    except OSError:
        return False
    return digest.hexdigest() == expected


def paddle_cache(name: str) -> Path | None:
    """Return the folder of PaddlePaddle's cache that holds "mnist" or "cifar10", None where it does not."""
    folder, files = {"mnist": ("mnist", MNIST_FILES), "cifar10": ("cifar", [CIFAR10_FILE])}.get(name, ("", []))
    root = expanded(_PADDLE_CACHE) / folder
    # PaddlePaddle downloads straight into its cache: a file there may be the torso of a broken download.
    return root if files and all(has_checksum(root / file, "md5", PUBLISHED_MD5[file]) for file in files) else None


@contextmanager
def _damage_named(path: Path, name: str) -> Iterator[None]:
    """Turn whatever a damaged file leads to into a DataError that says which it is and how to get it again."""
    damaged = mark("{path} is damaged ({error}). Get it again: python -m palm_utils data {name} --download --force")
    unsafe = mark(
        "{path} is not safe to read: besides pictures and labels it holds what Python would run ({error}). Remove "
        "it; the published archive comes with python -m palm_utils data cifar10 --download --force"
    )
    try:
        yield
    except (DataError, tarfile.TarError, OSError, EOFError, zlib.error, struct.error) as error:
        template = unsafe if isinstance(error, UnsafePickle) else damaged
        raise DataError(template, path=path, error=error, name=name) from None


def picture_counts(path: Path) -> dict[str, int]:
    """Count the pictures of an archive in CIFAR-10's layout: {"training": …, "test": …}.

    Raises DataError: it is damaged, of another layout, or its pickles hold more than pictures and labels:
    `paddle.vision.datasets.Cifar10` would run whatever they name.
    """
    if has_checksum(path, "md5", PUBLISHED_MD5[CIFAR10_FILE]):  # to unpack 170 MB for counting takes seconds
        return {"training": 50_000, "test": 10_000}
    counts = {"training": 0, "test": 0}
    # Unpacked to its end first: only there does a torn file raise.
    with (
        _damage_named(path, "cifar10"),
        tarfile.open(fileobj=io.BytesIO(gzip.decompress(path.read_bytes())), mode="r:") as archive,
    ):
        batches = [member for member in archive if re.search("data_batch|test_batch", member.name)]
        for member in batches:
            if not member.isfile() or [other.name for other in batches].count(member.name) > 1:
                raise DataError("{name!r} is a link or there twice", name=member.name)
            counts["training" if "data_batch" in member.name else "test"] += _pictures(archive.extractfile(member))
    return counts


def _pictures(file: BinaryIO) -> int:
    batch = unpickled(file.read())
    data, labels = (batch.get(key) for key in (b"data", b"labels")) if isinstance(batch, dict) else (None, None)
    is_right = isinstance(data, _Array) and isinstance(labels, list) and data.shape == (len(labels), 3 * 32 * 32)
    if not is_right or not all(label in range(10) for label in labels):
        raise DataError("a batch of it does not hold pictures of 3 x 32 x 32 bytes with a label from 0 to 9 each")
    return len(labels)


class UnsafePickle(DataError):
    """A pickle names something else than what plain values and arrays of bytes need."""


def unpickled(content: bytes) -> object:
    """Return what a pickle holds, texts of Python 2 as bytes, in the place of each array an object with its `shape`.

    A pickle is a small program: pickle.load calls whatever it names, os.system included. A batch needs plain values and
    arrays of bytes as NumPy writes them; nothing else is built here (the Python manual, "Restricting Globals"). NumPy's
    own functions are stood in for, because they trust what they are given: it can be an address in memory.
    Raises UnsafePickle: it names anything else, and nothing of it has been called. Raises DataError: it is damaged.
    """
    try:
        # Python makes room for as many values as a number says, and one damaged byte can ask for 30 GB.
        for position, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            _require("PUT" not in opcode.name or int(argument) <= position)
        return _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except UnsafePickle:
        raise
    except Exception as error:  # a damaged pickle can lead to any of them
        raise DataError("not a whole pickle: {kind}: {error}", kind=type(error).__name__, error=error) from None


class _Unpickler(pickle.Unpickler):
    """Its methods are called in the place of the functions that a pickle names."""

    def find_class(self, module: str, name: str):
        where = {"ndarray": "numpy", "dtype": "numpy", "_reconstruct": "numpy.core.multiarray", "encode": "_codecs"}
        if where.get(name) != module.replace("numpy._core", "numpy.core"):  # NumPy 2's name for it
            raise UnsafePickle("it would call {module}.{name}", module=module, name=name)
        return getattr(self, name)

    def ndarray(self, *args):
        _require(False)

    def dtype(self, name, *flags):
        _require(name in ("u1", b"u1") and len(flags) <= 2)
        return _Bytes()

    def _reconstruct(self, kind, shape, code):
        _require(kind == self.ndarray and shape == (0,) and code in ("b", b"b"))
        return _Array()

    def encode(self, text, encoding):
        _require(encoding == "latin1")  # how Python 3 writes bytes into a pickle that Python 2 can read
        return text.encode("latin1")


class _Bytes:
    def __setstate__(self, state):
        _require(state[0] == 3 and state[1] in ("|", b"|") and state[2:] == (None, None, None, -1, -1, 0))


class _Array:
    """An array that takes exactly as many bytes as its shape needs."""

    shape = ()

    def __setstate__(self, state):
        version, self.shape, dtype, _, content = state
        _require(version == 1 and isinstance(dtype, _Bytes) and isinstance(content, bytes))
        _require(np.frombuffer(content, np.uint8).reshape(self.shape).shape == self.shape)


def _require(true: object) -> None:
    if not true:
        raise DataError("it builds an array in a way in which NumPy does not")


def digit_count(path: Path) -> int:
    """Return how many images an IDX file says it has. Raises DataError for another or a damaged file."""
    return _idx(path, (28, 28), whole=False)[0]


def check_digits(images: Path, labels: Path) -> None:
    """Raise DataError unless two IDX files are whole and hold as many 28 x 28 images as labels from 0 to 9."""
    (count, _), (label_count, values) = _idx(images, (28, 28)), _idx(labels, ())
    with _damage_named(images, "mnist"):
        if count != label_count:
            told = {"images": count, "file": labels.name, "labels": label_count}
            raise DataError("{images} images, but {file} {labels} labels", **told)
    with _damage_named(labels, "mnist"):
        if max(values, default=0) > 9:
            raise DataError("it has a label {label}", label=max(values))


def _idx(path: Path, shape: tuple[int, ...], whole: bool = True) -> tuple[int, bytes]:
    """Return an IDX file's count and, if `whole`, the bytes after its header, as many as the header must say."""
    with _damage_named(path, "mnist"), gzip.open(path) as f:
        magic, count = struct.unpack(">II", f.read(8))
        found = struct.unpack(f">{len(shape)}I", f.read(4 * len(shape)))
        if magic != 0x0801 + len(shape) or found != shape or count > 1_000_000:
            kind = Text("28 x 28 images") if shape else Text("labels")
            raise DataError("it is not an IDX file of {kind}", kind=kind)
        size = count * math.prod(shape)
        content = f.read(size) if whole else b""
        if whole and (len(content) != size or f.read(1)):
            raise DataError("it should have {size} bytes after its header, and has another number", size=size)
    return count, content
