"""Where the real data sets come from: addresses and checksums."""

import hashlib
from pathlib import Path

# The open PALM release on figshare, doi 10.1038/s41597-024-02911-2.
PALM_URL = "https://springernature.figshare.com/ndownloader/files/37786152"
PALM_SHA256 = "21cd568a00a50287370572ea81b50847085819bd2f732331ee9cdc6367e6cd1f"

# Addresses and md5 sums as in paddle/vision/datasets/mnist.py and cifar.py of PaddlePaddle 3.3.1.
MNIST_URL = "https://dataset.bj.bcebos.com/mnist/"
MNIST_FILES = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
CIFAR10_URL = "https://dataset.bj.bcebos.com/cifar/"
CIFAR10_FILE = "cifar-10-python.tar.gz"
CIFAR10_MD5 = "c58f30108f718f92721af3b95e74349a"


def has_checksum(path: Path, algorithm: str, expected: str) -> bool:
    """Whether `path` is a file whose checksum by `algorithm` ("md5", "sha256") is `expected` (hex)."""
    # The sums guard against damage, not against forgery; md5 must work on FIPS machines too.
    digest = hashlib.new(algorithm, usedforsecurity=False)
    try:
        with open(path, "rb") as f:
            while block := f.read(1 << 20):
                digest.update(block)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return False
    return digest.hexdigest() == expected
