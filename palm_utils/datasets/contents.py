"""What is inside the files of MNIST and CIFAR-10: looked at before PaddlePaddle reads them, which trusts them."""

import functools
import gzip
import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np

from palm_utils.datasets import pickles
from palm_utils.datasets.sources import CIFAR10_MD5, has_checksum
from palm_utils.messages import DataError, tr

_PICTURE = 3 * 32 * 32  # bytes
_DIGIT = 28 * 28
_IDX_IMAGES, _IDX_LABELS = 0x0803, 0x0801
# What a file may unpack to before it is taken for a bomb: CIFAR-10 has 186 MB, MNIST's largest file 47 MB.
_LARGEST_ARCHIVE, _LARGEST_FILE = 2 << 30, 1 << 30

_TORN = (OSError, EOFError, zlib.error, struct.error)  # gzip.BadGzipFile is an OSError


def cifar_counts(path: Path) -> dict[str, int]:
    """Count the pictures of an archive in CIFAR-10's layout: {"training": …, "test": …}.

    Raises DataError for an archive that is damaged, of another layout, too large, or whose pickles hold more
    than pictures and labels: `paddle.vision.datasets.Cifar10` would run whatever they name.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise _damaged(path, "cifar10", error) from None
    return dict(_cifar_counts(path, (status.st_size, status.st_mtime_ns)))


@functools.lru_cache(maxsize=8)
def _cifar_counts(path: Path, stamp: tuple[int, int]) -> dict[str, int]:
    if has_checksum(path, "md5", CIFAR10_MD5):
        # As published; to unpack 170 MB for counting takes seconds.
        return {"training": 50_000, "test": 10_000}
    counts, seen, left = {"training": 0, "test": 0}, set(), _LARGEST_ARCHIVE
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                left -= member.size
                if left < 0:
                    raise DataError(tr("it unpacks to far more than CIFAR-10 would"))
                for prefix, split in (("data_batch", "training"), ("test_batch", "test")):
                    if prefix in member.name:
                        if not member.isfile() or member.name in seen:
                            raise DataError(tr("{name!r} is a link or there twice", name=member.name))
                        seen.add(member.name)
                        batch = io.BytesIO(archive.extractfile(member).read())
                        counts[split] += _pictures(pickles.load(batch, encoding="bytes"))
            # What follows the last member is nothing but padding; a torn file ends in it without a word.
            while left >= 0 and (padding := archive.fileobj.read(1 << 20)):
                left -= len(padding)
    except pickles.UnsafePickle as error:
        raise DataError(
            tr(
                "{path} is not safe to read: besides pictures and labels it holds what Python would run "
                "({error}). Remove it; the published archive comes with python -m palm_utils data cifar10 "
                "--download --force",
                path=path,
                error=error,
            )
        ) from None
    except (DataError, tarfile.TarError, *_TORN) as error:
        raise _damaged(path, "cifar10", error) from None
    return counts


def _pictures(batch: object) -> int:
    """Return the number of pictures in a batch; DataError where it has not one label from 0 to 9 for each."""
    data, labels = (batch.get(key) for key in (b"data", b"labels")) if isinstance(batch, dict) else (None, None)
    is_right = (
        isinstance(data, np.ndarray)
        and data.dtype == np.uint8
        and data.shape[1:] == (_PICTURE,)
        and isinstance(labels, list)
        and len(labels) == len(data)
        and all(label in range(10) for label in labels)
    )
    if not is_right:
        raise DataError(tr("a batch of it does not hold pictures of 3 x 32 x 32 bytes with a label from 0 to 9 each"))
    return len(data)


def image_count(path: Path) -> int:
    """Return how many images an IDX file says it has. Raises DataError for another or a damaged file."""
    try:
        with gzip.open(path) as f:
            magic, count = struct.unpack(">II", f.read(8))
    except _TORN as error:
        raise _damaged(path, "mnist", error) from None
    if magic != _IDX_IMAGES:
        raise _damaged(path, "mnist", tr("it is not an IDX file of images"))
    return count


def check_digits(images: Path, labels: Path) -> None:
    """Raise DataError unless two IDX files are whole and hold as many 28 x 28 images as labels from 0 to 9."""
    image_bytes, label_bytes = _idx(images, _IDX_IMAGES, (28, 28)), _idx(labels, _IDX_LABELS, ())
    if len(image_bytes) != len(label_bytes) * _DIGIT:
        counts = tr(
            "{images} images, but {file} {labels} labels",
            images=len(image_bytes) // _DIGIT,
            file=labels.name,
            labels=len(label_bytes),
        )
        raise _damaged(images, "mnist", counts)
    if max(label_bytes, default=0) > 9:
        raise _damaged(labels, "mnist", tr("it has a label {label}", label=max(label_bytes)))


def _idx(path: Path, kind: int, shape: tuple[int, ...]) -> bytes:
    """Return the bytes after the header of an IDX file, which must be as many as the header says."""
    try:
        with gzip.open(path) as f:
            magic, count = struct.unpack(">II", f.read(8))
            found = struct.unpack(f">{len(shape)}I", f.read(4 * len(shape)))
            size = count * (_DIGIT if shape else 1)
            if magic != kind or found != shape or size > _LARGEST_FILE:
                raise DataError(
                    tr("it is not an IDX file of {kind}", kind=tr("28 x 28 images") if shape else tr("labels"))
                )
            content = f.read(size)
            if len(content) != size or f.read(1):
                raise DataError(tr("it should have {size} bytes after its header, and has another number", size=size))
    except (DataError, *_TORN) as error:
        raise _damaged(path, "mnist", error) from None
    return content


def _damaged(path: Path, name: str, error: object) -> DataError:
    return DataError(
        tr(
            "{path} is damaged ({error}). Get it again: python -m palm_utils data {name} --download --force",
            path=path,
            error=error,
            name=name,
        )
    )
