"""Unpacking archives that are damaged, or meant to do harm."""

import io
import stat
import struct
import warnings
import zipfile

import pytest
from palm_archives import tree, zipped

from palm_course.getting.find import unpack
from palm_utils.messages import DataError, DataNotFound

LINK = (stat.S_IFLNK | 0o777) << 16
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"  # what the two headers of an entry begin with


@pytest.fixture
def unpacked(tmp_path):
    """Unpack an archive given as bytes; return {path: content} of what came out."""

    def run(content, suffixes=(".jpg",)):
        archive = tmp_path / "archive.zip"
        archive.write_bytes(content)
        unpack(archive, tmp_path / "folder" / "inner", suffixes)
        return tree(tmp_path / "folder" / "inner")

    yield run
    # Whatever happened, nothing may have been written outside the folder.
    assert {path.name for path in tmp_path.iterdir()} <= {"archive.zip", "folder"}
    assert {path.name for path in tmp_path.glob("folder/*")} <= {"inner"}


def archive_of(*entries, start=b""):
    """A zip archive of (name, content, external attributes), names as they are, added to the archive `start`."""
    buffer = io.BytesIO(start)
    with zipfile.ZipFile(buffer, "a") as archive, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, content, attributes in entries:
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.external_attr = name, attributes
            archive.writestr(info, content)
    return buffer.getvalue()


def entry(name, content=b"x", attributes=0):
    return archive_of((name, content, attributes))


def patched(content, value, changes):
    """Overwrite a number of the headers, at {start of a header: offset in it}."""
    content = bytearray(content)
    for header, offset in changes.items():
        start = content.index(header) + offset
        content[start : start + len(value)] = value
    return bytes(content)


JUNK = {"__MACOSX/a/._B.jpg": b"4", "._d.jpg": b"5", "a/__macosx/f.jpg": b"7", "a/.ds_store": b"8", "Thumbs.db": b"9"}


def test_only_what_is_wanted_comes_out(unpacked):
    wanted = {"a/B.JPG": b"1", "e.jpg": b"6"}
    content = zipped({**wanted, "a/b.bmp": b"2", "c.txt": b"3", **JUNK})
    assert unpacked(content) == wanted
    assert unpacked(content, suffixes=(".jpg", ".txt", ".db", "store")) == {**wanted, "c.txt": b"3"}


def holding_its_own_name():
    content = zipped({"a.jpg": b"1"})
    for _ in range(2):
        content = zipped({"a.zip": content, "b.jpg": b"2"})
    return content


def holding_each_others_names():
    first = zipped({"b.zip": zipped({"a.jpg": b"1"}), "0.jpg": b"0", "0.part/c.jpg": b"3"})
    second = zipped({"a.zip": zipped({"b.jpg": b"2"})})
    return zipped({"a.zip": first, "b.zip": second, "0.part/d.jpg": b"4", "1.part/e.jpg": b"5"})


def mended():
    """An archive to which the mended files were added; unzip takes the later ones, too."""
    old = zipped({"a.jpg": b"old", "inner.zip": zipped({"b.jpg": b"old"})})
    return archive_of(("a.jpg", b"mended", 0), ("inner.zip", zipped({"b.jpg": b"mended"}), 0), start=old)


PARTS = {"0.part/c.jpg": b"3", "0.part/d.jpg": b"4", "1.part/e.jpg": b"5"}
UNPACKED = {
    "zips in zips unpack where they lie": (
        zipped({"a/b.zip": zipped({"c/d.jpg": b"1", "deeper.ZIP": zipped({"e.jpg": b"2"})})}),
        {"a/c/d.jpg": b"1", "a/e.jpg": b"2"},
    ),
    "folders": (zipped({"a.jpg/": b"", "b.zip/": b"", "c/d.jpg": b"1"}), {"c/d.jpg": b"1"}),
    "no name": (entry("\0.jpg"), {}),  # a name ends where a zero is
    "backslashes": (entry("a\\b.jpg"), {"a/b.jpg": b"x"}),
    "two entries of one name": (mended(), {"a.jpg": b"mended", "b.jpg": b"mended"}),
    "its own name": (holding_its_own_name(), {"a.jpg": b"1", "b.jpg": b"2"}),
    "each other's name": (holding_each_others_names(), {"0.jpg": b"0", "a.jpg": b"1", "b.jpg": b"2", **PARTS}),
}


