"""What the chapters share. At its top, each module imports only from modules above it in this list.

The notebooks define the networks; students edit them there.

messages     errors and messages for students, in English or Chinese
files        files that are replaced as a whole; where caches go
cpu          faster ways on a CPU, for PaddlePaddle's own layers (chapter 8); read it last
machine      threads, random seeds, CPU or GPU (chapter 1)
metrics      accuracy, AUC, sensitivity of a network that detects pathologic myopia (chapter 2)
layers       the layers of a network: shapes, parameters, multiplications (chapter 1)
history      the figures of a training run, one row per epoch (chapter 1)
datasets     palm(), mnist(), cifar10(): where the data is; a generated sample replaces what is missing
checkpoints  saving a network and its optimizer, and resuming training (chapters 1 and 7)
readers      from photographs to batches: transform_img, data_loader, valid_data_loader (chapter 2)
training     train_pm, evaluation, predict: the training loop (chapter 2)
figures      plots (chapter 1)
highlevel    what chapter 7 adds to paddle.Model
sample       draws the stand-in data

The tutorial's names can be imported from the package itself: transform_img, data_loader, valid_data_loader, train_pm,
evaluation, EPOCH_NUM, and the paths DATADIR, DATADIR2, CSVFILE, which palm_utils.datasets.palm() finds.

Importing the package changes no setting and loads no PaddlePaddle; `machine.start`, `seed_everything` and `train_pm`
change settings and load it. errors, seeds, claims and recipes are old names of modules that have moved.
"""

import importlib
import zlib  # noqa: F401 - PaddlePaddle 2.6 crashes in gzip when it is imported before zlib is loaded

__version__ = "0.1.0"
__all__ = [  # noqa: RUF022 - in the tutorial's order
    "DATADIR",
    "DATADIR2",
    "CSVFILE",
    "EPOCH_NUM",
    "transform_img",
    "data_loader",
    "valid_data_loader",
    "train_pm",
    "evaluation",
]

_HOME = dict.fromkeys(("transform_img", "data_loader", "valid_data_loader"), "readers")
_HOME.update(dict.fromkeys(("train_pm", "evaluation", "EPOCH_NUM"), "training"))
# Modules, and names of modules, that moved: older notebooks import them from here.
_MOVED = {
    "choose": "palm_course.results.candidates",
    "augment": "palm_utils.readers",
    "comparison": "palm_course.results.comparison",
    "diagrams": "palm_course.diagrams",
    "exercises": "palm_course.exercises",
    "results": "palm_course.results.stored",
}
_MOVED_NAMES = {
    "datasets": {
        "palm_course.getting.tables": "LabelRow read_labels",
        "palm_utils.sample": "sample_folder sample_size",
    },
    "figures": {
        "palm_course.diagrams": "prediction_grid class_grid class_confusion confusion_and_roc probability_histogram",
        "palm_course.eyes": "layer_bars",
    },
    "layers": {"palm_course.diagrams": "gradient_norms"},
    "highlevel": {
        "palm_course.getting.weights": "find_weights pretrained_weights",
        "palm_course.native": "loader_workers native_warnings_hidden",
        "palm_course.results.stored": "CifarRecipe CifarRun epochs_here TUTORIAL IMPROVED",
    },
}


def old_name(module: str, name: str):
    """Return what an old name of a palm_utils module stands for; AttributeError if it never had that name."""
    for home, names in _MOVED_NAMES[module.split(".")[1]].items():
        if name in names.split():
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def __getattr__(name: str):
    if name in _MOVED:
        return importlib.import_module(_MOVED[name])
    if name in _HOME:
        return getattr(importlib.import_module(f"palm_utils.{_HOME[name]}"), name)
    if name in __all__:
        return getattr(importlib.import_module("palm_utils.datasets").palm(), name)
    raise AttributeError(f"module 'palm_utils' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__, *_MOVED})
