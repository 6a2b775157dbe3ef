"""Shared helpers of the course: data, readers, training loop, metrics and figures.

Networks are not defined here but in the notebooks, where students edit them.

The tutorial's names can be imported from the package itself: transform_img, data_loader,
valid_data_loader, train_pm, evaluation, EPOCH_NUM, and DATADIR, DATADIR2, CSVFILE, which are the
paths that palm_utils.datasets.palm() finds.
"""

# PaddlePaddle 2.6 crashes in gzip when it is imported before zlib is loaded.
import importlib
import os
import warnings
import zlib  # noqa: F401

# The executor's informational lines are no news to a student; warnings and errors still show.
os.environ.setdefault("GLOG_minloglevel", "1")
# The readers name a photograph that cannot be read; OpenCV's own warning on the terminal adds nothing.
os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
# PaddlePaddle warns about a compiler cache that nobody here needs.
warnings.filterwarnings("ignore", message="No ccache found")
# It warns about every batch norm in training mode that it does what batch norm is meant to do.
warnings.filterwarnings("ignore", message="When training, we now always track global mean and variance")

# PaddlePaddle would multiply matrices by a slow path on AMD's processors, and compute on a single core.
importlib.import_module("palm_utils.kernels").use_at_import()
importlib.import_module("palm_utils.threads").use_at_import()

__version__ = "0.1.0"

_HOME = {
    "transform_img": "readers",
    "data_loader": "readers",
    "valid_data_loader": "readers",
    "train_pm": "training",
    "evaluation": "scoring",
    "EPOCH_NUM": "training",
}
# Where modules are that notebooks know by an older name.
_MOVED = {
    "choose": "palm_course.results.candidates",
    "comparison": "palm_course.results.comparison",
    "exercises": "palm_course.exercises",
    "results": "palm_course.results.stored",
}
_PATHS = ("DATADIR", "DATADIR2", "CSVFILE")


def __getattr__(name: str):
    # Looked up when asked for: importing palm_utils must neither load PaddlePaddle nor make the sample.
    if name in _HOME:
        return getattr(importlib.import_module(f"palm_utils.{_HOME[name]}"), name)
    if name in _MOVED:
        return importlib.import_module(_MOVED[name])
    if name in _PATHS:
        return getattr(importlib.import_module("palm_utils.datasets").palm(), name)
    raise AttributeError(f"module 'palm_utils' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, *_PATHS])
