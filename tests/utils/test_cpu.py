"""The faster ways on a CPU: same bits, only where they apply, and off when asked."""

import hashlib
import os
import re
import subprocess
import sys
from functools import partial

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from paddle.nn.functional import conv

from palm_course import chapters
from palm_utils import cpu

FLAGS = "avx512f avx512cd avx512bw avx512dq avx512vl"


def cpuinfo(vendor, flags):
    return f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: X\nflags\t\t: fpu sse {flags}\n"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ((cpuinfo("AuthenticAMD", "fma avx2 " + FLAGS),), "7"),
        ((cpuinfo("AuthenticAMD", "fma avx2 " + FLAGS.replace("avx512vl", "")),), "5"),
        ((cpuinfo("AuthenticAMD", "fma avx"),), None),
        ((cpuinfo("GenuineIntel", "fma avx2 " + FLAGS),), None),
        (("", "AMD64 Family 25 Model 33 Stepping 2, AuthenticAMD"), "5"),
        (("", "AMD64 Family 25 Model 97 Stepping 2, AuthenticAMD", True), "7"),
        (("", "AMD64 Family 21 Model 2 Stepping 0, AuthenticAMD", True), None),
        (("", "Intel64 Family 6 Model 158 Stepping 10, GenuineIntel", True), None),
        (("",), None),
    ],
)
def test_the_kernels_are_those_that_the_processor_has(told, kind):
    assert cpu.kernels_for(*told) == kind


PROBE = """
import os, paddle
from paddle.nn.functional import conv
from palm_utils import cpu
paddle.__version__ = os.environ.get("VERSION", paddle.__version__)
ways = lambda: (conv._conv_nd, paddle.nn.functional.max_pool2d, os.environ.get("MKL_DEBUG_CPU_TYPE"))
before = ways()
try:
    used = cpu.use()
    print([old == new for old, new in zip(before, ways())], {**used, **cpu.use()})
except cpu.CourseError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PALM_CPU": "plain"}, r"\[True, True, True\] {('[\w ]+': 'off \(PALM_CPU=plain\)'(, )?)+}"),
        ({"MKL_DEBUG_CPU_TYPE": "4"}, r"\[False, False, True\] {'kernels': 'MKL_DEBUG_CPU_TYPE=4', .*"),
        ({"VERSION": "3.9.0"}, r"\[True, True, .*'bias': 'off \(not tried with PaddlePaddle 3.9.0\)'.*"),
        ({"PALM_CPU": "fast"}, "PALM_CPU is 'fast'.*"),
    ],
    ids=["plain", "a variable of the user's stays", "an unknown version is left alone", "no value"],
)
def test_what_is_in_use_follows_the_environment_and_the_version(environment, said):
    environment = os.environ | {"PALM_LANG": "en"} | environment
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True)
    assert re.fullmatch(said, done.stdout.strip()), done.stdout + done.stderr


@pytest.fixture(autouse=True, scope="module")
def _measures_on():
    cpu.use()


@pytest.fixture
def plainly(monkeypatch):
    """Return a function that calls another with PaddlePaddle's own functions in place."""

    def call(function):
        with monkeypatch.context() as patch:
            patch.setattr(conv, "_conv_nd", conv._conv_nd.__wrapped__)
            patch.setattr(F, "max_pool2d", F.max_pool2d.__wrapped__)
            return function()

    return call


