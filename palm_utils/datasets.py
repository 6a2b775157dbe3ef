"""Where each data set is: a real one that the user has, or else the generated sample.

Chapters 1 (MNIST), 2 (iChallenge-PM) and 7 (CIFAR-10) look into the files. Every root has the same layout::

    palm/PALM-Training400/*.jpg  palm/PALM-Validation400/*.jpg  palm/labels.csv
    palm/PALM-Test400/*.jpg  palm/test_labels.csv               (where the open release was prepared)
    mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz
    cifar10/cifar-10-python.tar.gz
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from palm_utils.files import can_be_written, expanded, user_cache_folder
from palm_utils.messages import DataError, DataNotFound, Text, mark, tr

# The original's file names in palm/; AI Studio keeps the label table in a folder of its own.
TRAINING, VALIDATION, TEST = "PALM-Training400", "PALM-Validation400", "PALM-Test400"
LABELS, TEST_LABELS = "labels.csv", "test_labels.csv"
HEADER = ("ID", "imgName", "Label", "Fovea_X", "Fovea_Y")
_AI_STUDIO_LABELS = Path("PALM-Validation-GT", LABELS)
JPEG_SUFFIXES = (".jpg", ".jpeg")
MNIST_FILES = tuple(f"{s}-{kind}-ubyte.gz" for s in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
CIFAR10_FILE = "cifar-10-python.tar.gz"

# For the catalogue of translations: what kinds and splits are called.
_WORDS = (mark("real"), mark("sample"), mark("training"), mark("validation"), mark("test"))


@dataclass(frozen=True, repr=False)
class DataSet:
    """A data set on disk. `root`: its own folder, absolute; `kind`: "real" or "sample"."""

    root: Path
    kind: Literal["real", "sample"]

    title: ClassVar[str]
    noun: ClassVar[str]  # what one image is, in the plural
    files_needed: ClassVar[tuple[str, ...]] = ()

    @property
    def is_real(self) -> bool:
        return self.kind == "real"

    def counts(self) -> dict[str, int]:
        """Return the number of images of each split. Raises DataError: a file is damaged."""
        raise NotImplementedError

    def missing(self) -> list[Text]:
        """Return what is needed and is not there, in words; empty if the data set is usable."""
        return [Text("{file} is missing", file=file) for file in self.files_needed if not (self.root / file).is_file()]

    def __str__(self) -> str:
        # Stored in notebooks, whose outputs are the same in both editions and name no folder: always English.
        return self.describe(str.format)

    __repr__ = __str__

    def describe(self, fill: Callable[..., str] = tr) -> str:
        """Return one line about it, by default in the language that counts."""
        kind, noun = mark("real data"), fill(self.noun)
        if not self.is_real:
            kind = mark("SAMPLE (generated, not the real {images})")
        *first, last = (fill(mark("{count:,} {split}"), count=n, split=fill(s)) for s, n in self.counts().items())
        numbers = fill(mark("{first} and {last}"), first=", ".join(first), last=last)
        template = mark("{title}: {kind}, {numbers} {images}")
        return fill(template, title=self.title, kind=fill(kind, images=noun), numbers=numbers, images=noun)


class PalmData(DataSet):
    """iChallenge-PM: fundus photographs as JPEG files, labelled 1 for pathologic myopia, else 0."""

    title, noun = "iChallenge-PM", mark("photographs")

    @property
    def DATADIR(self) -> str:
        """The folder that directly holds the training photographs, their labels in the file names."""
        return str(self._folder_of(TRAINING))

    @property
    def DATADIR2(self) -> str:
        """The folder that directly holds the validation photographs."""
        return str(self._folder_of(VALIDATION))

    @property
    def CSVFILE(self) -> str:
        """The label table of the validation photographs."""
        nested, own = self.root / _AI_STUDIO_LABELS, self.root / LABELS
        return str(nested if nested.is_file() and not own.is_file() else own)

    @property
    def test_dir(self) -> str | None:
        """The folder of the open release's test photographs, None where it was not prepared."""
        has_test = (self.root / TEST_LABELS).is_file() and jpegs(self._folder_of(TEST))
        return str(self._folder_of(TEST)) if has_test else None

    @property
    def test_csv(self) -> str | None:
        """The label table of the test photographs, None where it was not prepared."""
        return str(self.root / TEST_LABELS) if self.test_dir else None

    @property
    def is_tiny(self) -> bool:
        """Whether there are only enough photographs to run every step, as in the tests' sample."""
        return sum(self.counts().values()) < 100

    def counts(self) -> dict[str, int]:
        folders = {"training": self.DATADIR, "validation": self.DATADIR2, "test": self.test_dir}
        return {split: len(jpegs(folder)) for split, folder in folders.items() if folder}

    def missing(self) -> list[Text]:
        empty = [name for name in (TRAINING, VALIDATION) if not jpegs(self._folder_of(name))]
        missing = [Text("no photographs in {folder}", folder=name) for name in empty]
        return missing if Path(self.CSVFILE).is_file() else [*missing, Text("{file} is missing", file=LABELS)]

    def _folder_of(self, name: str) -> Path:
        # AI Studio's archive unpacks into a folder of the same name inside.
        outer, inner = self.root / name, self.root / name / name
        return inner if not jpegs(outer) and inner.is_dir() else outer


