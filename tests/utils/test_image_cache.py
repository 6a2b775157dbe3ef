"""Photographs are decoded once, and nobody can tell by the batches."""

import errno
import multiprocessing
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from palm_utils import image_cache, readers
from palm_utils.augment import brightness, compose, flip, rotate
from palm_utils.messages import DataError
from palm_utils.readers import data_loader, valid_data_loader
from palm_utils.seeds import seed_everything


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of the test's own."""
    monkeypatch.setenv("PALM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch):
    """The names of the photographs that are decoded from now on, in no particular order."""
    names = []
    read_image = readers.read_image

    def counted(file):
        names.append(file.name)
        return read_image(file)

    monkeypatch.setattr(readers, "read_image", counted)
    return names


@pytest.fixture
def folder(palm_folder):
    """12 training photographs, among them a grey one, one pixel, and sizes around the reader's."""
    folder = palm_folder / "PALM-Training400"
    rng = np.random.default_rng(5)
    for name, shape in {
        "N0007.jpg": (301, 211), "N0008.jpg": (1, 1, 3), "N0009.jpg": (224, 224, 3), "N0010.jpg": (500, 223, 3),
        "P0001.jpg": (3, 700, 3),
    }.items():  # fmt: skip
        assert cv2.imwrite(str(folder / name), rng.integers(0, 256, shape, np.uint8))
    return folder


def stored(cache):
    return sorted(cache.glob("*.images"))


def epoch(reader, seed=0):
    """The batches of an epoch, and what numpy draws after it."""
    seed_everything(seed)
    return [*reader(), (np.random.rand(4),)]


def assert_same_batches(a, b):
    assert len(a) == len(b)
    for left, right in zip(a, b, strict=True):
        for x, y in zip(left, right, strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("augment", [None, compose(flip, brightness, rotate)], ids=["plain", "augmented"])
@pytest.mark.parametrize("batch_size", [5, 12, 100])
def test_training_batches_are_the_same_with_and_without(folder, mode, augment, batch_size, decoded):
    plain = epoch(data_loader(folder, batch_size, mode, augment=augment, cache=False))
    reader = data_loader(folder, batch_size, mode, augment=augment)
    for _ in range(2):
        assert_same_batches(epoch(reader), plain)
    assert len(decoded) == 2 * 12


def test_validation_batches_are_the_same_with_and_without(palm_folder, decoded):
    places = palm_folder / "PALM-Validation400", palm_folder / "labels.csv"
    plain = epoch(valid_data_loader(*places, 3, cache=False))
    for _ in range(2):  # a second reader, as another chapter would make
        assert_same_batches(epoch(valid_data_loader(*places, 3)), plain)
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
    assert len(decoded) == 12 and len(stored(cache)) == 1
    np.testing.assert_array_equal(some[0][0], everything[0][0][[3, 1]])
    epoch(reader.only([5], train=False))
    epoch(reader)
    assert len(decoded) == 12


def change_pixels(file):
    cv2.imwrite(str(file), np.full((30, 30, 3), 99, np.uint8))


def change_nothing_but_the_time(file):
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))


@pytest.mark.parametrize("change", [change_pixels, change_nothing_but_the_time])
def test_a_changed_photograph_is_decoded_again_and_the_others_are_not(folder, decoded, change):
    reader = data_loader(folder, mode="eval")
    epoch(reader)
    change(folder / "N0009.jpg")
    decoded.clear()
    again = epoch(reader)
    assert decoded == ["N0009.jpg"]
    assert_same_batches(again, epoch(data_loader(folder, mode="eval", cache=False)))


def test_a_photograph_put_in_the_place_of_another_is_told_by_size_or_time(folder, decoded):
    reader = data_loader(folder, mode="eval")
    epoch(reader)
    shutil.copy2(folder / "N0007.jpg", folder / "N0009.jpg")  # keeps the time
    assert_same_batches(epoch(reader), epoch(data_loader(folder, mode="eval", cache=False)))


