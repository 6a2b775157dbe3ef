"""Downloading the real data sets: resumable, checked before they are put in place, and clear about what went wrong."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from palm_course.getting.contents import PUBLISHED_MD5, has_checksum
from palm_course.getting.prepare import COMPLETE, Expected, is_complete, prepare_palm
from palm_utils.datasets import KINDS, DataSet, PalmData
from palm_utils.files import is_disk_full, locked, shortage
from palm_utils.messages import DownloadError, Text, mark

# The open PALM release on figshare, doi 10.1038/s41597-024-02911-2.
PALM_URL = "https://springernature.figshare.com/ndownloader/files/37786152"
PALM_SHA256 = "21cd568a00a50287370572ea81b50847085819bd2f732331ee9cdc6367e6cd1f"
# As in paddle/vision/datasets/mnist.py and cifar.py of PaddlePaddle 3.3.1.
MNIST_URL = "https://dataset.bj.bcebos.com/mnist/"
CIFAR10_URL = "https://dataset.bj.bcebos.com/cifar/"
# Seconds to wait for a connection, and for the next bytes of a running download.
TIMEOUT = (10.0, 60.0)


def download_palm(folder: Path, *, force: bool = False, expected: Expected | None = COMPLETE) -> tuple[PalmData, bool]:
    """Download PALM.zip, prepare it, and return what `prepare_palm` does. Raises DownloadError, DataError."""
    if not force and is_complete(folder / "palm", expected):
        return PalmData(folder / "palm", "real"), False
    archive = folder / "PALM.zip"
    by_hand = Text("open the address in a browser and save the file as {archive}", archive=archive)
    download([Remote(PALM_URL, archive, "sha256", PALM_SHA256)], by_hand=by_hand)
    return prepare_palm(archive, folder, force=force, expected=expected)


def download_published(name: str, folder: Path) -> DataSet:
    """Download the files of "mnist" or "cifar10" into `folder`/`name`. Raises DownloadError."""
    url, kind, root = {"mnist": MNIST_URL, "cifar10": CIFAR10_URL}[name], KINDS[name], folder / name
    download([Remote(url + file, root / file, "md5", PUBLISHED_MD5[file]) for file in kind.files_needed])
    return kind(root, "real")


@dataclass(frozen=True)
class Remote:
    """A file on a server, where it is to lie here, and its checksum by `algorithm` ("md5", "sha256")."""

    url: str
    destination: Path
    algorithm: str
    checksum: str

    @property
    def part(self) -> Path:
        """Where the bytes are collected until all are there and right."""
        return self.destination.with_name(self.destination.name + ".part")

    @property
    def arrived(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def is_right(self, path: Path) -> bool:
        return has_checksum(path, self.algorithm, self.checksum)


def download(files: list[Remote], by_hand: Text | None = None, timeout: tuple[float, float] = TIMEOUT) -> None:
    """Download `files` that belong together; none is put in place before all are there and right.

    What has arrived of a file is kept beside its destination, with the suffix ".part": a later call goes on from there.
    A file that lies at its destination and is right is not downloaded again. by_hand: what to do without this program.
    timeout: as TIMEOUT. Raises DownloadError: whatever went wrong, with the address, the file and what to do.
    """
    file = files[0]
    try:
        with locked(file.destination, Text("downloading {file}", file=file.destination.name)):
            wanted = [file for file in files if not file.is_right(file.destination)]
            for file in wanted:
                _complete(file, timeout)
            for file in wanted:
                file.part.replace(file.destination)
    except (OSError, urllib3.exceptions.HTTPError) as error:
        kept = mark("The {arrived:,} bytes that arrived are kept; the same command goes on from there.\n")
        raise DownloadError(
            "{name} could not be downloaded: {reason}.\n  address: {address}\n  file:    {file}\n"
            "{kept}By hand: {by_hand}; then run the same command again.",
            name=file.destination.name,
            reason=_reason(error),
            address=file.url,
            file=file.destination,
            kept=Text(kept, arrived=file.arrived) if file.arrived else "",
            by_hand=by_hand or Text("open the address in a browser and save it as {file}", file=file.destination),
        ) from None


def _complete(file: Remote, timeout: tuple[float, float]) -> None:
    if file.is_right(file.part):
        return
    # The file may have changed on the server since its first bytes arrived: then it is received from its beginning.
    for offset in sorted({file.arrived, 0}, reverse=True):
        _receive(file, offset, timeout)
        if file.is_right(file.part):
            return
        file.part.unlink()
    raise DownloadError("what arrived has not the {algorithm} sum {checksum}", **vars(file))


def _receive(file: Remote, offset: int, timeout: tuple[float, float]) -> None:
    """Write the bytes from `offset` on, or all where the server sends all, into the partial file."""
    # Compression on the way would give lengths and ranges another meaning.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
    with requests.get(file.url, headers=headers, stream=True, timeout=timeout) as response:
        status, sent = response.status_code, response.headers
        is_other = status == 206 and not sent.get("Content-Range", "").startswith(f"bytes {offset}-")
        if offset and (status == 416 or is_other):
            return  # There is nothing beyond what we have, or other bytes than asked for come.
        if status not in (200, 206):
            raise DownloadError("the server answers {status}", status=f"{status} {response.reason}")
        response.raw.enforce_content_length = True  # urllib3 1.26 takes a truncated file for a whole one
        # The bytes as they come: requests would decode what a server calls compressed.
        blocks = response.raw.stream(1 << 16, decode_content=False)
        first = next(blocks, b"")
        if "text/html" in sent.get("Content-Type", "") or first.lstrip().lower().startswith((b"<!doctype", b"<html")):
            raise DownloadError("the server sends a web page instead of the file")
        offset, length = offset if status == 206 else 0, sent.get("Content-Length", "")
        if length.isdigit() and (lacking := shortage(file.part.parent, int(length))):
            raise DownloadError(str(lacking))
        total = offset + int(length) if length.isdigit() else None
        # disable=None: no bar where the output is a file
        options = {"initial": offset, "total": total, "unit": "B", "unit_scale": True, "disable": None}
        with tqdm(desc=file.destination.name, **options) as bar, open(file.part, "ab" if offset else "wb") as out:
            for block in itertools.chain([first], blocks):
                out.write(block)
                bar.update(len(block))
            out.flush()
            os.fsync(out.fileno())


def _reason(error: Exception) -> Text:
    if isinstance(error, OSError) and is_disk_full(error):
        return Text("the disk is full")
    no_ssl = mark("there is no secure connection to the server ({error})")
    reasons = (
        (DownloadError, "{error}"),
        ((requests.Timeout, urllib3.exceptions.TimeoutError), mark("the server does not answer in time")),
        ((requests.exceptions.SSLError, urllib3.exceptions.SSLError), no_ssl),
        (requests.ConnectionError, mark("there is no connection (is this machine online, and its proxy set?)")),
        (urllib3.exceptions.HTTPError, mark("the connection broke, the file is truncated ({error})")),
        (requests.RequestException, "{error}"),
        (OSError, mark("it cannot be written there ({error})")),
    )
    return Text(next(text for kind, text in reasons if isinstance(error, kind)), error=error)
