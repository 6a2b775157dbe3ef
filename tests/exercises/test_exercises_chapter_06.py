"""Exercises of chapter 6: right answers written in several ways pass; in wrong ones the fault is named."""

import math
from functools import partial

import numpy as np
import paddle
from exercise_verdicts import answer_tests, fixed, reference, then, variant

nn = paddle.nn
F = paddle.nn.functional

RIGHT, WRONG = {}, {}


def widest(channels, budget, norms=lambda neck, channels: 4 * neck + 2 * channels, kernel=9, ways=2, spare=0):
    """Search as most would; the arguments behind the budget make the mistakes."""
    neck = 0
    while ways * channels * (neck + 1) + kernel * (neck + 1) ** 2 + norms(neck + 1, channels) + spare <= budget:
        neck += 1
    return neck


def by_the_quadratic_formula(channels, budget):
    p, q = (2 * channels + 4) / 18, (budget - 2 * channels) / 9
    return max(0, math.floor(math.sqrt(max(p * p + q, 0)) - p + 1e-9))


RIGHT["6.1"] = [widest, by_the_quadratic_formula, lambda *args: np.int64(widest(*args))]
WRONG["6.1"] = [
    (partial(widest, norms=lambda neck, channels: 0), "batch norms are missing"),
    (partial(widest, norms=lambda neck, channels: 2 * neck + channels), "scale and bias are two"),
    (partial(widest, norms=lambda neck, channels: 8 * neck + 4 * channels), "running mean and variance"),
    (partial(widest, norms=lambda neck, channels: 6 * neck), "neck, neck, channels"),
    (partial(widest, kernel=1), "nine weights"),
    (partial(widest, ways=1), "down to the neck and up again"),
    (partial(widest, spare=1), "exactly the budget"),
    (lambda channels, budget: widest(channels, budget) + 1, "first neck that costs too much"),
]


def by_paddle(x, scale, bias, mean, variance, training):
    norm = nn.BatchNorm2D(len(scale))
    for held, values in zip((norm.weight, norm.bias, norm._mean, norm._variance), (scale, bias, mean, variance)):  # noqa: B905
        held.set_value(values)
    norm.train() if training else norm.eval()
    return norm(paddle.to_tensor(x)), norm._mean, norm._variance


def normalised(
    x, scale, bias, mean, variance, training, axes=(0, 2, 3), epsilon=1e-5, old=0.9, batch=None, moved=None, ddof=0
):
    """A right answer; the arguments behind `training` make the mistakes."""
    m, v = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    if not (training if batch is None else batch):
        m, v = mean.reshape(1, -1, 1, 1), variance.reshape(1, -1, 1, 1)
    y = (x - m) / np.sqrt(v + epsilon) * scale.reshape(1, -1, 1, 1) + bias.reshape(1, -1, 1, 1)
    if training if moved is None else moved:
        mean = old * mean + (1 - old) * x.mean((0, 2, 3))
        variance = old * variance + (1 - old) * x.var((0, 2, 3), ddof=ddof)
    return y, mean, variance


RIGHT["6.5"] = [by_paddle, normalised]
WRONG["6.5"] = [
    (partial(normalised, axes=(2, 3)), "each image by itself"),
    (partial(normalised, axes=(0,)), "each place by itself"),
    (partial(normalised, axes=(0, 1, 2, 3)), "mixes the channels"),
    (partial(normalised, epsilon=0), "epsilon is missing"),
    (partial(normalised, old=0.1), "exchanged"),
    (partial(normalised, moved=False), "running averages stay"),
    (partial(normalised, moved=True), "running averages move"),
    (partial(normalised, batch=True), "normalises by the batch"),
    (partial(normalised, batch=False), "by the running averages; the batch"),
    (partial(normalised, ddof=1), "one less"),
    (partial(normalised, batch=True, moved=True), "in evaluation mode it does what belongs to training mode"),
    (partial(normalised, batch=False, moved=False), "in training mode it does what belongs to evaluation mode"),
    (lambda *arguments: normalised(*arguments)[0], "three arrays"),
]


