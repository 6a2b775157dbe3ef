"""What every pytest run has: an environment of its own, and settings of nbval that its options do not offer."""

import contextlib
import os
import queue
import tempfile
import time
from pathlib import Path

import nbval.plugin
import pytest

from palm_course import chapters
from palm_utils.messages import tr

BUILD = Path(__file__).parent / "build"
_CACHE = pytest.StashKey[tempfile.TemporaryDirectory]()

# pytest's workers and the kernels they start share the machine: one core each.
os.environ["PALM_THREADS"] = os.environ.get("PALM_THREADS") or "1"


def pytest_configure(config):
    """Keep decoded photographs, of folders that are gone after a test, in a folder that is gone as well."""
    config.stash[_CACHE] = tempfile.TemporaryDirectory(prefix="palm-images-", ignore_cleanup_errors=True)
    os.environ["PALM_CACHE"] = config.stash[_CACHE].name


def pytest_unconfigure(config):
    config.stash[_CACHE].cleanup()


# Copies that `make reset` keeps of a student's chapters.
collect_ignore_glob = ["*.mine.ipynb", "*.mine-*.ipynb"]


class KernelApart(nbval.plugin.RunningKernel):
    """A kernel in a new folder, so that what a notebook saves does not replace what its reader has trained."""

    def __init__(self, kernel_name, cwd=None, **options):
        BUILD.mkdir(exist_ok=True)
        self.folder = tempfile.TemporaryDirectory(prefix="nbval-", dir=BUILD, ignore_cleanup_errors=True)
        home = Path(cwd).resolve()
        # By these names palm_utils.messages knows a notebook of the Chinese edition.
        place = Path(self.folder.name, *home.parts[-2:])
        place.mkdir(parents=True)
        for entry in home.iterdir():  # files of the reader's own, which cells may read
            if "checkpoints" not in entry.name:
                with contextlib.suppress(OSError):  # Windows may not allow links
                    (place / entry.name).symlink_to(entry)
        super().__init__(kernel_name, cwd=str(place), **options)

    def get_message(self, stream, timeout=None):
        """Wait for a message as nbval does, but not for one of a kernel that has died."""
        end = time.monotonic() + timeout
        while True:
            try:
                return super().get_message(stream, timeout=min(timeout, 1))
            except queue.Empty:
                if not self.is_alive():
                    raise KernelDied from None
                if time.monotonic() > end:
                    raise

    def stop(self):
        super().stop()
        self.folder.cleanup()


class KernelDied(Exception):
    """Whoever waits for this kernel need not."""


def runtest(cell, of_nbval=nbval.plugin.IPyNbCell.runtest):
    """Run a cell; say so when its kernel dies in it."""
    with contextlib.suppress(KernelDied):
        return of_nbval(cell)
    cell.parent.timed_out = True  # by that nbval knows that the next cells cannot run
    cell.raise_cell_error(tr(chapters.DIED))


def collect(notebook, of_nbval=nbval.plugin.IPyNbFile.collect):
    """Yield the cells of a notebook; say so where it cannot be read."""
    try:
        chapters.load(notebook.path)
    except chapters.UnreadableNotebook as error:
        raise notebook.CollectError(str(error)) from None
    yield from of_nbval(notebook)


nbval.plugin.RunningKernel = KernelApart
nbval.plugin.IPyNbCell.runtest, nbval.plugin.IPyNbFile.collect = runtest, collect


def pytest_collectstart(collector):
    # Libraries written in C++ log to stderr, which Jupyter stores and nbval does not see.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