class MnistData(DataSet):
    """MNIST: handwritten digits, 28 x 28, in four IDX files."""

    title, noun, files_needed = "MNIST", mark("digits"), MNIST_FILES

    def files(self, mode: str) -> dict[str, str]:
        """Return arguments for `paddle.vision.datasets.MNIST(mode=mode, **files(mode))`; mode "train" or "test".

        Raises DataError: another mode, or the files are damaged, which MNIST itself would not say.
        """
        from palm_course.getting import contents

        if mode not in ("train", "test"):
            raise DataError("mode is {mode!r}; MNIST has 'train' and 'test'.", mode=mode)
        images, labels = (self.root / file for file in (MNIST_FILES[:2] if mode == "train" else MNIST_FILES[2:]))
        contents.check_digits(images, labels)
        return {"image_path": str(images), "label_path": str(labels)}

    def counts(self) -> dict[str, int]:
        from palm_course.getting import contents

        files = {"training": self.root / MNIST_FILES[0], "test": self.root / MNIST_FILES[2]}
        return {split: contents.digit_count(file) for split, file in files.items()}


class CifarData(DataSet):
    """CIFAR-10: 32 x 32 colour pictures of ten classes, in one archive of pickles."""

    title, noun, files_needed = "CIFAR-10", mark("pictures"), (CIFAR10_FILE,)

    @property
    def data_file(self) -> str:
        """The argument for `paddle.vision.datasets.Cifar10(data_file=...)`, which unpickles what is in it.

        Raises DataError: it is damaged, or holds more than pictures and labels.
        """
        self.counts()
        return str(self.root / CIFAR10_FILE)

    def counts(self) -> dict[str, int]:
        from palm_course.getting import contents

        return contents.picture_counts(self.root / CIFAR10_FILE)


KINDS = {"palm": PalmData, "mnist": MnistData, "cifar10": CifarData}


def palm() -> PalmData:
    """Find iChallenge-PM: in `data_folder()`, else the sample, which is made when first needed.

    Raises DataNotFound: it is there but incomplete, or `PALM_DATA` does not name a folder; the text says what mends it.
    Raises DataError: `PALM_SAMPLE` is not the name of a sample.
    """
    return _found_or_sample("palm")


def mnist() -> MnistData:
    """Find MNIST: in `data_folder()`, else PaddlePaddle's own cache, else the sample. Raises what `palm` does."""
    return _found_or_sample("mnist")


def cifar10() -> CifarData:
    """Find CIFAR-10: in `data_folder()`, else PaddlePaddle's own cache, else the sample. Raises what `palm` does."""
    return _found_or_sample("cifar10")


def existing(name: str) -> DataSet | None:
    """Return what the function `name` ("palm", …) would, but None where it would first make the sample."""
    from palm_utils import sample

    root = sample.sample_folder() / "sample" / sample.sample_size()
    return _found(name) or (KINDS[name](root / name, "sample") if sample.is_sample(root) else None)


