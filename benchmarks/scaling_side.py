"""One reading of a folder of photographs in a process of its own, with its time and memory."""

import os
import tempfile
import threading
import time
from pathlib import Path

import psutil  # comes with ipykernel

from palm_utils.readers import cache_folder, data_loader

_EVERY = 0.005  # seconds between two looks at the memory


class Watch:
    """Follows the resident memory of this process, in bytes, from a thread."""

    def __init__(self):
        self._process, self._stop = psutil.Process(), threading.Event()
        self.start = self.peak = self._process.memory_info().rss

    def __enter__(self) -> "Watch":
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    @property
    def growth(self) -> int:
        return self.peak - self.start

    def _follow(self) -> None:
        while not self._stop.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        self.peak = max(self.peak, self._process.memory_info().rss)


def run(folder: str, epochs: int, small: str) -> dict:
    """Return seconds of a first epoch and of a later one, on average, and the growth of memory in bytes.

    epochs: how many of each; every first one finds an empty cache, and the later one what the first has kept.
    The reader is made anew for each epoch, as chapters make theirs anew: listing the folder counts.
    small: a folder of a few photographs that is read first, so that what any reading loads into memory once (code,
    threads) is not counted.
    """
    _epoch(small)
    first, later, cache = 0.0, 0.0, cache_folder()
    with Watch() as watch:
        for _ in range(epochs):
            with tempfile.TemporaryDirectory(dir=cache) as os.environ["PALM_CACHE"]:
                first += _epoch(folder)
                later += _epoch(folder)
    return {"first": first / epochs, "later": later / epochs, "memory": watch.growth}


def _epoch(folder: str) -> float:
    started = time.perf_counter()
    for _ in data_loader(Path(folder))():
        pass
    return time.perf_counter() - started