def test_photographs_that_come_and_go(folder, cache, decoded):
    epoch(data_loader(folder))
    one = stored(cache)[0].stat().st_size
    (folder / "N0007.jpg").rename(folder / "N0099.jpg")
    decoded.clear()
    reader = data_loader(folder, mode="eval")
    assert_same_batches(epoch(reader), epoch(data_loader(folder, mode="eval", cache=False)))
    assert decoded.count("N0099.jpg") == 2  # once for the cache, once without it
    assert stored(cache)[0].stat().st_size == one  # the old name is not kept


def test_another_size_or_interpolation_or_opencv_is_kept_apart(folder, cache, monkeypatch):
    file = folder / "N0010.jpg"

    def small(size, interpolation):
        def decode(path):
            return cv2.resize(readers.read_image(path), size[::-1], interpolation=interpolation)

        with image_cache.opened([file], decode, size, interpolation) as image_of:
            np.testing.assert_array_equal(image_of(file), decode(file))

    for _ in range(2):
        small((50, 40), cv2.INTER_LINEAR)
        small((40, 50), cv2.INTER_LINEAR)
        small((50, 40), cv2.INTER_AREA)
    assert len(stored(cache)) == 3
    monkeypatch.setattr(cv2, "__version__", "0.0")
    small((50, 40), cv2.INTER_AREA)
    assert len(stored(cache)) == 4


def flip_bit(place):
    def damage(file):
        content = bytearray(file.read_bytes())
        content[place] ^= 1
        file.write_bytes(content)

    return damage


