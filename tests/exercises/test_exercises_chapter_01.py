"""Exercises of chapter 1: right answers written in several ways pass; in wrong ones the fault is named."""

import math

import numpy as np
import paddle
from exercise_verdicts import answer_tests, fixed, then, variant

nn = paddle.nn
F = paddle.nn.functional

RIGHT, WRONG = {}, {}


def size_of_an_actual_convolution(size, kernel, stride=1, padding=0):
    layer = nn.Conv2D(1, 1, kernel, stride=stride, padding=padding)
    return layer(paddle.zeros([1, 1, size, size])).shape[-1]


RIGHT["1.1"] = [
    size_of_an_actual_convolution,
    lambda size, kernel, stride=1, padding=0: math.floor((size + 2 * padding - kernel) / stride) + 1,
    lambda size, kernel, stride=1, padding=0: np.floor((size - kernel + 2 * padding) / stride + 1),
    lambda size, kernel, stride=1, padding=0: paddle.to_tensor((size + 2 * padding - kernel) // stride + 1),
    lambda size, kernel, stride=1, padding=0: np.array([(size + 2 * padding - kernel + stride) // stride]),
]
WRONG["1.1"] = [
    (lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel) // stride, "one too small"),
    (lambda size, kernel, stride=1, padding=0: (size + padding - kernel) // stride + 1, "both ends"),
    (lambda size, kernel, stride=1, padding=0: (size - kernel) // stride + 1, "no notice of the padding"),
    (lambda size, kernel, stride=1, padding=0: size + 2 * padding - kernel + 1, "notice of the stride"),
    (lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel) / stride + 1, "whole number"),
    (lambda size, kernel, stride=1, padding=0: math.ceil((size + 2 * padding - kernel) / stride) + 1, "rounds up"),
    (lambda size, kernel, stride=1, padding=0: (size + 2 * padding - kernel + 1) // stride, "before the division"),
    (lambda size, kernel, stride=1, padding=0: 24, "same answer whatever"),
    (lambda size, kernel, stride=1, padding=0: {28: 24, 24: 12}[size], "raises KeyError"),
    (
        lambda size, kernel, stride=1, padding=0: {28: 24, 24: 12}.get(size, 1),
        r"right for \d of the 27 inputs.*\n  tried:    conv_output_size\(224, 11, stride=4, padding=5\)"
        r"\n  expected: 56\n  came:     1\n",
    ),
    (lambda size, kernel: size - kernel + 1, "cannot be called this way"),
    (lambda size, kernel, stride=1, padding=0: [size, size], "one number"),
]


def parameters_of_a_model(num_classes, in_channels=1):
    layers = [nn.Conv2D(in_channels, 6, 5), nn.Conv2D(6, 16, 5), nn.Conv2D(16, 120, 4)]
    layers += [nn.Linear(120, 64), nn.Linear(64, num_classes)]
    return sum(parameter.size for layer in layers for parameter in layer.parameters())


def parameters(num_classes, in_channels=1, bias=1, k3=4):
    convolutions = in_channels * 6 * 25 + 6 * bias + 6 * 16 * 25 + 16 * bias + 16 * 120 * k3**2 + 120 * bias
    return convolutions + (120 + bias) * 64 + (64 + bias) * num_classes


RIGHT["1.2"] = [
    parameters_of_a_model,
    parameters,
    lambda num_classes, in_channels=1: np.int64(41806 - 650 - 150 + 65 * num_classes + 150 * in_channels),
]
WRONG["1.2"] = [
    (lambda num_classes, in_channels=1: parameters(num_classes, in_channels, bias=0), "biases are missing"),
    (lambda num_classes, in_channels=1: parameters(num_classes), "no notice of in_channels"),
    (lambda num_classes, in_channels=1: parameters(10, in_channels), "no notice of num_classes"),
    (lambda num_classes, in_channels=1: parameters(num_classes, in_channels, k3=5), "4 × 4"),
    (lambda classes, in_channels=1: parameters(classes, in_channels) - 6 - 16 - 120, "biases of the convolutions"),
    (lambda classes, in_channels=1: parameters(classes, in_channels) - 64 - classes, "biases of the fully connected"),
]


class Net(nn.Layer):
    """A right LeNet32 with the places where the wrong ones below differ."""

    bias, channels = None, 3
    activation = staticmethod(F.sigmoid)
    pool = staticmethod(F.max_pool2d)

    def __init__(self, num_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2D(self.channels, 6, 5, bias_attr=self.bias)
        self.conv2 = nn.Conv2D(6, 16, 5, bias_attr=self.bias)
        self.conv3 = nn.Conv2D(16, 120, 5, bias_attr=self.bias)
        self.fc1 = nn.Linear(120, 64)
        self.fc2 = nn.Linear(64, num_classes)

    def block(self, conv, x):
        return self.pool(self.activation(conv(x)), 2, 2)

    def block2(self, x):
        return self.block(self.conv2, x)

    def block3(self, x):
        return self.activation(self.conv3(x))

    def head(self, x):
        return self.fc2(self.activation(self.fc1(paddle.flatten(x, 1))))

    def forward(self, x):
        return self.head(self.block3(self.block2(self.block(self.conv1, x))))


class InOneSequential(nn.Sequential):
    def __init__(self, num_classes):
        layers = [nn.Conv2D(3, 6, 5), nn.Sigmoid(), nn.MaxPool2D(2), nn.Conv2D(6, 16, 5), nn.Sigmoid()]
        layers += [nn.MaxPool2D(2), nn.Conv2D(16, 120, 5), nn.Sigmoid(), nn.Flatten(), nn.Linear(120, 64)]
        super().__init__(*layers, nn.Sigmoid(), nn.Linear(64, num_classes))


POOLS_BEFORE_THE_SIGMOID = variant(Net, block=lambda self, conv, x: F.sigmoid(F.max_pool2d(conv(x), 2, 2)))
RIGHT["1.3"] = [Net, POOLS_BEFORE_THE_SIGMOID, InOneSequential]


class TutorialOrder(Net):
    def block2(self, x):
        return self.pool(self.conv2(F.sigmoid(x)), 2, 2)

    def block3(self, x):
        return self.conv3(x)


class TutorialOrderAndTinyWeights(TutorialOrder):
    """Its logits are all about zero, as a right network's with such weights would be."""

    def __init__(self, num_classes=10):
        super().__init__(num_classes)
        for parameter in self.parameters():
            parameter.set_value(parameter * 1e-3)


class HiddenInAList(nn.Layer):
    """Keeps its network where Paddle does not find it."""

    def __init__(self, num_classes=10):
        super().__init__()
        self.layers = [Net(num_classes)]

    def forward(self, x):
        return self.layers[0](x)


class ForwardUnwritten(Net):
    def forward(self, x):
        raise NotImplementedError


WRONG["1.3"] = [
    (TutorialOrder, "two sigmoids after the first conv.*no sigmoid after the second.*no sigmoid after the third"),
    (TutorialOrderAndTinyWeights, "two sigmoids after the first convolution"),
    (variant(Net, block3=lambda self, x: self.conv3(x)), r"no sigmoid after the third convolution\."),
    (then(Net, F.sigmoid), r": a sigmoid after the last layer\."),
    (then(Net, F.softmax), "softmax"),
    (variant(Net, activation=staticmethod(F.relu)), "not a sigmoid"),
    (variant(Net, pool=staticmethod(F.avg_pool2d)), "averages"),
    (variant(Net, bias=False), "biases are missing"),
    (variant(Net, channels=1), r"\[6, 3, 5, 5\](.|\n)*came: .*\[6, 1, 5, 5\]"),
    (fixed(Net, 10), r"\[64, 2\](.|\n)*came: .*\[64, 10\]"),
    (then(Net, lambda y: y.unsqueeze(-1)), r"expected: a tensor of shape \[4, 10\]\n  came: .*\[4, 10, 1\]"),
    (variant(Net, forward=lambda self, x: Net.forward(self, paddle.concat([x[:1]] * len(x)))), "values are not those"),
    (variant(Net, block3=lambda self, x: Net.block3(self, x).detach()), r"gradient does not reach conv1\.weight"),
    (HiddenInAList, "no parameters that a Layer can find(.|\n)*plain list"),
    (fixed(nn.Layer), "no method `forward`"),
    (ForwardUnwritten, "still to be written: line .* of forward"),
    (
        variant(Net, block3=lambda self, x: Net.block3(self, x)[:, :100]),
        r"raises ValueError in line .* of head.*\n.*\n  came: .*InvalidArgument[^\n]*\.\n",
    ),
    (lambda num_classes: Net(num_classes), "derived from paddle.nn.Layer"),
]


@np.errstate(over="ignore", invalid="ignore")
def log_of_softmax(logits, label, log=np.log):
    exponentials = np.exp(logits)
    return -log(exponentials[label] / exponentials.sum())


@np.errstate(over="ignore")
def log_of_sum(logits, label):
    return np.log(np.exp(logits).sum()) - logits[label]


@np.errstate(divide="ignore")
def log_of_a_probability_of_0(logits, label):
    p = np.exp(logits - logits.max())
    return -np.log(p[label] / p.sum())


RIGHT["1.4"] = [
    lambda logits, label: paddle.logsumexp(paddle.to_tensor(logits)) - float(logits[label]),
    lambda logits, label: np.logaddexp.reduce(logits) - logits[label],
]
WRONG["1.4"] = [
    (log_of_softmax, "exp overflows"),
    (log_of_sum, "exp overflows"),
    (log_of_a_probability_of_0, "a probability becomes 0"),
    (lambda logits, label: np.logaddexp.reduce(logits) - logits[label] + 1, "not −ln of the right class's probability"),
    (lambda logits, label: log_of_softmax(logits, label, np.log2), "base 2"),
    (lambda logits, label: logits[label] - np.logaddexp.reduce(logits), "minus sign"),
    (lambda logits, label: np.exp(logits[label] - np.logaddexp.reduce(logits)), "returns the probability"),
    (lambda logits, label: -np.log(logits[label] / logits.sum()), "exp of each logit"),
]


def conv_and_pool(image, kernel, pool=np.max, odd=0):
    size = len(kernel)
    rows, columns = (n - size + 1 for n in image.shape)
    sums = np.zeros((rows, columns))
    for row, column in np.ndindex(rows, columns):
        sums[row, column] = np.sum(image[row : row + size, column : column + size] * kernel)
    at = [(2 * row, 2 * column) for row, column in np.ndindex((rows + odd) // 2, (columns + odd) // 2)]
    pooled = [pool(sums[row : row + 2, column : column + 2]) for row, column in at]
    return np.reshape(pooled, ((rows + odd) // 2, -1))


def by_paddle(image, kernel):
    x, w = (paddle.to_tensor(a, "float32").unsqueeze([0, 1]) for a in (image, kernel))
    return F.max_pool2d(F.conv2d(x, w), 2, 2)[0, 0]


RIGHT["1.5"] = [conv_and_pool, by_paddle, lambda image, kernel: conv_and_pool(image, kernel).tolist()]
WRONG["1.5"] = [
    (lambda image, kernel: conv_and_pool(image, kernel[::-1, ::-1]), "180 degrees"),
    (lambda image, kernel: conv_and_pool(image, kernel.T), "exchanged"),
    (lambda image, kernel: conv_and_pool(image, kernel).astype(int), "values are not those"),
    (lambda image, kernel: conv_and_pool(image, kernel, np.mean), "averages"),
    (lambda image, kernel: conv_and_pool(image, kernel, odd=1), "cut off by the edge"),
    (lambda image, kernel: np.zeros([n - len(kernel) + 1 for n in image.shape]), "before pooling"),
]

RIGHT["1.6"] = [
    lambda: [[-1, 2, -1]] * 3,
    lambda: paddle.to_tensor([[0.0, 0, 0], [-1, 2, -1], [0, 0, 0]]),
    lambda: [[-1, 3, -2], [-2, 4, -2], [-1, 2, -1]],
    lambda: np.float32([[-1 / 3, 2 / 3, -1 / 3]] * 3),
]
WRONG["1.6"] = [
    (lambda: np.ones((3, 3)), "plain white picture"),
    (lambda: [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]], "horizontal stroke"),
    (lambda: [[-1, 0, 1]] * 3, "not positive"),
    (lambda: [[1, 2, 1], [0, 0, 0], [-1, -2, -1]], r"horizontal stroke(.|\n)*-4\."),
    (lambda: [[-3, 1, 2]] * 3, "beside it"),
    (lambda: np.ones((5, 5)), "3 × 3 numbers"),
]

test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
