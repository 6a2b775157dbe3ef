"""Writing files so that a reader sees the old content or the new, never half of it; and where they may go."""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import platformdirs


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
            try:
                path.replace(old / path.name)
                fresh.replace(path)
            finally:
                if not path.exists() and (old / path.name).exists():
                    (old / path.name).replace(path)
                shutil.rmtree(old, ignore_errors=True)
        else:
            fresh.replace(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def locked(path: str | Path, doing: str) -> Iterator[None]:
    """Hold `path` + '.lock' so that one process at a time does `doing`; say so when it has to wait.

    What a process that was killed meanwhile has left of `path` is put in order first: its lock is free. Where the
    file system has no locks, it says so and does not wait.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire(timeout=0.2)
    except filelock.Timeout:
        print(f"Waiting for another process that is {doing} …", flush=True)
        lock.acquire()
    except NotImplementedError:
        print(f"{path.parent} cannot be locked: let no other process be {doing} meanwhile.", flush=True)
    try:
        if lock.is_locked:
            _clear_leftovers(path)
        yield
    finally:
        lock.release()


def _clear_leftovers(path: Path) -> None:
    """Put in order what a process that was killed in `replacing` or `replacing_folder` has left beside `path`.

    A folder that was moved aside comes back where nothing had taken its place yet.
    """
    left = re.compile(rf"\.{re.escape(path.name)}\.[^.]+\.(part|old)")
    for leftover in [entry for entry in path.parent.iterdir() if left.fullmatch(entry.name)]:
        if leftover.suffix == ".old" and not path.exists() and (leftover / path.name).exists():
            (leftover / path.name).replace(path)
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def user_cache_folder() -> Path:
    """Return the folder for what can be made again, absolute; it may not exist yet.

    It is the user's cache folder. Where there is no home folder, or it cannot be written to, a folder of
    this user's in the system's temporary one takes its place.
    """
    folder = platformdirs.user_cache_path("palm_utils", appauthor=False)
    # Without a home folder a "~" is left in the path.
    if folder.is_absolute() and (os.access(folder, os.R_OK | os.X_OK) or can_be_written(folder)):
        return folder
    try:
        stand_in = Path(tempfile.gettempdir()).absolute() / f"palm_utils-{getattr(os, 'getuid', int)()}"
    except FileNotFoundError:  # there is no temporary folder either
        return folder.absolute()
    return stand_in if _is_ours_to_take(stand_in) else folder.absolute()


def can_be_written(folder: Path) -> bool:
    """Whether files can be made in `folder`, which may not exist yet, as far as permissions tell."""
    there = next((place for place in (folder, *folder.parents) if os.access(place, os.F_OK)), None)
    return there is not None and os.access(there, os.W_OK | os.X_OK)


def _is_ours_to_take(folder: Path) -> bool:
    """Whether `folder`, in a place where everybody may write, is not there yet or a folder of this user."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return True
    return stat.S_ISDIR(status.st_mode) and (not hasattr(os, "getuid") or status.st_uid == os.getuid())


def expanded(path: str | Path) -> Path:
    """Return `path` with the home folder for "~", or as it is where there is no such home folder."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (Path's own raises RuntimeError)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def flush(path: Path) -> None:
    """Wait until what was written to `path` is on the disk."""
    with open(path, "rb+") as f:
        os.fsync(f.fileno())