def falls(score, image, side, stride, sign=1, value=0, end=1, channels=slice(None)):
    tops = range(0, image.shape[1] - side + end, stride)
    lefts = range(0, image.shape[2] - side + end, stride)
    images = np.stack([image] * (len(tops) * len(lefts)))
    for i, (top, left) in enumerate((top, left) for top in tops for left in lefts):
        images[i, channels, top : top + side, left : left + side] = value
    return sign * (score(image[None]) - score(images)).reshape(len(tops), len(lefts))


RIGHT["6.6"] = [falls, lambda *arguments: paddle.to_tensor(falls(*arguments))]
WRONG["6.6"] = [
    (partial(falls, sign=-1), "sign is wrong"),
    (partial(falls, value=1), "0 is mid-grey"),
    (partial(falls, channels=0), "only the first channel"),
    (partial(falls, end=0), "too few places"),
    (lambda score, image, side, stride: falls(score, image, side, side), "stride pixels apart"),
    (partial(falls, end=3), "too many places"),
    (lambda *arguments: falls(*arguments).T, "exchanged"),
    (lambda *arguments: falls(*arguments) * 2, "the values are not"),
]


def fold(weight, scale, bias, mean, variance, epsilon=1e-5):
    factor = scale / np.sqrt(variance + epsilon)
    return weight * factor[:, None, None, None], bias - mean * factor


def fold_by_einsum(weight, scale, bias, mean, variance, epsilon=1e-5):
    factor = scale.astype("float64") * (variance.astype("float64") + epsilon) ** -0.5
    return [np.einsum("oikl,o->oikl", weight, factor), bias + -factor * mean]


RIGHT["6.4"] = [fold, fold_by_einsum, lambda *a, **named: tuple(map(paddle.to_tensor, fold(*a, **named)))]


def wrong_fold(factor=None, axis=0, new_bias=None):
    """Return fold with another factor, on another axis, or with another bias."""

    def answer(weight, scale, bias, mean, variance, epsilon=1e-5):
        right = scale / np.sqrt(variance + epsilon)
        of_weight = right if factor is None else factor(scale, variance, epsilon)
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        left = bias - mean * of_weight if new_bias is None else new_bias(scale, bias, mean, variance + epsilon)
        return weight * of_weight.reshape(shape), left

    return answer


WRONG["6.4"] = [
    (wrong_fold(lambda scale, variance, epsilon: scale / np.sqrt(variance)), "epsilon is missing"),
    (wrong_fold(lambda scale, variance, epsilon: scale / (np.sqrt(variance) + epsilon)), "after the root"),
    (wrong_fold(lambda scale, variance, epsilon: scale / (variance + epsilon)), "square root is missing"),
    (wrong_fold(lambda scale, variance, epsilon: scale * np.sqrt(variance + epsilon)), "instead of dividing"),
    (wrong_fold(lambda scale, variance, epsilon: 1 / np.sqrt(variance + epsilon)), "scale is missing"),
    (wrong_fold(lambda scale, variance, epsilon: scale / np.sqrt(variance + 1e-5)), "default epsilon"),
    (wrong_fold(lambda scale, variance, epsilon: np.ones_like(scale)), "weight is left as it was"),
    (wrong_fold(axis=1), "scales the input channels"),
    (wrong_fold(new_bias=lambda scale, bias, mean, v: bias), "no notice of the mean"),
    (wrong_fold(new_bias=lambda scale, bias, mean, v: bias + mean * scale / np.sqrt(v)), "wrong sign"),
    (wrong_fold(new_bias=lambda scale, bias, mean, v: bias - mean), "taken away as it is"),
    (wrong_fold(new_bias=lambda scale, bias, mean, v: bias - mean / np.sqrt(v)), "not multiplied by the scale"),
    (wrong_fold(new_bias=lambda scale, bias, mean, v: -mean * scale / np.sqrt(v)), "old bias is missing"),
    (wrong_fold(new_bias=lambda scale, bias, mean, v: (bias - mean) * scale / np.sqrt(v)), "scales the old bias"),
    (wrong_fold(new_bias=lambda scale, bias, mean, v: bias * 7), "new bias is not"),
    (lambda *arguments, **named: fold(*arguments, **named)[0], "two arrays"),
    (lambda *arguments, **named: fold(*arguments, **named)[::-1], "new_weight has the wrong shape"),
    (lambda *arguments, **named: (np.zeros_like(arguments[0]), arguments[2]), "the new weight is not right"),
]


