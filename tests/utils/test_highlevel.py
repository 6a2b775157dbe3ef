"""Chapter 7's helpers: batches, recipes, results, pretrained weights, and what can be read without a network."""

import hashlib
import json
import socket
import time
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from palm_course.getting import weights
from palm_course.results import stored
from palm_course.results.recipes import IMPROVED
from palm_utils import highlevel
from palm_utils.datasets import CifarData
from palm_utils.highlevel import Batches, CifarRecipe, CifarRun
from palm_utils.history import History
from palm_utils.machine import seed_everything
from palm_utils.messages import CourseError, DataError, DataNotFound, DownloadError

# epochs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_real", "device", "environment", "expected"),
    [
        (False, "cpu", {}, 4),
        (True, "cpu", {}, 1),
        (True, "cpu", {"PALM_KEEP_RESULTS": "1"}, 4),
        (True, "cpu", {"PALM_EPOCHS": "7"}, 7),
        (True, "gpu:0", {}, 50),
        (True, "gpu:0", {"PALM_EPOCHS": "2"}, 2),
    ],
)
def test_epochs_depend_on_the_machine_and_the_data(monkeypatch, is_real, device, environment, expected):
    for name in ("PALM_EPOCHS", "PALM_KEEP_RESULTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    data = SimpleNamespace(is_real=is_real)
    assert highlevel.epochs_here(highlevel.TUTORIAL, data, device, on_gpu=50) == expected


def test_epochs_that_are_no_number_are_refused(monkeypatch):
    monkeypatch.setenv("PALM_EPOCHS", "many")
    with pytest.raises(CourseError, match="PALM_EPOCHS is 'many'"):
        highlevel.epochs_here(highlevel.TUTORIAL, None, "cpu")


# pictures ---------------------------------------------------------------------------------------


def test_batches_hold_every_image_once_with_its_label(images):
    shuffled = Batches(images, np.arange(20), 8, shuffle=True, prepare=lambda batch: batch.astype(np.float32))
    assert len(shuffled) == 3
    seed_everything(0)
    batches = list(shuffled)
    assert [list(x.shape) for x, _ in batches] == [[8, 3, 32, 32], [8, 3, 32, 32], [4, 3, 32, 32]]
    assert [list(y.shape) for _, y in batches] == [[8, 1], [8, 1], [4, 1]] and batches[0][1].dtype == paddle.int64
    found = np.concatenate([y.numpy()[:, 0] for _, y in batches])
    assert sorted(found.tolist()) == list(range(20)) and found.tolist() != list(range(20))
    np.testing.assert_array_equal(np.concatenate([x.numpy() for x, _ in batches]), images[found])
    assert not np.array_equal(found, np.concatenate([y.numpy()[:, 0] for _, y in shuffled]))  # anew each time


def test_without_shuffling_the_order_stays(images, labels):
    found = np.concatenate([y.numpy()[:, 0] for _, y in Batches(images, labels, 6)])
    assert found.tolist() == labels.tolist()


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


def test_a_crop_is_a_window_of_the_bordered_picture_and_half_are_mirrored(images):
    many = np.tile(images[:1], (400, 1, 1, 1))
    seed_everything(0)
    changed = highlevel.crop_and_flip(many, padding=2)
    padded = np.pad(images[0], ((0, 0), (2, 2), (2, 2)))
    windows = {}
    for top in range(5):
        for left in range(5):
            window = padded[:, top : top + 32, left : left + 32]
            windows[window.tobytes()] = (top, left, False)
            windows[window[..., ::-1].tobytes()] = (top, left, True)
    found = [windows[picture.tobytes()] for picture in np.ascontiguousarray(changed)]
    assert changed.dtype == np.uint8 and len(set(found)) == 50
    assert 0.4 < np.mean([mirrored for _, _, mirrored in found]) < 0.6
    np.testing.assert_array_equal(many, np.tile(images[:1], (400, 1, 1, 1)))


def test_a_small_window_shows_a_part_of_the_picture_alone(images):
    many = np.tile(images[:1], (400, 1, 1, 1))
    seed_everything(0)
    changed = highlevel.crop_and_flip(many, padding=0, side=24)
    windows = set()
    for top in range(9):
        for left in range(9):
            window = images[0][:, top : top + 24, left : left + 24]
            windows |= {window.tobytes(), window[..., ::-1].tobytes()}
    found = {picture.tobytes() for picture in np.ascontiguousarray(changed)}
    assert changed.shape == (400, 3, 24, 24) and len(found) > 100 and found <= windows
    with pytest.raises(ValueError, match="larger than input array"):
        highlevel.crop_and_flip(many, side=41)


def test_small_pictures_come_first_and_never_in_all_epochs():
    recipe = CifarRecipe(0.1, 5e-4, epochs=11, batch_size=8, small_first=0.65, small_side=24)
    assert [recipe.small_epochs(epochs) for epochs in (1, 2, 4, 11)] == [0, 1, 2, 7]
    assert "24 × 24 pixels of each picture in the first 65%" in str(recipe)
    assert CifarRecipe(0.1, 5e-4, epochs=11, batch_size=8).small_epochs(11) == 0


def test_pictures_come_out_of_paddle_s_dataset(monkeypatch):
    monkeypatch.setenv("PALM_SAMPLE", "tiny")
    from palm_utils.datasets import cifar10

    dataset = paddle.vision.datasets.Cifar10(cifar10().data_file, mode="test", backend="cv2")
    found, truth = highlevel.as_arrays(dataset)
    assert found.shape == (100, 3, 32, 32) and found.dtype == np.uint8 and truth.dtype == np.int64
    picture, label = dataset[7]
    np.testing.assert_array_equal(found[7].transpose(1, 2, 0), picture)
    assert truth[7] == label


def test_classes_are_in_the_order_of_the_data_set():
    from palm_utils.sample.pictures import CLASS_NAMES  # written as the sample's batches.meta

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
    monkeypatch.setattr(highlevel, "_SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(highlevel.sys, "platform", platform)
    monkeypatch.setattr(highlevel.joblib, "cpu_count", lambda: cores)
    monkeypatch.setattr(highlevel.shutil, "disk_usage", lambda path: type("Usage", (), {"free": free}))
    assert highlevel.loader_workers(batch_bytes=10 * 2**20) == workers


# recipes and results ------------------------------------------------------------------------------


def test_the_rate_rises_in_a_line_and_falls_to_nothing():
    recipe = CifarRecipe(0.1, 5e-4, epochs=2, batch_size=8, warmup=0.2)
    schedule, rates = recipe.schedule(100), []
    for _ in range(100):
        rates.append(schedule.get_lr())
        schedule.step()
    assert rates[0] == pytest.approx(0.1 / 25) and int(np.argmax(rates)) == 20 and rates[20] == pytest.approx(0.1)
    assert np.allclose(np.diff(rates[:21]), 0.1 * (1 - 1 / 25) / 20)
    falling = 0.05 * (1 + np.cos(np.pi * np.arange(80) / 80))
    np.testing.assert_allclose(rates[20:], falling, atol=1e-6)
    assert CifarRecipe(0.01, 1e-4, epochs=1, batch_size=8).schedule(100) == 0.01


def test_the_tutorial_s_recipe_is_the_tutorial_s():
    tutorial = highlevel.TUTORIAL
    assert (tutorial.learning_rate, tutorial.weight_decay, tutorial.batch_size) == (0.01, 1e-4, 64)
    assert tutorial.epochs >= 4 and not tutorial.normalised and tutorial.warmup is None
    optimizer = highlevel.IMPROVED.make_optimizer(paddle.nn.Linear(2, 2), 100)
    assert type(optimizer).__name__ == "Momentum" and optimizer._use_nesterov


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """An empty folder of results, recipes of two epochs, a history of as many, and data that is called real."""
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "results")
    monkeypatch.setitem(IMPROVED, CifarRun.of("SmallResNet", "improved").network, CifarRecipe(0.1, 5e-4, 2, 8))
    monkeypatch.setattr(CifarData, "counts", lambda self: {"training": 50_000, "test": 10_000})
    history = History(about={"test_accuracy": 0.91})
    for epoch in range(2):
        history.add(epoch, 1.0, 0.9, 0.4 + 0.5 * epoch, seconds=3.0)
    return history, CifarData(tmp_path, "real"), CifarRun.of("SmallResNet", "improved")


def test_a_result_is_kept_and_read_again(kept, monkeypatch, capsys):
    history, data, run = kept
    run.keep(history, data)
    assert capsys.readouterr().out.endswith("0.9000 after 2 epochs, test 0.9100; no result is stored\n")
    assert run.load() is None
    monkeypatch.setenv("PALM_KEEP_RESULTS", "1")
    run.keep(history, data)
    assert "stored, on the real pictures: 0.9000 after 2 epochs, test 0.9100" in capsys.readouterr().out
    assert run.load().to_dict() == history.to_dict()
    content = json.loads(run.path.read_text(encoding="utf-8"))
    assert run.path.name == "SmallResNet-improved-seed0.json"
    assert content["network"] == "07_highlevel_api_cifar10:SmallResNet" and content["recipe"]["name"] == "improved"


def test_results_of_the_sample_or_of_other_epochs_are_not_stored(kept, monkeypatch, tmp_path):
    history, data, run = kept
    monkeypatch.setenv("PALM_KEEP_RESULTS", "1")
    with pytest.raises(CourseError, match="only what was measured on real data"):
        run.keep(history, CifarData(tmp_path, "sample"))
    history.epochs.pop()
    with pytest.raises(CourseError, match="1 epochs were trained, not 2 whole ones"):
        run.keep(history, data)


def test_results_of_another_recipe_and_damaged_ones_are_refused(kept, monkeypatch):
    history, data, run = kept
    monkeypatch.setenv("PALM_KEEP_RESULTS", "1")
    run.keep(history, data)
    monkeypatch.setitem(IMPROVED, run.network, CifarRecipe(0.2, 5e-4, epochs=2, batch_size=8))
    with pytest.raises(DataError, match="measured by another recipe"):
        run.load()
    run.path.write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="not a stored result"):
        run.load()
    with pytest.raises(
        CourseError, match="07_highlevel_api_cifar10:SmallResNet, steady recipe, seed 0: there is no such"
    ):
        _ = CifarRun.of("SmallResNet", "steady").arguments


