"""Chapter 7's helpers: batches, recipes, results, pretrained weights, and what can be read without a network."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from paddle.vision.models import resnet

from palm_course import native
from palm_course.getting import weights
from palm_course.results import stored
from palm_course.results.recipes import IMPROVED
from palm_utils import highlevel
from palm_utils.datasets import CifarData, cifar10
from palm_utils.highlevel import Batches, CifarRecipe, CifarRun
from palm_utils.history import History
from palm_utils.machine import seed_everything
from palm_utils.messages import CourseError, DataNotFound
from palm_utils.sample.pictures import CLASS_NAMES  # written as the sample's batches.meta


@pytest.mark.parametrize(
    ("is_real", "device", "environment", "options", "expected"),
    [
        (False, "cpu", {}, {}, 4),
        (True, "cpu", {}, {}, 4),
        (True, "cpu", {}, {"known": True}, 1),  # it is stored, and need not be made again
        (False, "cpu", {}, {"known": True}, 4),
        (True, "cpu", {"PALM_EPOCHS": "7"}, {}, 7),
        (True, "gpu:0", {}, {"on_gpu": 50}, 50),
        (True, "gpu:0", {"PALM_EPOCHS": "2"}, {"on_gpu": 50}, 2),
    ],
)
def test_epochs_depend_on_the_machine_and_the_data(monkeypatch, is_real, device, environment, options, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    data = SimpleNamespace(is_real=is_real)
    assert highlevel.epochs_here(highlevel.TUTORIAL, data, device, **options) == expected


def test_batches_hold_every_image_once_with_its_label(images, labels):
    def found(batches):
        return np.concatenate([y.numpy()[:, 0] for _, y in batches])

    shuffled = Batches(images, np.arange(20), 8, shuffle=True, prepare=lambda batch: batch.astype(np.float32))
    assert len(shuffled) == 3
    seed_everything(0)
    batches = list(shuffled)
    assert [list(x.shape) for x, _ in batches] == [[8, 3, 32, 32], [8, 3, 32, 32], [4, 3, 32, 32]]
    assert [list(y.shape) for _, y in batches] == [[8, 1], [8, 1], [4, 1]] and batches[0][1].dtype == paddle.int64
    order = found(batches)
    assert sorted(order.tolist()) == list(range(20)) and order.tolist() != list(range(20))
    np.testing.assert_array_equal(np.concatenate([x.numpy() for x, _ in batches]), images[order])
    assert not np.array_equal(order, found(shuffled))  # anew each time
    assert found(Batches(images, labels, 6)).tolist() == labels.tolist()


@pytest.mark.parametrize(("count", "size", "words"), [(19, 4, "20 images and 19 labels"), (20, 0, "batch_size is 0")])
def test_batches_refuse_what_does_not_fit(images, labels, count, size, words):
    with pytest.raises(ValueError, match=words):
        Batches(images, labels[:count], size)


def test_normalised_pictures_have_the_stated_mean_and_can_be_undone(images):
    normal = highlevel.normalise(images)
    assert normal.dtype == np.float32
    expected = (images / 255 - np.reshape(highlevel.MEAN, (3, 1, 1))) / np.reshape(highlevel.STD, (3, 1, 1))
    np.testing.assert_allclose(normal, expected, atol=1e-5)
    np.testing.assert_array_equal(highlevel.undo_normalise(normal), images)


@pytest.mark.parametrize(
    ("padding", "border", "places", "least"), [(2, "constant", 5, 50), (4, "constant", 9, 101), (2, "reflect", 5, 50)]
)
def test_a_crop_is_a_window_of_the_bordered_picture_and_half_are_mirrored(images, padding, border, places, least):
    many = np.tile(images[:1], (400, 1, 1, 1))
    seed_everything(0)
    changed = highlevel.crop_and_flip(many, padding=padding, border=border)
    padded = np.pad(images[0], ((0, 0), (padding, padding), (padding, padding)), mode=border)
    windows = {}
    for top, left in np.ndindex(places, places):
        window = padded[:, top : top + 32, left : left + 32]
        windows[window.tobytes()] = (top, left, False)
        windows[window[..., ::-1].tobytes()] = (top, left, True)
    found = [windows[picture.tobytes()] for picture in np.ascontiguousarray(changed)]
    assert changed.dtype == np.uint8 and changed.shape == (400, 3, 32, 32) and len(set(found)) >= least
    assert 0.4 < np.mean([mirrored for _, _, mirrored in found]) < 0.6
    seed_everything(0)
    never = np.ascontiguousarray(highlevel.crop_and_flip(many, padding, border=border, flip=0))
    assert not any(windows[picture.tobytes()][2] for picture in never)
    np.testing.assert_array_equal(many, np.tile(images[:1], (400, 1, 1, 1)))


def test_pictures_come_out_of_paddle_s_dataset(monkeypatch):
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    dataset = paddle.vision.datasets.Cifar10(cifar10().data_file, mode="test", backend="cv2")
    found, truth = highlevel.as_arrays(dataset)
    assert found.shape == (100, 3, 32, 32) and found.dtype == np.uint8 and truth.dtype == np.int64
    picture, label = dataset[7]
    np.testing.assert_array_equal(found[7].transpose(1, 2, 0), picture)
    assert truth[7] == label
    assert tuple(CLASS_NAMES) == highlevel.CLASS_NAMES


@pytest.mark.parametrize(
    ("platform", "cores", "free", "workers"),
    [
        ("linux", 4, 2**30, 3),
        ("linux", 32, 2**34, 8),
        ("linux", 1, 2**30, 0),
        ("linux", 8, 2**26, 0),
        ("darwin", 8, 2**34, 0),
        ("win32", 8, 2**34, 0),
    ],
)
def test_workers_depend_on_the_machine(monkeypatch, tmp_path, platform, cores, free, workers):
    monkeypatch.setattr(native, "_SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(native.sys, "platform", platform)
    monkeypatch.setattr(native.joblib, "cpu_count", lambda: cores)
    monkeypatch.setattr(native.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert native.loader_workers(batch_bytes=10 * 2**20) == workers


def test_the_rate_rises_in_a_line_and_falls_in_another():
    recipe = CifarRecipe(0.1, 5e-4, epochs=2, batch_size=8, warmup=0.2)
    schedule, rates = recipe.schedule(100), []
    for _ in range(120):
        rates.append(schedule.get_lr())
        schedule.step()
    np.testing.assert_allclose(rates[:21], np.linspace(0.02, 0.1, 21))
    np.testing.assert_allclose(rates[20:101], np.linspace(0.1, 0.007, 81))
    assert rates[101:] == [rates[100]] * 19
    assert CifarRecipe(0.1, 5e-4, epochs=1, batch_size=8, warmup=0.2).schedule(1).get_lr() == pytest.approx(0.02)
    assert CifarRecipe(0.01, 1e-4, epochs=1, batch_size=8).schedule(100) == 0.01
    optimizer = highlevel.IMPROVED.make_optimizer(paddle.nn.Linear(2, 2), 100)
    assert type(optimizer).__name__ == "Momentum" and optimizer._use_nesterov and optimizer._momentum == 0.85


def test_a_result_is_kept_and_read_again(tmp_path, monkeypatch, capsys):
    run, data = CifarRun.of("WhitenedResNet", "improved"), CifarData(tmp_path, "real")
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "results")
    monkeypatch.setitem(IMPROVED, run.network, CifarRecipe(0.1, 5e-4, 2, 8))
    monkeypatch.setattr(CifarData, "counts", lambda self: {"training": 50_000, "test": 10_000})
    history = History(about={"test_accuracy": 0.91})
    for epoch in range(2):
        history.add(epoch, 1.0, 0.9, 0.4 + 0.5 * epoch, seconds=3.0)
    run.keep(history, data)
    assert capsys.readouterr().out.endswith("0.9000 after 2 epochs, test 0.9100; no result is stored\n")
    assert run.load() is None
    monkeypatch.setenv("PALM_KEEP_RESULTS", "1")
    run.keep(history, data)
    assert "stored, on the real pictures: 0.9000 after 2 epochs, test 0.9100" in capsys.readouterr().out
    assert run.load().to_dict() == history.to_dict()
    run.keep(History(history.epochs[:1], history.about), data)  # a shorter run leaves the stored one alone
    assert len(run.load()) == 2
    content = json.loads(run.path.read_text(encoding="utf-8"))
    assert run.path.name == "WhitenedResNet-improved-seed0.json"
    assert content["network"] == "07_highlevel_api_cifar10:WhitenedResNet" and content["recipe"]["name"] == "improved"


@pytest.mark.parametrize("run", [("resnet50", "tutorial"), ("WhitenedResNet", "improved"), ("WhitenedResNet", "eyes")])
def test_what_the_repository_keeps_is_of_today_s_recipes(run):
    run = CifarRun.of(*run)
    history = run.load()
    assert history is None or len(history) == run.arguments.epochs


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "_PADDLE_CACHE", tmp_path / "cache")
    monkeypatch.setattr(weights, "data_folder", lambda: tmp_path / "data")
    return tmp_path


def test_missing_weights_are_said(no_weights):
    assert highlevel.find_weights("resnet18") is None
    with pytest.raises(DataNotFound, match=r"No ImageNet weights of resnet18 .*download_it=True.*https://"):
        highlevel.pretrained_weights("resnet18")
    with pytest.raises(CourseError, match="no ImageNet weights of 'resnet9'; it has them of resnet18"):
        highlevel.pretrained_weights("resnet9")


@pytest.mark.parametrize("folder", ["cache", "data/weights"])
def test_weights_that_lie_here_are_found_by_their_checksum(no_weights, monkeypatch, folder):
    published = ("https://example.org/resnet18.pdparams", hashlib.md5(b"weights").hexdigest())
    monkeypatch.setitem(resnet.model_urls, "resnet18", published)
    file = no_weights / folder / "resnet18.pdparams"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"torso")
    assert highlevel.find_weights("resnet18") is None
    file.write_bytes(b"weights")
    assert highlevel.pretrained_weights("resnet18") == file
