"""What the chapters share, from the bottom up; each module imports only from those above it.

Networks are not defined here but in the notebooks, where students edit them.

messages     errors and messages for students, in English or Chinese
files        replacing a file whole or not at all; where caches go
machine      threads, kernels of a CPU, seeds, the device: what happens where
metrics      how well a network tells pathologic myopia from the rest: accuracy, AUC, sensitivity (chapter 2)
layers       what a network is made of: shapes, parameters, multiplications (chapter 1)
history      one row of figures per epoch (chapter 1)
datasets     palm(), mnist(), cifar10(): where the data is; the sample stands in for what is missing
checkpoints  saving a network and its optimizer, and going on from there (chapter 3)
readers      from photographs to batches: transform_img, data_loader, valid_data_loader (chapter 2)
training     train_pm, evaluation, predict: the loop (chapter 2)
figures      plots, and drawings of networks (chapter 1)
highlevel    what chapter 7 adds to paddle.Model
sample       draws the stand-in data

The tutorial's names can be imported from the package itself: transform_img, data_loader, valid_data_loader, train_pm,
evaluation, EPOCH_NUM, and DATADIR, DATADIR2, CSVFILE, which are the paths that palm_utils.datasets.palm() finds.

Importing the package loads no PaddlePaddle and changes no setting; `machine.start`, `seed_everything`, `train_pm` do.
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

_HOME = {
    "transform_img": "readers",
    "data_loader": "readers",
    "valid_data_loader": "readers",
    "train_pm": "training",
    "evaluation": "training",
    "EPOCH_NUM": "training",
}
# Modules that students' notebooks import from here, and where they are.
_MOVED = {
    "choose": "palm_course.results.candidates",
    "comparison": "palm_course.results.comparison",
    "diagrams": "palm_utils.figures",
    "exercises": "palm_course.exercises",
    "results": "palm_course.results.stored",
}


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
