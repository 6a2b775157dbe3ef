"""Downloading from a server on this machine that does everything wrong, and then right."""

import errno
import gzip
import hashlib
import io
import os
import re
import socket
import threading
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3

from palm_course.getting import download as module
from palm_course.getting.download import Remote, download
from palm_utils.messages import DownloadError

CONTENT = bytes(range(256)) * 400
WEB_PAGE = b"\n <!DOCTYPE html><html><body>Please log in</body></html>"


class Handler(BaseHTTPRequestHandler):
    """Answers by the server's `answer(handler)`; the default is right and knows ranges."""

    def do_GET(self):
        self.server.asked.append(self.headers.get("Range"))
        answers = self.server.answers
        (answers.pop(0) if answers else right)(self)

    def send(self, status, body, **headers):
        self.send_response(status)
        for name, value in ({"Content_Length": len(body)} | headers).items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def right(handler, content=CONTENT):
    asked = handler.headers.get("Range")
    if not asked:
        handler.send(200, content)
        return
    start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
    if start >= len(content):
        handler.send(416, b"", Content_Range=f"bytes */{len(content)}")
    else:
        handler.send(206, content[start:], Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}")


def sends(status, body, **headers):
    return lambda handler: handler.send(status, body, **headers)


other_content = partial(right, content=bytes(len(CONTENT)))
without_ranges = sends(200, CONTENT)
other_range = sends(206, CONTENT[:10], Content_Range=f"bytes 0-9/{len(CONTENT)}")
truncated = sends(200, CONTENT[:5000], Content_Length=len(CONTENT))
web_page = sends(200, WEB_PAGE, Content_Type="text/html; charset=utf-8")
web_page_as_file = sends(200, WEB_PAGE, Content_Type="application/zip")
web_page_for_a_range = sends(206, WEB_PAGE, Content_Type="text/html", Content_Range=f"bytes 5000-{len(CONTENT) - 1}/*")


def broken_chunk(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.send(200, b"1388\r\n" + CONTENT[:3000], Content_Length=None, Transfer_Encoding="chunked")
    handler.close_connection = True


def stalling(handler):
    truncated(handler)
    handler.wfile.flush()
    silent(handler)


def silent(handler):
    handler.server.test_is_over.wait(30)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.asked, server.test_is_over = [], [], threading.Event()
    # A client that gives up makes the handler's write fail; that is no news.
    server.handle_error = lambda *args: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.test_is_over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def remote(server, tmp_path):
    def make(name="file.zip", content=CONTENT):
        url = f"http://127.0.0.1:{server.server_port}/{name}"
        return Remote(url, tmp_path / "data" / name, "sha256", hashlib.sha256(content).hexdigest())

    return make


@pytest.fixture
def file(remote):
    return remote()


def left(file):
    """What lies where the file should, locks left out: {suffix: size}."""
    folder = file.destination.parent
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.suffix != ".lock"}


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_wrong_file_is_replaced_once_the_right_one_is_there(file, server):
    put(file.destination, b"wrong")
    server.answers = [sends(500, b"")]
    with pytest.raises(DownloadError):
        download([file])
    assert file.destination.read_bytes() == b"wrong"
    download([file])
    assert file.destination.read_bytes() == CONTENT


# What lies there as a partial file, how the server answers, and the ranges that it is asked for.
PARTS = {
    "nothing": (None, [], [None]),
    "resumed": (CONTENT[:5000], [], ["bytes=5000-"]),
    "complete": (CONTENT, [], []),
    "no ranges": (CONTENT[:5000], [without_ranges], ["bytes=5000-"]),
    "changed file": (b"x" * 5000, [], ["bytes=5000-", None]),
    "longer than the file": (CONTENT + b"x", [], [f"bytes={len(CONTENT) + 1}-", None]),
    "other range": (CONTENT[:5000], [other_range], ["bytes=5000-", None]),
    "changed on the server": (CONTENT[:5000], [other_content], ["bytes=5000-", None]),
}


@pytest.mark.parametrize(("part", "answers", "asked"), PARTS.values(), ids=PARTS)
def test_a_file_arrives_whatever_there_is_of_it(file, server, part, answers, asked):
    if part:
        put(file.part, part)
    server.answers = answers
    for _ in range(2):  # what is there is not downloaded again
        download([file])
        assert file.destination.read_bytes() == CONTENT
        assert left(file) == {"file.zip": len(CONTENT)}
        assert server.asked == asked


