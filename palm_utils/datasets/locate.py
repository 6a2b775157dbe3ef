"""Where each data set is: a real one the user has, or else the generated sample.

Every root has the same layout::

    palm/PALM-Training400/*.jpg  palm/PALM-Validation400/*.jpg  palm/labels.csv
    palm/PALM-Test400/*.jpg  palm/test_labels.csv               (where the open release was prepared)
    mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz
    cifar10/cifar-10-python.tar.gz
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from palm_utils.datasets.kinds import CifarData, DataSet, Kind, MnistData, PalmData
from palm_utils.datasets.sources import CIFAR10_FILE, CIFAR10_MD5, MNIST_FILES, has_checksum
from palm_utils.files import can_be_written, expanded, user_cache_folder
from palm_utils.messages import DataError, DataNotFound, tr

SAMPLE_SIZES = ("default", "tiny")

# PaddlePaddle's own download cache (paddle.dataset.common.DATA_HOME), named here because
# importing paddle to ask for it takes more than a second.
_PADDLE_CACHE = Path("~/.cache/paddle/dataset")

_Files = TypeVar("_Files", MnistData, CifarData)


def palm() -> PalmData:
    """Find iChallenge-PM: in `data_folder()`, else the sample, which is made when first needed.

    Raises:
        DataNotFound: a palm folder is there but incomplete; the text says what is missing and the
            command that mends it. Also when `PALM_DATA` does not name a folder.
        DataError: `PALM_SAMPLE` is not the name of a sample.
    """
    return _without_sample("palm") or PalmData(_make_sample() / "palm", "sample")


def mnist() -> MnistData:
    """Find MNIST: in `data_folder()`, else PaddlePaddle's download cache, else the sample.

    Raises the same errors as `palm`.
    """
    return _without_sample("mnist") or MnistData(_make_sample() / "mnist", "sample")


def cifar10() -> CifarData:
    """Find CIFAR-10: in `data_folder()`, else PaddlePaddle's download cache, else the sample.

    Raises the same errors as `palm`.
    """
    return _without_sample("cifar10") or CifarData(_make_sample() / "cifar10", "sample")


def existing(name: str) -> DataSet | None:
    """What the function `name` ("palm", …) would return, but None where it would first make the sample."""
    found = _without_sample(name)
    if found:
        return found
    root = sample_folder() / "sample" / sample_size()
    return _FIND[name](root) if is_sample(root) else None


def data_folder() -> Path:
    """The folder that holds the real data sets, absolute.

    It is the one that the environment variable `PALM_DATA` names (relative to the working directory, else
    to the checkout that palm_utils is installed from),
    else `data/` of the checkout that palm_utils is installed from, else (there is no checkout, or it
    cannot be written to and holds no data) a cache folder of the user (palm_utils.files.user_cache_folder).

    Raises:
        DataNotFound: `PALM_DATA` does not name a folder.
    """
    named = os.environ.get("PALM_DATA")
    if not named:
        data = _checkout_data()
        if data and (can_be_written(data) or any(_has_content(data / name) for name in _FIND)):
            return data
        return user_cache_folder()
    folder = expanded(named).absolute()
    checkout = _checkout_data()
    if not folder.exists() and checkout:
        # Named from the checkout, as in a command typed there; a notebook's own folder is notebooks/.
        from_checkout = checkout.parent / expanded(named)
        folder = from_checkout if from_checkout.is_dir() else folder
    if not folder.is_dir():
        raise DataNotFound(
            tr(
                "PALM_DATA is {named!r}, but {folder} is {state}. Make the folder, set PALM_DATA to the one that "
                "holds palm/, mnist/ or cifar10/, or unset PALM_DATA to use the course's own data folder.",
                named=named,
                folder=folder,
                state=tr("not a folder") if folder.exists() else tr("not there"),
            )
        )
    return folder


def sample_size() -> str:
    """The sample to use: the one that the environment variable `PALM_SAMPLE` names, else "default"."""
    size = os.environ.get("PALM_SAMPLE") or "default"
    if size not in SAMPLE_SIZES:
        raise DataError(
            tr(
                "PALM_SAMPLE is {size!r}; it can be {known}. Unset it to use real data where there is some.",
                size=size,
                known=" or ".join(map(repr, SAMPLE_SIZES)),
            )
        )
    return size


def sample_folder() -> Path:
    """The folder below which samples are kept: never `PALM_DATA`, which is the user's own."""
    data = _checkout_data()
    return data if data and can_be_written(data) else user_cache_folder()


