"""Find the data sets: the real one where the user has it, else a generated sample.

Chapters 1 (MNIST), 2 (iChallenge-PM) and 7 (CIFAR-10) look into the files. `data_folder()` and each sample have this
layout::

    palm/PALM-Training400/*.jpg  palm/PALM-Validation400/*.jpg  palm/labels.csv
    palm/PALM-Test400/*.jpg  palm/test_labels.csv               (where the open release was prepared)
    mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz
    cifar10/cifar-10-python.tar.gz
"""

import os
import sys
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import ClassVar, Literal

from palm_utils import old_name
from palm_utils.files import can_be_written, expanded, user_cache_folder
from palm_utils.messages import DataError, DataNotFound, Text, mark, tr

# The file names of iChallenge-PM in palm/; AI Studio puts the label table into its own folder.
TRAINING, VALIDATION, TEST = "PALM-Training400", "PALM-Validation400", "PALM-Test400"
LABELS, TEST_LABELS = "labels.csv", "test_labels.csv"
HEADER = ("ID", "imgName", "Label", "Fovea_X", "Fovea_Y")
_AI_STUDIO_LABELS = Path("PALM-Validation-GT", LABELS)
JPEG_SUFFIXES = (".jpg", ".jpeg")
MNIST_FILES = tuple(f"{s}-{kind}-ubyte.gz" for s in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
CIFAR10_FILE = "cifar-10-python.tar.gz"

# Names of kinds and splits, listed here for the catalogue of translations.
_WORDS = (mark("real"), mark("sample"), mark("training"), mark("validation"), mark("test"))


@dataclass(frozen=True, repr=False)
class DataSet:
    """A data set on disk. root: its folder, absolute; kind: "real" or "sample"."""

    root: Path
    kind: Literal["real", "sample"]

    title: ClassVar[str]
    noun: ClassVar[str]  # what one image is, in the plural
    files_needed: ClassVar[tuple[str, ...]] = ()

    @property
    def is_real(self) -> bool:
        return self.kind == "real"

    def counts(self) -> dict[str, int]:
        """Return the number of images in each split. Raises DataError: a file is damaged."""
        raise NotImplementedError

    def missing(self) -> list[Text]:
        """Return a message for each file that is missing; none if the data set is complete."""
        return [Text("{file} is missing", file=file) for file in self.files_needed if not (self.root / file).is_file()]

    def __str__(self) -> str:
        # Without a folder: notebooks store it.
        *more, last = (tr("{count:,} {split}", count=n, split=tr(s)) for s, n in self.counts().items())
        first = reduce(lambda one, other: tr("{first}, {last}", first=one, last=other), more)
        numbers = tr("{first} and {last}", first=first, last=last)
        template = mark("{title}: SAMPLE (generated, not the real {images}), {numbers} {images}")
        if self.is_real:
            template = mark("{title}: real data, {numbers} {images}")
        return tr(template, title=self.title, numbers=numbers, images=tr(self.noun))

    __repr__ = __str__


class PalmData(DataSet):
    """iChallenge-PM: fundus photographs as JPEG files, labelled 1 for pathologic myopia, else 0."""

    title, noun, files_needed = "iChallenge-PM", mark("photographs"), (TRAINING, VALIDATION)

    @property
    def DATADIR(self) -> str:
        """The folder of the training photographs; the file names hold the labels."""
        return str(self._folder_of(TRAINING))

    @property
    def DATADIR2(self) -> str:
        """The folder of the validation photographs."""
        return str(self._folder_of(VALIDATION))

    @property
    def CSVFILE(self) -> str:
        """The label table of the validation photographs."""
        nested, own = self.root / _AI_STUDIO_LABELS, self.root / LABELS
        return str(nested if nested.is_file() and not own.is_file() else own)

    @property
    def test_dir(self) -> str | None:
        """The folder of the open release's test photographs; None if they were not prepared."""
        has_test = (self.root / TEST_LABELS).is_file() and jpegs(self._folder_of(TEST))
        return str(self._folder_of(TEST)) if has_test else None

    @property
    def test_csv(self) -> str | None:
        """The label table of the test photographs; None if they were not prepared."""
        return str(self.root / TEST_LABELS) if self.test_dir else None

    @property
    def is_tiny(self) -> bool:
        """Whether there are too few photographs to train on, as in the sample for tests."""
        return sum(self.counts().values()) < 100

    def counts(self) -> dict[str, int]:
        folders = {"training": self.DATADIR, "validation": self.DATADIR2, "test": self.test_dir}
        return {split: len(jpegs(folder)) for split, folder in folders.items() if folder}

    def missing(self) -> list[Text]:
        empty = [name for name in (TRAINING, VALIDATION) if not jpegs(self._folder_of(name))]
        missing = [Text("no photographs in {folder}", folder=name) for name in empty]
        return missing if Path(self.CSVFILE).is_file() else [*missing, Text("{file} is missing", file=LABELS)]

    def _folder_of(self, name: str) -> Path:
        # AI Studio's archive puts the photographs into an inner folder of the same name.
        outer, inner = self.root / name, self.root / name / name
        return inner if not jpegs(outer) and inner.is_dir() else outer


class MnistData(DataSet):
    """MNIST: handwritten digits, 28 x 28, in four IDX files."""

    title, noun, files_needed = "MNIST", mark("digits"), MNIST_FILES

    def files(self, mode: str) -> dict[str, str]:
        """Return the arguments for `paddle.vision.datasets.MNIST(mode=mode, **files(mode))`; mode: "train" or "test".

        Raises DataError: another mode, or damaged files, which MNIST itself would not report.
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
        """The argument for `paddle.vision.datasets.Cifar10(data_file=...)`, which unpickles the file.

        Raises DataError: the file is damaged, or holds anything but pictures and labels.
        """
        self.counts()  # raises the error
        return str(self.root / CIFAR10_FILE)

    def counts(self) -> dict[str, int]:
        from palm_course.getting import contents

        return contents.picture_counts(self.root / CIFAR10_FILE)


KINDS = {"palm": PalmData, "mnist": MnistData, "cifar10": CifarData}


def palm() -> PalmData:
    """Find iChallenge-PM: in `data_folder()`, else the sample, which is generated on the first call.

    Raises DataNotFound: it is incomplete, or `PALM_DATA` does not name a folder.
    Raises DataError: `PALM_SAMPLE` is not the name of a sample.
    """
    return _found_or_sample("palm")


def mnist() -> MnistData:
    """Find MNIST: in `data_folder()`, else PaddlePaddle's cache, else the sample. Raises the errors of `palm`."""
    return _found_or_sample("mnist")


def cifar10() -> CifarData:
    """Find CIFAR-10: in `data_folder()`, else PaddlePaddle's cache, else the sample. Raises the errors of `palm`."""
    return _found_or_sample("cifar10")


def paths_of_notebook() -> dict[str, str]:
    """Return DATADIR, DATADIR2 and CSVFILE as the notebook sets them, which is the tutorial's way, else of `palm()`."""
    own = {name: getattr(sys.modules["__main__"], name, None) for name in ("DATADIR", "DATADIR2", "CSVFILE")}
    data = None if all(own.values()) else palm()
    return {name: path or getattr(data, name) for name, path in own.items()}


def existing(name: str) -> DataSet | None:
    """Return what the function `name` ("palm", …) returns, or None if that would generate the sample first."""
    from palm_utils import sample

    root = sample.sample_folder() / "sample" / sample.sample_size()
    return _found(name) or (KINDS[name](root / name, "sample") if sample.is_intact(root, root.name) else None)


def find_real(name: str) -> DataSet | None:
    """Return the data set `name` in `data_folder()` or PaddlePaddle's cache, whatever `PALM_SAMPLE` says, else None.

    Raises DataNotFound: it is incomplete, or `PALM_DATA` does not name a folder.
    """
    from palm_course.getting.contents import paddle_cache

    root = data_folder() / name
    if not _has_content(root) and any((root.parent / file).exists() for file in KINDS[name].files_needed):
        root = root.parent  # PALM_DATA names palm/ itself, for instance
    if not _has_content(root):
        cached = paddle_cache(name)
        return KINDS[name](cached, "real") if cached else None
    from palm_utils import sample  # imported late: the generator loads OpenCV

    # PALM_DATA may name the folder of a sample.
    found = KINDS[name](root, "sample" if sample.is_sample(root.parent) else "real")
    if missing := found.missing():
        command = Text("python -m palm_utils data palm --from PATH, with the archives or the unpacked data set at PATH")
        if name != "palm":
            command = f"python -m palm_utils data {name} --download"
        values = {"title": found.title, "root": root, "missing": ", ".join(map(str, missing)), "command": command}
        raise DataNotFound(
            "{title} in {root} is incomplete: {missing}. Get it again: {command}; or move the folder away to work with "
            "the sample.",
            **values,
        )
    return found


def data_folder(*, new: bool = False) -> Path:
    """Return the folder of the real data sets, absolute. new: `PALM_DATA` may name one that is still to be made.

    The environment variable `PALM_DATA` names it, relative to the working directory or to the checkout. Without it:
    `data/` of the checkout, or the user's cache folder where `data/` neither holds data nor can be written to.
    Raises DataNotFound: `PALM_DATA` does not name a folder.
    """
    named, data = os.environ.get("PALM_DATA", "").strip(' "'), checkout_data()  # cmd.exe keeps the quotes of a path
    if not named:
        is_useful = data and (can_be_written(data) or any(_has_content(data / name) for name in KINDS))
        return data if is_useful else user_cache_folder()
    folder = expanded(named).absolute()
    if not folder.exists() and data and (data.parent / expanded(named)).is_dir():
        # A notebook runs in notebooks/, but PALM_DATA may be relative to the checkout.
        return data.parent / expanded(named)
    if not folder.is_dir() and (folder.exists() or not new):
        state = Text("not a folder") if folder.exists() else Text("not there")
        values = {"named": named, "folder": folder, "state": state}
        raise DataNotFound(
            "PALM_DATA is {named!r}, but {folder} is {state}. Make the folder, set PALM_DATA to the one that holds "
            "palm/, mnist/ or cifar10/, or unset PALM_DATA to use the course's own data folder.",
            **values,
        )
    return folder


def jpegs(folder: str | Path) -> list[str]:
    """Return the sorted names of the JPEG files directly in `folder`; none if there is no such folder."""
    entries = Path(folder).iterdir() if Path(folder).is_dir() else ()
    return sorted(e.name for e in entries if e.suffix.lower() in JPEG_SUFFIXES and not e.name.startswith("."))


def _found_or_sample(name: str) -> DataSet:
    from palm_utils.sample import sample_folder, sample_root, sample_size

    return _found(name) or KINDS[name](sample_root(sample_folder(), sample_size()) / name, "sample")


def _found(name: str) -> DataSet | None:
    return None if os.environ.get("PALM_SAMPLE", "").strip() else find_real(name)


def _has_content(folder: Path) -> bool:
    """Tell whether `folder` holds anything but hidden files, locks and unfinished downloads."""
    entries = folder.iterdir() if folder.is_dir() else ()
    return any(not entry.name.startswith(".") and entry.suffix not in (".lock", ".part") for entry in entries)


def checkout_data() -> Path | None:
    """Return `data/` of the checkout that palm_utils is imported from, else None."""
    checkout = Path(__file__).resolve().parents[1]
    is_checkout = (checkout / "pyproject.toml").is_file() and (checkout / "notebooks").is_dir()
    return checkout / "data" if is_checkout else None


__getattr__ = partial(old_name, __name__)