DAMAGES = {
    "emptied": lambda file: file.write_bytes(b""),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "cut in two": lambda file: file.write_bytes(file.read_bytes()[: 3 * 224 * 224 * 5]),
    "other content": lambda file: file.write_bytes(b"<html>" * 1000),
    "pixel": flip_bit(224 * 224 * 3 * 2 + 777),
    "name or stamp": flip_bit(-100),
    "end": flip_bit(-1),
    "format": flip_bit(-56),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_dropped(folder, cache, decoded, damage):
    reader = data_loader(folder, mode="eval")
    plain = epoch(reader)
    damage(stored(cache)[0])
    decoded.clear()
    assert_same_batches(epoch(reader), plain)
    assert decoded
    for _ in range(2):
        assert_same_batches(epoch(reader), plain)
    decoded.clear()
    assert_same_batches(epoch(reader), plain)
    assert not decoded


def test_a_file_that_shrinks_while_it_is_read(folder, cache):
    plain = epoch(data_loader(folder, 2, "eval", cache=False))
    batches = data_loader(folder, 2, "eval")()
    first = next(batches)
    os.truncate(stored(cache)[0], 1000)
    seed_everything(0)
    assert_same_batches([first, *batches], plain[:-1])


CUT_AND_RESTORED = """
import os, sys, threading
import cv2, numpy as np
from pathlib import Path
from palm_utils import image_cache

photograph, stop = Path(sys.argv[1]), threading.Event()
image = np.full((448, 448, 3), 7, np.uint8)
decode = lambda file: image
with image_cache.opened([photograph], decode, (448, 448), cv2.INTER_LINEAR):
    pass
[file] = Path(os.environ["PALM_CACHE"]).glob("*.images")
whole = file.read_bytes()

def cut_and_restore():
    with open(file, "r+b") as other:
        while not stop.is_set():
            other.truncate(1000)
            other.seek(0)
            other.write(whole)

thread = threading.Thread(target=cut_and_restore)
try:
    with image_cache.opened([photograph], decode, (448, 448), cv2.INTER_LINEAR) as image_of:
        thread.start()
        for _ in range(400):
            assert (image_of(photograph) == 7).all()
finally:
    stop.set()
    thread.join()
"""


def test_a_file_that_is_cut_at_any_moment_does_not_end_the_process(folder):
    run = subprocess.run(
        [sys.executable, "-c", CUT_AND_RESTORED, str(folder / "N0009.jpg")], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_an_unreadable_photograph_is_named_at_its_turn(folder, decoded):
    (folder / "N0009.jpg").write_bytes(b"<html>not found</html>")
    reader = data_loader(folder, 4, "eval")
    batches = reader()
    assert len(next(batches)[0]) == 4  # H0011, H0012, N0007, N0008
    with pytest.raises(DataError, match=r"N0009\.jpg: not a readable image"):
        list(batches)
    change_pixels(folder / "N0009.jpg")
    decoded.clear()
    assert_same_batches(epoch(reader), epoch(data_loader(folder, 4, "eval", cache=False)))
    assert decoded.count("P0003.jpg") == 1  # what could be read was kept


def test_a_photograph_that_is_gone_is_named(folder):
    reader = data_loader(folder, mode="eval")
    epoch(reader)
    (folder / "P0002.jpg").unlink()
    with pytest.raises(DataError, match=r"P0002\.jpg: no such photograph"):
        epoch(reader)


# --- where nothing can be written


def fails_with(error):
    def fail(*args, **options):
        raise error

    return fail


@pytest.mark.parametrize(
    "obstacle",
    [
        ("disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9, 0)),
        ("replacing", fails_with(OSError(errno.ENOSPC, "No space left on device"))),
        ("locked", fails_with(PermissionError(errno.EACCES, "Permission denied"))),
        ("locked", fails_with(NotImplementedError("no locks here"))),
    ],
    ids=["full", "full on the way", "read-only", "no locks"],
)
def test_where_nothing_can_be_kept_it_says_so_once_and_decodes(folder, cache, decoded, capsys, monkeypatch, obstacle):
    name, instead = obstacle
    monkeypatch.setattr(shutil if name == "disk_usage" else image_cache, name, instead)
    plain = epoch(data_loader(folder, cache=False))
    for _ in range(2):
        assert_same_batches(epoch(data_loader(folder)), plain)
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1
    assert f"cannot be kept in {cache}" in shown.err and "PALM_CACHE" in shown.err
    assert len(decoded) == 3 * 12 and stored(cache) == []


def test_a_cache_folder_that_is_a_file(folder, cache, capsys):
    cache.write_text("not a folder")
    plain = epoch(data_loader(folder, cache=False))
    assert_same_batches(epoch(data_loader(folder)), plain)
    assert "cannot be kept" in capsys.readouterr().err


def test_an_interrupted_build_leaves_nothing_behind(folder, cache, monkeypatch):
    def interrupt(file):
        raise KeyboardInterrupt

    monkeypatch.setattr(readers, "read_image", interrupt)
    with pytest.raises(KeyboardInterrupt):
        epoch(data_loader(folder))
    assert [f.suffix for f in cache.iterdir()] == [".lock"]


# --- shared


def read_in_another_process(folder, out):
    np.save(out, next(data_loader(folder, 12, "eval")())[0])


def test_processes_that_start_together_share_one_file(folder, cache, tmp_path):
    outs = [tmp_path / f"{i}.npy" for i in range(3)]
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=read_in_another_process, args=(folder, out)) for out in outs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    plain = next(data_loader(folder, 12, "eval", cache=False)())[0]
    for out in outs:
        np.testing.assert_array_equal(np.load(out), plain)
    assert len(stored(cache)) == 1 and not list(cache.glob("*.part"))


def test_threads_that_start_together_decode_once(folder, decoded):
    with ThreadPoolExecutor(4) as pool:
        epochs = list(pool.map(lambda _: list(data_loader(folder, mode="eval")()), range(4)))
    for other in epochs[1:]:
        assert_same_batches(other, epochs[0])
    assert len(decoded) == 12


def test_a_link_to_the_folder_leads_to_the_same_images(folder, tmp_path, decoded):
    try:
        (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("this account may not make links")
    epoch(data_loader(folder))
    epoch(data_loader(tmp_path / "link"))
    assert len(decoded) == 12


def test_what_is_kept_of_a_lost_folder_is_forgotten(folder, palm_folder, cache):
    epoch(data_loader(folder))
    shutil.rmtree(folder)
    epoch(valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv"))
    (kept,) = stored(cache)
    assert kept.name.startswith("PALM-Validation400-")


def test_the_cache_lies_in_the_user_s_folder_unless_told_otherwise(monkeypatch, tmp_path):
    assert image_cache.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("PALM_CACHE")
    assert image_cache.cache_folder().parent.name == "palm_utils"
