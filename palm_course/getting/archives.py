"""Unpacking zip archives that come from elsewhere, zips in zips included, without trusting them."""

import errno
import itertools
import lzma
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palm_utils.datasets.space import shortage
from palm_utils.messages import DataError, DataNotFound, mark, tr

# macOS and Windows leave these behind.
_JUNK = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$)", re.IGNORECASE)


@dataclass
class Limits:
    """What an archive may unpack to before it is taken for a bomb.

    The open PALM release has 1,200 photographs of well under a megabyte each, and masks that stay packed.
    """

    size: int = 16 << 30  # bytes, nested archives and what they hold included
    entries: int = 50_000
    depth: int = 3  # archives inside one another


def unpack(archive: str | Path, folder: str | Path, suffixes: tuple[str, ...], limits: Limits | None = None) -> None:
    """Unpack the files with one of `suffixes` (lower case) into `folder`; a zip inside, where it lies there.

    Raises:
        DataNotFound: there is no such archive.
        DataError: the archive is encrypted, truncated, damaged or not a zip; an entry would leave
            `folder`; it would unpack to more than `limits`, or to more than fits on the disk.
    """
    limits = limits or Limits()
    archive = Path(archive)
    _Unpacking(archive.name, suffixes, limits).unpack(archive, archive.name, Path(folder), limits.depth)


class _Unpacking:
    """One archive with those inside it: they share the limits."""

    def __init__(self, title: str, suffixes: tuple[str, ...], limits: Limits):
        self.title = title
        self.suffixes = suffixes
        self.size_left = limits.size
        self.entries_left = limits.entries
        self.numbers = itertools.count()

    def unpack(self, archive: Path, name: str, folder: Path, depth: int) -> None:
        """Unpack the file `archive`, which errors call `name`."""
        if depth == 0:
            raise DataError(
                tr(
                    "{archive} holds archives inside archives, too many to be a data set. {remedy}",
                    archive=self.title,
                    remedy=tr(_AGAIN),
                )
            )
        with _opened(archive, name) as opened:
            wanted = self._wanted(opened, name)
            folder.mkdir(parents=True, exist_ok=True)
            lacking = shortage(folder, sum(info.file_size for info, _ in wanted))
            if lacking:
                raise DataError(
                    tr(
                        "{name} cannot be unpacked into {folder}: {lacking}. Make room and try again.",
                        name=name,
                        folder=folder,
                        lacking=lacking,
                    )
                )
            unpacked = [self._extract(opened, info, folder / entry, name) for info, entry in wanted]
        inner = sorted(path for path in unpacked if path.suffix.lower() == ".zip")
        # An entry can be there twice, and then the later one counts: the file is gone at the second turn.
        for path, aside in [(path, self._put_aside(path)) for path in inner if path.exists()]:
            self.unpack(aside, path.name, path.parent, depth - 1)
            aside.unlink()

    def _put_aside(self, archive: Path) -> Path:
        """Move an archive to a name that no entry has: it may hold others of its own name."""
        while (aside := archive.with_name(f"{next(self.numbers)}.part")).exists():
            pass
        return archive.replace(aside)

    def _wanted(self, opened: zipfile.ZipFile, archive: str) -> list[tuple[zipfile.ZipInfo, str]]:
        """The entries to unpack, each with its checked name; every entry is checked, wanted or not."""
        self.entries_left -= len(opened.infolist())
        if self.entries_left < 0:
            raise DataError(
                tr("{archive} has too many entries to be a data set. {remedy}", archive=self.title, remedy=tr(_AGAIN))
            )
        wanted = []
        for info in opened.infolist():
            # Archives packed on Windows may separate folders by backslashes.
            name = info.filename.replace("\\", "/")
            _refuse_escape(name, info, archive)
            # Folders end in "/", and so in none of the suffixes; they are made when a file needs them.
            if _JUNK.search(name) or not name.lower().endswith((*self.suffixes, ".zip")):
                continue
            if info.flag_bits & 0x1:
                raise DataError(
                    tr(
                        "{archive} is encrypted ({name}). Unpack it by hand and give the folder.",
                        archive=archive,
                        name=name,
                    )
                )
            wanted.append((info, name))
        # The sizes that an archive declares can lie; this only saves the effort when they do not.
        self._refuse_bomb(sum(info.file_size for info, _ in wanted))
        return wanted

    def _extract(self, opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, archive: str) -> Path:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(info) as source, open(target, "wb") as out:
                while block := source.read(1 << 20):
                    self._refuse_bomb(len(block))
                    self.size_left -= len(block)
                    out.write(block)
        except (*_DAMAGE, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _IMPOSSIBLE_NAME:
                raise
            raise DataError(
                tr(
                    "{archive} is damaged at {entry} ({error}). {remedy}",
                    archive=archive,
                    entry=info.filename,
                    error=error,
                    remedy=tr(_AGAIN),
                )
            ) from None
        return target

    def _refuse_bomb(self, size: int) -> None:
        if size > self.size_left:
            raise DataError(
                tr(
                    "{archive} unpacks to far more than a data set would. {remedy}",
                    archive=self.title,
                    remedy=tr(_AGAIN),
                )
            )


_AGAIN = mark("Download it again from its source.")
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
# What systems answer to a name that is too long, has characters they do not allow, or is a folder's already.
_IMPOSSIBLE_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EEXIST, errno.ENOTDIR, errno.EISDIR}


def _opened(archive: Path, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except FileNotFoundError:
        raise DataNotFound(tr("There is no archive {archive}.", archive=archive)) from None
    except _DAMAGE as error:
        with open(archive, "rb") as f:
            start = f.read(64).lstrip().lower()
        if start.startswith((b"<!doctype", b"<html")):
            reason = tr("is a web page, not an archive: the download got an error page")
        elif start.startswith(b"pk\x03\x04"):
            # It begins as a zip does, but the directory at its end cannot be read.
            reason = tr("is truncated or damaged ({error})", error=error)
        else:
            reason = tr("is not a zip archive") if start else tr("is empty")
        raise DataError(f"{archive.with_name(name)} {reason}. {tr(_AGAIN)}") from None


def _refuse_escape(name: str, info: zipfile.ZipInfo, archive: str) -> None:
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    # A colon is a drive on Windows, or a hidden stream of a file.
    if is_link or ":" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
        kind = tr("is a symbolic link") if is_link else tr("would be unpacked outside the folder")
        raise DataError(
            tr(
                "{archive} is not safe to unpack: its entry {entry!r} {kind}. {remedy}",
                archive=archive,
                entry=info.filename,
                kind=kind,
                remedy=tr(_AGAIN),
            )
        )
