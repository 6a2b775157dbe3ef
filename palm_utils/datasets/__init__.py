"""Where each data set is; preparing and downloading the real ones; falling back to the sample."""

from palm_utils.datasets.kinds import CifarData, DataSet, MnistData, PalmData
from palm_utils.datasets.labels import LabelRow, read_labels
from palm_utils.datasets.locate import (
    cifar10,
    data_folder,
    existing,
    find_real,
    mnist,
    palm,
    sample_folder,
    sample_size,
)

__all__ = [
    "CifarData",
    "DataSet",
    "LabelRow",
    "MnistData",
    "PalmData",
    "cifar10",
    "data_folder",
    "existing",
    "find_real",
    "mnist",
    "palm",
    "read_labels",
    "sample_folder",
    "sample_size",
]
