"""MNIST and CIFAR-10 files that are damaged, of another kind, or meant to do harm."""

import gzip
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
from palm_archives import cifar_archive, cifar_batch, idx, mnist_files, tar_gz, write

from palm_course.getting import contents
from palm_utils.datasets import CifarData, MnistData
from palm_utils.messages import DataError


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


PYTHON_2 = (
    b"\x80\2}(U\4datacnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btR(K\1K\1K\3\x86"
    b"cnumpy\ndtype\n(U\2u1K\0K\1tR(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89U\3abctb"
    b"U\6labels(lK\7aU\4nameU\5x.pngu."
)


def test_a_batch_as_python_2_wrote_it():
    found, expected = contents.unpickled(PYTHON_2), pickle.loads(PYTHON_2, encoding="bytes")
    assert found.pop(b"data").shape == expected.pop(b"data").shape == (1, 3)
    assert found == expected == {b"labels": [7], b"name": b"x.png"}


MORE_THAN_VALUES = {
    "call": Calls(os.mkdir, "made by a pickle"),
    "eval": {b"data": [Calls(eval, "1")]},
    "call in an array": np.array([Calls(os.mkdir, "made by a pickle")]),
    "objects": np.array([{}]),
    "texts": np.array(["text"]),
    "records": np.array([(1, 2)], "i4,i4"),
    "floats": np.zeros(3, np.float32),
    "address": Calls(np.ndarray, (1,), "O", b"12345678"),
    "dtype": Calls(np.dtype, "O"),
    "class": PermissionError,
    "attr": Calls(getattr, 1, "real"),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("value", MORE_THAN_VALUES.values(), ids=MORE_THAN_VALUES)
def test_what_is_more_than_values_and_bytes_is_refused_before_it_is_called(tmp_path, monkeypatch, value, protocol):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"it would call (\w+\.)+\w+|in which NumPy does not"):
        contents.unpickled(pickle.dumps(value, protocol))
    assert not list(tmp_path.iterdir())


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n"
DTYPE = b"cnumpy\ndtype\n(X\2\0\0\0u1I00\nI01\ntR"


@pytest.mark.parametrize(
    "content",
    [
        ARRAY + b"(cnumpy\nndarray\n(I1000000000\ntX\1\0\0\0btR.",  # memory
        ARRAY + b"(cnumpy\nndarray\n(I0\ntX\1\0\0\0OtR.",
        ARRAY + b"(c_codecs\nencode\n(I0\ntX\1\0\0\0btR.",
        ARRAY + b"(cnumpy\nndarray\n(I0\ntX\1\0\0\0btR(I1\n(I4\nt" + DTYPE + b"I00\nX\2\0\0\0abtb.",
        DTYPE + b"(I3\nX\1\0\0\0|NNNI-1\nI-1\nI63\ntb.",  # flags that say "objects"
        DTYPE + b"(I3\nX\1\0\0\0|NX\1\0\0\0aNI-1\nI-1\nI0\ntb.",  # fields
        b"c_codecs\nencode\n(X\1\0\0\0aX\4\0\0\0zlibtR.",
        b"cnumpy\nndarray\n(N}X\6\0\0\0__doc__stb.",  # changes the class itself
        b"(cnumpy\nndarray\no.",  # the other ways of making an object
        b"(I0\ninumpy\nndarray\n.",
        *(b"]r\xff\xff\xff\x3f.", b"]p1000000000\n.", b"]q\3."),  # a number that would take all memory
        *(b"", b"<html>", b"\x80\2", PYTHON_2[:-9], b"\x80\4\x95\xff\xff"),
    ],
)
def test_what_numpy_would_not_write_and_what_is_no_whole_pickle(content):
    with pytest.raises(DataError, match=r"not a whole pickle"):
        contents.unpickled(content)


@pytest.fixture
def cifar(tmp_path):
    def make(content):
        (tmp_path / "cifar-10-python.tar.gz").write_bytes(content)
        return CifarData(tmp_path, "real")

    return make


@pytest.mark.parametrize("protocol", [2, 4])
def test_an_archive_put_there_by_hand_is_counted(cifar, protocol):
    members = [(f"x/data_batch_{i}", cifar_batch(i, protocol)) for i in (1, 2)]
    data = cifar(tar_gz(*members, ("x/test_batch", cifar_batch(4, protocol)), ("x/readme.html", b"<html>")))
    assert data.counts() == {"training": 3, "test": 4}
    assert data.data_file == str(data.root / "cifar-10-python.tar.gz")


@pytest.mark.parametrize("name", ["data_batch_1", "test_batch"])
def test_nothing_in_an_archive_is_run(cifar, tmp_path, monkeypatch, name):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    harmful = pickle.dumps({b"labels": [0], b"data": Calls(os.mkdir, "made by a pickle")}, 2)
    data = cifar(tar_gz(("x/data_batch_2", cifar_batch(1)), (f"x/{name}", harmful)))
    for use in (data.counts, lambda: data.data_file, lambda: str(data)):
        with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz is not safe to read.*mkdir.*--download --force"):
            use()
    assert not list((tmp_path / "here").iterdir())


