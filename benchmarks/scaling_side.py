"""One reading of a folder of photographs in a process of its own, with its time and memory."""

import threading
import time
from pathlib import Path

import psutil  # comes with ipykernel

from palm_utils.readers import data_loader

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
    """Return seconds of the first epoch and of later ones, on average, and the growth of memory in bytes.

    The reader is made anew for each epoch, as chapters make theirs anew: listing the folder counts.
    small: a folder of a few photographs that is read first, so that what any reading loads into memory once (code,
    threads) is not counted.
    """
    _epoch(small)
    with Watch() as watch:
        first = _epoch(folder)
        later = sum(_epoch(folder) for _ in range(epochs)) / epochs
    return {"first": first, "later": later, "memory": watch.growth}


def _epoch(folder: str) -> float:
    started = time.perf_counter()
    for _ in data_loader(Path(folder))():
        pass
    return time.perf_counter() - started
