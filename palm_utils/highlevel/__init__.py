"""What chapter 7 adds to paddle.Model: batches of CIFAR-10, a logbook of the run, recipes, pretrained weights."""

import warnings

from palm_utils.highlevel.logbook import Logbook
from palm_utils.highlevel.pictures import (
    CLASS_NAMES,
    MEAN,
    STD,
    Batches,
    as_arrays,
    crop_and_flip,
    loader_workers,
    normalise,
    undo_normalise,
)
from palm_utils.highlevel.quiet import native_warnings_hidden

# paddle.Model makes tensors of the tensors it is given, and PaddlePaddle 3 warns its user about that.
warnings.filterwarnings("ignore", message="To copy construct from a tensor")

__all__ = [
    "CLASS_NAMES",
    "MEAN",
    "STD",
    "Batches",
    "Logbook",
    "as_arrays",
    "crop_and_flip",
    "loader_workers",
    "native_warnings_hidden",
    "normalise",
    "undo_normalise",
]


def __getattr__(name: str):
    # Where notebooks look for what is in palm_course by now.
    from palm_course.getting import weights
    from palm_course.results import cifar

    for module in (cifar, weights):
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module 'palm_utils.highlevel' has no attribute {name!r}")
