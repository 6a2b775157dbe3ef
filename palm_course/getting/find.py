"""Finding the photographs and label tables of iChallenge-PM in whatever a user has of it."""

import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from palm_course.getting.tables import read_fovea, read_labels
from palm_utils import sample
from palm_utils.datasets import JPEG_SUFFIXES
from palm_utils.files import is_disk_full
from palm_utils.messages import DataError, DataNotFound, Text, mark, tr

# The names that AI Studio and the open release give their archives and label tables.
_ARCHIVE = re.compile(r"(training|validation|valid_gt|palm.*)\.zip", re.IGNORECASE)
_LABEL_TABLE = re.compile(r".*label.*\.(xlsx|csv)", re.IGNORECASE)
_FOVEA_TABLE = re.compile(r".*(label|fovea).*\.(xlsx|csv)", re.IGNORECASE)
_PHOTOGRAPH = re.compile(r"[A-Z]\d{4}\.jpe?g", re.IGNORECASE)
# Hidden folders; editions of the release carry drawings under the photographs' own names.
_NO_FOLDER = re.compile(r"^\.|^__MACOSX|mask|annotation|illustration", re.IGNORECASE)
# Deep enough for an archive unpacked into a folder of its name: x/PALM/PALM/Training/Images.
_MAX_DEPTH = 6
# macOS and Windows leave these behind in archives.
_JUNK = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$)", re.IGNORECASE)
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
_AGAIN = Text("Download it again from its source.")


@dataclass
class Split:
    """The photographs of one split by their published names, their labels, and where their foveas are in pixels."""

    photographs: dict[str, Path] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    fovea: dict[str, tuple[float, float]] = field(default_factory=dict)


def find(source: Path, unpacked: Path) -> dict[str, Split]:
    """Find the splits "training", "validation" and "test" in an archive or folder, archives in it included.

    Archives are unpacked below the folder `unpacked`. A test split is empty unless it has both photographs and labels.
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
    place = 2
    while content[place : place + 1] == b"\xff" and content[place + 1 : place + 2] not in (b"\xd9", b"\xda"):
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")  # past a segment; a thumbnail may be in it
    if content.find(b"\xff\xd9", place) < 0:
        raise DataError("{path} is truncated ({size} bytes). Get it again.", path=path, size=len(content))
    if not is_same:
        template = mark("There are two different {file}: {known} and {path}. Remove the wrong one.")
        raise DataError(template, file=path.name, known=known, path=path)


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


# archives, zips in zips included ------------------------------------------------------------------


def unpack(archive: Path, folder: Path, suffixes: tuple[str, ...]) -> None:
    """Unpack the files with one of `suffixes` (lower case) into `folder`; those of a zip inside, where it lies there.

    Raises DataNotFound. Raises DataError: it is encrypted, damaged or no zip, or an entry would leave `folder`.
    """
    if not archive.is_file():
        raise DataNotFound("There is no archive {archive}.", archive=archive)
    with open(archive, "rb") as file:
        _unpack(file, archive, folder, suffixes)


def _unpack(file: BinaryIO, archive: Path, folder: Path, suffixes: tuple[str, ...]) -> None:
    with _opened(file, archive) as opened:
        # Every entry is checked, wanted or not.
        for info, name in [(info, _safe_name(info, archive)) for info in opened.infolist()]:
            # Folders end in "/", and so in none of the suffixes; they are made when a file needs them.
            if _JUNK.search(name) or not name.lower().endswith((*suffixes, ".zip")):
                continue
            if info.flag_bits & 0x1:
                template = mark("{archive} is encrypted ({name}). Unpack it by hand and give the folder.")
                raise DataError(template, archive=archive.name, name=name)
            target, info.filename = folder / name, name
            try:
                if target.suffix.lower() == ".zip":
                    with opened.open(info) as inner:
                        _unpack(inner, target, target.parent, suffixes)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    opened.extract(info, folder)
            except (*_DAMAGE, OSError) as error:  # a name that no file can have, too
                if isinstance(error, OSError) and is_disk_full(error):
                    raise
                told = {"archive": archive.name, "entry": info.filename, "error": error, "remedy": _AGAIN}
                raise DataError("{archive} is damaged at {entry} ({error}). {remedy}", **told) from None


def _opened(file: BinaryIO, archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except _DAMAGE as error:
        file.seek(0)
        start = file.read(64).lstrip().lower()
        if start.startswith((b"<!doctype", b"<html")):
            reason = Text("is a web page, not an archive: the download got an error page")
        elif start.startswith(b"pk\x03\x04"):
            # It begins as a zip does, but the directory at its end cannot be read.
            reason = Text("is truncated or damaged ({error})", error=error)
        else:
            reason = Text("is not a zip archive") if start else Text("is empty")
        raise DataError("{archive} {reason}. {remedy}", archive=archive, reason=reason, remedy=_AGAIN) from None


def _safe_name(info: zipfile.ZipInfo, archive: Path) -> str:
    """Return an entry's name with "/" between folders; DataError where it would leave the folder."""
    name = info.filename.replace("\\", "/")  # archives packed on Windows may have backslashes
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    # A colon is a drive on Windows, or a hidden stream of a file.
    if is_link or ":" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
        kind = Text("is a symbolic link") if is_link else Text("would be unpacked outside the folder")
        told = {"archive": archive.name, "entry": info.filename, "kind": kind, "remedy": _AGAIN}
        raise DataError("{archive} is not safe to unpack: its entry {entry!r} {kind}. {remedy}", **told)
    return name
