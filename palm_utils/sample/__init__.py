"""Generated stand-ins for the three data sets, so that the course runs without any download.

They have the layout, the file names and the formats of the real sets and can be learned from, but
hold drawings: nothing measured on them says anything about the real data.
"""

import csv
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from palm_utils import datasets
from palm_utils.datasets import HEADER, LABELS, TRAINING, VALIDATION
from palm_utils.files import can_be_written, locked, replacing_folder, user_cache_folder
from palm_utils.messages import DataError, Text, tr
from palm_utils.sample import digits, fundus, pictures

VERSION = 5  # raise it with every change to what is generated: folders of other versions are made anew
SEED = 2019
_MARKER = "GENERATED SAMPLE DATA"


@dataclass(frozen=True)
class Size:
    """How much of each data set is made; pairs are (training, validation or test)."""

    high_myopia: int
    normal: int
    pathologic: int
    validation: int
    digits: tuple[int, int]
    pictures: tuple[int, int]
    seconds: int  # roughly, on two cores


# As many H, N and P as the real set has for training; fewer for validation.
SIZES = {
    "default": Size(26, 161, 213, 100, (10_000, 1_500), (2_000, 400), seconds=18),
    "tiny": Size(2, 8, 12, 12, (600, 200), (250, 100), seconds=2),
}


def sample_root(folder: str | Path, size: str = "default") -> Path:
    """Return `folder`/sample/`size`, where the sample data lies; make it first if it is not there.

    The layout is that of the real data: palm/PALM-Training400, palm/PALM-Validation400, palm/labels.csv,
    mnist/*-ubyte.gz, cifar10/cifar-10-python.tar.gz; and a README.txt that says what it is. The same
    bytes are made on every run with the same versions of NumPy and OpenCV. A sample of another
    version, or one that misses something, is made anew. One process makes it, others wait.

    `size`: 'default', from which networks learn, or 'tiny', just enough to run every step.
    Raises DataError for another size, and where `folder` cannot be written to.
    """
    if size not in SIZES:
        known = ", ".join(map(repr, SIZES))
        raise DataError("There is no sample of size {size!r}; choose one of {known}.", size=size, known=known)
    root = Path(folder) / "sample" / size
    if _is_intact(root, size):
        return root
    try:
        with locked(root, Text("making the sample data")):
            if not _is_intact(root, size):
                print(tr("Making the sample data (once, about {seconds} s) …", seconds=SIZES[size].seconds), flush=True)
                with replacing_folder(root) as fresh:
                    _make(fresh, size)
    except OSError as error:
        raise DataError(
            "The sample data cannot be written to {root}: {error}. Make that folder writable, with 60 MB to spare, and "
            "try again.",
            root=root,
            error=error,
        ) from error
    return root


def sample_folder() -> Path:
    """Return the folder below which samples are kept: never `PALM_DATA`, which is the user's own."""
    data = datasets.checkout_data()
    return data if data and can_be_written(data) else user_cache_folder()


def sample_size() -> str:
    """Return the sample that the environment variable `PALM_SAMPLE` names, else "default"."""
    size = os.environ.get("PALM_SAMPLE") or "default"
    if size not in SIZES:
        raise DataError(
            "PALM_SAMPLE is {size!r}; it can be {known}. Unset it to use real data where there is some.",
            size=size,
            known=" or ".join(map(repr, SIZES)),
        )
    return size


def is_sample(root: str | Path) -> bool:
    """Return whether `root` (the folder that holds palm/, mnist/ and cifar10/) is generated sample data."""
    try:
        text = (Path(root) / "README.txt").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return text.startswith(_MARKER)


