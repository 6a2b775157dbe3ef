"""Finding the photographs and label tables of iChallenge-PM in whatever a user has of it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from palm_course.getting.tables import read_fovea, read_labels
from palm_course.getting.unpack import unpack
from palm_utils import sample
from palm_utils.datasets import JPEG_SUFFIXES
from palm_utils.messages import DataError, mark, tr

# The names that AI Studio and the open release give their archives and label tables.
_ARCHIVE = re.compile(r"(training|validation|valid_gt|palm.*)\.zip", re.IGNORECASE)
_LABEL_TABLE = re.compile(r".*label.*\.(xlsx|csv)", re.IGNORECASE)
_FOVEA_TABLE = re.compile(r".*(label|fovea).*\.(xlsx|csv)", re.IGNORECASE)
_PHOTOGRAPH = re.compile(r"[A-Z]\d{4}\.jpe?g", re.IGNORECASE)
# Hidden folders; editions of the release carry drawings under the photographs' own names.
_NO_FOLDER = re.compile(r"^\.|^__MACOSX|mask|annotation|illustration", re.IGNORECASE)
# Deep enough for an archive unpacked into a folder of its name: x/PALM/PALM/Training/Images.
_MAX_DEPTH = 6


@dataclass
class Split:
    """The photographs of one split by their published names, their labels, and where their foveas are in pixels."""

    photographs: dict[str, Path] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    fovea: dict[str, tuple[float, float]] = field(default_factory=dict)


def find(source: Path, unpacked: Path) -> dict[str, Split]:
    """Find the splits "training", "validation" and "test" in an archive or folder, archives in it included.

    Archives are unpacked below the folder `unpacked`. A test split is empty unless it has both photographs and labels,
    since nothing can be done with one of them.

    Raises DataError: an archive or table is damaged, a photograph is truncated or no JPEG file, two files contradict
    each other, or `source` is the generated sample.
    """
    if any(map(sample.is_sample, (source, *source.parents))):
        template = mark("{source} is the generated sample, which is found by itself. Give the real data set.")
        raise DataError(template, source=source)
    splits = {"training": Split(), "validation": Split(), "test": Split()}
    for parts, path in _files(source, unpacked):
        split = _split_of(parts[:-1])
        if _PHOTOGRAPH.fullmatch(path.name) and split:
            _add_photograph(splits[split].photographs, path)
        # A table that stands alone is the one that the tutorial reads.
        table_of = splits[_split_of(parts) or "validation"]
        if _LABEL_TABLE.fullmatch(path.name):
            _add_labels(table_of.labels, path)
        if _FOVEA_TABLE.fullmatch(path.name):
            table_of.fovea.update({published_name(name): place for name, place in read_fovea(path).items()})
    if not (splits["test"].photographs and splits["test"].labels):
        splits["test"] = Split()
    return splits


def published_name(name: str) -> str:
    """Return a photograph's name as it was published: V0001.jpg for v0001.JPG; any other name as it is."""
    return f"{name.partition('.')[0].upper()}.jpg" if _PHOTOGRAPH.fullmatch(name) else name


def _files(source: Path, unpacked: Path) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Yield the files of `source`, those in its archives included, each with its place in the tree."""
    archives = [] if source.is_dir() else [((), source)]
    for parts, path in _walk(source, ()) if source.is_dir() else ():
        if _ARCHIVE.fullmatch(path.name):
            archives.append((parts[:-1], path))
        else:
            yield parts, path
    for number, (parts, archive) in enumerate(archives):
        print(tr("Unpacking {archive} …", archive=archive.name), flush=True)
        unpack(archive, unpacked / str(number), (*JPEG_SUFFIXES, ".xlsx", ".csv"))
        yield from _walk(unpacked / str(number), (*parts, archive.stem))


def _walk(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Path]]:
    for place, folders, names in os.walk(folder, followlinks=True):
        inner = Path(place).relative_to(folder).parts
        # Sorted, so that nothing depends on the machine; bounded, because links may run in circles.
        folders[:] = sorted(
            name
            for name in folders
            if not (_NO_FOLDER.search(name) or sample.is_sample(Path(place, name)) or len(inner) == _MAX_DEPTH)
        )
        for name in sorted(names):
            if not name.startswith((".", "~$")):  # hidden files; Excel's lock files
                yield (*parts, *inner, name), Path(place, name)


def _split_of(parts: tuple[str, ...]) -> str | None:
    """Return the split that the innermost telling part of a path names."""
    splits = ("training", "validation", "test")
    return next((split for part in reversed(parts) for split in splits if split[:5] in part.lower()), None)


def _add_photograph(photographs: dict[str, Path], path: Path) -> None:
    known = photographs.setdefault(published_name(path.name), path)
    try:
        content = path.read_bytes()
        is_same = known is path or known.read_bytes() == content
    except OSError as error:  # a link that leads nowhere, a file that is not ours to read
        raise DataError("{path} cannot be read ({error}). Get it again.", path=path, error=error.strerror) from None
    if not content.startswith(b"\xff\xd8"):
        raise DataError("{path} is not a JPEG file ({size} bytes). Get it again.", path=path, size=len(content))
    if not _reaches_its_end(content):
        raise DataError("{path} is truncated ({size} bytes). Get it again.", path=path, size=len(content))
    if not is_same:
        template = mark("There are two different {file}: {known} and {path}. Remove the wrong one.")
        raise DataError(template, file=path.name, known=known, path=path)


def _reaches_its_end(jpeg: bytes) -> bool:
    """Whether the marker of the end comes after the picture's own data; a thumbnail inside has one too."""
    place = 2
    while (place := jpeg.find(b"\xff", place)) >= 0 and place + 1 < len(jpeg):
        marker = jpeg[place + 1]
        if marker in (0xD9, 0xDA):  # the end, or the picture's data, in which a marker cannot occur
            return jpeg.find(b"\xff\xd9", place) >= 0
        # The others have their length behind them, except those that stand alone.
        stands_alone = marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8
        place += 1 if stands_alone else 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")
    return False


def _add_labels(labels: dict[str, int], path: Path) -> None:
    for row in read_labels(path):
        known = labels.setdefault(published_name(row.name), row.label)
        if known != row.label:
            values = {"path": path, "line": row.line, "photograph": row.name, "label": row.label, "known": known}
            raise DataError(
                "{path} line {line}: {photograph} has label {label} here and {known} in another table. Remove the "
                "wrong table.",
                **values,
            )
