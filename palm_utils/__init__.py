"""Shared helpers of the course: data, readers, training loop, metrics and figures.

The modules build on one another in one direction; each imports only from those above it::

    language              messages in English or Chinese
    errors, files, seeds  what the rest stands on
    kernels               multiplying matrices on AMD's processors
    threads, prefetch     how many cores are used; the next batch while the present one is used
    adopting              what processes leave behind, so that it can be ended
    workers               processes that read batches end with the one that they read for
    distributed           what processes that train together tell one another
    metrics               accuracy, AUC, confusion matrix
    history               the figures of a training run
    claims                statements about real data, checked only on real data
    sample                the generated stand-in data
    datasets              where each data set is; preparing and downloading the real ones
    image_cache           photographs decoded once
    readers, augment      transform_img, data_loader, valid_data_loader; random changes to images
    optimizer_state       momentum and learning rate put back into a new optimizer
    saving, checkpoints   saving and resuming training, all or nothing
    identity              whether two runs are the same run
    layers                what a network is made of, layer by layer
    scoring               evaluation, predict
    steps                 one optimizer step, in full or mixed precision, and its loss
    training, recipes     train_pm; how each network is trained
    results               what the recipes reached on the real photographs
    highlevel             paddle.Model on CIFAR-10: batches, a logbook, recipes, pretrained weights
    figures, diagrams     the plots that chapters share
    exercises             the checks behind the exercise cells
    notebooks, course     executing chapters, and the networks they define; the outputs they are shown with
    reset, update         a fresh chapter, a new version of the course, the student's answers kept
    progress, grade       which exercises are done, by one student or by many
    processes, train      training a chapter's network from the command line, in one process or several
    comparison            the chapters' networks side by side
    measure, choose       making the results; choosing between recipes
    doctor                a look at this machine
    __main__              python -m palm_utils

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
_PATHS = ("DATADIR", "DATADIR2", "CSVFILE")


def __getattr__(name: str):
    # Looked up when asked for: importing palm_utils must neither load PaddlePaddle nor make the sample.
    if name in _HOME:
        return getattr(importlib.import_module(f"palm_utils.{_HOME[name]}"), name)
    if name in _PATHS:
        return getattr(importlib.import_module("palm_utils.datasets").palm(), name)
    raise AttributeError(f"module 'palm_utils' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME, *_PATHS])
