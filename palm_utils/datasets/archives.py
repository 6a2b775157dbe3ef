"""Unpacking zip archives that come from elsewhere, zips in zips included, without trusting them."""

import lzma
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from palm_utils.datasets.space import shortage
from palm_utils.errors import DataError, DataNotFound

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
    _Unpacking(Path(archive).name, suffixes, limits).unpack(Path(archive), Path(folder), limits.depth)


class _Unpacking:
    """One archive with those inside it: they share the limits."""

    def __init__(self, title: str, suffixes: tuple[str, ...], limits: Limits):
        self.title = title
        self.suffixes = suffixes
        self.size_left = limits.size
        self.entries_left = limits.entries

    def unpack(self, archive: Path, folder: Path, depth: int) -> None:
        if depth == 0:
            raise DataError(f"{self.title} holds archives inside archives, too many to be a data set. {_AGAIN}")
        with _opened(archive) as opened:
            wanted = self._wanted(opened, archive)
            folder.mkdir(parents=True, exist_ok=True)
            lacking = shortage(folder, sum(info.file_size for info, _ in wanted))
            if lacking:
                raise DataError(f"{archive.name} cannot be unpacked into {folder}: {lacking}. Make room and try again.")
            unpacked = [self._extract(opened, info, folder / name, archive) for info, name in wanted]
        # An entry can be there twice, and then the later one counts.
        for path in sorted({path for path in unpacked if path.suffix.lower() == ".zip"}):
            self.unpack(path, path.parent, depth - 1)
            path.unlink()

    def _wanted(self, opened: zipfile.ZipFile, archive: Path) -> list[tuple[zipfile.ZipInfo, str]]:
        """The entries to unpack, each with its checked name; every entry is checked, wanted or not."""
        self.entries_left -= len(opened.infolist())
        if self.entries_left < 0:
            raise DataError(f"{self.title} has too many entries to be a data set. {_AGAIN}")
        wanted = []
        for info in opened.infolist():
            # Archives packed on Windows may separate folders by backslashes.
            name = info.filename.replace("\\", "/")
            _refuse_escape(name, info, archive)
            if info.is_dir() or _JUNK.search(name) or not name.lower().endswith((*self.suffixes, ".zip")):
                continue
            if info.flag_bits & 0x1:
                raise DataError(f"{archive.name} is encrypted ({name}). Unpack it by hand and give the folder.")
            wanted.append((info, name))
        # The sizes that an archive declares can lie; this only saves the effort when they do not.
        self._refuse_bomb(sum(info.file_size for info, _ in wanted))
        return wanted

    def _extract(self, opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, archive: Path) -> Path:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(info) as source, open(target, "wb") as out:
                while block := source.read(1 << 20):
                    self._refuse_bomb(len(block))
                    self.size_left -= len(block)
                    out.write(block)
        except (*_DAMAGE, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise DataError(f"{archive.name} is damaged at {info.filename} ({error}). {_AGAIN}") from None
        return target

    def _refuse_bomb(self, size: int) -> None:
        if size > self.size_left:
            raise DataError(f"{self.title} unpacks to far more than a data set would. {_AGAIN}")


_AGAIN = "Download it again from its source."
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except FileNotFoundError:
        raise DataNotFound(f"There is no archive {archive}.") from None
    except _DAMAGE as error:
        with open(archive, "rb") as f:
            start = f.read(64).lstrip().lower()
        if start.startswith((b"<!doctype", b"<html")):
            reason = "is a web page, not an archive: the download got an error page"
        elif start.startswith(b"pk\x03\x04"):
            # It begins as a zip does, but the directory at its end cannot be read.
            reason = f"is truncated or damaged ({error})"
        else:
            reason = "is not a zip archive" if start else "is empty"
        raise DataError(f"{archive} {reason}. {_AGAIN}") from None


def _refuse_escape(name: str, info: zipfile.ZipInfo, archive: Path) -> None:
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    # A colon is a drive on Windows, or a hidden stream of a file.
    if is_link or ":" in name or name.startswith("/") or ".." in PurePosixPath(name).parts:
        kind = "is a symbolic link" if is_link else "would be unpacked outside the folder"
        raise DataError(f"{archive.name} is not safe to unpack: its entry {info.filename!r} {kind}. {_AGAIN}")
