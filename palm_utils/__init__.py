"""Shared helpers of the course: data, readers, training loop, metrics and figures.

The modules build on one another in one direction; each imports only from those above it::

    errors, files      what the rest stands on
    metrics            accuracy, AUC, confusion matrix
    sample             the generated stand-in data
    datasets           where each data set is; preparing and downloading the real ones
    claims             statements about real data, checked only on real data
    readers            transform_img, data_loader, valid_data_loader
    checkpoints        saving and resuming training, all or nothing
    training           train_pm, evaluation
    figures            the plots and tables that chapters share
    exercises          the checks behind the exercise cells
    notebooks          executing chapters and reading what they define
    doctor             a look at this machine
    __main__           python -m palm_utils

Networks are not defined here but in the notebooks, where students edit them.
"""

# PaddlePaddle 2.6 crashes in gzip when it is imported before zlib is loaded.
import os
import warnings
import zlib  # noqa: F401

# The executor's informational lines are no news to a student; warnings and errors still show.
os.environ.setdefault("GLOG_minloglevel", "1")
# PaddlePaddle warns about a compiler cache that nobody here needs.
warnings.filterwarnings("ignore", message="No ccache found")

__version__ = "0.1.0"
