"""Exercise 5.2: the reference passes, so do other right ways; wrong answers are named."""

import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

paddle = pytest.importorskip("paddle")
nn, F = paddle.nn, paddle.nn.functional


def test_reference_solution_passes():
    assert_right("5.2", reference("5.2", {"paddle": paddle, "F": F}))


class Module(nn.Layer):
    """A right InceptionBN with the places where the wrong ones below differ."""

    bias, kernel3, axis = False, 5, 1
    order = (0, 1, 2, 3)
    norm = nn.BatchNorm2D

    def __init__(self, c0, c1, c2, c3, c4):
        super().__init__()
        shapes = [(c0, c1, 1), (c0, c2[0], 1), (*c2, 3), (c0, c3[0], 1), (*c3, self.kernel3), (c0, c4, 1)]
        self.convs = nn.LayerList([nn.Conv2D(a, b, k, padding=k // 2, bias_attr=self.bias) for a, b, k in shapes])
        self.norms = nn.LayerList([type(self).norm(b) for _, b, _ in shapes])

    def unit(self, i, x):
        return F.relu(self.norms[i](self.convs[i](x)))

    def pool(self, x):
        return F.max_pool2d(x, 3, 1, 1)

    def last(self, x):
        return self.unit(5, self.pool(x))

    def join(self, branches):
        return paddle.concat([branches[i] for i in self.order], axis=self.axis)

    def forward(self, x):
        branches = [self.unit(0, x), self.unit(2, self.unit(1, x)), self.unit(4, self.unit(3, x)), self.last(x)]
        return self.join(branches)


class OneReluAtTheEnd(Module):
    def unit(self, i, x):
        x = self.norms[i](self.convs[i](x))
        return F.relu(x) if i in (1, 3) else x

    def join(self, branches):
        return F.relu(super().join(branches))


class OldBatchNormInAnotherOrderOfLayers(nn.Layer):
    def __init__(self, c0, c1, c2, c3, c4):
        super().__init__()

        def unit(a, b, k):
            conv = nn.Conv2D(a, b, (k, k), padding=[k // 2, k // 2], bias_attr=False)
            return [conv, nn.BatchNorm(b, act="relu")]

        self.pooled = nn.Sequential(nn.MaxPool2D(3, 1, 1), *unit(c0, c4, 1))
        self.five = nn.Sequential(*unit(c0, c3[0], 1), *unit(*c3, 5))
        self.three = nn.Sequential(*unit(c0, c2[0], 1), *unit(*c2, 3))
        self.one = nn.Sequential(*unit(c0, c1, 1))

    def forward(self, x):
        return paddle.concat((self.one(x), self.three(x), self.five(x), self.pooled(x)), -3)


@pytest.mark.parametrize("answer", [Module, OneReluAtTheEnd, OldBatchNormInAnotherOrderOfLayers])
def test_inception_in_other_right_ways(answer):
    assert_right("5.2", answer)


class WithBias(Module):
    bias = None


class SmallKernel(Module):
    kernel3 = 3


class NoNorms(Module):
    norm = nn.Identity


class UnusedNorms(Module):
    def unit(self, i, x):
        return F.relu(self.convs[i](x))


class ReluFirst(Module):
    def unit(self, i, x):
        return self.norms[i](F.relu(self.convs[i](x)))


class NoRelu(Module):
    def unit(self, i, x):
        return self.norms[i](self.convs[i](x))


class NoReluAfterReductions(OneReluAtTheEnd):
    def unit(self, i, x):
        return self.norms[i](self.convs[i](x))


class NoReluAtEnds(OneReluAtTheEnd):
    def join(self, branches):
        return Module.join(self, branches)


class PoolingThird(Module):
    order = (0, 1, 3, 2)


class AveragePooling(Module):
    def pool(self, x):
        return F.avg_pool2d(x, 3, 1, 1, exclusive=True)


class PoolsLast(Module):
    def last(self, x):
        return self.pool(self.unit(5, x))


class DefaultPoolingStride(Module):
    def pool(self, x):
        return F.max_pool2d(x, 3, padding=1)


class WrongAxis(Module):
    axis = 2


class AlwaysBatch(Module):
    def unit(self, i, x):
        norm = self.norms[i]
        mean, variance = norm._mean.clone(), norm._variance.clone()
        return F.relu(F.batch_norm(self.convs[i](x), mean, variance, norm.weight, norm.bias, training=True))


class AlwaysRunning(Module):
    def __init__(self, c0, c1, c2, c3, c4):
        super().__init__(c0, c1, c2, c3, c4)
        for norm in self.norms:
            norm._use_global_stats = True


class OneNormAfterAll(Module):
    def __init__(self, c0, c1, c2, c3, c4):
        super().__init__(c0, c1, c2, c3, c4)
        self.norms = nn.BatchNorm2D(c1 + c2[1] + c3[1] + c4)

    def unit(self, i, x):
        return F.relu(self.convs[i](x))

    def join(self, branches):
        return self.norms(super().join(branches))


class ForTheExample(Module):
    def __init__(self, c0, c1, c2, c3, c4):
        super().__init__(192, 64, (96, 128), (16, 32), 32)


class InPlace(Module):
    def forward(self, x):
        x[:] = F.relu(x)
        return super().forward(x)


class InAList(Module):
    def __init__(self, c0, c1, c2, c3, c4):
        super().__init__(c0, c1, c2, c3, c4)
        convs, norms = list(self.convs), list(self.norms)
        del self.convs, self.norms
        self.convs, self.norms = convs, norms


class DropsTheGradient(Module):
    def last(self, x):
        return super().last(x).detach()


class NoReturn(Module):
    def forward(self, x):
        super().forward(x)


class NoForward(nn.Layer):
    def __init__(self, c0, c1, c2, c3, c4):
        super().__init__()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (WithBias, r"a convolution has a bias(.|\n)*came: .*6 biases"),
        (SmallKernel, "third branch's convolution is 3 × 3; it should be 5 × 5"),
        (NoNorms, "no batch norm that a Layer can find"),
        (OneNormAfterAll, r"batch norm of its own(.|\n)*1 batch norms"),
        (UnusedNorms, "`forward` does not use them"),
        (ReluFirst, "ReLU stands before the batch norm"),
        (NoRelu, "there is no ReLU"),
        (NoReluAfterReductions, "no ReLU follows the two reductions"),
        (NoReluAtEnds, "no ReLU follows the ends of the branches"),
        (PoolingThird, "in the order 1 × 1, 3 × 3, pooling, 5 × 5"),
        (AveragePooling, "pools by averages"),
        (PoolsLast, "pools after its convolution"),
        (DefaultPoolingStride, "raises ValueError in line .* of join"),
        (WrongAxis, "raises ValueError in line .* of join"),
        (AlwaysBatch, "in evaluation mode it uses the batch's mean and variance"),
        (AlwaysRunning, "in training mode it uses the running mean and variance"),
        (ForTheExample, r"parameters are not those(.|\n)*\[64, 192, 1, 1\]"),
        (InPlace, "changes its input"),
        (InAList, "no parameters that a Layer can find"),
        (DropsTheGradient, "gradient does not reach convs.5.weight"),
        (NoReturn, "returns nothing"),
        (NoForward, "no method `forward`"),
        (lambda c0, c1, c2, c3, c4: Module(c0, c1, c2, c3, c4), "derived from paddle.nn.Layer"),
    ],
)
def test_inception_wrong(answer, words):
    assert_wrong("5.2", answer, words)
