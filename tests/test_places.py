"""The course in the places in which students put it. Whole set-ups and chapters in such places: tests/hard."""

import hashlib
import os
import re
import socket
import sys

import palm_archives
import places
import pytest
from places import everything

from palm_course.command import main
from palm_course.getting import weights
from palm_course.getting.download import Remote, download
from palm_utils import datasets, highlevel, machine, sample
from palm_utils.messages import DataNotFound, DownloadError
from palm_utils.readers import data_loader


def test_folders_with_spaces_and_chinese_names(micro, tmp_path, monkeypatch):
    monkeypatch.setenv("PALM_CACHE", str(tmp_path / places.ODD / "缓存"))
    plain = everything(tmp_path / "plain")
    assert everything(tmp_path / places.ODD) == plain
    assert len(list((tmp_path / places.ODD / "缓存").glob("*.pixels"))) == 12  # six photographs each


@pytest.mark.skipif(os.name == "nt", reason="locales and time zones by Unix names")
@pytest.mark.skipif(
    sys.version_info >= (3, 12) and not sys.prefix.isascii(),
    reason="this Python loads no library from such a folder when told to do without UTF-8",
)
def test_no_home_no_language_far_away(micro, tmp_path):
    """Python's file names and output are then ASCII, with escapes for everything else.

    An installed clone at a path with Chinese characters is not found then, but a folder of PYTHONPATH is.
    """
    plain = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": 0, "PYTHONCOERCECLOCALE": 0, "PYTHONPATH": places.ROOT}
    out = places.everything_elsewhere(tmp_path / places.ODD, HOME=None, TZ="Pacific/Kiritimati", **plain)
    assert out["zone"] == "+1400" and out["encoding"] == ("utf-8" if sys.platform == "darwin" else "ascii")
    assert out["digest"] == everything(tmp_path / "plain")


@pytest.mark.skipif(os.name == "nt", reason="Unix permissions")
def test_clone_and_home_that_cannot_be_written_to(tmp_path):
    """The package still works: what it makes goes into the temporary folder."""
    clone = places.read_only(places.clone(tmp_path / "clone"))
    home = places.read_only(palm_archives.write(tmp_path / "home", {"notes.txt": b""}))
    (tmp_path / "tmp").mkdir()
    options = {"before": places.ordinary_user(), "cwd": clone, "home": home, "check": False}
    options |= {"TMPDIR": tmp_path / "tmp", "PYTHONPATH": clone, "PALM_SAMPLE": "tiny", "PALM_LANG": "en"}
    out = places.run("-m", "palm_utils", "data", "sample", **options)
    (root,) = (tmp_path / "tmp").glob("palm_utils-*/sample/tiny")
    assert f"The sample is in {root}" in out and sample.is_sample(root)
    options |= {"PALM_SAMPLE": "", "PALM_DATA": clone / "data"}
    out = places.run("-m", "palm_utils", "data", "mnist", "--download", **options)
    assert re.search(r"CourseError: .*clone.data cannot be written to\. Set PALM_DATA to a folder that can\.", out)
    assert [path.name for path in home.iterdir()] == ["notes.txt"] and list((clone / "data").iterdir()) == []


def test_weights_go_into_the_data_folder_where_the_home_cannot_be_written_to(tmp_path, monkeypatch):
    file = tmp_path / "data" / "weights" / "a.pdparams"
    monkeypatch.setattr(weights, "_PADDLE_CACHE", tmp_path / "home" / "weights")
    monkeypatch.setattr(weights, "data_folder", lambda: tmp_path / "data")
    monkeypatch.setattr(weights, "can_be_written", lambda folder: tmp_path / "home" not in folder.parents)
    monkeypatch.setattr(weights, "_source", lambda name: ("http://server/a.pdparams", hashlib.md5(b"x").hexdigest()))
    asked = []
    monkeypatch.setattr(weights, "download", lambda files, **options: asked.extend(files))
    assert weights.pretrained_weights("a", download_it=True) == file
    assert [remote.destination for remote in asked] == [file]


def test_a_download_that_cannot_be_put_where_it_belongs(tmp_path):
    (tmp_path / "data").write_text("a file in the place of the folder")
    file = Remote("http://server/a.gz", tmp_path / "data" / "a.gz", "md5", "")
    with pytest.raises(DownloadError, match=r"a\.gz could not be downloaded: it cannot be written there .*exists"):
        download([file])


@pytest.fixture
def no_network(monkeypatch):
    """Whatever would look up a name or connect is an error that no one catches."""

    def refuse(*args, **options):
        raise AssertionError("the network was asked")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getfqdn", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)


def test_nothing_asks_the_network_unless_told_to(micro, tmp_path, monkeypatch, no_network, capsys):
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    monkeypatch.setattr(datasets, "checkout_data", lambda: None)
    for module in (datasets, sample):
        monkeypatch.setattr(module, "user_cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(weights, "_PADDLE_CACHE", tmp_path / "paddle")
    for find in (datasets.palm, datasets.mnist, datasets.cifar10):
        assert find().counts()
    assert main(["data"]) == 0
    assert everything(tmp_path / "all")
    with pytest.raises(DataNotFound, match="No ImageNet weights"):
        weights.pretrained_weights("resnet18")


def test_one_core(micro, tmp_path, monkeypatch):
    """As with taskset: the machine has more, this process may use one."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system does not bind processes to cores")
    monkeypatch.delenv("PALM_THREADS", raising=False)
    monkeypatch.setattr(machine, "_omp_threads", "")
    plain = everything(tmp_path / "plain")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert machine.thread_count() == 1
        assert highlevel.loader_workers(batch_bytes=1) == 0
        assert everything(tmp_path / "one") == plain
    finally:
        os.sched_setaffinity(0, before)


def test_the_readers_need_no_shared_memory(palm_folder, monkeypatch):
    """Docker gives 64 MB of it, which batches that processes hand over would fill."""

    def refuse(*args, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", refuse)
    monkeypatch.setattr("multiprocessing.shared_memory.SharedMemory.__init__", refuse)
    assert sum(len(images) for images, _ in data_loader(palm_folder / "PALM-Training400", 5)()) == 12
