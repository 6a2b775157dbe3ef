"""Generated stand-ins for the three data sets, so that the course runs without any download.

They have the layout, the file names and the formats of the real sets and can be learned from, but hold drawings:
nothing measured on them says anything about the real data.
"""

import csv
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from palm_utils import datasets
from palm_utils.datasets import CIFAR10_FILE, HEADER, LABELS, MNIST_FILES, TRAINING, VALIDATION
from palm_utils.files import can_be_written, locked, replacing, user_cache_folder
from palm_utils.messages import DataError, Text, mark, tr
from palm_utils.sample import digits, fundus, pictures

VERSION = 6  # raise it with every change to what is generated: folders of other versions are made anew
SEED = 2019
_MARKER = "GENERATED SAMPLE DATA"
_LABELS, _PICTURES = f"palm/{LABELS}", f"cifar10/{CIFAR10_FILE}"
_OTHERS = (_LABELS, *(f"mnist/{name}" for name in MNIST_FILES), _PICTURES)


@dataclass(frozen=True)
class Size:
    high_myopia: int
    normal: int
    pathologic: int
    validation: int
    digits: tuple[int, int]  # for training and for test
    pictures: tuple[int, int]
    seconds: int  # roughly, on two cores


# As many H, N and P as the real set has for training; fewer for validation.
SIZES = {
    "default": Size(26, 161, 213, 100, (10_000, 1_500), (2_000, 400), seconds=18),
    "tiny": Size(2, 5, 7, 11, (600, 200), (250, 100), seconds=2),
}


def sample_root(folder: str | Path, size: str = "default") -> Path:
    """Return `folder`/sample/`size`, where the sample data lies; make it first if it is not there.

    The layout is that of the real data, with a README.txt that says what it is. The same bytes are made on every run
    with the same versions of NumPy and OpenCV. A sample of another version, or one that misses something, is made anew.
    size: 'default', from which networks learn, or 'tiny', just enough to run every step. Raises DataError for another
    size, and where `folder` cannot be written to.
    """
    if size not in SIZES:
        told = {"size": size, "known": ", ".join(map(repr, SIZES))}
        raise DataError("There is no sample of size {size!r}; choose one of {known}.", **told)
    root = Path(folder) / "sample" / size
    if is_intact(root, size):
        return root
    try:
        with locked(root, Text("making the sample data")):
            if not is_intact(root, size):
                print(tr("Making the sample data (once, about {seconds} s) …", seconds=SIZES[size].seconds), flush=True)
                with replacing(root, folder=True) as fresh:
                    _make(fresh, size)
    except OSError as error:
        template = mark(
            "The sample data cannot be written to {root}: {error}. Make that folder writable, with 60 MB to spare, and "
            "try again."
        )
        raise DataError(template, root=root, error=error) from None
    return root


def sample_folder() -> Path:
    """Return the folder below which samples are kept: never `PALM_DATA`, which is the user's own."""
    data = datasets.checkout_data()
    return data if data and can_be_written(data) else user_cache_folder()


def sample_size() -> str:
    """Return the sample that the environment variable `PALM_SAMPLE` names, else "default"."""
    size, known = os.environ.get("PALM_SAMPLE", "").strip() or "default", " or ".join(map(repr, SIZES))
    if size not in SIZES:
        template = mark("PALM_SAMPLE is {size!r}; it can be {known}. Unset it to use real data where there is some.")
        raise DataError(template, size=size, known=known)
    return size


def is_sample(root: str | Path) -> bool:
    """Return whether `root` (the folder that holds palm/, mnist/ and cifar10/) is generated sample data."""
    with suppress(OSError, UnicodeDecodeError):
        return (Path(root) / "README.txt").read_text(encoding="utf-8").startswith(_MARKER)
    return False


def _make(root: Path, size: str) -> None:
    amounts, eyes = SIZES[size], _photographs(SIZES[size])
    for folder in {(root / name).parent for name in (*eyes, *_OTHERS)}:
        folder.mkdir(parents=True, exist_ok=True)
    jobs: list[Callable] = [
        partial(pictures.make_pictures, root / _PICTURES, *amounts.pictures, SEED),
        partial(digits.make_digits, root / "mnist", *amounts.digits, SEED),
        *(partial(_save_photograph, root / name, kind) for name, kind in eyes.items()),
    ]
    # Threads, not processes: they need no importable main module, and NumPy and OpenCV release
    # Python's lock while they compute. Every job has its own generator, so their order is free.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        _, _, *foveas = pool.map(lambda job: job(), jobs)

    with open(root / _LABELS, "w", newline="", encoding="utf-8") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(HEADER)
        validation = list(zip(eyes.items(), foveas, strict=True))[-amounts.validation :]
        for number, ((name, kind), fovea) in enumerate(validation, 1):
            table.writerow([number, Path(name).name, int(kind == "P"), *(f"{v:.2f}" for v in fovea)])
    (root / "README.txt").write_text(_readme(root, size), encoding="utf-8", newline="\n")


def _save_photograph(path: Path, kind: str) -> tuple[float, float]:
    """Write one photograph, whose name is the seed of its eye, and return where its fovea is."""
    seed = SEED, ord(path.stem[0]), int(path.stem[1:])
    image, fovea = fundus.photograph(kind, np.random.default_rng(seed))
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    path.write_bytes(encoded.tobytes())  # unlike imwrite, takes any path on Windows
    return fovea


def _photographs(amounts: Size) -> dict[str, str]:
    """Return the kind of eye that each photograph shows, by its file: those for training, then those for validation."""
    counts = {"H": amounts.high_myopia, "N": amounts.normal, "P": amounts.pathologic}
    opened = {"N": 12, "P": 95}  # the tutorial opens N0012 and P0095, so they are in a smaller set too
    training = {
        f"palm/{TRAINING}/{kind}{number:04d}.jpg": kind
        for kind, count in counts.items()
        for number in (*range(1, count), max(count, opened.get(kind, 1)))
    }
    # Shuffled, in the training photographs' shares.
    high, pathologic = (round(amounts.validation * counts[kind] / len(training)) for kind in "HP")
    kinds = ["H"] * high + ["P"] * pathologic + ["N"] * (amounts.validation - high - pathologic)
    shuffled = np.random.default_rng((SEED, amounts.validation)).permutation(kinds).tolist()
    return training | {f"palm/{VALIDATION}/V{number:04d}.jpg": kind for number, kind in enumerate(shuffled, 1)}


def _readme(root: Path, size: str) -> str:
    """Return what README.txt says of the files in `root`, their sizes included."""
    names = (*_photographs(SIZES[size]), *_OTHERS)
    sizes = "\n".join(f"{(root / name).stat().st_size:>9}  {name}" for name in names)
    return f"""{_MARKER}, version {VERSION}, size {size}, seed {SEED}

Drawn by the course's program palm_utils.sample so that every chapter runs without a download.
It stands in for three data sets and has their layout:
  palm     drawings that look like fundus photographs. NOT MEDICAL DATA: no patient, no diagnosis.
  mnist    digits made from scikit-learn's load_digits (UCI, handwritten digits, 1998).
  cifar10  drawn silhouettes of CIFAR-10's ten classes.
Results on it say nothing about the real data.
The folder may be deleted; it is made anew when needed.

Files and their sizes in bytes:
{sizes}
"""


def is_intact(root: Path, size: str) -> bool:
    """Return whether `root` holds this version's sample with every file at the size it was made with."""
    with suppress(OSError, UnicodeDecodeError):
        return (root / "README.txt").read_text(encoding="utf-8") == _readme(root, size)
    return False
