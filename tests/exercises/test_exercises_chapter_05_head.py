"""Exercise 5.3: the reference passes, so do other right ways; wrong answers are named."""

import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

paddle = pytest.importorskip("paddle")
nn, F = paddle.nn, paddle.nn.functional


def test_reference_solution_passes():
    assert_right("5.3", reference("5.3", {"paddle": paddle, "F": F}))


class Head(nn.Layer):
    """A right AuxiliaryHead with the places where the wrong ones below differ."""

    bias, channels, stride = None, 128, 3

    def __init__(self, in_channels, size, num_classes=1):
        super().__init__()
        self.conv = nn.Conv2D(in_channels, self.channels, 1, bias_attr=self.bias)
        self.fc1 = nn.Linear(self.channels * self.side(size) ** 2, 1024)
        self.fc2 = nn.Linear(1024, num_classes)

    def side(self, size):
        return len(range(0, size - 4, self.stride))

    def pool(self, x):
        return F.avg_pool2d(x, 5, self.stride)

    def maps(self, x):
        return F.relu(self.conv(self.pool(x)))

    def hidden(self, x):
        return F.relu(self.fc1(x))

    def drop(self, x):
        return F.dropout(x, 0.7, training=self.training)

    def forward(self, x):
        return self.fc2(self.drop(self.hidden(paddle.flatten(self.maps(x), 1))))


class InOneSequential(nn.Layer):
    def __init__(self, in_channels, size, num_classes=1):
        super().__init__()
        inputs = 128 * (1 + (size - 5) // 3) ** 2
        layers = [nn.AvgPool2D(5, 3), nn.Conv2D(in_channels, 128, 1), nn.ReLU(), nn.Flatten(), nn.Linear(inputs, 1024)]
        self.layers = nn.Sequential(*layers, nn.ReLU(), nn.Dropout(0.7), nn.Linear(1024, num_classes))

    def forward(self, x):
        return self.layers(x)


class DropsBeforeTheRelu(Head):
    def hidden(self, x):
        return F.relu(F.dropout(self.fc1(x), 0.7, training=self.training))

    def drop(self, x):
        return x


class PoolsAfterTheConvolution(Head):
    """A convolution 1 x 1 and an average change places, as long as the ReLU comes after both."""

    def maps(self, x):
        return F.relu(self.pool(self.conv(x)))


@pytest.mark.parametrize("answer", [Head, InOneSequential, DropsBeforeTheRelu, PoolsAfterTheConvolution])
def test_head_in_other_right_ways(answer):
    assert_right("5.3", answer)


class HardCodedWidth(Head):
    def side(self, size):
        return 4


class RoundedUp(Head):
    def side(self, size):
        return -(-(size - 5) // 3) + 1


class DefaultStride(Head):
    stride = 5


class MaxPooling(Head):
    def pool(self, x):
        return F.max_pool2d(x, 5, 3)


class NoReluAfterConvolution(Head):
    def maps(self, x):
        return self.conv(self.pool(x))


class NoReluAfterLinear(Head):
    def hidden(self, x):
        return self.fc1(x)


class NoRelu(NoReluAfterConvolution):
    def hidden(self, x):
        return self.fc1(x)


class DropoutNeverStops(Head):
    def drop(self, x):
        return F.dropout(x, 0.7)


class NoDropout(Head):
    def drop(self, x):
        return x


class KeepsSeventy(Head):
    def drop(self, x):
        return F.dropout(x, 0.3, training=self.training)


class DropsHalf(Head):
    def drop(self, x):
        return F.dropout(x, 0.5, training=self.training)


class ScalesInEvaluation(Head):
    def drop(self, x):
        return F.dropout(x, 0.7, training=self.training, mode="downscale_in_infer")


class SigmoidAtTheEnd(Head):
    def forward(self, x):
        return F.sigmoid(super().forward(x))


class ReluAtTheEnd(Head):
    def forward(self, x):
        return F.relu(super().forward(x))


class NoBias(Head):
    bias = False


class OneClass(Head):
    def __init__(self, in_channels, size, num_classes=1):
        super().__init__(in_channels, size)


class OtherChannels(Head):
    channels = 64


class Squeezed(Head):
    def forward(self, x):
        return super().forward(x).squeeze(-1)


class LayersInAList(nn.Layer):
    def __init__(self, in_channels, size, num_classes=1):
        super().__init__()
        self.parts = [Head(in_channels, size, num_classes)]

    def forward(self, x):
        return self.parts[0](x)


class DropsTheGradient(Head):
    def maps(self, x):
        return super().maps(x).detach()


class InPlace(Head):
    def pool(self, x):
        x[:] = F.relu(x)
        return super().pool(x)


class NoForward(nn.Layer):
    def __init__(self, in_channels, size, num_classes=1):
        super().__init__()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HardCodedWidth, r"wrong number of inputs(.|\n)*expected: 512, (.|\n)*came: +2048"),
        (RoundedUp, "wrong number of inputs"),
        (DefaultStride, r"wrong number of inputs(.|\n)*expected: 512, (.|\n)*came: +128"),
        (MaxPooling, "pools by maxima"),
        (NoReluAfterConvolution, "no ReLU follows the convolution"),
        (NoReluAfterLinear, "no ReLU follows the first fully connected"),
        (NoRelu, "there is no ReLU"),
        (DropoutNeverStops, "dropout does not stop there"),
        (NoDropout, "nothing is dropped"),
        (KeepsSeventy, "keeps 70 % and drops 30 %"),
        (DropsHalf, "about 70 %"),
        (ScalesInEvaluation, "dropout scales the values in evaluation mode"),
        (SigmoidAtTheEnd, "went through a sigmoid"),
        (ReluAtTheEnd, "ReLU follows the last layer"),
        (NoBias, "is missing, such as a bias"),
        (OneClass, r"\[1024, 3\](.|\n)*came: .*\[1024, 1\]"),
        (OtherChannels, "wrong number of inputs"),
        (Squeezed, r"one row of logits per image(.|\n)*expected: +a tensor of shape \[3, 1\]"),
        (LayersInAList, "no parameters that a Layer can find"),
        (DropsTheGradient, "gradient does not reach conv.weight"),
        (InPlace, "changes its input"),
        (NoForward, "no method `forward`"),
        (lambda in_channels, size, num_classes=1: Head(in_channels, size), "derived from paddle.nn.Layer"),
    ],
)
def test_head_wrong(answer, words):
    assert_wrong("5.3", answer, words)
