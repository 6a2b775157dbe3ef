"""Unpacking archives that are damaged, or meant to do harm."""

import io
import stat
import struct
import zipfile

import pytest
from palm_archives import tree, zipped

from palm_course.getting.unpack import unpack
from palm_utils.messages import DataError, DataNotFound


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


def entry(name, content=b"x", **attributes):
    """A zip archive with one entry whose header has these attributes."""
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    for key, value in attributes.items():
        setattr(info, key, value)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, content)
    return buffer.getvalue()


def test_only_what_is_wanted_comes_out(unpacked):
    content = zipped(
        {
            "a/B.JPG": b"1",
            "a/b.bmp": b"2",
            "c.txt": b"3",
            "__MACOSX/a/._B.jpg": b"4",
            "._d.jpg": b"5",
            "e.jpg": b"6",
        }
        | {"a/__macosx/f.jpg": b"7", "a/.ds_store": b"8", "Thumbs.db": b"9"}
    )
    assert unpacked(content) == {"a/B.JPG": b"1", "e.jpg": b"6"}
    assert unpacked(content, suffixes=(".jpg", ".txt", ".db", "store")) == {
        "a/B.JPG": b"1",
        "e.jpg": b"6",
        "c.txt": b"3",
    }


def test_zips_in_zips_unpack_where_they_lie(unpacked):
    inner = zipped({"c/d.jpg": b"1", "deeper.ZIP": zipped({"e.jpg": b"2"})})
    assert unpacked(zipped({"a/b.zip": inner})) == {"a/c/d.jpg": b"1", "a/e.jpg": b"2"}


def test_folders_and_entries_without_a_name_are_passed_over(unpacked):
    assert unpacked(zipped({"a.jpg/": b"", "b.zip/": b"", "c/d.jpg": b"1"})) == {"c/d.jpg": b"1"}
    assert unpacked(entry("\0.jpg")) == {"c/d.jpg": b"1"}  # a name ends where a zero is


def test_backslashes_separate_folders(unpacked):
    assert unpacked(entry("a\\b.jpg")) == {"a/b.jpg": b"x"}


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


def test_symbolic_links(unpacked):
    with pytest.raises(DataError, match=r"'link\.jpg' is a symbolic link"):
        unpacked(entry("link.jpg", b"/etc/passwd", external_attr=(stat.S_IFLNK | 0o777) << 16))


def test_an_unsafe_entry_in_an_inner_archive(unpacked):
    with pytest.raises(DataError, match=r"inner\.zip is not safe"):
        unpacked(zipped({"inner.zip": entry("../evil.jpg")}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"Rar!\x1a\x07", "is not a zip archive"),
        (b"\n<!DOCTYPE html><html>", "is a web page"),
        (b"<HTML><body>502</body>", "is a web page"),
        (zipped({"a.jpg": b"x" * 99})[:-30], "is truncated or damaged"),
    ],
    ids=["empty", "rar", "doctype", "html", "truncated"],  # a zip holds the time: no name for a test
)
def test_what_is_no_whole_zip(unpacked, content, said):
    with pytest.raises(DataError, match=rf"archive\.zip {said}"):
        unpacked(content)


def test_a_missing_archive(tmp_path):
    with pytest.raises(DataNotFound, match=r"no archive .*gone\.zip"):
        unpack(tmp_path / "gone.zip", tmp_path / "folder", (".jpg",))


