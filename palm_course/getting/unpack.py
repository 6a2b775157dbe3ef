"""Unpacking zip archives, zips in zips included; an entry that would leave the folder is refused."""

import lzma
import re
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from palm_utils.files import is_disk_full
from palm_utils.messages import DataError, DataNotFound, Text, mark

_AGAIN = Text("Download it again from its source.")
# macOS and Windows leave these behind.
_JUNK = re.compile(r"(^|/)(__MACOSX/|\._|\.DS_Store$|Thumbs\.db$)", re.IGNORECASE)
_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


def unpack(archive: Path, folder: Path, suffixes: tuple[str, ...]) -> None:
    """Unpack the files with one of `suffixes` (lower case) into `folder`; those of a zip inside, where it lies there.

    Raises DataNotFound: there is no such archive. Raises DataError: it is encrypted, truncated, damaged or not a zip,
    or an entry would leave `folder`.
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
                if target.suffix.lower() != ".zip":
                    target.parent.mkdir(parents=True, exist_ok=True)
                    opened.extract(info, folder)
                    continue
                with opened.open(info) as inner:
                    _unpack(inner, target, target.parent, suffixes)
            except (*_DAMAGE, OSError) as error:  # a name that no file can have, too
                if isinstance(error, OSError) and is_disk_full(error):
                    raise
                raise DataError(
                    "{archive} is damaged at {entry} ({error}). {remedy}",
                    archive=archive.name,
                    entry=info.filename,
                    error=error,
                    remedy=_AGAIN,
                ) from None


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
        raise DataError(
            "{archive} is not safe to unpack: its entry {entry!r} {kind}. {remedy}",
            archive=archive.name,
            entry=info.filename,
            kind=Text("is a symbolic link") if is_link else Text("would be unpacked outside the folder"),
            remedy=_AGAIN,
        )
    return name
