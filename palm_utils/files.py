"""Files and folders that are replaced as a whole, or not at all; free disk space; where caches go."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import filelock
import platformdirs

from palm_utils.messages import Text, mark, tr


@contextmanager
def replacing(path: str | Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`; after the `with` block, move the file written there to `path` in one step.

    When the block raises, the new file is removed and the old one stays. folder: yield a new, empty folder instead; an
    old folder at `path` is first moved aside, and deleted when the new one is in place.
    """
    path = Path(path) if folder else Path(path).resolve()  # a link stays: its target is replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    aside = fresh.with_suffix(".old")
    try:
        if folder:
            fresh.mkdir()
        yield fresh
        if not folder:
            flush(fresh)
        elif path.exists():
            path.replace(aside)
        fresh.replace(path)
    finally:
        _clear([aside, fresh], path)


def _clear(leftovers: list[Path], path: Path) -> None:
    """Delete `leftovers` beside `path`. A folder that was moved aside moves back if nothing is at `path`."""
    for leftover in leftovers:
        if leftover.suffix == ".old" and leftover.exists() and not path.exists():
            leftover.replace(path)
        elif leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


@contextmanager
def locked(path: str | Path, doing: str | Text) -> Iterator[None]:
    """Hold the lock file `path` + ".lock", so that one process at a time does `doing`; clear up after a killed one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=0.2)
    except filelock.Timeout:
        print(tr("Waiting for another process that is {doing} …", doing=doing), flush=True)
        lock.acquire()
    except NotImplementedError:
        print(tr("{path} cannot be locked: let no other process be {doing} meanwhile.", path=path.parent, doing=doing))
    try:
        if lock.is_locked:
            left = re.compile(rf"\.{re.escape(path.name)}\.[^.]+\.(part|old)")
            _clear([entry for entry in path.parent.iterdir() if left.fullmatch(entry.name)], path)
        yield
    finally:
        lock.release()


def flush(path: Path) -> None:
    """Wait until what was written to `path` is on the disk."""
    with open(path, "rb+") as f:
        os.fsync(f.fileno())


def shortage(folder: Path, size: int) -> Text | None:
    """Return a message if the disk of the existing `folder` has fewer than `size` bytes free, else None."""
    free = shutil.disk_usage(folder).free / 1e6
    template = mark("the disk has {free:,.0f} MB free, but {size:,.0f} MB are needed")
    return Text(template, free=free, size=size / 1e6) if free < size / 1e6 else None


def is_disk_full(error: OSError) -> bool:
    """Tell whether `error` means that the disk, or the user's quota, is full."""
    return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def user_cache_folder() -> Path:
    """Return the user's cache folder; without a writable home, one in the system's temporary folder."""
    folder = platformdirs.user_cache_path("palm_utils", appauthor=False)
    # Without a home folder, the path still starts with "~".
    if folder.is_absolute() and (os.access(folder, os.R_OK | os.X_OK) or can_be_written(folder)):
        return folder
    user = os.getuid() if hasattr(os, "getuid") else 0
    ours = Path(tempfile.gettempdir()).absolute() / f"palm_utils-{user}"
    # Everybody can write to the temporary folder, so the folder must belong to this user.
    is_foreign = os.path.lexists(ours) and (ours.is_symlink() or not ours.is_dir() or ours.stat().st_uid != user)
    return folder.absolute() if is_foreign else ours


def can_be_written(folder: Path) -> bool:
    """Tell whether the permissions allow new files in `folder`, which may not exist yet."""
    existing = next((place for place in (folder, *folder.parents) if os.access(place, os.F_OK)), None)
    return existing is not None and os.access(existing, os.W_OK | os.X_OK)


def expanded(path: str | Path) -> Path:
    """Return `path` with "~" replaced by the home folder, or unchanged if there is none."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (Path's own raises RuntimeError)
