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
from palm_utils.highlevel.recipes import IMPROVED, TUTORIAL, CifarRecipe, CifarRun, epochs_here
from palm_utils.highlevel.weights import find_weights, pretrained_weights

# paddle.Model makes tensors of the tensors it is given, and PaddlePaddle 3 warns its user about that.
warnings.filterwarnings("ignore", message="To copy construct from a tensor")

__all__ = [
    "CLASS_NAMES",
    "IMPROVED",
    "MEAN",
    "STD",
    "TUTORIAL",
    "Batches",
    "CifarRecipe",
    "CifarRun",
    "Logbook",
    "as_arrays",
    "crop_and_flip",
    "epochs_here",
    "find_weights",
    "loader_workers",
    "native_warnings_hidden",
    "normalise",
    "pretrained_weights",
    "undo_normalise",
]