def find_real(name: str) -> DataSet | None:
    """The data set `name` in `data_folder()` or PaddlePaddle's cache, whatever `PALM_SAMPLE` says.

    Raises:
        DataNotFound: it is there but incomplete, or `PALM_DATA` does not name a folder.
    """
    return _FIND[name](data_folder()) or _in_paddle_cache(name)


def _without_sample(name: str) -> DataSet | None:
    return None if os.environ.get("PALM_SAMPLE") else find_real(name)


def _find_palm(folder: Path) -> PalmData | None:
    root = folder / "palm"
    if not _has_content(root):
        return None
    found = PalmData(root, _kind(folder))
    missing = found.missing()
    if missing:
        raise DataNotFound(
            tr(
                "iChallenge-PM in {root} is incomplete: {missing}. Prepare it again: python -m palm_utils data "
                "palm --from PATH, with the archives or the unpacked data set at PATH; or move the folder away "
                "to work with the sample.",
                root=root,
                missing=", ".join(missing),
            )
        )
    return found


def _find_mnist(folder: Path) -> MnistData | None:
    return _find_files(folder, "mnist", MNIST_FILES, MnistData)


def _find_cifar10(folder: Path) -> CifarData | None:
    return _find_files(folder, "cifar10", [CIFAR10_FILE], CifarData)


_FIND = {"palm": _find_palm, "mnist": _find_mnist, "cifar10": _find_cifar10}


def _find_files(folder: Path, name: str, files: Iterable[str], data_set: type[_Files]) -> _Files | None:
    root = folder / name
    if not _has_content(root):
        return None
    missing = [file for file in files if not (root / file).is_file()]
    if missing:
        raise DataNotFound(
            tr(
                "{title} in {root} is incomplete: {missing} missing. Get it: python -m palm_utils data {name} "
                "--download; or move the folder away to work with the sample.",
                title=data_set.title,
                root=root,
                missing=", ".join(missing),
                name=name,
            )
        )
    return data_set(root, _kind(folder))


def _in_paddle_cache(name: str) -> DataSet | None:
    # PaddlePaddle downloads straight into its cache: a file there may be the torso of a broken
    # download, so the checksums decide, as they do for PaddlePaddle itself.
    cache = expanded(_PADDLE_CACHE)
    if name == "mnist" and all(has_checksum(cache / "mnist" / file, "md5", md5) for file, md5 in MNIST_FILES.items()):
        return MnistData(cache / "mnist", "real")
    if name == "cifar10" and has_checksum(cache / "cifar" / CIFAR10_FILE, "md5", CIFAR10_MD5):
        return CifarData(cache / "cifar", "real")
    return None


def _kind(folder: Path) -> Kind:
    # PALM_DATA may name a sample; that does not make it real.
    return "sample" if is_sample(folder) else "real"


def _has_content(folder: Path) -> bool:
    """Whether anything but hidden files, locks and unfinished downloads is in `folder`."""
    return folder.is_dir() and any(
        not entry.name.startswith(".") and entry.suffix not in (".lock", ".part") for entry in folder.iterdir()
    )


def is_sample(folder: Path) -> bool:
    """Whether `folder` is the root of a generated sample."""
    # Imported when needed: the generator loads OpenCV.
    from palm_utils import sample

    return sample.is_sample(folder)


def _make_sample() -> Path:
    from palm_utils import sample

    return sample.sample_root(sample_folder(), sample_size())


def _checkout_data() -> Path | None:
    """`data/` of the checkout, if palm_utils is imported from one."""
    checkout = Path(__file__).resolve().parents[2]
    is_checkout = (checkout / "pyproject.toml").is_file() and (checkout / "notebooks").is_dir()
    return checkout / "data" if is_checkout else None