def trained(network, shape, *, classes=None):
    """A digest of all parameters and statistics after five steps on one thread, dropout off."""
    paddle.seed(0)
    model = network() if classes is None else network(num_classes=classes)
    if flat := {"AlexNet": 256 * 7 * 7, "VGG": 512 * 2 * 2}.get(network.__name__):
        # Their convolutions are tried, not a hundred million weights behind them.
        model.fc1, model.fc2, model.fc3 = (paddle.nn.Linear(*size) for size in ((flat, 64), (64, 64), (64, 1)))
    for layer in model.sublayers():
        if isinstance(layer, paddle.nn.Dropout):
            layer.p = 0.0
    rng = np.random.default_rng(0)
    images = paddle.to_tensor(rng.uniform(-1, 1, shape).astype("float32"))
    labels = paddle.to_tensor(rng.integers(0, 2, (shape[0], 1)))
    optimizer = paddle.optimizer.Momentum(0.001, parameters=model.parameters())
    for _ in range(5):
        logits = model(images)
        loss = F.binary_cross_entropy_with_logits(logits[:, :1], labels.astype("float32"))
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
    digest = hashlib.sha256()
    for value in model.state_dict().values():
        digest.update(value.numpy())
    return digest.hexdigest()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("01_lenet_mnist:LeNet", (4, 1, 28, 28)),
        ("02_ichallenge_pm:LeNet", (2, 3, 224, 224)),
        ("03_alexnet:AlexNet", (1, 3, 224, 224)),
        ("04_vgg:VGG", (1, 3, 64, 64)),
        ("05_googlenet:GoogLeNet", (1, 3, 96, 96)),
        ("06_resnet:ResNet", (1, 3, 96, 96)),
        ("07_cifar10:SmallResNet", (4, 3, 32, 32)),
    ],
)
def test_five_steps_end_at_the_same_bits(name, shape, plainly):
    chapter, _, network = name.partition(":")
    network = getattr(chapters.definitions(chapters.find(chapter[:2])[0]), network)
    classes = 10 if chapter[:2] in ("01", "07") else None
    assert trained(network, shape, classes=classes) == plainly(lambda: trained(network, shape, classes=classes))


