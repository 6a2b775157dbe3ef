"""Writing files so that a reader sees the old content or the new, never half of it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in `path`'s folder; on success move it over `path` in one step.

    When the block raises, the temporary file is removed and whatever was at `path` stays.
    """
    path = Path(path).resolve()  # a link stays a link; what it points to is replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; give it the mode any new file would have.
        temporary.chmod(0o666 & ~_umask())
        flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Yield a new, empty folder beside `path`; on success it becomes `path`.

    When the block raises, the new folder is removed and whatever was at `path` stays.
    A folder already at `path` is moved aside first and deleted only once the new one is in place.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        yield fresh
        fresh.chmod(0o777 & ~_umask())
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
            path.replace(old / path.name)
            fresh.replace(path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            fresh.replace(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def locked(path: str | Path, doing: str) -> Iterator[None]:
    """Hold `path` + '.lock' so that one process at a time does `doing`; say so when it has to wait."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=0.2)
    except filelock.Timeout:
        print(f"Waiting for another process that is {doing} …", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def flush(path: Path) -> None:
    """Wait until what was written to `path` is on the disk."""
    with open(path, "rb+") as f:
        os.fsync(f.fileno())
