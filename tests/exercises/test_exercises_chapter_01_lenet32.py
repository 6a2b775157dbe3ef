"""Exercise 1.3: the reference passes, so do other right ways; wrong answers are named."""

import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

paddle = pytest.importorskip("paddle")
F = paddle.nn.functional


def test_reference_solution_passes():
    assert_right("1.3", reference("1.3", {"paddle": paddle, "F": F}))


class Net(paddle.nn.Layer):
    """A right LeNet32 with the places where the wrong ones below differ."""

    kernel3, bias, channels = 5, None, 3
    activation = staticmethod(F.sigmoid)
    pool = staticmethod(F.max_pool2d)

    def __init__(self, num_classes=10):
        super().__init__()
        nn = paddle.nn
        self.conv1 = nn.Conv2D(self.channels, 6, 5, bias_attr=self.bias)
        self.conv2 = nn.Conv2D(6, 16, 5, bias_attr=self.bias)
        self.conv3 = nn.Conv2D(16, 120, self.kernel3, bias_attr=self.bias)
        self.fc1 = nn.Linear(120, 64)
        self.fc2 = nn.Linear(64, num_classes)

    def block1(self, x):
        return self.pool(self.activation(self.conv1(x)), 2, 2)

    def block2(self, x):
        return self.pool(self.activation(self.conv2(x)), 2, 2)

    def block3(self, x):
        return self.activation(self.conv3(x))

    def head(self, x):
        return self.fc2(self.activation(self.fc1(paddle.flatten(x, 1))))

    def forward(self, x):
        return self.head(self.block3(self.block2(self.block1(x))))


class PoolsBeforeTheSigmoid(Net):
    def block1(self, x):
        return F.sigmoid(F.max_pool2d(self.conv1(x), 2, 2))

    def block2(self, x):
        return F.sigmoid(F.max_pool2d(self.conv2(x), 2, 2))


class InOneSequential(paddle.nn.Layer):
    def __init__(self, num_classes):
        super().__init__()
        nn = paddle.nn
        layers = [nn.Conv2D(3, 6, 5), nn.Sigmoid(), nn.MaxPool2D(2), nn.Conv2D(6, 16, 5), nn.Sigmoid()]
        layers += [nn.MaxPool2D(2), nn.Conv2D(16, 120, 5), nn.Sigmoid(), nn.Flatten(), nn.Linear(120, 64)]
        self.layers = nn.Sequential(*layers, nn.Sigmoid(), nn.Linear(64, num_classes))

    def forward(self, images):
        return self.layers(images)


@pytest.mark.parametrize("answer", [Net, PoolsBeforeTheSigmoid, InOneSequential])
def test_lenet32_in_other_right_ways(answer):
    assert_right("1.3", answer)


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


class NoSigmoidAfterThird(Net):
    def block3(self, x):
        return self.conv3(x)


class SigmoidOnLogits(Net):
    def head(self, x):
        return F.sigmoid(super().head(x))


class SoftmaxOnLogits(Net):
    def head(self, x):
        return F.softmax(super().head(x))


class Relu(Net):
    activation = staticmethod(F.relu)


class AveragePooling(Net):
    pool = staticmethod(F.avg_pool2d)


class NoBias(Net):
    bias = False


class Grey(Net):
    channels = 1


class OtherKernel(Net):
    kernel3 = 4

    def block3(self, x):
        return paddle.mean(super().block3(x), axis=[2, 3], keepdim=True)


class OneColumn(Net):
    def __init__(self, num_classes=10):
        super().__init__(num_classes=10)


class NotFlattened(Net):
    def forward(self, x):
        return self.head(self.block3(self.block2(self.block1(x)))).unsqueeze(-1)


class DropsTheGradient(Net):
    def block3(self, x):
        return paddle.to_tensor(super().block3(x).numpy())


class SeesTheFirstImageOnly(Net):
    def forward(self, x):
        return super().forward(paddle.concat([x[:1]] * len(x)))


class LayersInAList(paddle.nn.Layer):
    def __init__(self, num_classes=10):
        super().__init__()
        self.layers = [Net(num_classes)]

    def forward(self, x):
        return self.layers[0](x)


class NoForward(paddle.nn.Layer):
    def __init__(self, num_classes=10):
        super().__init__()


class ForwardUnwritten(Net):
    def forward(self, x):
        raise NotImplementedError


class WrongShapeInside(Net):
    def block3(self, x):
        return super().block3(x)[:, :100]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            TutorialOrder,
            "two sigmoids after the first conv.*no sigmoid after the second.*no sigmoid after the third",
        ),
        (TutorialOrderAndTinyWeights, "two sigmoids after the first convolution"),
        (NoSigmoidAfterThird, r"no sigmoid after the third convolution\."),
        (SigmoidOnLogits, r": a sigmoid after the last layer\."),
        (SoftmaxOnLogits, "softmax"),
        (Relu, "not a sigmoid"),
        (AveragePooling, "averages"),
        (NoBias, "biases are missing"),
        (Grey, r"\[6, 3, 5, 5\](.|\n)*came: .*\[6, 1, 5, 5\]"),
        (OtherKernel, r"\[120, 16, 5, 5\](.|\n)*came: .*\[120, 16, 4, 4\]"),
        (OneColumn, r"\[64, 2\](.|\n)*came: .*\[64, 10\]"),
        (NotFlattened, r"expected: a tensor of shape \[4, 10\]\n  came: .*\[4, 10, 1\]"),
        (SeesTheFirstImageOnly, "values are not those of the table"),
        (DropsTheGradient, r"gradient does not reach conv1\.weight"),
        (LayersInAList, "no parameters that a Layer can find(.|\n)*plain list"),
        (NoForward, "no method `forward`"),
        (ForwardUnwritten, "still to be written: line .* of forward"),
        (
            WrongShapeInside,
            r"raises ValueError in line .* of head.*\n.*\n  came: .*InvalidArgument[^\n]*\.\n",
        ),
        (lambda num_classes: Net(num_classes), "derived from paddle.nn.Layer"),
    ],
)
def test_lenet32_wrong(answer, words):
    assert_wrong("1.3", answer, words)
