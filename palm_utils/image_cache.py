"""Decoded photographs kept on the disk, so that each is decoded once for the whole course.

There is one file for each folder of photographs, size and interpolation: the images, uint8 [H, W, 3], one
after another; then an index with each photograph's name, size, time of change and the image's checksum;
then how long the index is and its checksum. All chapters and processes share it. A photograph whose size or
time has changed is decoded again, and so is one whose stored image is damaged.

The files lie in the user's cache folder, or in the one that the environment variable PALM_CACHE names. They
can be deleted at any time.
"""

import errno
import hashlib
import math
import os
import re
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from tqdm.auto import tqdm

from palm_utils import threads
from palm_utils.files import expanded, locked, replacing, user_cache_folder
from palm_utils.messages import CourseError

Decode = Callable[[Path], np.ndarray]
Stamp = tuple[int, int]  # of a photograph: bytes, and time of its last change in ns

# The end of a file: format, height, width, number of images, bytes of their names, CRC-32 of the index.
_END = struct.Struct("<16sQQQQQ")
_FORMAT = b"palm_utils/img/1"
_SUFFIX = ".images"
# Decoded together before they are written together; bounds what is held in memory.
_PORTION = 64
# What is left free on the disk for everything else.
_SPARE = 256 * 2**20
# Cache folders that this process could not write to, which has been said.
_given_up: set[Path] = set()


def cache_folder() -> Path:
    """Return the folder of the decoded images, which may not exist yet."""
    value = os.environ.get("PALM_CACHE")
    return expanded(value) if value else user_cache_folder() / "images"


@contextmanager
def opened(files: Iterable[Path], decode: Decode, size: tuple[int, int], interpolation: int) -> Iterator[Decode]:
    """Yield a function that returns what decode(file) would, from the cache for the photographs in `files`.

    decode: returns a photograph as uint8 [*size, 3]; size (height, width) and interpolation (cv2.INTER_...)
    say how. Photographs that the cache lacks are decoded first, on several threads; one that cannot be is
    left to `decode`, which then raises at its turn. Where nothing can be written, or the disk is full, one
    line on stderr says so and everything is decoded each time.
    """
    folders: dict[Path, list[str]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file.name)
    with ExitStack() as stack:
        stores = {}
        for folder, names in folders.items():
            store = _store(folder, names, decode, size, interpolation)
            if store:
                stores[folder] = stack.enter_context(store)

        def image_of(file: Path) -> np.ndarray:
            image = stores[file.parent].get(file.name) if file.parent in stores else None
            return decode(file) if image is None else image

        yield image_of


class _Damaged(CourseError):
    """A file of the cache is not what was written."""


class _Store:
    """An open file of the cache. Raises FileNotFoundError where there is none, _Damaged for a broken one."""

    def __init__(self, path: Path):
        self.path, self.damaged = path, False
        self._file = open(path, "rb")  # noqa: SIM115 (closed by __exit__)
        self._lock = Lock()
        try:
            self.folder, self._slots, self._entries = self._read_index()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "_Store":
        return self

    def __exit__(self, *error) -> None:
        self._file.close()
        if self.damaged:
            with suppress(OSError):
                self.path.unlink()

    def stamp(self, name: str) -> Stamp | None:
        """Return the stamp that a photograph had when it was decoded, None for one that is not held."""
        slot = self._slots.get(name)
        return None if slot is None else (int(self._entries[slot, 0]), int(self._entries[slot, 1]))

    def names(self) -> list[str]:
        return list(self._slots)

    def limit_to(self, stamps: dict[str, Stamp]) -> None:
        """Hold no other photographs than those with these stamps."""
        self._slots = {name: self._slots[name] for name, stamp in stamps.items() if self.stamp(name) == stamp}

    def get(self, name: str) -> np.ndarray | None:
        """Return a photograph's image, None where it is not held or is damaged."""
        slot = self._slots.get(name)
        if slot is None:
            return None
        image = np.empty(self._shape, np.uint8)
        try:
            whole = self._read_into(image, slot * image.nbytes) == image.nbytes
        except OSError:
            whole = False
        if not whole or zlib.crc32(image) != self._entries[slot, 2]:
            self.damaged = True
            return None
        return image

    def _read_into(self, image: np.ndarray, start: int) -> int:
        """Read an image of the file; return the number of bytes that were there.

        Not through a mapping: where another process cuts the file meanwhile, touching a page that is gone
        ends this process (SIGBUS), and all pages of a long mapping would count as its memory.
        """
        with self._lock:  # the position belongs to the file, which several threads may read
            self._file.seek(start)
            return self._file.readinto(image)

    def _read_index(self) -> tuple[str, dict[str, int], np.ndarray]:
        length = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, length - _END.size))
        try:
            kind, height, width, count, names_length, checksum = _END.unpack(self._file.read())
        except struct.error:
            raise _Damaged(f"{self.path}: too short") from None
        self._shape = (height, width, 3)
        start, index_length = count * math.prod(self._shape), count * 24 + names_length
        if kind != _FORMAT or start + index_length + _END.size != length:
            raise _Damaged(f"{self.path}: of another format, or not whole")
        self._file.seek(start)
        index = self._file.read(index_length)
        if zlib.crc32(index) != checksum:
            raise _Damaged(f"{self.path}: the index is damaged")
        folder, *names = os.fsdecode(index[count * 24 :]).split("\0")
        entries = np.frombuffer(index, np.int64, count * 3).reshape(count, 3)
        return folder, {name: slot for slot, name in enumerate(names)}, entries


