"""Photographs are decoded once, and nobody can tell by the batches."""

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from palm_utils import files, readers
from palm_utils.messages import DataError
from palm_utils.readers import brightness, compose, data_loader, flip, rotate, valid_data_loader
from palm_utils.seeds import seed_everything


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of the test's own."""
    monkeypatch.setenv("PALM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch):
    """The names of the photographs that are decoded from now on, in no particular order."""
    names, read_image = [], readers.read_image
    monkeypatch.setattr(readers, "read_image", lambda file: (names.append(file.name), read_image(file))[1])
    return names


@pytest.fixture
def folder(palm_folder):
    """12 training photographs, among them a grey one, one pixel, and sizes around the reader's."""
    folder = palm_folder / "PALM-Training400"
    rng, shapes = np.random.default_rng(5), [(301, 211), (1, 1, 3), (224, 224, 3), (500, 223, 3), (3, 700, 3)]
    for name, shape in zip(("N0007", "N0008", "N0009", "N0010", "P0001"), shapes, strict=True):
        assert cv2.imwrite(str(folder / f"{name}.jpg"), rng.integers(0, 256, shape, np.uint8))
    return folder


def stored(cache):
    return sorted(cache.glob("*.pixels"))


def epoch(reader, seed=0):
    """The batches of an epoch, and what numpy draws after it."""
    seed_everything(seed)
    return [*reader(), (np.random.rand(4),)]


def assert_same_batches(a, b):
    for left, right in zip(a, b, strict=True):
        for x, y in zip(left, right, strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype


def plain(folder, *arguments, **options):
    return epoch(data_loader(folder, *arguments, cache=False, **options))


@pytest.mark.parametrize("augment", [None, compose(flip, brightness, rotate)], ids=["plain", "augmented"])
@pytest.mark.parametrize(("batch_size", "mode"), [(5, "train"), (12, "train"), (100, "eval")])
def test_training_batches_are_the_same_with_and_without(folder, mode, augment, batch_size, decoded):
    expected = plain(folder, batch_size, mode, augment=augment)
    reader = data_loader(folder, batch_size, mode, augment=augment)
    for _ in range(2):
        assert_same_batches(epoch(reader), expected)
    assert len(decoded) == 2 * 12


def test_validation_batches_are_the_same_with_and_without(palm_folder, decoded):
    places = palm_folder / "PALM-Validation400", palm_folder / "labels.csv", 3
    expected = epoch(valid_data_loader(*places, cache=False))
    for _ in range(2):  # a second reader, as another chapter would make
        assert_same_batches(epoch(valid_data_loader(*places)), expected)
    assert len(decoded) == 2 * 7


def test_without_the_cache_nothing_is_written(folder, cache, decoded):
    reader = data_loader(folder, cache=False)
    epoch(reader)
    epoch(reader.only(range(3), train=True))
    assert len(decoded) == 12 + 3 and not cache.exists()


def test_some_of_the_photographs_and_then_all(folder, cache, decoded):
    reader = data_loader(folder, mode="eval")
    some = epoch(reader.only([3, 1], train=False))
    assert sorted(decoded) == sorted(reader.files[i].name for i in (1, 3))
    everything = epoch(reader)
    assert len(decoded) == len(stored(cache)) == 12
    np.testing.assert_array_equal(some[0][0], everything[0][0][[3, 1]])


def change_pixels(file):
    cv2.imwrite(str(file), np.full((30, 30, 3), 99, np.uint8))


CHANGES = {
    "pixels": change_pixels,
    "time": lambda file: os.utime(file, ns=(1, file.stat().st_mtime_ns + 1)),
    "another in its place": lambda file: shutil.copy2(file.with_name("N0007.jpg"), file),  # keeps the time
    "renamed": lambda file: file.rename(file.with_name("N0099.jpg")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_photograph_is_decoded_again_and_the_others_are_not(folder, decoded, change):
    epoch(data_loader(folder, mode="eval"))
    CHANGES[change](folder / "N0009.jpg")
    decoded.clear()
    again = epoch(data_loader(folder, mode="eval"))
    assert len(decoded) == 1
    assert_same_batches(again, plain(folder, mode="eval"))


def test_what_another_opencv_has_decoded_is_not_used(folder, decoded, monkeypatch):
    epoch(data_loader(folder))
    monkeypatch.setattr(cv2, "__version__", "0.0")
    epoch(data_loader(folder))
    assert len(decoded) == 2 * 12


@pytest.mark.parametrize("size", [0, 224 * 224 * 3 - 1, 224 * 224 * 3 + 1])
def test_a_file_that_is_not_whole_is_made_again(folder, cache, decoded, size):
    reader = data_loader(folder, mode="eval")
    expected = epoch(reader)
    os.truncate(stored(cache)[0], size)
    decoded.clear()
    for _ in range(2):
        assert_same_batches(epoch(reader), expected)
    assert len(decoded) == 1


def cut(file):
    """Put a short file in the place of the one that the reader's thread may be reading at this moment."""
    short = file.with_suffix(".short")
    short.write_bytes(file.read_bytes()[:1000])
    short.replace(file)


@pytest.mark.parametrize("spoil", [cut, Path.unlink])
def test_files_that_are_cut_or_deleted_between_two_batches(folder, cache, spoil):
    expected = plain(folder, 2, "eval")
    batches = data_loader(folder, 2, "eval")()
    first = next(batches)
    for file in stored(cache):
        spoil(file)
    seed_everything(0)
    assert_same_batches([first, *batches], expected[:-1])


def test_an_unreadable_photograph_is_named_at_its_turn(folder, decoded):
    (folder / "N0009.jpg").write_bytes(b"<html>not found</html>")
    reader = data_loader(folder, 4, "eval")
    batches = reader()
    assert len(next(batches)[0]) == 4  # H0011, H0012, N0007, N0008
    with pytest.raises(DataError, match=r"N0009\.jpg: not a readable image"):
        list(batches)
    change_pixels(folder / "N0009.jpg")
    decoded.clear()
    assert_same_batches(epoch(reader), plain(folder, 4, "eval"))
    assert decoded.count("P0003.jpg") == 1  # what could be read was kept


def test_a_photograph_that_is_gone_is_named(folder):
    reader = data_loader(folder, mode="eval")
    epoch(reader)
    (folder / "P0002.jpg").unlink()
    with pytest.raises(DataError, match=r"P0002\.jpg: no such photograph"):
        epoch(reader)


def fails_with(error):
    def fail(*args, **options):
        raise error

    return fail


@pytest.mark.parametrize(
    "obstacle",
    [
        (files.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9, 0)),
        (Path, "write_bytes", fails_with(OSError(errno.ENOSPC, "No space left on device"))),
        None,
    ],
    ids=["full", "full on the way", "a file in its place"],
)
def test_where_nothing_can_be_kept_it_says_so_once_and_decodes(folder, cache, decoded, capsys, monkeypatch, obstacle):
    if obstacle:
        monkeypatch.setattr(*obstacle)
    else:
        cache.write_text("not a folder")
    expected = plain(folder)
    for _ in range(2):
        assert_same_batches(epoch(data_loader(folder)), expected)
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    assert f"cannot be kept in {cache}" in shown.err and "PALM_CACHE" in shown.err
    assert stored(cache) == []


def test_an_interrupted_first_epoch_leaves_whole_files_only(folder, cache, monkeypatch):
    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(readers, "read_image", fails_with(KeyboardInterrupt))
        epoch(data_loader(folder))
    assert [f.name for f in cache.iterdir()] == ["decoding.lock"]
    (cache / ".decoding.0123.part").write_bytes(b"half")  # as a killed process leaves it
    epoch(data_loader(folder))
    assert not list(cache.glob(".*"))


def test_threads_that_start_together_decode_once(folder, decoded):
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda _: list(data_loader(folder, mode="eval")()), range(4))
    for other in others:
        assert_same_batches(other, first)
    assert len(decoded) == 12


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_to_the_folder_leads_to_the_same_images(folder, tmp_path, decoded):
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    for place in (folder, tmp_path / "link"):
        epoch(data_loader(place))
    assert len(decoded) == 12


def test_the_cache_lies_in_the_user_s_folder_unless_told_otherwise(monkeypatch, cache):
    assert readers.cache_folder() == cache
    monkeypatch.delenv("PALM_CACHE")
    assert readers.cache_folder().parent.name == "palm_utils"
