"""Downloading files: resumable, checked before they are put in place, and clear about what went wrong."""

import os
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from palm_utils.datasets.sources import has_checksum
from palm_utils.datasets.space import is_disk_full, shortage
from palm_utils.files import locked
from palm_utils.messages import DownloadError, tr

# Seconds to wait for a connection, and for the next bytes of a running download.
TIMEOUT = (10.0, 60.0)


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


def download(files: list[Remote], by_hand: str | None = None, timeout: tuple[float, float] = TIMEOUT) -> None:
    """Download `files` that belong together; none is put in place before all are there and right.

    What has arrived of a file is kept beside its destination, with the suffix ".part": a later call
    goes on from there. A file that lies at its destination and is right is not downloaded again.

    Args:
        by_hand: what to do without this program, for the error texts.
        timeout: seconds to wait for a connection, and for the next bytes.

    Raises:
        DownloadError: the server cannot be reached or does not answer in time, it answers with an error
            or a web page, a file comes truncated or with a wrong checksum, or it cannot be written where it
            is to lie.
    """
    try:
        with locked(files[0].destination, f"downloading {files[0].destination.name}"):
            wanted = [file for file in files if not file.is_right(file.destination)]
            for file in wanted:
                if not file.is_right(file.part):
                    _Transfer(file, by_hand, timeout).run()
            for file in wanted:
                file.part.replace(file.destination)
    except DownloadError:
        raise
    except OSError as error:
        raise _Transfer(files[0], by_hand, timeout).error(f"it cannot be written there ({error})") from None


class _Transfer:
    """Getting one file's bytes into its partial file."""

    def __init__(self, file: Remote, by_hand: str | None, timeout: tuple[float, float]):
        self.file = file
        self.by_hand = by_hand or tr("open the address in a browser and save it as {file}", file=file.destination)
        self.timeout = timeout

    def run(self) -> None:
        for resume in (True, False):
            resumed = self._fetch(resume)
            if self.file.is_right(self.file.part):
                return
            self.file.part.unlink()
            if not resumed:
                break
            # The file may have changed on the server since its first bytes arrived: begin anew.
        raise self.error(f"what arrived has not the {self.file.algorithm} sum {self.file.checksum}")

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
                    raise self.error(f"the server answers {response.status_code} {response.reason}")
                if "text/html" in response.headers.get("Content-Type", ""):
                    raise self.error("the server sends a web page instead of the file")
                if response.status_code == 206:
                    if not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                        return True  # Other bytes than asked for: of no use here.
                else:
                    offset = 0
                self._receive(response, offset)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise self.error("the server does not answer in time") from None
        except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
            raise self.error(f"there is no secure connection to the server ({error})") from None
        except requests.ConnectionError:
            raise self.error("there is no connection (is this machine online, and its proxy set?)") from None
        except urllib3.exceptions.HTTPError as error:
            raise self.error(f"the connection broke, the file is truncated ({error})") from None
        except requests.RequestException as error:
            raise self.error(str(error)) from None
        except OSError as error:
            if is_disk_full(error):
                raise self.error("the disk is full") from None
            raise
        return offset > 0

    def _receive(self, response: requests.Response, offset: int) -> None:
        length = response.headers.get("Content-Length", "")
        total = offset + int(length) if length.isdigit() else None
        lacking = shortage(self.file.part.parent, int(length)) if length.isdigit() else None
        if lacking:
            raise self.error(lacking)
        size = offset
        bar = tqdm(
            desc=self.file.destination.name,
            total=total,
            initial=offset,
            unit="B",
            unit_scale=True,
            disable=None,  # no bar where the output is a file
        )
        with bar, open(self.file.part, "ab" if offset else "wb") as out:
            # The bytes as they come: requests would decode what a server calls compressed.
            for block in response.raw.stream(1 << 16, decode_content=False):
                if size == 0 and block[:64].lstrip().lower().startswith((b"<!doctype", b"<html")):
                    raise self.error("the server sends a web page instead of the file")
                out.write(block)
                size += len(block)
                bar.update(len(block))
            out.flush()
            os.fsync(out.fileno())
        if total is not None and size != total:
            raise self.error(f"the connection broke, the file is truncated ({size} of {total} bytes)")

    def error(self, reason: str) -> DownloadError:
        part = self.file.part
        arrived = part.stat().st_size if part.is_file() else 0
        kept = tr("The {arrived:,} bytes that arrived are kept; the same command goes on from there.", arrived=arrived)
        lines = [
            tr("{file} could not be downloaded: {reason}.", file=self.file.destination.name, reason=reason),
            tr("  address: {address}", address=self.file.url),
            tr("  file:    {file}", file=self.file.destination),
            *([kept] if arrived else []),
            tr("By hand: {by_hand}; then run the same command again.", by_hand=self.by_hand),
        ]
        return DownloadError("\n".join(lines))
