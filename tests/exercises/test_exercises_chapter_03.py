"""Exercises of chapter 3: right answers written in several ways pass; in wrong ones the fault is named."""

import numpy as np
import paddle
from exercise_verdicts import answer_tests, fixed, variant

F = paddle.nn.functional

RIGHT, WRONG = {}, {}

nn = paddle.nn


class Shrunk(nn.Layer):
    """A thin AlexNet; channels and kernels of its convolutions, and units, can be others."""

    kernels, wide, units, poolings = (11, 5, 3, 3, 3), (16, 24, 24, 24, 16), 16, (0, 1, 4)

    def __init__(self):
        super().__init__()
        parts, before = [], 3
        for i, (kernel, channels) in enumerate(zip(self.kernels, self.wide, strict=True)):
            parts += [nn.Conv2D(before, channels, kernel, 4 if i == 0 else 1, kernel // 2), nn.ReLU()]
            parts += [nn.MaxPool2D(2, 2)] if i in self.poolings else []
            before = channels
        self.body = nn.Sequential(*parts)
        self.fc1, self.fc2 = nn.Linear(before * 7 * 7, self.units), nn.Linear(self.units, 1)

    def features(self, x):
        return self.body(x)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(self.features(x).flatten(1))))


class WithBatchNorm(Shrunk):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.BatchNorm2D(3), self.body, nn.BatchNorm2D(16))


class WithSigmoids(Shrunk):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(*(nn.Sigmoid() if isinstance(layer, nn.ReLU) else layer for layer in self.body))


class Halved(Shrunk):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(16 * 3 * 3, 16)

    def forward(self, x):
        return super().forward(F.avg_pool2d(x, 2))


RIGHT["3.1"] = [Shrunk, WithBatchNorm, WithSigmoids, variant(Shrunk, wide=(8, 8, 8, 8, 16))]
WRONG["3.1"] = [
    (variant(Shrunk, units=8192), r"too large(.|\n)*fc1\.weight"),
    (variant(Shrunk, kernels=(11, 5, 3, 3, 5)), "receptive field is not AlexNet's(.|\n)*199 × 199"),
    (variant(Shrunk, kernels=(11, 3, 3, 3, 3)), "151 × 151"),
    (variant(Shrunk, features=None), "no method `features`"),
    (variant(Shrunk, forward=lambda self, x: self.features(x).flatten(1)), "one logit"),
    (variant(Shrunk, features=lambda self, x: self.body(x) * 0), "does not depend on the photograph"),
    (lambda: Shrunk, "should be a class"),
    (Halved, r"as they come(.|\n)*112"),
    (variant(Shrunk, forward=lambda self, x: F.sigmoid(Shrunk.forward(self, x))), "went through sigmoid"),
]


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


def loop(
    model,
    optimizer,
    train_loader,
    valid_loader,
    epochs,
    *,
    clear=True,
    evaluate=True,
    again=True,
    whole=True,
    at=0,
    none=None,
):
    """train_pm's loop, and the usual mistakes."""
    rows = []
    for epoch in range(epochs):
        if again or epoch == 0:
            model.train()
        losses, right = [], []
        for images, labels in train_loader():
            loss = F.binary_cross_entropy_with_logits(model(paddle.to_tensor(images)), paddle.to_tensor(labels))
            loss.backward()
            optimizer.step()
            if clear:
                optimizer.clear_grad()
            losses += [float(loss)] * (len(labels) if whole else 1)
        if evaluate:
            model.eval()
        with paddle.no_grad():
            for images, labels in valid_loader():
                right += list(((model(paddle.to_tensor(images)).numpy() > at) == (labels == 1)).ravel())
        rows.append([sum(these) / len(these) if these else none for these in (losses, right)])
    return rows


def validating_at_the_end(model, optimizer, train_loader, valid_loader, epochs):
    rows = loop(model, optimizer, train_loader, list, epochs, none=0.0)
    return [(loss, loop(model, optimizer, list, valid_loader, 1, none=0.0)[0][1]) for loss, _ in rows]


RIGHT["3.4"] = [loop]
WRONG["3.4"] = [
    (lambda *args: loop(*args, clear=False), "gradients add up"),
    (lambda *args: loop(*args, evaluate=False), r"model\.eval\(\) is missing"),
    (lambda *args: loop(*args, again=False), r"model\.train\(\) is missing"),
    (lambda *args: loop(*args, whole=False), "mean over batches"),
    (lambda *args: loop(*args, at=0.5), "the figures are not"),
    (validating_at_the_end, "in each epoch it should go through"),
    (lambda model, optimizer, train_loader, valid_loader: [], "cannot be called this way"),
    (lambda *args: loop(*args)[:2], "one pair for each epoch"),
    (lambda m, o, t, v, epochs: loop(m, o, t, v, 1) * epochs, "18 times"),
    (lambda *args: [(a, 1 - b) for a, b in loop(*args)], "the figures are not"),
]

RIGHT["3.5"] = [lambda: (4, 2, 5, 1, 3), lambda: np.array([4, 2, 5, 1, 3])]
WRONG["3.5"] = [
    (lambda: (4, 2, 6, 1, 3), "4 of five are right(.|\n)*C: write"),
    (lambda: (7, 7, 7, 7, 7), "0 of five(.|\n)*A: follow"),
    (lambda: "42513", "a number for each piece"),
    (lambda: (4, 2, 5, 1), "five whole numbers"),
]

test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
