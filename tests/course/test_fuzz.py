"""What nobody thought of: label tables, archives and images drawn by hypothesis.

The same examples on every run. PALM_HARD=1 draws others, and many more.
"""

import io
import os
import stat
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from palm_archives import cifar_batch, mnist_files, tar_gz, xlsx, zipped

from palm_course.getting import contents
from palm_course.getting.find import unpack
from palm_course.getting.tables import read_fovea, read_labels
from palm_utils.datasets import CifarData, MnistData
from palm_utils.messages import DataError
from palm_utils.readers import read_image

HARD = bool(os.environ.get("PALM_HARD"))
# Hypothesis would keep tables of its own in the working directory; this folder goes with the run.
set_hypothesis_home_dir(Path(os.environ["PALM_CACHE"], "hypothesis"))


def fuzz(examples):
    return settings(
        max_examples=40 * examples if HARD else examples,
        derandomize=not HARD,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file that each example writes anew."""
    return tmp_path_factory.mktemp("fuzz") / "labels.csv"


@contextmanager
def named(words):
    """Nothing goes wrong here but by an error with these words in it."""
    try:
        yield
    except DataError as error:
        assert words in str(error)


def damaged(content):
    """The bytes cut short, with some of them changed, or with a piece of them put in elsewhere."""
    places = st.integers(0, len(content) - 1)
    changes = st.lists(st.tuples(places, st.integers(0, 255)), max_size=4)

    def change(cut, changes, piece):
        result = bytearray(content)
        for place, value in changes:
            result[place] = value
        start, end, to = piece
        result[to:to] = result[min(start, end) : max(start, end)]
        return bytes(result[:cut])

    whole = st.just(2 * len(content))
    return st.builds(change, whole | places, changes, st.tuples(places, places, places) | st.just((0, 0, 0)))


TABLE = 'ID,imgName,Label,Fovea_X,Fovea_Y\r\n1,V0001.jpg,0,1.5,2\r\n\r\n2,"V0002.jpg",1,"3,5",4\r\n'.encode("utf-8-sig")
WORKBOOK = xlsx(("imgName", "Label"), ("V0001.jpg", 0), ("V0002.jpg", 1.0))


@st.composite
def damaged_inside(draw):
    """A workbook of which a part was damaged before it was packed, so that its checksum is right."""
    with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as parts:
        entries = {name: parts.read(name) for name in parts.namelist()}
    name = draw(st.sampled_from(sorted(entries)))
    return zipped(entries | {name: draw(damaged(entries[name]))})


TEXTS = st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | damaged(TABLE)


@fuzz(110)
@given(TEXTS | damaged(WORKBOOK) | damaged_inside())
@example(b"imgName,Label\n" + b"x" * 200_000 + b",1\n")
@example(b"\xff\xfe\x00")
@example(b"imgName,Label\nV0001.jpg,\xef\xbc\x91\n")
def test_whatever_a_table_is_it_is_read_or_named(file, content):
    file.write_bytes(content)
    with named(file.name):
        rows = read_labels(file)
        assert rows and all(row.name and row.label in (0, 1) and row.line > 1 for row in rows)
    with named(file.name):
        read_fovea(file)


PARTS = st.sampled_from(["a", "..", ".", "", "A", "...", " ", "~", "con", "nul.txt", "x" * 300, "b.jpg", "C:", "é"])
ENTRY_NAMES = st.builds(
    lambda start, parts, separator, end: start + separator.join(parts) + end,
    st.sampled_from(["", "", "/", "\\", "C:\\", "//server/", "../", "./"]),
    st.lists(PARTS, min_size=1, max_size=4),
    st.sampled_from(["/", "\\"]),
    st.sampled_from([".jpg", ".JPG", ".zip", "/", "", ".jpg:x"]),
) | st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).map(lambda text: text + ".jpg")
KINDS = st.sampled_from([0, 0o644, stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755, stat.S_IFCHR, 0o4777])


def archive_of(entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, mode, content in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.external_attr = name, mode << 16
            archive.writestr(info, content)
    return buffer.getvalue()


ARCHIVE = zipped({"a/b.jpg": b"1" * 50, "c.zip": zipped({"d.jpg": b"2" * 50}), "e.txt": b"3"})
ENTRIES = st.lists(st.tuples(ENTRY_NAMES, KINDS, st.binary(max_size=9)), max_size=5)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@fuzz(180)
@given(ENTRIES.map(archive_of) | damaged(ARCHIVE) | st.binary(max_size=40))
@example(archive_of([("\0.jpg", 0, b"")]))
def test_whatever_an_archive_is_it_unpacks_inside_its_folder_or_is_named(content):
    """Nothing lies beside the folder, and no links are in it."""
    with tempfile.TemporaryDirectory() as place:
        archive, folder = Path(place, "archive.zip"), Path(place, "outer", "inner")
        archive.write_bytes(content)
        with named(".zip"):
            unpack(archive, folder, (".jpg",))
        assert {path.name for path in Path(place).iterdir()} <= {"archive.zip", "outer"}
        assert {path.name for path in Path(place).glob("outer/*")} <= {"inner"}
        assert not any(path.is_symlink() for path in folder.rglob("*"))


BATCH = cifar_batch(1)[:300] + cifar_batch(1)[-40:]


@fuzz(100)
@given(damaged(BATCH) | damaged(cifar_batch(2, 4)) | st.binary(max_size=60))
def test_whatever_a_pickle_is_only_plain_values_come_out(content):
    with named(""):
        found = contents.unpickled(content)
        assert not any(callable(value) for value in (found.values() if isinstance(found, dict) else [found]))


@fuzz(25)
@given(damaged(tar_gz(("x/data_batch_1", cifar_batch(2)), ("x/test_batch", cifar_batch(1)))))
def test_whatever_an_archive_of_pictures_is_it_is_counted_or_named(file, content):
    file.with_name("cifar-10-python.tar.gz").write_bytes(content)
    with named("cifar-10-python.tar.gz"):
        assert CifarData(file.parent, "real").counts() == {"training": 2, "test": 1}


@fuzz(25)
@given(st.sampled_from(sorted(mnist_files(3))), st.data())
def test_whatever_a_file_of_digits_is_it_is_whole_or_named(file, name, data):
    files = mnist_files(3)
    files[name] = data.draw(damaged(files[name]))
    for other, content in files.items():
        file.with_name(other).write_bytes(content)
    with named(name):
        for mode in ("train", "test"):
            MnistData(file.parent, "real").files(mode)


SMALL = np.full((9, 11, 3), (10, 120, 240), np.uint8)
ENCODED = [cv2.imencode(suffix, SMALL)[1].tobytes() for suffix in (".jpg", ".png", ".bmp", ".tif")]


@fuzz(60)
@given(st.sampled_from(ENCODED).flatmap(damaged) | st.binary(max_size=40))
def test_whatever_a_photograph_is_it_is_read_or_named(file, content):
    file.write_bytes(content)
    with named(str(file)):
        image = read_image(file)
        assert image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8
