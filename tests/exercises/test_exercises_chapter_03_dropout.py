"""Exercise 3.3: the reference passes, so do other right ways; wrong answers are named."""

import random

import numpy as np
import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

paddle = pytest.importorskip("paddle")
F = paddle.nn.functional


def test_reference_solution_passes():
    assert_right("3.3", reference("3.3", {"paddle": paddle, "F": F, "np": np}))


def test_the_check_leaves_the_random_generators_where_they_were():
    paddle.seed(7), np.random.seed(7), random.seed(7)
    expected = paddle.rand([3]).numpy().tolist(), np.random.rand(3).tolist(), random.random()
    paddle.seed(7), np.random.seed(7), random.seed(7)
    assert_right("3.3", Dropout)
    assert (paddle.rand([3]).numpy().tolist(), np.random.rand(3).tolist(), random.random()) == expected


class Dropout(paddle.nn.Layer):
    """A right MyDropout with the places where the wrong ones below differ."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def mask(self, x):
        return (paddle.rand(x.shape) >= self.p).astype("float32")

    def scale(self, x):
        return x / (1 - self.p)

    def evaluate(self, x):
        return x

    def forward(self, x):
        return self.scale(x * self.mask(x)) if self.training else self.evaluate(x)


class ByBernoulli(Dropout):
    def mask(self, x):
        return paddle.bernoulli(paddle.full(x.shape, 1 - self.p))


class ByNumpyMask(Dropout):
    def mask(self, x):
        return paddle.to_tensor((np.random.rand(*x.shape) > self.p).astype("float32"))


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


@pytest.mark.parametrize("answer", [Dropout, ByBernoulli, ByNumpyMask, ByWhere, ByOwnGenerator])
def test_dropout_in_other_right_ways(answer):
    assert_right("3.3", answer)


class Unscaled(Dropout):
    def scale(self, x):
        return x


class ScaledDown(Dropout):
    def scale(self, x):
        return x * (1 - self.p)


class ScaledByP(Dropout):
    def scale(self, x):
        return x / self.p if self.p else x


class KeepsP(Dropout):
    def mask(self, x):
        return (paddle.rand(x.shape) < self.p).astype("float32")

    def scale(self, x):
        return x / (1 - self.p)


class ScaledInEvaluation(Dropout):
    def evaluate(self, x):
        return x * (1 - self.p)


class DropsInEvaluation(Dropout):
    def evaluate(self, x):
        return self.scale(x * self.mask(x))


class NeverDrops(Dropout):
    def forward(self, x):
        return x


class UnscaledAndNeverDrops(Dropout):
    def mask(self, x):
        return paddle.ones(x.shape)


class SameMask(Dropout):
    def mask(self, x):
        paddle.seed(0)
        return super().mask(x)


class WholeImages(Dropout):
    def mask(self, x):
        shape = [x.shape[0]] + [1] * (len(x.shape) - 1)
        return (paddle.rand(shape) >= self.p).astype("float32") * paddle.ones(x.shape)


class SameInAllImages(Dropout):
    def mask(self, x):
        shape = [1, *x.shape[1:]] if len(x.shape) > 1 else x.shape
        return (paddle.rand(shape) >= self.p).astype("float32") * paddle.ones(x.shape)


class WholeChannels(Dropout):
    def mask(self, x):
        shape = [*x.shape[:2], 1, 1] if len(x.shape) == 4 else x.shape
        return (paddle.rand(shape) >= self.p).astype("float32")


class CutsTheGradient(Dropout):
    def forward(self, x):
        if not self.training:
            return x
        values = x.numpy() * (np.random.rand(*x.shape) >= self.p) / (1 - self.p)
        return paddle.to_tensor(values.astype("float32"))


class Reshapes(Dropout):
    def forward(self, x):
        return super().forward(x).flatten()


class Widens(Dropout):
    def forward(self, x):
        return super().forward(x).astype("float64")


class InPlace(Dropout):
    def forward(self, x):
        if self.training:
            x[paddle.rand(x.shape) < self.p] = 0
            x /= 1 - self.p
        return x


class Fixed(Dropout):
    """Ignores p."""

    def __init__(self, p=0.5):
        super().__init__(0.5)


class StaysInEvaluation(Dropout):
    done = False

    def forward(self, x):
        self.done = self.done or not self.training
        return x if self.done else self.scale(x * self.mask(x))


class NoForward(paddle.nn.Layer):
    def __init__(self, p=0.5):
        super().__init__()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Unscaled, "divide them by 1 - p"),
        (ScaledDown, "multiplied by 1 - p; they should be divided"),
        (ScaledByP, "divided by p"),
        (KeepsP, "dropped, not the share that stays"),
        (ScaledInEvaluation, "training has already made up"),
        (DropsInEvaluation, "drops values in evaluation"),
        (NeverDrops, "divide them by 1 - p|nothing is dropped"),
        (UnscaledAndNeverDrops, "nothing is dropped"),
        (SameMask, "each call needs a new draw"),
        (WholeImages, "drops whole images"),
        (SameInAllImages, "same places in all images"),
        (WholeChannels, "drops whole channels"),
        (CutsTheGradient, "way back to x"),
        (Reshapes, "shape has changed"),
        (Widens, "dtype has changed"),
        (InPlace, "changes its input"),
        (Fixed, r"not the old ones divided by 1 - p|share of zeros is not p"),
        (StaysInEvaluation, "drops nothing"),
        (NoForward, "no method `forward`"),
        (lambda p=0.5: F.dropout, "should be a class"),
    ],
)
def test_dropout_wrong(answer, words):
    assert_wrong("3.3", answer, words)
