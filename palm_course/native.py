"""What chapter 7 needs of the system: workers that end with the notebook, and no lines that C++ code logs."""

import multiprocessing
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from multiprocessing import connection, util
from pathlib import Path

import joblib

_SHARED_MEMORY = Path("/dev/shm")


def loader_workers(batch_bytes: int) -> int:
    """Return `num_workers` for a DataLoader with batches of `batch_bytes`: the number of cores minus 1, at most 8.

    It is 0 on macOS and Windows, whose workers do not know what a notebook defines, and where shared memory is small.
    """
    end_workers_with_this_process()
    if not sys.platform.startswith("linux") or not _SHARED_MEMORY.is_dir():
        return 0
    workers = min(8, joblib.cpu_count() - 1)
    # Each worker holds two batches; the same space stays free for others.
    return workers if shutil.disk_usage(_SHARED_MEMORY).free > 4 * workers * batch_bytes else 0


@lru_cache
def end_workers_with_this_process() -> None:
    """Let processes that multiprocessing forks from now on end when this process ends, even if it is killed.

    A worker of PaddlePaddle's DataLoader (2.6 to 3.3) would wait for its next batch forever, and keep its memory.
    """
    util.register_after_fork(_wait_for_parent, lambda wait: threading.Thread(target=wait, daemon=True).start())


def _wait_for_parent() -> None:
    connection.wait([multiprocessing.parent_process().sentinel])
    with suppress(Exception):
        sys.modules["paddle.base.core"]._cleanup_mmap_fds()  # free the shared memory, which outlives all processes
    os._exit(1)


@contextmanager
def native_warnings_hidden() -> Iterator[None]:
    """Drop what C++ code writes to stderr in a `with` block: PaddlePaddle 3.3.1 logs a line at an export."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
