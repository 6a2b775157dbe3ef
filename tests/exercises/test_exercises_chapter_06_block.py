"""Exercise 6.2: the reference passes, so do other right ways; wrong answers are named."""

import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

paddle = pytest.importorskip("paddle")
F = paddle.nn.functional


def test_reference_solution_passes():
    assert_right("6.2", reference("6.2", {"paddle": paddle, "F": F}))


class Block(paddle.nn.Layer):
    """A right PreActBlock with the places where the wrong ones below differ."""

    bias, kernel = False, 3

    def __init__(self, channels, middle):
        super().__init__()
        nn = paddle.nn
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


class InOneSequential(paddle.nn.Layer):
    def __init__(self, channels, middle):
        super().__init__()
        nn = paddle.nn
        convs = [nn.Conv2D(a, b, 3, 1, 1, bias_attr=False) for a, b in ((channels, middle), (middle, channels))]
        parts = [nn.BatchNorm2D(channels), nn.ReLU(), convs[0], nn.BatchNorm2D(middle), nn.ReLU(), convs[1]]
        self.branch = nn.Sequential(*parts)

    def forward(self, images):
        return paddle.add(self.branch(images), images)


class OlderBatchNorm(Block):
    """paddle.nn.BatchNorm applies its ReLU itself."""

    def __init__(self, channels, middle):
        super().__init__(channels, middle)
        self.bn1 = paddle.nn.BatchNorm(channels, act="relu")
        self.bn2 = paddle.nn.BatchNorm(middle, act="relu")


@pytest.mark.parametrize("answer", [Block, InOneSequential, OlderBatchNorm])
def test_pre_activation_in_other_right_ways(answer):
    assert_right("6.2", answer)


class ReluAtTheEnd(Block):
    def forward(self, x):
        return F.relu(super().forward(x))


class ShortcutFromTheActivated(Block):
    def forward(self, x):
        x = self.first(x)
        return x + self.conv2(self.second(self.conv1(x)))


class NoShortcut(Block):
    def forward(self, x):
        return self.branch(x)


class ChaptersOrder(Block):
    def branch(self, x):
        return self.bn1(self.conv2(F.relu(self.bn2(self.conv1(x)))))

    def forward(self, x):
        return F.relu(x + self.branch(x))


class ConvolutionFirst(ChaptersOrder):
    def forward(self, x):
        return x + self.branch(x)


class NoFirstRelu(Block):
    def first(self, x):
        return self.bn1(x)


class NoSecondRelu(Block):
    def second(self, y):
        return self.bn2(y)


class NoRelu(NoFirstRelu, NoSecondRelu):
    pass


class ReluBeforeNorm(Block):
    def first(self, x):
        return self.bn1(F.relu(x))

    def second(self, y):
        return self.bn2(F.relu(y))


class FirstNormUnused(Block):
    def first(self, x):
        return F.relu(x)


class SecondNormUnused(Block):
    def second(self, y):
        return F.relu(y)


class BatchStatisticsAlways(Block):
    def forward(self, x):
        self.bn1.training = self.bn2.training = True
        return super().forward(x)


class Leaky(Block):
    def first(self, x):
        return F.leaky_relu(self.bn1(x), 0.3)


class WithBiases(Block):
    bias = None


class SmallKernel(Block):
    kernel = 1


class OneNorm(Block):
    def __init__(self, channels, middle):
        super().__init__(channels, middle)
        del self.bn2


class NormsAlike(Block):
    def __init__(self, channels, middle):
        super().__init__(channels, middle)
        self.bn1 = paddle.nn.BatchNorm2D(middle)


class HardCoded(Block):
    def __init__(self, channels, middle):
        super().__init__(16, 4)


class LayersInAList(paddle.nn.Layer):
    def __init__(self, channels, middle):
        super().__init__()
        self.layers = [Block(channels, middle)]

    def forward(self, x):
        return self.layers[0](x)


class DropsTheGradient(Block):
    def branch(self, x):
        return paddle.to_tensor(super().branch(x).numpy())

    def forward(self, x):
        return x + self.branch(x)


class Flattens(Block):
    def forward(self, x):
        return paddle.flatten(super().forward(x), 1)


class NoForward(paddle.nn.Layer):
    def __init__(self, channels, middle):
        super().__init__()


class ForwardUnwritten(Block):
    def forward(self, x):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ReluAtTheEnd, "ReLU follows the addition"),
        (ShortcutFromTheActivated, "at the block's own input"),
        (NoShortcut, "no shortcut"),
        (ChaptersOrder, "the chapter's order"),
        (ConvolutionFirst, "convolution comes before its batch norm"),
        (NoFirstRelu, "in front of the first convolution is missing"),
        (NoSecondRelu, "in front of the second convolution is missing"),
        (NoRelu, "both ReLUs are missing"),
        (ReluBeforeNorm, "ReLU comes before batch norm"),
        (FirstNormUnused, "first batch norm is never used"),
        (SecondNormUnused, "second batch norm is never used"),
        (BatchStatisticsAlways, "running statistics count"),
        (Leaky, "values are not those"),
        (WithBiases, r"have biases(.|\n)*came: +1,212"),
        (SmallKernel, "not 3 × 3"),
        (OneNorm, "1 batch norm instead of two"),
        (NormsAlike, "both batch norms have the same size"),
        (HardCoded, r"expected: 454(.|\n)*came: +1,192"),
        (LayersInAList, r"no parameters that a Layer can find(.|\n)*plain list"),
        (DropsTheGradient, "gradient does not reach"),
        (Flattens, "not a tensor of the input's shape"),
        (NoForward, "no method `forward`"),
        (ForwardUnwritten, "still to be written: line .* of forward"),
        (lambda channels, middle: Block(channels, middle), "derived from paddle.nn.Layer"),
    ],
)
def test_pre_activation_wrong(answer, words):
    assert_wrong("6.2", answer, words)