def _store(folder: Path, names: list[str], decode: Decode, size: tuple[int, int], interpolation: int) -> _Store | None:
    """Return the open file of the photographs of a folder, brought up to date; None where that cannot be."""
    if cache_folder() in _given_up:
        return None
    folder = folder.resolve()
    path = _place(folder, size, interpolation)
    stamps = {name: stamp for name in names if (stamp := _stamp(folder / name))}
    try:
        if store := _open_complete(path, stamps):
            return store
        with locked(path, f"decoding the photographs in {folder}"):
            if store := _open_complete(path, stamps):
                return store  # another process has made it meanwhile
            _build(path, folder, stamps, decode, size)
            store = _Store(path)
            store.limit_to(stamps)
            return store
    except (OSError, NotImplementedError) as error:  # the latter: a file system without locks
        _given_up.add(cache_folder())
        print(
            f"Decoded photographs cannot be kept in {cache_folder()} ({error}); each is decoded whenever it is "
            "read. The environment variable PALM_CACHE names another folder.",
            file=sys.stderr,
        )
        return None


def _place(folder: Path, size: tuple[int, int], interpolation: int) -> Path:
    # Other versions of OpenCV may decode or resize to other values.
    key = f"{folder}\0{size}\0{interpolation}\0{cv2.__version__}"
    title = re.sub(r"[^\w-]", "_", folder.name)[:40]
    return cache_folder() / f"{title}-{hashlib.sha256(os.fsencode(key)).hexdigest()[:16]}{_SUFFIX}"


def _stamp(file: Path) -> Stamp | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _open_complete(path: Path, stamps: dict[str, Stamp]) -> _Store | None:
    """Return the file at `path` if it holds every photograph as it is now."""
    store = _open(path)
    if store is None:
        return None
    store.limit_to(stamps)
    if len(store.names()) < len(stamps):
        store.__exit__()
        return None
    return store


def _open(path: Path) -> _Store | None:
    try:
        return _Store(path)
    except (FileNotFoundError, _Damaged):
        return None


def _build(path: Path, folder: Path, stamps: dict[str, Stamp], decode: Decode, size: tuple[int, int]) -> None:
    """Write the file anew: what an earlier one holds of photographs that are as they were, the others decoded."""
    _forget_lost_folders(path.parent)
    with replacing(path) as temporary, ExitStack() as stack:
        if old := _open(path):
            stack.enter_context(old)
            stamps = {name: stamp for name in old.names() if (stamp := _stamp(folder / name))} | stamps
        _refuse_full_disk(path.parent, len(stamps) * math.prod(size) * 3)
        f = stack.enter_context(open(temporary, "wb"))
        names, entries = [], []
        for name, image in _images(old, folder, stamps, decode):
            f.write(image)
            names.append(name)
            entries.append((*stamps[name], zlib.crc32(image)))
        titles = os.fsencode("\0".join([str(folder), *names]))
        index = np.array(entries, np.int64).tobytes() + titles
        f.write(index + _END.pack(_FORMAT, *size, len(names), len(titles), zlib.crc32(index)))


def _images(old: _Store | None, folder: Path, stamps: dict[str, Stamp], decode: Decode):
    """Yield (name, image) of every photograph that can be had, first those that need no decoding."""
    left = []
    for name, stamp in stamps.items():
        image = old.get(name) if old and old.stamp(name) == stamp else None
        if image is None:
            left.append(name)
        else:
            yield name, image

    def tried(name: str) -> np.ndarray | None:
        try:
            return np.ascontiguousarray(decode(folder / name))
        except (CourseError, OSError):
            return None

    pool = ThreadPoolExecutor(threads.count(), thread_name_prefix="palm-decode")
    try:
        # Drawn after a moment only: the sample's pictures are done by then.
        with tqdm(total=len(left), desc=f"decoding {folder.name}, once", unit="", leave=False, delay=2) as bar:
            for start in range(0, len(left), _PORTION):
                portion = left[start : start + _PORTION]
                for name, image in zip(portion, pool.map(tried, portion), strict=True):
                    bar.update()
                    if image is not None:
                        yield name, image
    finally:
        pool.shutdown(cancel_futures=True)


def _refuse_full_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE:
        raise OSError(errno.ENOSPC, f"{needed / 2**20:.0f} MB are needed, {free / 2**20:.0f} MB are free")


def _forget_lost_folders(cache: Path) -> None:
    """Delete what is kept of folders that are gone."""
    for path in cache.glob(f"*{_SUFFIX}"):
        with suppress(OSError):
            store = _open(path)
            if store is None:
                continue
            with store:
                lost = not Path(store.folder).is_dir()
            if lost:
                path.unlink()
