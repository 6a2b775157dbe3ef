"""Getting the real data sets from where they are published."""

from pathlib import Path

from palm_course.getting.download import Remote, download
from palm_course.getting.prepare import COMPLETE, Expected, is_complete, prepare_palm
from palm_utils.datasets import sources
from palm_utils.datasets.kinds import CifarData, MnistData, PalmData
from palm_utils.messages import tr


def download_palm(folder: Path, *, force: bool = False, expected: Expected | None = COMPLETE) -> tuple[PalmData, bool]:
    """Download PALM.zip of the open release into `folder`, prepare it and return what `prepare_palm` does.

    A complete `folder`/palm is left as it is, unless `force`. The archive is kept.
    Raises DownloadError, DataError.
    """
    if not force and is_complete(folder / "palm", expected):
        return PalmData(folder / "palm", "real"), False
    archive = folder / "PALM.zip"
    download(
        [Remote(sources.PALM_URL, archive, "sha256", sources.PALM_SHA256)],
        by_hand=tr("open the address in a browser and save the file as {archive}", archive=archive),
    )
    return prepare_palm(archive, folder, force=force, expected=expected)


def download_mnist(folder: Path) -> MnistData:
    """Download the four files of MNIST into `folder`/mnist. Raises DownloadError."""
    root = folder / "mnist"
    download([Remote(sources.MNIST_URL + name, root / name, "md5", md5) for name, md5 in sources.MNIST_FILES.items()])
    return MnistData(root, "real")


def download_cifar10(folder: Path) -> CifarData:
    """Download CIFAR-10's archive into `folder`/cifar10. Raises DownloadError."""
    root, name = folder / "cifar10", sources.CIFAR10_FILE
    download([Remote(sources.CIFAR10_URL + name, root / name, "md5", sources.CIFAR10_MD5)])
    return CifarData(root, "real")
