"""Exercises of chapter 3: right answers written in several ways pass; in wrong ones the fault is named."""

import math

import numpy as np
import paddle
from exercise_verdicts import answer_tests, fixed, variant

F = paddle.nn.functional

RIGHT, WRONG = {}, {}

# 3.1 ------------------------------------------------------------------------------------------


def side(pixels, padding=5, step=1, poolings=3):
    pixels = (pixels + 2 * padding - 11) // 4 + step
    for _ in range(poolings):
        pixels //= 2
    return pixels


def features(height, width, one=side, channels=256):
    if side(height) < 1 or side(width) < 1:
        raise ValueError("too small")
    return channels * one(height) * one(width)


def features_by_paddle(height, width):
    x = F.conv2d(paddle.zeros([1, 1, height, width]), paddle.zeros([1, 1, 11, 11]), stride=4, padding=5)
    if min(x.shape[2:]) < 8:
        raise ValueError("nothing is left")
    for _ in range(3):
        x = F.max_pool2d(x, 2, 2)
    return paddle.to_tensor(256 * x.shape[2] * x.shape[3])


RIGHT["3.1"] = [features, features_by_paddle]


def rounding_up(pixels):
    pixels = (pixels - 1) // 4 + 1
    for _ in range(3):
        pixels = math.ceil(pixels / 2)
    return pixels