@pytest.mark.parametrize(("content", "expected"), UNPACKED.values(), ids=UNPACKED)
def test_what_comes_out(unpacked, content, expected):
    assert unpacked(content) == expected


@pytest.mark.parametrize(
    "name",
    [
        *("../evil.jpg", "a/../../evil.jpg", "..\\evil.jpg", "../evil.txt"),
        *("/evil.jpg", "\\evil.jpg", "C:/evil.jpg", "C:evil.jpg", "a.jpg:stream"),
    ],
)
def test_entries_that_would_leave_the_folder(unpacked, name):
    with pytest.raises(DataError, match=r"archive\.zip is not safe.*outside the folder") as caught:
        unpacked(entry(name))
    assert repr(name) in str(caught.value)


WHOLE, LONG_NAME = zipped({"a.jpg": b"x"}), "x" * 300
NINE = zipped({f"{i}.jpg": bytes([i]) * 500 for i in range(9)})
IS_DAMAGED = r"archive\.zip is damaged at "
IS_TRUNCATED = r"archive\.zip is truncated or damaged .*Download it again"
REFUSED = {
    "link": (entry("link.jpg", b"/etc/passwd", LINK), r"'link\.jpg' is a symbolic link"),
    "link among two of one name": (archive_of(("a.jpg", b"/etc", LINK), start=WHOLE), "symbolic link"),
    # A file that would be written through it follows.
    "link to a folder": (archive_of(("images", b"../..", LINK), ("images/a.jpg", b"x", 0)), "'images' is a symbolic"),
    "unsafe inner archive": (zipped({"inner.zip": entry("../evil.jpg")}), r"inner\.zip is not safe"),
    "empty": (b"", r"archive\.zip is empty"),
    "rar": (b"Rar!\x1a\x07", r"archive\.zip is not a zip archive"),
    "doctype": (b"\n<!DOCTYPE html><html>", r"archive\.zip is a web page"),
    "html": (b"<HTML><body>502</body>", r"archive\.zip is a web page"),
    **{f"{keep} of it": (NINE[: int(len(NINE) * keep)], IS_TRUNCATED) for keep in (0.3, 0.6, 0.9, 0.99)},
    "encrypted": (patched(WHOLE, b"\1", {CENTRAL: 8}), r"archive\.zip is encrypted \(a\.jpg\)"),
    "damaged entry": (entry("a.jpg", b"good").replace(b"good", b"evil"), IS_DAMAGED + r"a\.jpg"),
    "unknown compression": (patched(WHOLE, b"c\0", {LOCAL: 8, CENTRAL: 10}), IS_DAMAGED + r"a\.jpg"),
    "file where a folder should be": (zipped({"a.jpg": b"x", "a.jpg/b.jpg": b"y"}), IS_DAMAGED + r"a\.jpg/b\.jpg"),
    "long name": (entry(f"{LONG_NAME}.jpg"), IS_DAMAGED + "x.*Download it again"),
    "long folder": (entry(f"{LONG_NAME}/a.jpg"), IS_DAMAGED + "x.*Download it again"),
    "long path": (entry("z/" * 3000 + "a.jpg"), IS_DAMAGED + "z.*Download it again"),
}


@pytest.mark.parametrize(("content", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_unsafe_or_no_whole_zip(unpacked, content, said):
    with pytest.raises(DataError, match=said):
        unpacked(content)


def test_a_missing_archive(tmp_path):
    with pytest.raises(DataNotFound, match=r"no archive .*gone\.zip"):
        unpack(tmp_path / "gone.zip", tmp_path / "folder", (".jpg",))


def test_an_archive_that_declares_too_little_gives_no_more_than_that(unpacked, tmp_path):
    content = patched(zipped({"a.jpg": bytes(100_000)}), struct.pack("<I", 10), {LOCAL: 22, CENTRAL: 24})
    with pytest.raises(DataError, match=r"is damaged at a\.jpg"):
        unpacked(content)
    assert all(len(content) <= 10 for content in tree(tmp_path / "folder").values())