def pickled(data, labels):
    return pickle.dumps({b"data": data, b"labels": labels}, 2)


BATCHES = {
    "not a batch": pickle.dumps([1, 2], 2),
    "no labels": pickle.dumps({b"data": np.zeros((2, 3072), np.uint8)}, 2),
    "labels missing": pickled(np.zeros((2, 3072), np.uint8), [1]),
    "another class": pickled(np.zeros((2, 3072), np.uint8), [1, 10]),
    "label no number": pickled(np.zeros((2, 3072), np.uint8), [1, "cat"]),
    "another size": pickled(np.zeros((2, 784), np.uint8), [1, 2]),
    "floats": pickled(np.zeros((2, 3072), np.float32), [1, 2]),
    "half": cifar_batch(9)[:5000],
    "text": b"sorry",
}
WHOLE = cifar_archive(data_batch_1=1000)
ARCHIVES = {name: tar_gz(("x/data_batch_1", batch)) for name, batch in BATCHES.items()}
ARCHIVES |= {"empty": b"", "torn": WHOLE[:40], "cut": WHOLE[:-30]}


@pytest.mark.parametrize("content", ARCHIVES.values(), ids=ARCHIVES)
def test_an_archive_of_something_else_or_a_damaged_one(cifar, content):
    data = cifar(content)
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz is damaged .*data cifar10 --download --force"):
        _ = data.data_file


def a_link():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("x/test_batch")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    return buffer.getvalue()


TWICE = tar_gz(("x/test_batch", cifar_batch(1)), ("x/test_batch", cifar_batch(2)))


@pytest.mark.parametrize("content", [TWICE, a_link()], ids=["twice", "link"])
def test_members_that_are_there_twice_or_links(cifar, content):
    with pytest.raises(DataError, match="'x/test_batch' is a link or there twice"):
        cifar(content).counts()


def test_an_archive_that_is_replaced_is_looked_at_again(cifar):
    data = cifar(cifar_archive(data_batch_1=3))
    assert data.counts() == {"training": 3, "test": 0}
    cifar(cifar_archive(data_batch_1=30))
    assert data.counts() == {"training": 30, "test": 0}
    (data.root / "cifar-10-python.tar.gz").unlink()
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz is damaged"):
        data.counts()


@pytest.fixture
def mnist(tmp_path):
    write(tmp_path, mnist_files(20))
    return MnistData(tmp_path, "real")


def images(count, held):
    return gzip.compress(struct.pack(">IIII", 0x0803, count, 28, 28) + bytes(held * 784))


def labels(count, held, digit=b"\3"):
    return gzip.compress(struct.pack(">II", 0x0801, count) + digit * held)


DIGITS = {
    "empty": ("images-idx3", b"", ""),
    "web page": ("labels-idx1", b"<html>", ""),
    "torn": ("images-idx3", images(20, 20)[:-9], ""),
    "short": ("images-idx3", images(20, 19), "15680 bytes after its header"),
    "long": ("labels-idx1", labels(20, 21), "20 bytes after its header"),
    "fewer labels": ("labels-idx1", labels(19, 19), "20 images, but t10k-labels-idx1-ubyte.gz 19 labels"),
    "fewer images": ("images-idx3", images(19, 19), "19 images, but"),
    "exchanged": ("labels-idx1", images(20, 20), "not an IDX file of labels"),
    "another label": ("labels-idx1", labels(20, 20, b"\x0b"), "label 11"),
    "another size": ("images-idx3", gzip.compress(struct.pack(">IIII", 0x0803, 20, 32, 32)), "28 x 28 images"),
    "far too many": ("labels-idx1", gzip.compress(struct.pack(">II", 0x0801, 2**32 - 1)), "not an IDX file of labels"),
}


@pytest.mark.parametrize(("name", "content", "said"), DIGITS.values(), ids=DIGITS)
def test_damaged_digits_are_named_before_paddle_reads_them(mnist, name, content, said):
    (mnist.root / f"t10k-{name}-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=rf"t10k-.*-ubyte\.gz is damaged .*{said}.*data mnist --download --force"):
        mnist.files("test")
    mnist.files("train")


HEADS = {"nothing": b"", "no gzip": b"no gzip", "cut": idx(3)[:12]}
HEADS |= {"short": gzip.compress(b"short"), "another number": gzip.compress(bytes(16))}


# Named, because a compressed file holds the time: without names the processes of a run would collect other tests.
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_damaged_digits_are_not_counted(mnist, head):
    (mnist.root / "t10k-images-idx3-ubyte.gz").write_bytes(head)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz is damaged .*data mnist --download --force"):
        mnist.counts()


def test_a_bomb_in_the_place_of_digits_is_not_unpacked(mnist, monkeypatch):
    """Neither what the header declares nor what follows it beyond that is read."""
    (mnist.root / "t10k-labels-idx1-ubyte.gz").write_bytes(labels(20, 3_000_000))
    read = []
    original = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: read.append(size) or original(self, size))
    with pytest.raises(DataError, match="20 bytes after its header"):
        mnist.files("test")
    assert min(read) >= 0 and max(read) <= 20 * 784
