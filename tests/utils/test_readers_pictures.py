"""Photographs as cameras, programs and broken copies leave them: read right, or one error that names the file."""

import io
import os

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps  # comes with matplotlib

from palm_utils.messages import DataError, DataNotFound
from palm_utils.readers import data_loader, read_image, transform_img, valid_data_loader


@pytest.fixture(scope="module")
def picture():
    """A smooth picture, uint8 [60, 80, 3] in the order red, green, blue, with another thing in each corner."""
    rows, columns = np.mgrid[:60, :80]
    return np.stack([rows * 4, columns * 3, 255 - rows * 2 - columns], 2).astype(np.uint8)


def encoded(image, format="JPEG", **options):
    """A picture, an array or Pillow's, as the bytes of a file."""
    image, buffer = image if isinstance(image, Image.Image) else Image.fromarray(image), io.BytesIO()
    image.save(buffer, format, **({"quality": 95} if format == "JPEG" else {}), **options)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    """Read a photograph given as bytes; returns it in the order red, green, blue."""

    def run(content, name="P0001.jpg"):
        (tmp_path / name).write_bytes(content)
        return read_image(tmp_path / name)[..., ::-1]

    return run


def assert_alike(found, expected, tolerance=3):
    assert found.dtype == np.uint8 and found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < tolerance


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("P0001.jpg", lambda picture: encoded(picture, "PNG")),
        ("P0001.png", lambda picture: cv2.imencode(".png", picture[..., ::-1].astype(np.uint16) * 257)[1].tobytes()),
        ("P0001.tif", lambda picture: cv2.imencode(".tif", picture[..., ::-1].astype(np.uint16) * 257)[1].tobytes()),
    ],
    ids=["PNG under another suffix", "16 bits", "16 bits, TIFF"],
)
def test_what_loses_nothing(read, picture, name, encode):
    np.testing.assert_array_equal(read(encode(picture), name), picture)


@pytest.mark.parametrize(
    ("format", "mode", "tolerance"),
    [*(("JPEG", mode, 3) for mode in ("RGB", "CMYK", "L")), *(("PNG", mode, 1) for mode in ("RGBA", "LA", "P", "1"))],
)
def test_colours_of_printers_grey_transparency_palettes_and_single_bits(read, picture, format, mode, tolerance):
    image = Image.fromarray(picture).convert(mode)
    name = {"JPEG": "P0001.png", "PNG": "P0001.jpg"}[format]  # a suffix says nothing
    assert_alike(read(encoded(image, format), name), np.array(image.convert("RGB")), tolerance)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_that_the_camera_marked_as_turned_is_turned(read, picture, orientation, format):
    if format == "PNG" and tuple(int(part) for part in cv2.__version__.split(".")[:2]) < (4, 11):
        pytest.skip("OpenCV learned to turn PNG files in one of its versions up to 4.11")
    marked = Image.Exif()
    marked[0x112] = orientation
    content = encoded(picture, format, exif=marked)
    assert_alike(read(content), np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")), 1)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(read, picture):
    np.testing.assert_array_equal(read(encoded(picture) + bytes(5000)), read(encoded(picture)))


def test_suffixes_in_upper_case_and_files_that_are_none_of_the_photographs(palm_folder):
    train, valid = palm_folder / "PALM-Training400", palm_folder / "PALM-Validation400"
    for folder in (train, valid):
        for i, file in enumerate(sorted(folder.iterdir())):
            file.rename(file.with_suffix([".jpg", ".JPG", ".Jpg"][i % 3]))
            (folder / f"._{file.name}").write_bytes(b"\0\5\26\7")  # macOS's, on a USB stick
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt"):
            (folder / name).write_bytes(b"")
        (folder / "folder.jpg").mkdir()
        if os.name != "nt":
            os.mkfifo(folder / "P0100.jpg")  # it would be waited for
    assert [len(images) for images, _ in data_loader(train, 20)()] == [12]
    reader = valid_data_loader(valid, palm_folder / "labels.csv", 20)
    assert [images.shape for images, _ in reader()] == [(7, 3, 224, 224)]
    assert [file.stem for file in reader.files] == [f"V{i:04}" for i in range(1, 8)]


@pytest.mark.parametrize("rest", [b"", b"\0"], ids=["cut", "zeroed"])  # zeros: a copy that broke off in its full length
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_photographs(read, picture, format, rest, share):
    content = encoded(picture, format)
    lost = int(len(content) * share)
    with pytest.raises(DataError, match=r"P0001\.jpg: not a readable image \(\d+ bytes\)\. Copy it again"):
        read(content[:-lost] + rest * lost)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_lacks_its_last_byte(read, picture, progressive):
    with pytest.raises(DataError, match=r"P0001\.jpg: not a readable image"):
        read(encoded(picture, progressive=progressive)[:-1])


HUGE = b"\0\0\0\rIHDR" + (2**31 - 1).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", b"\x89PNG\r\n\x1a\n" + HUGE + bytes(4)], ids=["empty", "page", "huge"]
)
def test_what_is_no_picture_or_one_of_more_pixels_than_memory_has_room_for(read, content):
    with pytest.raises(DataError, match=r"P0001\.jpg: not a readable image \(\d+ bytes\)"):
        read(content)