FAILURES = {
    "web page": (web_page, "sends a web page instead of the file", 0),
    "web page as a file": (web_page_as_file, "sends a web page instead of the file", 0),
    "truncated": (truncated, "is truncated", 5000),
    "broken chunk": (broken_chunk, "is truncated", None),
    "wrong sum": (other_content, "has not the sha256 sum", 0),
    "missing": (sends(404, b"gone"), "answers 404 Not Found", 0),
    "server error": (sends(500, b""), "answers 500", 0),
    "not yet": (sends(202, b""), "answers 202", 0),
    "stalling": (stalling, "does not answer in time", None),
    "silent": (silent, "does not answer in time", 0),
}


@pytest.mark.parametrize(("answer", "said", "kept"), FAILURES.values(), ids=FAILURES)
def test_each_failure_has_its_text_and_a_second_try_works(file, server, answer, said, kept):
    server.answers = [answer]
    with pytest.raises(DownloadError, match=said) as caught:
        download([file], by_hand="ask a friend", timeout=(5, 0.3))
    text = str(caught.value)
    assert file.url in text
    assert str(file.destination) in text
    assert "By hand: ask a friend; then run the same command again." in text
    assert not file.destination.exists()
    size = left(file).get("file.zip.part", 0)
    assert size == kept or kept is None
    assert ("goes on from there" in text) == (size > 0)
    download([file])
    assert file.destination.read_bytes() == CONTENT
    assert left(file) == {"file.zip": len(CONTENT)}


def test_urllib3_1_takes_a_truncated_file_for_a_whole_one(file, server, monkeypatch):
    made = urllib3.HTTPResponse.__init__
    as_in_1 = {"enforce_content_length": False}
    monkeypatch.setattr(urllib3.HTTPResponse, "__init__", lambda *args, **given: made(*args, **given | as_in_1))
    test_each_failure_has_its_text_and_a_second_try_works(file, server, *FAILURES["truncated"])


def test_a_web_page_does_not_spoil_a_partial_file(file, server):
    put(file.part, CONTENT[:5000])
    for answer in (web_page, web_page_for_a_range, sends(503, b"")):
        server.answers = [answer]
        with pytest.raises(DownloadError):
            download([file])
        assert file.part.read_bytes() == CONTENT[:5000]
    download([file])
    assert server.asked == ["bytes=5000-"] * 4


def test_no_connection(file):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file.zip"
    for address, said in ((url, "there is no connection"), ("file.zip", "No scheme supplied")):
        with pytest.raises(DownloadError, match=said) as caught:
            download([replace(file, url=address)])
        assert address in str(caught.value) and f"save it as {file.destination}" in str(caught.value)
        assert left(file) == {}


def test_what_a_server_calls_compressed_is_kept_as_it_comes(server, remote):
    content = gzip.compress(CONTENT)
    server.answers = [lambda handler: handler.send(200, content, Content_Encoding="gzip")]
    file = remote(content=content)
    download([file])
    assert file.destination.read_bytes() == content


def test_the_room_on_the_disk_is_asked_for_before(file, server, monkeypatch):
    put(file.part, CONTENT[:5000])
    asked = []
    monkeypatch.setattr(module, "shortage", lambda folder, size: asked.append(size) or "it needs room")
    with pytest.raises(DownloadError, match="could not be downloaded: it needs room"):
        download([file])
    assert asked == [len(CONTENT) - 5000]
    assert file.part.read_bytes() == CONTENT[:5000]


def test_a_full_disk(file, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DownloadError, match="the disk is full"):
        download([file])
    assert not file.destination.exists()


def test_files_that_belong_together_are_put_in_place_together(server, remote):
    files = [remote("a.gz"), remote("b.gz"), remote("c.gz")]
    server.answers = [right, sends(500, b"")]
    with pytest.raises(DownloadError, match=r"b\.gz could not be downloaded"):
        download(files)
    assert left(files[0]) == {"a.gz.part": len(CONTENT)}
    download(files)
    assert left(files[0]) == {"a.gz": len(CONTENT), "b.gz": len(CONTENT), "c.gz": len(CONTENT)}
    assert len(server.asked) == 4


def test_the_bar_shows_what_is_there_and_what_is_to_come(file, monkeypatch):
    put(file.part, CONTENT[:5000])
    bars, tqdm, shown = [], module.tqdm, {"disable": False, "file": io.StringIO()}
    monkeypatch.setattr(module, "tqdm", lambda **options: bars.append(tqdm(**options | shown)) or bars[-1])
    download([file])
    assert [(bar.initial, bar.n, bar.total) for bar in bars] == [(5000, len(CONTENT), len(CONTENT))]


def test_two_processes_download_once(file, server):
    threads = [threading.Thread(target=download, args=([file],)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.destination.read_bytes() == CONTENT
    assert server.asked == [None]