def find_real(name: str) -> DataSet | None:
    """Return the data set `name` in `data_folder()` or PaddlePaddle's cache, whatever `PALM_SAMPLE` says.

    Raises DataNotFound: it is there but incomplete, or `PALM_DATA` does not name a folder.
    """
    from palm_course.getting.contents import paddle_cache

    found = _in_folder(name, data_folder())
    cached = None if found else paddle_cache(name)
    return KINDS[name](cached, "real") if cached else found


def data_folder() -> Path:
    """Return the folder that holds the real data sets, absolute.

    The environment variable `PALM_DATA` names it, relative to the working directory or to the checkout. Without it:
    `data/` of the checkout; where that neither holds data nor can be written to, a cache folder of the user.
    Raises DataNotFound: `PALM_DATA` does not name a folder.
    """
    named, data = os.environ.get("PALM_DATA"), checkout_data()
    if not named:
        is_useful = data and (can_be_written(data) or any(_has_content(data / name) for name in KINDS))
        return data if is_useful else user_cache_folder()
    folder = expanded(named).absolute()
    if not folder.exists() and data and (data.parent / expanded(named)).is_dir():
        # Named from the checkout, as in a command typed there; a notebook's own folder is notebooks/.
        return data.parent / expanded(named)
    if not folder.is_dir():
        raise DataNotFound(
            "PALM_DATA is {named!r}, but {folder} is {state}. Make the folder, set PALM_DATA to the one that holds "
            "palm/, mnist/ or cifar10/, or unset PALM_DATA to use the course's own data folder.",
            named=named,
            folder=folder,
            state=Text("not a folder") if folder.exists() else Text("not there"),
        )
    return folder


def jpegs(folder: str | Path) -> list[str]:
    """Return the sorted names of the JPEG files directly in `folder`; none if there is no such folder."""
    entries = Path(folder).iterdir() if Path(folder).is_dir() else ()
    return sorted(e.name for e in entries if e.suffix.lower() in JPEG_SUFFIXES and not e.name.startswith("."))


def _found_or_sample(name: str) -> DataSet:
    if found := _found(name):
        return found
    from palm_utils import sample

    return KINDS[name](sample.sample_root(sample.sample_folder(), sample.sample_size()) / name, "sample")


def _found(name: str) -> DataSet | None:
    return None if os.environ.get("PALM_SAMPLE") else find_real(name)


def _in_folder(name: str, folder: Path) -> DataSet | None:
    if not _has_content(folder / name):
        return None
    from palm_utils import sample  # when needed: the generator loads OpenCV

    # PALM_DATA may name a sample; that does not make it real.
    found = KINDS[name](folder / name, "sample" if sample.is_sample(folder) else "real")
    if missing := found.missing():
        command = Text("python -m palm_utils data palm --from PATH, with the archives or the unpacked data set at PATH")
        if name != "palm":
            command = f"python -m palm_utils data {name} --download"
        raise DataNotFound(
            "{title} in {root} is incomplete: {missing}. Get it again: {command}; or move the folder away to work with "
            "the sample.",
            title=found.title,
            root=found.root,
            missing=", ".join(map(str, missing)),
            command=command,
        )
    return found


def _has_content(folder: Path) -> bool:
    """Whether anything but hidden files, locks and unfinished downloads is in `folder`."""
    entries = folder.iterdir() if folder.is_dir() else ()
    return any(not entry.name.startswith(".") and entry.suffix not in (".lock", ".part") for entry in entries)


def checkout_data() -> Path | None:
    """Return `data/` of the checkout, if palm_utils is imported from one."""
    checkout = Path(__file__).resolve().parents[1]
    is_checkout = (checkout / "pyproject.toml").is_file() and (checkout / "notebooks").is_dir()
    return checkout / "data" if is_checkout else None


def __getattr__(name: str):
    # Where they were before.
    if name in ("LabelRow", "read_labels"):
        return getattr(importlib.import_module("palm_course.getting.tables"), name)
    if name in ("sample_folder", "sample_size"):
        return getattr(importlib.import_module("palm_utils.sample"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