def test_a_folded_convolution_does_what_convolution_and_batch_norm_did():
    conv, norm = nn.Conv2D(3, 5, 3, bias_attr=False), nn.BatchNorm2D(5)
    x = paddle.randn([4, 3, 8, 8])
    norm(conv(x) * 3 + 1)  # statistics that are not those of a fresh batch norm
    norm.eval()
    held = [p.numpy() for p in (norm.weight, norm.bias, norm._mean, norm._variance)]
    weight, bias = reference("6.4", {"np": np})(conv.weight.numpy(), *held)
    folded = paddle.nn.functional.conv2d(x, paddle.to_tensor(weight), paddle.to_tensor(bias))
    np.testing.assert_allclose(folded.numpy(), norm(conv(x)).numpy(), rtol=1e-4, atol=1e-5)


class Block(nn.Layer):
    """A right PreActBlock with the places where the wrong ones below differ."""

    bias, kernel = False, 3

    def __init__(self, channels, middle):
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2D(channels), nn.BatchNorm2D(middle)
        padding = self.kernel // 2
        self.conv1 = nn.Conv2D(channels, middle, self.kernel, padding=padding, bias_attr=self.bias)
        self.conv2 = nn.Conv2D(middle, channels, 3, padding=1, bias_attr=self.bias)

    def first(self, x):
        return F.relu(self.bn1(x))

    def second(self, y):
        return F.relu(self.bn2(y))

    def branch(self, x):
        return self.conv2(self.second(self.conv1(self.first(x))))

    def forward(self, x):
        return x + self.branch(x)


class InOneSequential(nn.Layer):
    def __init__(self, channels, middle):
        super().__init__()
        convs = [nn.Conv2D(a, b, 3, 1, 1, bias_attr=False) for a, b in ((channels, middle), (middle, channels))]
        parts = [nn.BatchNorm2D(channels), nn.ReLU(), convs[0], nn.BatchNorm2D(middle), nn.ReLU(), convs[1]]
        self.branch = nn.Sequential(*parts)

    def forward(self, images):
        return paddle.add(self.branch(images), images)


RIGHT["6.2"] = [Block, InOneSequential]


class ChaptersOrder(Block):
    def branch(self, x):
        return self.bn1(self.conv2(F.relu(self.bn2(self.conv1(x)))))

    def forward(self, x):
        return F.relu(x + self.branch(x))


class BatchStatisticsAlways(Block):
    def forward(self, x):
        self.bn1.training = self.bn2.training = True
        return super().forward(x)


class RunningStatisticsAlways(Block):
    def __init__(self, channels, middle):
        super().__init__(channels, middle)
        self.bn1._use_global_stats = self.bn2._use_global_stats = True


class NormsAlike(Block):
    def __init__(self, channels, middle):
        super().__init__(channels, middle)
        self.bn1 = nn.BatchNorm2D(middle)