def test_what_the_repository_keeps_is_of_today_s_recipes():
    for network, recipe in (("resnet50", "tutorial"), ("SmallResNet", "improved")):
        run = CifarRun.of(network, recipe)
        history = run.load()
        assert history is None or len(history) == run.arguments.epochs


# pretrained weights, with and without a network ----------------------------------------------------


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "_PADDLE_CACHE", tmp_path / "cache")
    monkeypatch.setattr(weights, "data_folder", lambda: tmp_path / "data")
    return tmp_path


def test_missing_weights_are_said_without_touching_the_network(no_weights, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert highlevel.find_weights("resnet18") is None
    with pytest.raises(DataNotFound, match=r"No ImageNet weights of resnet18 .*download_it=True.*https://"):
        highlevel.pretrained_weights("resnet18")
    with pytest.raises(CourseError, match="no ImageNet weights of 'resnet9'; it has them of resnet18"):
        highlevel.pretrained_weights("resnet9")


def test_a_server_that_never_answers_is_given_up_in_time(no_weights, monkeypatch):
    from paddle.vision.models import resnet

    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/resnet18.pdparams"
        monkeypatch.setitem(resnet.model_urls, "resnet18", (address, "0" * 32))
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        started = time.monotonic()
        with pytest.raises(DownloadError, match="does not answer in time"):
            highlevel.pretrained_weights("resnet18", download_it=True, timeout=(0.2, 0.2))
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("folder", ["cache", "data/weights"])
def test_weights_that_lie_here_are_found_by_their_checksum(no_weights, monkeypatch, folder):
    from paddle.vision.models import resnet

    monkeypatch.setitem(
        resnet.model_urls, "resnet18", ("https://example.org/resnet18.pdparams", hashlib.md5(b"weights").hexdigest())
    )
    file = no_weights / folder / "resnet18.pdparams"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"torso")
    assert highlevel.find_weights("resnet18") is None
    file.write_bytes(b"weights")
    assert highlevel.pretrained_weights("resnet18") == file