def gradients(layer, shape):
    """Output, and gradients of input and parameters, of a layer."""
    rng, dtype = np.random.default_rng(1), next((p.numpy().dtype for p in layer.parameters()), "float32")
    for parameter in layer.parameters():
        parameter.clear_gradient()
    x = paddle.to_tensor(rng.normal(size=shape).astype(dtype), stop_gradient=False)
    y = layer(x)
    (y * paddle.to_tensor(rng.normal(size=y.shape).astype(dtype))).sum().backward()
    return [y.numpy(), x.grad.numpy(), *(p.grad.numpy() for p in layer.parameters())]


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        *((partial(paddle.nn.Conv2D, 3, 4, 3, padding=p), (2, 3, 9, 9)) for p in ("SAME", [1, 2], [1, 0, 2, 1])),
        (lambda: paddle.nn.Conv2D(3, 4, 3, stride=2, dilation=2), (2, 3, 9, 9)),
        (lambda: paddle.nn.Conv2D(4, 4, 3, groups=4), (2, 4, 9, 9)),
        (lambda: paddle.nn.Conv2D(3, 4, 3, padding=1, padding_mode="reflect"), (2, 3, 9, 9)),
        (lambda: paddle.nn.Conv2D(3, 4, 3, bias_attr=False), (2, 3, 9, 9)),
        (lambda: paddle.nn.Conv2D(3, 4, 3, data_format="NHWC"), (2, 9, 9, 3)),
        (lambda: paddle.nn.Conv1D(3, 4, 3), (2, 3, 9)),
        (lambda: paddle.nn.Conv3D(3, 4, 3), (2, 3, 9, 9, 9)),
        (lambda: paddle.nn.MaxPool2D(3, 2, padding=1), (2, 3, 9, 9)),
        (lambda: paddle.nn.MaxPool2D(3, 2, padding=1, ceil_mode=True), (2, 3, 9, 9)),
        *((partial(paddle.nn.MaxPool2D, 2, padding=p), (2, 3, 9, 9)) for p in ("VALID", [1, 0])),
        (lambda: paddle.nn.MaxPool2D([3, 2], [2, 1]), (2, 3, 9, 9)),
        (
            lambda: paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3), paddle.nn.MaxPool2D(2)).to("cpu", "float64"),
            (2, 3, 8, 8),
        ),
    ],
)
def test_layers_of_every_kind_and_precision_give_the_same_bits(make, shape, plainly):
    paddle.seed(0)
    layer = make()
    for ours, theirs in zip(gradients(layer, shape), plainly(lambda: gradients(layer, shape)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [(2, 3, 1, 1), (1, 3, 1, 1), (4, 3, 2, 1), (2, 1, 1, 0), (2, 1, 2, 0), (1, 1, 1, 0), (5, 5, 1, 0), (2, 5, 1, 2)],
)
def test_small_maps_differ_by_no_more_than_rounding(size, kernel, stride, padding, plainly):
    paddle.seed(0)
    layer = paddle.nn.Conv2D(256, 300, kernel, stride=stride, padding=padding)
    shape = (3, 256, size, size)
    for ours, theirs in zip(gradients(layer, shape), plainly(lambda: gradients(layer, shape)), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_who_asks_for_the_mask_of_a_pooling_gets_it():
    x = paddle.to_tensor(np.arange(16, dtype="float32").reshape([1, 1, 4, 4]), stop_gradient=False)
    values, mask = F.max_pool2d(x, 2, return_mask=True)
    assert values.flatten().tolist() == [5, 7, 13, 15] == mask.flatten().tolist()


def test_without_gradients_pooling_is_paddlepaddles(monkeypatch):
    calls = []
    plain = lambda x, *args: calls.append(args) or x  # noqa: E731
    pool = cpu._faster_max_pool(plain)
    x = paddle.zeros([1, 1, 4, 4])
    pool(x, 2)
    with paddle.no_grad():
        y = paddle.zeros([1, 1, 4, 4])
        y.stop_gradient = False
        pool(y, 2)
    assert [args[3] for args in calls] == [False, False]


def net():
    layers = paddle.nn.Conv2D(3, 8, 3), paddle.nn.MaxPool2D(2), paddle.nn.Flatten(), paddle.nn.Linear(72, 1)
    return paddle.nn.Sequential(*layers)


def test_an_exported_network_holds_paddlepaddles_layers(tmp_path, plainly):
    paddle.seed(0)
    model = net()
    model.eval()
    x = paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype("float32"), stop_gradient=False)
    expected = plainly(lambda: model(x)).numpy()
    paddle.jit.save(model, str(tmp_path / "net"), input_spec=[paddle.static.InputSpec([None, 3, 8, 8])])
    loaded = paddle.jit.load(str(tmp_path / "net"))
    np.testing.assert_allclose(loaded(x).numpy(), expected, rtol=1e-6)
    program = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.suffix in (".json", ".pdmodel"))
    assert b"pool2d" in program
    assert b"max_pool2d_with_index" not in program


def test_a_network_made_static_computes_the_same(tmp_path):
    (tmp_path / "static.py").write_text(STATIC)
    done = subprocess.run([sys.executable, tmp_path / "static.py"], capture_output=True, text=True)
    assert done.returncode == 0 and "the same" in done.stdout, done.stderr


STATIC = """
import numpy as np
from palm_utils import cpu
import paddle
from paddle import nn
cpu.use()
net = nn.Sequential(nn.Conv2D(3, 8, 3), nn.MaxPool2D(2), nn.Flatten(), nn.Linear(72, 1))
x = paddle.to_tensor(np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype("float32"))
expected = net(x)
expected.sum().backward()
wanted = net[0].weight.grad.numpy()
net.clear_gradients()
# PaddlePaddle 3.3's default crashes now and then where its own path has letters beyond ASCII.
static = paddle.jit.to_static(net, full_graph=not paddle.__file__.isascii())
np.testing.assert_allclose(static(x).numpy(), expected.numpy(), rtol=1e-5)
static(x).sum().backward()
np.testing.assert_allclose(net[0].weight.grad.numpy(), wanted, rtol=1e-4, atol=1e-5)
print("the same")
"""