WRONG["6.2"] = [
    (then(Block, F.relu), "ReLU follows the addition"),
    (variant(Block, forward=lambda self, x: self.first(x) + self.branch(x)), "at the block's own input"),
    (variant(Block, forward=lambda self, x: self.branch(x)), "no shortcut"),
    (ChaptersOrder, "the chapter's order"),
    (variant(ChaptersOrder, forward=lambda self, x: x + self.branch(x)), "convolution comes before its batch norm"),
    (variant(Block, first=lambda self, x: self.bn1(x)), "in front of the first convolution is missing"),
    (variant(Block, second=lambda self, y: self.bn2(y)), "in front of the second convolution is missing"),
    (variant(Block, first=lambda self, x: self.bn1(x), second=lambda self, y: self.bn2(y)), "both ReLUs are missing"),
    (
        variant(Block, first=lambda self, x: self.bn1(F.relu(x)), second=lambda self, y: self.bn2(F.relu(y))),
        "ReLU comes before batch norm",
    ),
    (variant(Block, first=lambda self, x: F.relu(x)), "first batch norm is never used"),
    (variant(Block, second=lambda self, y: F.relu(y)), "second batch norm is never used"),
    (BatchStatisticsAlways, "in evaluation mode it uses the batch"),
    (RunningStatisticsAlways, "in training mode it uses the running mean"),
    (variant(Block, first=lambda self, x: F.leaky_relu(self.bn1(x), 0.3)), "values are not those"),
    (variant(Block, bias=None), r"have biases(.|\n)*came: +1,212"),
    (variant(Block, kernel=1), "not 3 × 3"),
    (
        variant(Block, __init__=lambda self, *sizes: Block.__init__(self, *sizes) or delattr(self, "bn2")),
        "1 batch norm instead of two",
    ),
    (NormsAlike, "both batch norms have the same size"),
    (fixed(Block, 16, 4), r"expected: 454(.|\n)*came: +1,192"),
    (then(Block, lambda y: paddle.flatten(y, 1)), "not a tensor of the input's shape"),
]


def with_zeros(left, num_filters, value=0.0, front=0):
    """Add channels of one value, `front` of them in front."""
    return F.pad(left, [0, 0, front, num_filters - left.shape[1] - front, 0, 0, 0, 0], value=value)


def by_a_convolution(x, num_filters, stride):
    return F.conv2d(x, paddle.eye(num_filters, x.shape[1]).unsqueeze([2, 3]), stride=stride)


def step(x, stride, start=0):
    return x[:, :, start::stride, start::stride]


RIGHT["6.3"] = [lambda x, num_filters, stride: with_zeros(F.max_pool2d(x, 1, stride), num_filters), by_a_convolution]


def cut_corner(x, num_filters, stride):
    height, width = step(x, stride).shape[2:]
    return with_zeros(x[:, :, :height, :width], num_filters)


WRONG["6.3"] = [
    (lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters, front=num_filters - x.shape[1]), "first"),
    (lambda x, n, stride: with_zeros(step(x, stride), n, front=(n - x.shape[1]) // 2), "both sides"),
    (lambda x, n, stride: paddle.concat([step(x, stride)] * (n // x.shape[1] + 1), axis=1)[:, :n], "repeat those of x"),
    (lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters, 1.0), "ones"),
    (lambda x, num_filters, stride: with_zeros(step(x, stride, 1), num_filters), "later row and column"),
    (lambda x, num_filters, stride: with_zeros(F.avg_pool2d(x, stride), num_filters), "averages"),
    (lambda x, num_filters, stride: with_zeros(F.max_pool2d(x, stride), num_filters), "largest of neighbouring"),
    (cut_corner, "cuts a corner"),
    (lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters + x.shape[1]), "not of those to add"),
    (lambda x, num_filters, stride: step(x, stride), "number of channels is wrong"),
    (lambda x, num_filters, stride: with_zeros(x, num_filters), "no rows and columns are left out"),
    (lambda x, num_filters, stride: with_zeros(x[:, :, ::stride], num_filters), "height or width is wrong"),
    (lambda x, num_filters, stride: step(x, stride)[0], "the shape is wrong"),
    (lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters) * 2, "shape is right, the values"),
    (lambda x, num_filters, stride: with_zeros(step(x, stride), num_filters).numpy(), "return a tensor"),
    (
        lambda x, n, stride: paddle.to_tensor(with_zeros(step(x, stride), n).numpy()),
        "gradient does not find its way back",
    ),
]


test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
