"""What is known about a data set once it is found: its files, whether they are real, how many images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from palm_utils.datasets import contents
from palm_utils.datasets.sources import CIFAR10_FILE
from palm_utils.messages import DataError, mark, tr

Kind = Literal["real", "sample"]

# The original's file names in palm/; AI Studio keeps the label table in a folder of its own.
TRAINING, VALIDATION, TEST = "PALM-Training400", "PALM-Validation400", "PALM-Test400"
LABELS, TEST_LABELS = "labels.csv", "test_labels.csv"
_AI_STUDIO_LABELS = Path("PALM-Validation-GT", LABELS)

# For the catalogue of translations: what kinds and splits are called.
_WORDS = (mark("real"), mark("sample"), mark("training"), mark("validation"), mark("test"))

JPEG_SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True, repr=False)
class DataSet:
    """A data set on disk. `root`: its own folder, absolute; `kind`: "real" or "sample"."""

    root: Path
    kind: Kind

    title: ClassVar[str]
    noun: ClassVar[str]  # what one image is, in the plural

    @property
    def is_real(self) -> bool:
        return self.kind == "real"

    def counts(self) -> dict[str, int]:
        """Number of images of each split, in the order training, validation, test.

        Raises:
            DataError: a file is damaged.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        # Stored in committed notebooks, so it says nothing of the machine's folders.
        # They are the same in both editions of the notebooks, so it is always English.
        return self._described(str.format)

    __repr__ = __str__

    def describe(self) -> str:
        """The same as `str`, in the language that counts: for the command line."""
        return self._described(tr)

    def _described(self, fill: Callable[..., str]) -> str:
        kind, noun = mark("real data"), fill(self.noun)
        if not self.is_real:
            kind = mark("SAMPLE (generated, not the real {images})")
        counts = [fill(mark("{count:,} {split}"), count=c, split=fill(name)) for name, c in self.counts().items()]
        numbers = counts[-1]
        if counts[:-1]:
            numbers = fill(mark("{first} and {last}"), first=", ".join(counts[:-1]), last=counts[-1])
        template = mark("{title}: {kind}, {numbers} {images}")
        return fill(template, title=self.title, kind=fill(kind, images=noun), numbers=numbers, images=noun)


class PalmData(DataSet):
    """iChallenge-PM: fundus photographs as JPEG files, labelled 1 for pathologic myopia, else 0."""

    title = "iChallenge-PM"
    noun = mark("photographs")

    @property
    def is_tiny(self) -> bool:
        """Whether there are only enough photographs to run every step, as in the tests' sample."""
        return sum(self.counts().values()) < 100

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
        nested = self.root / _AI_STUDIO_LABELS
        own = self.root / LABELS
        return str(nested if nested.is_file() and not own.is_file() else own)

    @property
    def test_dir(self) -> str | None:
        """The folder of the open release's test photographs, None where it was not prepared."""
        return str(self._folder_of(TEST)) if self._has_test else None

    @property
    def test_csv(self) -> str | None:
        """The label table of the test photographs, None where it was not prepared."""
        return str(self.root / TEST_LABELS) if self._has_test else None

    def counts(self) -> dict[str, int]:
        counts = {"training": len(jpegs(self.DATADIR)), "validation": len(jpegs(self.DATADIR2))}
        if self.test_dir:
            counts["test"] = len(jpegs(self.test_dir))
        return counts

    def missing(self) -> list[str]:
        """What the tutorial's steps need and is not there, in words; empty if the data set is usable."""
        missing = [
            tr("no photographs in {folder}", folder=name)
            for name in (TRAINING, VALIDATION)
            if not jpegs(self._folder_of(name))
        ]
        if not Path(self.CSVFILE).is_file():
            missing.append(tr("{file} is missing", file=LABELS))
        return missing

    @property
    def _has_test(self) -> bool:
        return (self.root / TEST_LABELS).is_file() and bool(jpegs(self._folder_of(TEST)))

    def _folder_of(self, name: str) -> Path:
        # AI Studio's archive unpacks into a folder of the same name inside.
        outer, inner = self.root / name, self.root / name / name
        return inner if not jpegs(outer) and inner.is_dir() else outer


class MnistData(DataSet):
    """MNIST: handwritten digits, 28 x 28, in four IDX files."""

    title = "MNIST"
    noun = mark("digits")

    def files(self, mode: str) -> dict[str, str]:
        """Arguments for `paddle.vision.datasets.MNIST(mode=mode, **files(mode))`; mode "train" or "test".

        Raises:
            DataError: another mode, or the files are damaged, which MNIST itself would not say.
        """
        if mode not in ("train", "test"):
            raise DataError(f"mode is {mode!r}; MNIST has 'train' and 'test'.")
        images, labels = self._files("train" if mode == "train" else "t10k")
        contents.check_digits(images, labels)
        return {"image_path": str(images), "label_path": str(labels)}

    def counts(self) -> dict[str, int]:
        images = {split: self._files(prefix)[0] for split, prefix in (("training", "train"), ("test", "t10k"))}
        return {split: contents.image_count(path) for split, path in images.items()}

    def _files(self, prefix: str) -> tuple[Path, Path]:
        return self.root / f"{prefix}-images-idx3-ubyte.gz", self.root / f"{prefix}-labels-idx1-ubyte.gz"


class CifarData(DataSet):
    """CIFAR-10: 32 x 32 colour pictures of ten classes, in one archive of pickles."""

    title = "CIFAR-10"
    noun = mark("pictures")

    @property
    def data_file(self) -> str:
        """Argument for `paddle.vision.datasets.Cifar10(data_file=...)`, which unpickles what is in it.

        Raises:
            DataError: it is damaged, or holds more than pictures and labels.
        """
        self.counts()
        return str(self.root / CIFAR10_FILE)

    def counts(self) -> dict[str, int]:
        return contents.cifar_counts(self.root / CIFAR10_FILE)


def jpegs(folder: str | Path) -> list[str]:
    """Sorted names of the JPEG files directly in `folder`; empty if there is no such folder."""
    folder = Path(folder)
    if not folder.is_dir():
        return []
    return sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.suffix.lower() in JPEG_SUFFIXES and not entry.name.startswith(".")
    )
