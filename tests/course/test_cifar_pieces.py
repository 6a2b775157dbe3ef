"""tools/cifar.py and chapter 7's cells that it trains with: what each piece does, and that a run is stored once."""

import importlib
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from editions import ROOT

from palm_course import chapters
from palm_course.results import recipes, stored
from palm_utils import highlevel
from palm_utils.messages import CourseError, DataError

sys.path.append(str(ROOT / "tools"))
cifar = importlib.import_module("cifar")

NETWORK = "07_highlevel_api_cifar10:WhitenedResNet"
TINY = {"epochs": 1, "width": 2, "batch_size": 32, "held_out": 10}


@pytest.fixture(scope="module")
def chapter():
    return chapters.definitions(chapters.find("07")[0])


def test_whitened_values_do_not_vary_together(chapter):
    pictures = np.random.RandomState(0).randn(40, 3, 20, 20).cumsum(2).cumsum(3).astype(np.float32)
    pictures /= pictures.std()  # neighbours are alike
    filters = chapter.whitening_filters(pictures)
    assert filters.shape == (24, 3, 2, 2) and filters.dtype == np.float32
    np.testing.assert_array_equal(filters[:12], -filters[12:])
    values = paddle.nn.functional.conv2d(paddle.to_tensor(pictures), paddle.to_tensor(filters[:12]))
    covariance = np.cov(values.numpy().transpose(1, 0, 2, 3).reshape(12, -1))
    variances = np.diag(covariance)
    assert np.abs(covariance - np.diag(variances)).max() < 0.01
    assert variances.max() < 1.001 and variances[-1] > 0.99  # those that hardly vary are not blown up


def test_the_whitening_layer_is_fixed_and_the_network_has_its_answers(chapter):
    filters = np.random.RandomState(0).randn(24, 3, 2, 2).astype(np.float32)
    network = chapter.WhitenedResNet(filters, num_classes=7, width=4)
    network(paddle.randn([3, 3, 32, 32])).square().sum().backward()
    fixed = [name for name, p in network.named_parameters() if p.grad is None and "_mean" not in name]
    assert [name for name in fixed if "_variance" not in name] == ["whitening.weight"]
    np.testing.assert_array_equal(network.whitening.weight.numpy(), filters)
    assert list(network(paddle.randn([3, 3, 32, 32])).shape) == [3, 7]


def test_a_quick_start_lets_what_comes_in_go_through(chapter):
    paddle.seed(0)
    wider, narrower = chapter.ConvBN(3, 5), chapter.ConvBN(5, 3)
    network = chapter.quick_start(paddle.nn.Sequential(wider, narrower))
    x = paddle.randn([2, 5, 6, 6])
    np.testing.assert_allclose(wider.conv(x[:, :3])[:, :3].numpy(), x[:, :3].numpy())
    np.testing.assert_allclose(narrower.conv(x).numpy(), x[:, :3].numpy())
    assert float(wider.conv(x[:, :3])[:, 3:].abs().min()) > 0  # the others begin at random
    before = network(x[:, :3])
    network.eval()
    np.testing.assert_allclose(
        wider.bn._mean.numpy(), 0.4 * wider.conv(x[:, :3]).mean([0, 2, 3]).numpy(), rtol=1e-4, atol=1e-6
    )
    assert list(before.shape) == [2, 3, 6, 6]


def test_each_picture_is_mirrored_in_every_second_epoch(chapter):
    images = np.arange(50 * 3 * 4 * 4).reshape(50, 3, 4, 4)
    batches, logbook = highlevel.Batches(images, np.zeros(50), 8), SimpleNamespace(seed=0, history=[])
    flips, seen = chapter.AlternateFlips(batches, logbook), []
    for epoch in range(3):
        flips.on_epoch_begin(epoch)
        seen.append(batches.images)
        logbook.history.append("an epoch")
    mirrored = [(epoch == images[..., ::-1]).all((1, 2, 3)) for epoch in seen]
    assert 10 < mirrored[0].sum() < 40
    np.testing.assert_array_equal(mirrored[0], ~mirrored[1])
    np.testing.assert_array_equal(seen[0], seen[2])


def test_a_run_is_stored_once_whole_and_without_each_piece(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "results")
    with pytest.raises(CourseError, match="only the sample is here"):
        cifar.main(["improved"])
    real = SimpleNamespace(is_real=True, title="CIFAR-10", counts=dict)
    monkeypatch.setattr(cifar.datasets, "cifar10", lambda: real)
    for of in (recipes.IMPROVED, *recipes.WITHOUT.values()):
        monkeypatch.setitem(of, NETWORK, replace(of[NETWORK], **TINY))
    images = np.random.RandomState(0).randint(0, 256, (42, 3, 32, 32), np.uint8)
    monkeypatch.setattr(cifar, "pictures", lambda data: [images, np.arange(42) % 10, images[:9], np.arange(9)])
    assert cifar.main(["improved", "--check", "0", "1"]) == 0 and cifar.main(["improved", "--check", "1.1", "2"]) == 1
    assert not (tmp_path / "results").exists()
    for name in ("improved", *recipes.WITHOUT):
        assert cifar.main([name]) == 0
    folder = tmp_path / "results" / "07_highlevel_api_cifar10"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(files) == {f"WhitenedResNet-{name}-seed0.json" for name in ("improved", *recipes.WITHOUT)}
    found = json.loads(files["WhitenedResNet-improved-seed0.json"])["history"]["about"]
    assert {"mirrored", "as_trained", "processor_minutes"} <= set(found) and "test_accuracy" not in found
    assert json.loads(files["WhitenedResNet-without-smoothing-seed0.json"])["recipe"]["label_smoothing"] == 0
    capsys.readouterr()
    assert cifar.main(["improved"]) == 0
    assert "improved 0 held out: 0." in capsys.readouterr().out
    assert (folder / "WhitenedResNet-improved-seed0.json").read_bytes() == files["WhitenedResNet-improved-seed0.json"]
    assert cifar.main(["improved", "--test"]) == 0  # it is asked for, and not stored yet
    assert "test_accuracy" in stored.load(NETWORK, "improved")[0].about
    monkeypatch.setitem(recipes.IMPROVED, NETWORK, replace(recipes.IMPROVED[NETWORK], width=3))
    with pytest.raises(DataError, match="measured by another recipe"):
        cifar.main(["improved"])
