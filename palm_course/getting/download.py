"""Downloading the real data sets: resumable, checked before they are put in place, and clear about what went wrong."""

import os
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from palm_course.getting.contents import PUBLISHED_MD5, has_checksum
from palm_course.getting.prepare import COMPLETE, Expected, is_complete, prepare_palm
from palm_utils.datasets import CIFAR10_FILE, MNIST_FILES, CifarData, MnistData, PalmData
from palm_utils.files import is_disk_full, locked, shortage
from palm_utils.messages import DownloadError, Text

# The open PALM release on figshare, doi 10.1038/s41597-024-02911-2.
PALM_URL = "https://springernature.figshare.com/ndownloader/files/37786152"
PALM_SHA256 = "21cd568a00a50287370572ea81b50847085819bd2f732331ee9cdc6367e6cd1f"
# As in paddle/vision/datasets/mnist.py and cifar.py of PaddlePaddle 3.3.1.
MNIST_URL = "https://dataset.bj.bcebos.com/mnist/"
CIFAR10_URL = "https://dataset.bj.bcebos.com/cifar/"
# Seconds to wait for a connection, and for the next bytes of a running download.
TIMEOUT = (10.0, 60.0)


def download_palm(folder: Path, *, force: bool = False, expected: Expected | None = COMPLETE) -> tuple[PalmData, bool]:
    """Download PALM.zip of the open release into `folder`, prepare it and return what `prepare_palm` does.

    A complete `folder`/palm is left as it is, unless `force`. The archive is kept. Raises DownloadError, DataError.
    """
    if not force and is_complete(folder / "palm", expected):
        return PalmData(folder / "palm", "real"), False
    archive = folder / "PALM.zip"
    by_hand = Text("open the address in a browser and save the file as {archive}", archive=archive)
    download([Remote(PALM_URL, archive, "sha256", PALM_SHA256)], by_hand=by_hand)
    return prepare_palm(archive, folder, force=force, expected=expected)


def download_mnist(folder: Path) -> MnistData:
    """Download the four files of MNIST into `folder`/mnist. Raises DownloadError."""
    root = folder / "mnist"
    download([Remote(MNIST_URL + name, root / name, "md5", PUBLISHED_MD5[name]) for name in MNIST_FILES])
    return MnistData(root, "real")


def download_cifar10(folder: Path) -> CifarData:
    """Download CIFAR-10's archive into `folder`/cifar10. Raises DownloadError."""
    root, name = folder / "cifar10", CIFAR10_FILE
    download([Remote(CIFAR10_URL + name, root / name, "md5", PUBLISHED_MD5[name])])
    return CifarData(root, "real")


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

    def is_right(self, path: Path) -> bool:
        """Whether `path` is this file with all its bytes."""
        return has_checksum(path, self.algorithm, self.checksum)


def download(files: list[Remote], by_hand: Text | None = None, timeout: tuple[float, float] = TIMEOUT) -> None:
    """Download `files` that belong together; none is put in place before all are there and right.

    What has arrived of a file is kept beside its destination, with the suffix ".part": a later call goes on from there.
    A file that lies at its destination and is right is not downloaded again.

    by_hand: what to do without this program. timeout: seconds to wait for a connection, and for the next bytes.
    Raises DownloadError: whatever went wrong, with the address, the file and what to do.
    """
    file = files[0]
    try:
        with locked(file.destination, Text("downloading {file}", file=file.destination.name)):
            wanted = [file for file in files if not file.is_right(file.destination)]
            for file in wanted:
                if not file.is_right(file.part):
                    _Transfer(file, by_hand, timeout).run()
            for file in wanted:
                file.part.replace(file.destination)
    except DownloadError:
        raise
    except OSError as error:
        full, other = Text("the disk is full"), Text("it cannot be written there ({error})", error=error)
        raise _Transfer(file, by_hand, timeout).error(full if is_disk_full(error) else other) from None


