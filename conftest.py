"""How pytest re-executes the notebooks: settings of nbval that its options do not offer."""

import contextlib
import tempfile
from pathlib import Path

import nbval.plugin

BUILD = Path(__file__).parent / "build"


class KernelApart(nbval.plugin.RunningKernel):
    """A kernel in a new folder, so that what a notebook saves does not replace what its reader has trained."""

    def __init__(self, kernel_name, cwd=None, **options):
        BUILD.mkdir(exist_ok=True)
        self.folder = tempfile.TemporaryDirectory(prefix="nbval-", dir=BUILD, ignore_cleanup_errors=True)
        for entry in Path(cwd).resolve().iterdir():  # files of the reader's own, which cells may read
            if "checkpoints" not in entry.name:
                with contextlib.suppress(OSError):  # Windows may not allow links
                    (Path(self.folder.name) / entry.name).symlink_to(entry)
        super().__init__(kernel_name, cwd=self.folder.name, **options)

    def stop(self):
        super().stop()
        self.folder.cleanup()


nbval.plugin.RunningKernel = KernelApart


def pytest_collectstart(collector):
    # Libraries written in C++ log to stderr, which Jupyter stores and nbval does not see.
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