def test_a_folder_in_the_place_of_a_photograph(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read .*Put the photograph itself there"):
        read_image(tmp_path)


@pytest.fixture
def link(palm_folder):
    """Make a link in the folder of the training photographs."""
    folder = palm_folder / "PALM-Training400"

    def make(name, target):
        try:
            (folder / name).symlink_to(target)
        except OSError:
            pytest.skip("this account may not make links")
        return folder

    return make


@pytest.mark.parametrize(("target", "number"), [("P0001.jpg", 13), ("../PALM-Training400", 12)])
def test_a_link_to_a_photograph_is_a_photograph_and_one_to_a_folder_does_no_harm(link, target, number):
    assert [len(images) for images, _ in data_loader(link("P0100.jpg", target), 20)()] == [number]


@pytest.mark.parametrize("target", ["gone.jpg", "P0100.jpg"], ids=["broken", "looping"])
def test_a_link_that_leads_nowhere_is_named_not_passed_over(link, target):
    folder = link("P0100.jpg", target)
    with pytest.raises(DataNotFound, match=rf"P0100\.jpg: the photograph is a link to {target}, which is not there\."):
        data_loader(folder)
    with pytest.raises(DataError, match=r"P0100\.jpg: (no such photograph|cannot be read)"):
        read_image(folder / "P0100.jpg")


def test_a_folder_that_is_a_link_to_itself(link):
    with pytest.raises(DataNotFound, match="loop: no such folder"):
        data_loader(link("loop", "loop") / "loop")


@pytest.mark.parametrize(
    "name", ["V0008.jpg", "V1", "../PALM-Validation400/V0001.jpg", "V" * 300 + ".jpg", "V1.jpg.txt"]
)
def test_a_name_in_the_table_that_is_no_photograph_of_the_folder(palm_folder, name):
    (palm_folder / "labels.csv").write_text(f"imgName,Label\nV0002.jpg,0\n{name},1\n")
    with pytest.raises(DataNotFound, match=r"labels\.csv line 3: .* is not in .*PALM-Validation400\. Does"):
        valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv")


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint32", "float16", ">f4", "bool", "complex64", "object"])
def test_numbers_that_cannot_be_resized_are_refused(dtype):
    with pytest.raises(ValueError, match=rf"takes an image of uint8 and got {dtype}: img\.astype"):
        transform_img(np.zeros((5, 6, 3), dtype))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float64"])
def test_other_numbers_are_taken_as_they_are(picture, dtype):
    np.testing.assert_allclose(transform_img(picture.astype(dtype)), transform_img(picture), atol=1 / 127)