WRONG["3.1"] = [
    (lambda height, width: features(height, width, channels=1), "256 channels"),
    (lambda height, width: features(height, width, channels=384), "not 384"),
    (lambda height, width: features(height, width, lambda n: side(n, poolings=2)), "one pooling is missing"),
    (lambda height, width: features(height, width, lambda n: side(n, padding=0)), "padding is missing"),
    (lambda height, width: features(height, width, lambda n: side(n - 5)), "counted once"),
    (lambda height, width: features(height, width, lambda n: side(n, step=0)), r"the \+ 1 is missing"),
    (lambda height, width: features(height, width, lambda n: n // 32), "rounds down at the end"),
    (lambda height, width: features(height, width, lambda n: round(n / 32)), "every layer rounds"),
    (lambda height, width: features(height, width, rounding_up), "poolings round up"),
    (lambda height, width: features(height, width, lambda n: n // 8), "stride of 4 is missing"),
    (lambda height, width: features(height, height), "square of `height`"),
    (lambda height, width: features(width, width), "square of `width`"),
    (lambda height, width: 256 * side(height) * side(width), "should raise ValueError here(.|\n)*value 0"),
]

# 3.2 ------------------------------------------------------------------------------------------


def flip_in_float(image, flip, factor):
    image = np.flip(image, axis=2) if flip else image.copy()
    return np.minimum(image * factor + (factor - 1), 1).astype("float32")


def flip_as_uint8(image, flip, factor):
    grey = np.rint((image + 1) * 127.5)
    if flip:
        grey = grey[..., ::-1]
    return (np.clip(grey * factor, 0, 255) / 127.5 - 1).astype(np.float32)


def flip_by_paddle(image, flip, factor):
    x = paddle.to_tensor(image)
    x = paddle.flip(x, axis=[2]) if flip else x
    return paddle.clip((x + 1) * factor - 1, -1, 1)


RIGHT["3.2"] = [flip_in_float, flip_as_uint8, flip_by_paddle]


def brighten(image, factor):
    return np.clip((image + 1) * factor - 1, -1, 1)


def mirror(image, flip):
    return image[:, :, ::-1] if flip else image


WRONG["3.2"] = [
    (lambda image, flip, factor: brighten(image[:, ::-1] if flip else image, factor), "top and bottom"),
    (lambda image, flip, factor: brighten(image[::-1] if flip else image, factor), "colours are exchanged"),
    (lambda image, flip, factor: brighten(image[:, ::-1, ::-1] if flip else image, factor), "upside down"),
    (lambda image, flip, factor: brighten(np.flip(image) if flip else image, factor), "colours too"),
    (lambda image, flip, factor: brighten(image[:, :, ::-1], factor), "whether `flip` is true or not"),
    (lambda image, flip, factor: brighten(image, factor), "never mirrors"),
    (lambda image, flip, factor: brighten(mirror(image, not flip), factor), "where `flip` is false"),
    (lambda image, flip, factor: mirror(image, flip), "brightness stays"),
    (lambda image, flip, factor: np.clip(mirror(image, flip) * factor, -1, 1), "does not stay black"),
    (lambda image, flip, factor: mirror(image, flip) * factor, "end beyond -1 or 1"),
    (lambda image, flip, factor: np.clip(mirror(image, flip) + factor - 1, -1, 1), "brightness is a factor"),
    (lambda image, flip, factor: (mirror(image, flip) + 1) * factor - 1, "above 1"),
    (lambda image, flip, factor: np.clip((mirror(image, flip) + 1) * factor, 0, 1), "black has become 0"),
    (lambda image, flip, factor: np.clip(brighten(mirror(image, flip), factor), 0, 1), "cut at 0"),
    (lambda image, flip, factor: brighten(mirror(image, flip), factor).astype("float64"), "dtype is wrong"),
    (lambda image, flip, factor: brighten(mirror(image, flip), factor).transpose(1, 2, 0), r"last axis.*\(CHW\)"),
    (lambda image, flip, factor: brighten(mirror(image, flip), factor)[np.newaxis], "shape has changed"),
    (lambda image, flip, factor: image, "leaves the image as it is"),
    (lambda image, flip, factor: np.zeros_like(image), "right for 0 of the 6"),
]

# 3.3 ------------------------------------------------------------------------------------------


class Dropout(paddle.nn.Layer):
    """A right MyDropout with the places where the wrong ones below differ."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def mask(self, x):
        return (paddle.rand(self.draws(x)) >= self.p).astype("float32") * paddle.ones(x.shape)

    def draws(self, x):
        return x.shape

    def scale(self, x):
        return x / (1 - self.p)

    def evaluate(self, x):
        return x

    def forward(self, x):
        return self.scale(x * self.mask(x)) if self.training else self.evaluate(x)


class ByWhere(Dropout):
    def forward(self, x):
        if not self.training:
            return 1 * x
        return paddle.where(paddle.rand(x.shape) < self.p, paddle.zeros_like(x), x / (1 - self.p))


class ByOwnGenerator(Dropout):
    """Draws from a generator of its own, an exact share, at random places."""

    def __init__(self, p=0.5):
        super().__init__(p)
        self.generator = np.random.default_rng()

    def mask(self, x):
        size = int(np.prod(x.shape))
        mask = np.ones(size, "float32")
        mask[self.generator.permutation(size)[: round(self.p * size)]] = 0
        return paddle.to_tensor(mask.reshape(x.shape))


RIGHT["3.3"] = [
    Dropout,
    ByWhere,
    ByOwnGenerator,
    variant(Dropout, mask=lambda self, x: paddle.bernoulli(paddle.full(x.shape, 1 - self.p))),
    variant(Dropout, mask=lambda self, x: paddle.to_tensor((np.random.rand(*x.shape) > self.p).astype("float32"))),
]


class SameMask(Dropout):
    def mask(self, x):
        paddle.seed(0)
        return super().mask(x)


class CutsTheGradient(Dropout):
    def forward(self, x):
        if not self.training:
            return x
        values = x.numpy() * (np.random.rand(*x.shape) >= self.p) / (1 - self.p)
        return paddle.to_tensor(values.astype("float32"))


class InPlace(Dropout):
    def forward(self, x):
        if self.training:
            x[paddle.rand(x.shape) < self.p] = 0
            x /= 1 - self.p
        return x


class StaysInEvaluation(Dropout):
    done = False

    def forward(self, x):
        self.done = self.done or not self.training
        return x if self.done else self.scale(x * self.mask(x))


WRONG["3.3"] = [
    (variant(Dropout, scale=lambda self, x: x), "divide them by 1 - p"),
    (variant(Dropout, scale=lambda self, x: x * (1 - self.p)), "multiplied by 1 - p; they should be divided"),
    (variant(Dropout, scale=lambda self, x: x / self.p if self.p else x), "divided by p"),
    (variant(Dropout, mask=lambda self, x: (paddle.rand(x.shape) < self.p).astype("float32")), "dropped, not the"),
    (variant(Dropout, evaluate=lambda self, x: x * (1 - self.p)), "training has already made up"),
    (variant(Dropout, evaluate=lambda self, x: self.scale(x * self.mask(x))), "drops values in evaluation"),
    (variant(Dropout, mask=lambda self, x: paddle.ones(x.shape)), "nothing is dropped"),
    (SameMask, "each call needs a new draw"),
    (variant(Dropout, draws=lambda self, x: [x.shape[0]] + [1] * (len(x.shape) - 1)), "drops whole images"),
    (variant(Dropout, draws=lambda self, x: [1, *x.shape[1:]] if len(x.shape) > 1 else x.shape), "same places"),
    (variant(Dropout, draws=lambda self, x: [*x.shape[:2], 1, 1] if len(x.shape) == 4 else x.shape), "whole channels"),
    (CutsTheGradient, "way back to x"),
    (variant(Dropout, forward=lambda self, x: Dropout.forward(self, x).flatten()), "shape has changed"),
    (variant(Dropout, forward=lambda self, x: Dropout.forward(self, x).astype("float64")), "dtype has changed"),
    (InPlace, "changes its input"),
    (fixed(Dropout, 0.5), r"not the old ones divided by 1 - p|share of zeros is not p"),
    (StaysInEvaluation, "drops nothing"),
    (lambda p=0.5: F.dropout, "should be a class"),
]

test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