def _make(root: Path, size: str) -> None:
    amounts = SIZES[size]
    for name in (f"palm/{TRAINING}", f"palm/{VALIDATION}", "mnist", "cifar10"):
        (root / name).mkdir(parents=True)
    jobs: list[Callable] = [
        partial(pictures.make_pictures, root / "cifar10" / "cifar-10-python.tar.gz", *amounts.pictures, SEED),
        partial(digits.make_digits, root / "mnist", *amounts.digits, SEED),
    ]
    for kind, number in _training_eyes(amounts):
        path = root / "palm" / TRAINING / f"{kind}{number:04d}.jpg"
        jobs.append(partial(_save_photograph, path, kind, (SEED, ord(kind), number)))
    validation = list(enumerate(_validation_kinds(amounts), 1))
    first_validation_job = len(jobs)
    for number, kind in validation:
        path = root / "palm" / VALIDATION / f"V{number:04d}.jpg"
        jobs.append(partial(_save_photograph, path, kind, (SEED, ord("V"), number)))

    # Threads, not processes: they need no importable main module, and NumPy and OpenCV release
    # Python's lock while they compute. Every job has its own generator, so their order is free.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            results = [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise

    with open(root / "palm" / LABELS, "w", newline="", encoding="utf-8") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(HEADER)
        for (number, kind), fovea in zip(validation, results[first_validation_job:], strict=True):
            table.writerow([number, f"V{number:04d}.jpg", int(kind == "P"), *(f"{v:.2f}" for v in fovea)])
    (root / "README.txt").write_text(_readme(root, size), encoding="utf-8", newline="\n")


def _save_photograph(path: Path, kind: str, seed: tuple[int, ...]) -> tuple[float, float]:
    """Write one photograph and return where its fovea is."""
    image, fovea = fundus.photograph(kind, np.random.default_rng(seed))
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    path.write_bytes(encoded.tobytes())  # unlike imwrite, takes any path on Windows
    return fovea


def _training_eyes(amounts: Size) -> Iterator[tuple[str, int]]:
    """Yield kind and number of each training photograph, N0012 and P0095 always among them."""
    for kind, count, wanted in (
        ("H", amounts.high_myopia, 1),
        ("N", amounts.normal, 12),
        ("P", amounts.pathologic, 95),
    ):
        for number in range(1, count):
            yield kind, number
        yield kind, max(count, wanted)


def _validation_kinds(amounts: Size) -> list[str]:
    """Return the kinds of the validation photographs, shuffled, in the training photographs' shares."""
    total = amounts.high_myopia + amounts.normal + amounts.pathologic
    high = round(amounts.validation * amounts.high_myopia / total)
    pathologic = round(amounts.validation * amounts.pathologic / total)
    kinds = ["H"] * high + ["P"] * pathologic + ["N"] * (amounts.validation - high - pathologic)
    return np.random.default_rng((SEED, amounts.validation)).permutation(kinds).tolist()


def _files(size: str) -> Iterator[str]:
    amounts = SIZES[size]
    for kind, number in _training_eyes(amounts):
        yield f"palm/{TRAINING}/{kind}{number:04d}.jpg"
    for number in range(1, amounts.validation + 1):
        yield f"palm/{VALIDATION}/V{number:04d}.jpg"
    yield f"palm/{LABELS}"
    for prefix in ("train", "t10k"):
        yield f"mnist/{prefix}-images-idx3-ubyte.gz"
        yield f"mnist/{prefix}-labels-idx1-ubyte.gz"
    yield "cifar10/cifar-10-python.tar.gz"


def _readme(root: Path, size: str) -> str:
    """Return what README.txt says of the files in `root`, their sizes included."""
    lines = [
        f"{_MARKER}, version {VERSION}, size {size}, seed {SEED}",
        "",
        "Drawn by the course's program palm_utils.sample so that every chapter runs without a download.",
        "It stands in for three data sets and has their layout:",
        "  palm     drawings that look like fundus photographs. NOT MEDICAL DATA: no patient, no diagnosis.",
        "  mnist    digits made from scikit-learn's load_digits (UCI, handwritten digits, 1998).",
        "  cifar10  drawn silhouettes of CIFAR-10's ten classes.",
        "Results on it say nothing about the real data.",
        "The folder may be deleted; it is made anew when needed.",
        "",
        "Files and their sizes in bytes:",
    ]
    lines += [f"{(root / name).stat().st_size:>9}  {name}" for name in _files(size)]
    return "\n".join(lines) + "\n"


def _is_intact(root: Path, size: str) -> bool:
    """Return whether `root` holds this version's sample with every file at the size it was made with."""
    try:
        return (root / "README.txt").read_text(encoding="utf-8") == _readme(root, size)
    except (OSError, UnicodeDecodeError):
        return False