def test_an_encrypted_archive(unpacked):
    content = bytearray(zipped({"a.jpg": b"x"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match=r"archive\.zip is encrypted \(a\.jpg\)"):
        unpacked(bytes(content))


def test_a_damaged_entry(unpacked):
    content = zipfile_stored("a.jpg", b"a photograph").replace(b"a photograph", b"a fotograf??")
    with pytest.raises(DataError, match=r"archive\.zip is damaged at a\.jpg"):
        unpacked(content)


def test_a_compression_that_cannot_be_undone(unpacked):
    content = bytearray(zipped({"a.jpg": b"x"}))
    for start, offset in ((content.index(b"PK\x03\x04"), 8), (content.index(b"PK\x01\x02"), 10)):
        content[start + offset : start + offset + 2] = struct.pack("<H", 99)
    with pytest.raises(DataError, match=r"archive\.zip is damaged at a\.jpg"):
        unpacked(bytes(content))


@pytest.mark.parametrize("name", ["x" * 300 + ".jpg", "y" * 300 + "/a.jpg", "z/" * 3000 + "a.jpg"])
def test_a_name_that_no_file_can_have(unpacked, name):
    with pytest.raises(DataError, match=r"archive\.zip is damaged at [xyz].*Download it again"):
        unpacked(zipped({name: b"x"}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_entries_of_one_name_the_later_one_counts(unpacked):
    """An archive to which the mended file was added; unzip takes the later one, too."""
    buffer = io.BytesIO(zipped({"a.jpg": b"old", "inner.zip": zipped({"b.jpg": b"old"})}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("a.jpg", b"mended")
        archive.writestr("inner.zip", zipped({"b.jpg": b"mended"}))
    assert unpacked(buffer.getvalue()) == {"a.jpg": b"mended", "b.jpg": b"mended"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_entries_of_one_name_both_are_checked(unpacked):
    buffer = io.BytesIO(zipped({"a.jpg": b"x"}))
    with zipfile.ZipFile(buffer, "a") as archive:
        info = zipfile.ZipInfo("a.jpg")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc")
    with pytest.raises(DataError, match="symbolic link"):
        unpacked(buffer.getvalue())


def test_an_archive_that_holds_its_own_name(unpacked):
    content = zipped({"a.jpg": b"1"})
    for _ in range(2):
        content = zipped({"a.zip": content, "b.jpg": b"2"})
    assert unpacked(content) == {"a.jpg": b"1", "b.jpg": b"2"}


def test_archives_that_hold_each_other_s_name(unpacked):
    first = zipped({"b.zip": zipped({"a.jpg": b"1"}), "0.jpg": b"0", "0.part/c.jpg": b"3"})
    second = zipped({"a.zip": zipped({"b.jpg": b"2"})})
    content = zipped({"a.zip": first, "b.zip": second, "0.part/d.jpg": b"4", "1.part/e.jpg": b"5"})
    assert unpacked(content) == {
        "0.jpg": b"0", "a.jpg": b"1", "b.jpg": b"2", "0.part/c.jpg": b"3", "0.part/d.jpg": b"4", "1.part/e.jpg": b"5",
    }  # fmt: skip


def test_links_are_refused_wherever_they_lead(unpacked):
    """A link to a folder, and then a file that would be written through it."""
    link, file = zipfile.ZipInfo("images"), zipfile.ZipInfo("images/a.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "../..")
        archive.writestr(file, b"x")
    with pytest.raises(DataError, match="'images' is a symbolic link"):
        unpacked(buffer.getvalue())


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.99])
def test_truncated_archives(unpacked, keep):
    content = zipped({f"{i}.jpg": bytes([i]) * 500 for i in range(9)})
    with pytest.raises(DataError, match=r"archive\.zip is truncated or damaged .*Download it again"):
        unpacked(content[: int(len(content) * keep)])


def test_a_file_where_a_folder_should_be(unpacked):
    with pytest.raises(DataError, match=r"archive\.zip is damaged at a\.jpg/b\.jpg"):
        unpacked(zipped({"a.jpg": b"x", "a.jpg/b.jpg": b"y"}))


def zipfile_stored(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def test_an_archive_that_declares_too_little_gives_no_more_than_that(unpacked, tmp_path):
    content = bytearray(zipped({"a.jpg": bytes(100_000)}))
    for start, offset in ((content.index(b"PK\x03\x04"), 22), (content.index(b"PK\x01\x02"), 24)):
        content[start + offset : start + offset + 4] = struct.pack("<I", 10)
    with pytest.raises(DataError, match=r"is damaged at a\.jpg"):
        unpacked(bytes(content))
    assert all(len(content) <= 10 for content in tree(tmp_path / "folder").values())