class _Transfer:
    """Getting one file's bytes into its partial file."""

    def __init__(self, file: Remote, by_hand: Text | None, timeout: tuple[float, float]):
        self.file, self.by_hand, self.timeout = file, by_hand, timeout

    def run(self) -> None:
        for resume in (True, False):
            resumed = self._fetch(resume)
            if self.file.is_right(self.file.part):
                return
            self.file.part.unlink()
            if not resumed:
                break
            # The file may have changed on the server since its first bytes arrived: begin anew.
        sums = {"algorithm": self.file.algorithm, "checksum": self.file.checksum}
        raise self.error(Text("what arrived has not the {algorithm} sum {checksum}", **sums))

    def _fetch(self, resume: bool) -> bool:
        """Receive what is missing, or everything; return whether older bytes were built upon."""
        part = self.file.part
        offset = part.stat().st_size if resume and part.is_file() else 0
        # Compression on the way would give lengths and ranges another meaning.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
        try:
            with requests.get(self.file.url, headers=headers, stream=True, timeout=self.timeout) as response:
                if offset and response.status_code == 416:
                    return True  # There is nothing beyond what we have.
                if response.status_code not in (200, 206):
                    status = f"{response.status_code} {response.reason}"
                    raise self.error(Text("the server answers {status}", status=status))
                if "text/html" in response.headers.get("Content-Type", ""):
                    raise self.error(_WEB_PAGE)
                if response.status_code == 200:
                    offset = 0
                elif not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                    return True  # Other bytes than asked for: of no use here.
                self._receive(response, offset)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise self.error(Text("the server does not answer in time")) from None
        except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
            raise self.error(Text("there is no secure connection to the server ({error})", error=error)) from None
        except requests.ConnectionError:
            raise self.error(Text("there is no connection (is this machine online, and its proxy set?)")) from None
        except urllib3.exceptions.HTTPError as error:
            raise self.error(Text("the connection broke, the file is truncated ({error})", error=error)) from None
        except requests.RequestException as error:
            raise self.error(error) from None
        return offset > 0

    def _receive(self, response: requests.Response, offset: int) -> None:
        part, length = self.file.part, response.headers.get("Content-Length", "")
        total = offset + int(length) if length.isdigit() else None
        if total is not None and (lacking := shortage(part.parent, total - offset)):
            raise self.error(lacking)
        name, size = self.file.destination.name, offset
        # disable=None: no bar where the output is a file
        with (
            tqdm(desc=name, total=total, initial=offset, unit="B", unit_scale=True, disable=None) as bar,
            open(part, "ab" if offset else "wb") as out,
        ):
            # The bytes as they come: requests would decode what a server calls compressed.
            for block in response.raw.stream(1 << 16, decode_content=False):
                if size == 0 and block[:64].lstrip().lower().startswith((b"<!doctype", b"<html")):
                    raise self.error(_WEB_PAGE)
                out.write(block)
                size += len(block)
                bar.update(len(block))
            out.flush()
            os.fsync(out.fileno())
        if total is not None and size != total:
            of = Text("{size} of {total} bytes", size=size, total=total)
            raise self.error(Text("the connection broke, the file is truncated ({error})", error=of))

    def error(self, reason: object) -> DownloadError:
        part, destination = self.file.part, self.file.destination
        arrived = part.stat().st_size if part.is_file() else 0
        kept = Text(
            "The {arrived:,} bytes that arrived are kept; the same command goes on from there.\n", arrived=arrived
        )
        return DownloadError(
            "{name} could not be downloaded: {reason}.\n  address: {address}\n  file:    {file}\n"
            "{kept}By hand: {by_hand}; then run the same command again.",
            name=destination.name,
            reason=reason,
            address=self.file.url,
            file=destination,
            kept=kept if arrived else "",
            by_hand=self.by_hand or Text("open the address in a browser and save it as {file}", file=destination),
        )


_WEB_PAGE = Text("the server sends a web page instead of the file")
