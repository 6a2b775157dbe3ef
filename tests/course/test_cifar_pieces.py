"""tools/cifar.py: what each piece of the recipe does, and that a run is stored once."""

import importlib
import json
import sys
from types import SimpleNamespace

import numpy as np
import paddle
import pytest
from editions import ROOT

from palm_course.results import stored
from palm_utils import highlevel
from palm_utils.messages import CourseError

sys.path.append(str(ROOT / "tools"))
cifar = importlib.import_module("cifar")

TINY = cifar.Pieces(epochs=1, width=2, batch_size=32, held_out=10)


@pytest.fixture
def pictures():
    smooth = np.random.RandomState(0).randn(40, 3, 20, 20).cumsum(2).cumsum(3)  # neighbours are alike
    return smooth.astype(np.float32)


def test_whitened_values_do_not_vary_together(pictures):
    pictures = pictures / pictures.std()
    filters = cifar.whitening_filters(pictures)
    assert filters.shape == (24, 3, 2, 2) and filters.dtype == np.float32
    np.testing.assert_array_equal(filters[:12], -filters[12:])
    values = paddle.nn.functional.conv2d(paddle.to_tensor(pictures), paddle.to_tensor(filters[:12]))
    covariance = np.cov(values.numpy().transpose(1, 0, 2, 3).reshape(12, -1))
    variances = np.diag(covariance)
    assert np.abs(covariance - np.diag(variances)).max() < 0.01
    assert variances.max() < 1.001 and variances[-1] > 0.99  # those that hardly vary are not blown up


def test_a_convolution_begins_as_the_identity():
    paddle.seed(0)
    wider, narrower = cifar.ConvNorm(3, 5, TINY).conv, cifar.ConvNorm(5, 3, TINY).conv
    x = paddle.randn([2, 5, 6, 6])
    np.testing.assert_allclose(wider(x[:, :3])[:, :3].numpy(), x[:, :3].numpy())
    np.testing.assert_allclose(narrower(x).numpy(), x[:, :3].numpy())


def test_each_picture_is_mirrored_in_every_second_epoch():
    images = np.arange(50 * 3 * 4 * 4).reshape(50, 3, 4, 4)
    batches = highlevel.Batches(images, np.zeros(50), 8)
    flips = cifar.AlternateFlips(batches, seed=0)
    seen = []
    for epoch in range(3):
        flips.on_epoch_begin(epoch)
        seen.append(batches.images)
    mirrored = [(epoch == images[..., ::-1]).all((1, 2, 3)) for epoch in seen]
    assert 10 < mirrored[0].sum() < 40
    np.testing.assert_array_equal(mirrored[0], ~mirrored[1])
    np.testing.assert_array_equal(seen[0], seen[2])


def test_a_run_is_stored_once_with_and_without_each_piece(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stored, "FOLDER", tmp_path / "results")
    with pytest.raises(CourseError, match="only the sample is here"):
        cifar.main(["short"])
    real = SimpleNamespace(is_real=True, title="CIFAR-10", counts=dict)
    monkeypatch.setattr(cifar.datasets, "cifar10", lambda: real)
    monkeypatch.setitem(cifar.RECIPES, "short", TINY)
    images = np.random.RandomState(0).randint(0, 256, (42, 3, 32, 32), np.uint8)
    monkeypatch.setattr(cifar, "pictures", lambda data: [images, np.arange(42) % 10, images[:9], np.arange(9)])
    assert cifar.main(["short", "--check", "0", "1"]) == 0 and cifar.main(["short", "--check", "1.1", "2"]) == 1
    assert not (tmp_path / "results").exists()
    for without in (None, *cifar.WITHOUT):
        assert cifar.main(["short", *(["--without", without] if without else [])]) == 0
    folder = tmp_path / "results" / "07_highlevel_api_cifar10" / "pieces"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(files) == {"short-seed0.json", *(f"short-without-{piece}-seed0.json" for piece in cifar.WITHOUT)}
    found = json.loads(files["short-seed0.json"])
    assert set(found["shares"]) == {"held out", "held out, without averaging"}
    assert found["history"]["epochs"][0]["valid_accuracy"] == pytest.approx(found["shares"]["held out"]["plain"])
    assert json.loads(files["short-without-smoothing-seed0.json"])["recipe"]["smoothing"] == 0
    capsys.readouterr()
    assert cifar.main(["short"]) == 0
    assert "short 0" in capsys.readouterr().out
    assert (folder / "short-seed0.json").read_bytes() == files["short-seed0.json"]
    assert cifar.main(["short", "--test"]) == 0  # it is asked for, and not stored yet
    assert "test" in json.loads((folder / "short-seed0.json").read_bytes())["shares"]
    monkeypatch.setitem(cifar.RECIPES, "short", cifar.replace(TINY, width=3))
    with pytest.raises(CourseError, match="measured by another recipe"):
        cifar.main(["short"])
