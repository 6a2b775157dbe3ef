"""Exercises of chapter 5: right answers written in several ways pass; in wrong ones the fault is named."""

from functools import partial

import paddle
from exercise_verdicts import answer_tests, fixed, then, variant

nn = paddle.nn
F = paddle.nn.functional

RIGHT, WRONG = {}, {}

# 5.1 ------------------------------------------------------------------------------------------


def convolutions(c0, module):
    """Return (channels in, channels out, kernel) of the six convolutions."""
    c1, c2, c3, c4 = module
    return [(c0, c1, 1), (c0, c2[0], 1), (*c2, 3), (c0, c3[0], 1), (*c3, 5), (c0, c4, 1)]


def parameters(c0, module, bias=1, largest=5, reduced=True, without=()):
    """Count them; the options make the usual mistakes."""
    counted = [one for i, one in enumerate(convolutions(c0, module)) if i not in without]
    return sum(((a if reduced else c0) * min(k, largest) ** 2 + bias) * b for a, b, k in counted)


def leaving(module):
    return module[0] + module[1][1] + module[2][1] + module[3]


def by_lists(c0, modules):
    entering = [c0] + [leaving(module) for module in modules]
    return [entering[-1], float(sum(map(parameters, entering, modules)))]


def by_paddle(c0, modules):
    total = 0
    for module in modules:
        for a, b, k in convolutions(c0, module):
            total += sum(p.size for p in paddle.nn.Conv2D(a, b, k).parameters())
        c0 = leaving(module)
    return c0, total


RIGHT["5.1"] = [by_lists, by_paddle]


def walk(count=parameters, leave=leaving, chained=True):
    """Return an answer with another way to count, or to pass on the channels."""

    def answer(c0, modules):
        channels, total = c0, 0
        for module in modules:
            total += count(channels if chained else c0, module)
            channels = leave(module)
        return channels, total

    return answer


WRONG["5.1"] = [
    (walk(partial(parameters, bias=0)), "biases are missing"),
    (walk(chained=False), "every module is given the c0 of the first"),
    (walk(partial(parameters, largest=3)), "5 × 5, you count 3 × 3"),
    (walk(leave=lambda m: m[0] + sum(m[1]) + sum(m[2]) + m[3]), "reductions are concatenated as well"),
    (walk(leave=lambda m: m[0] + m[1][0] + m[2][0] + m[3]), "channels of the reductions for those"),
    (walk(partial(parameters, reduced=False)), "what their reduction leaves"),
    (walk(partial(parameters, without=[5])), "1 × 1 convolution, whose parameters are missing"),
    (walk(partial(parameters, without=[5]), leave=lambda m: m[0] + m[1][1] + m[2][1]), "c4 channels, which is missing"),
    (walk(partial(parameters, without=[1, 3])), "two reductions are missing"),
    (lambda c0, modules: walk()(c0, modules)[::-1], "exchanged"),
    (lambda c, m: (leaving(m[-1]), parameters([c, *map(leaving, m)][-2], m[-1])), "those of the last module alone"),
]

# 5.2 ------------------------------------------------------------------------------------------


class Module(nn.Layer):
    """A right InceptionBN with the places where the wrong ones below differ."""

    bias, kernel3 = False, 5
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
        return paddle.concat([branches[i] for i in self.order], axis=1)

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


RIGHT["5.2"] = [Module, OneReluAtTheEnd, OldBatchNormInAnotherOrderOfLayers]


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


WRONG["5.2"] = [
    (variant(Module, bias=None), r"a convolution has a bias(.|\n)*came: .*6 biases"),
    (variant(Module, kernel3=3), "third branch's convolution is 3 × 3; it should be 5 × 5"),
    (variant(Module, norm=nn.Identity), "no batch norm that a Layer can find"),
    (OneNormAfterAll, r"batch norm of its own(.|\n)*1 batch norms"),
    (variant(Module, unit=lambda self, i, x: F.relu(self.convs[i](x))), "`forward` does not use them"),
    (variant(Module, unit=lambda self, i, x: self.norms[i](F.relu(self.convs[i](x)))), "ReLU stands before the batch"),
    (variant(Module, unit=lambda self, i, x: self.norms[i](self.convs[i](x))), "there is no ReLU"),
    (variant(OneReluAtTheEnd, unit=lambda self, i, x: self.norms[i](self.convs[i](x))), "follows the two reductions"),
    (variant(OneReluAtTheEnd, join=Module.join), "no ReLU follows the ends of the branches"),
    (variant(Module, order=(0, 1, 3, 2)), "in the order 1 × 1, 3 × 3, pooling, 5 × 5"),
    (variant(Module, pool=lambda self, x: F.avg_pool2d(x, 3, 1, 1, exclusive=True)), "pools by averages"),
    (variant(Module, last=lambda self, x: self.pool(self.unit(5, x))), "pools after its convolution"),
    (AlwaysBatch, "in evaluation mode it uses the batch's mean and variance"),
    (AlwaysRunning, "in training mode it uses the running mean and variance"),
    (fixed(Module, 192, 64, (96, 128), (16, 32), 32), r"parameters are not those(.|\n)*\[64, 192, 1, 1\]"),
    (variant(Module, forward=lambda self, x: Module.forward(self, F.relu_(x))), "changes its input"),
]

# 5.3 ------------------------------------------------------------------------------------------


class Head(nn.Layer):
    """A right AuxiliaryHead with the places where the wrong ones below differ."""

    bias, stride = None, 3

    def __init__(self, in_channels, size, num_classes=1):
        super().__init__()
        self.conv = nn.Conv2D(in_channels, 128, 1, bias_attr=self.bias)
        self.fc1 = nn.Linear(128 * self.side(size) ** 2, 1024)
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


class InOneSequential(nn.Sequential):
    def __init__(self, in_channels, size, num_classes=1):
        inputs = 128 * (1 + (size - 5) // 3) ** 2
        layers = [nn.AvgPool2D(5, 3), nn.Conv2D(in_channels, 128, 1), nn.ReLU(), nn.Flatten(), nn.Linear(inputs, 1024)]
        super().__init__(*layers, nn.ReLU(), nn.Dropout(0.7), nn.Linear(1024, num_classes))


class DropsBeforeTheRelu(Head):
    def hidden(self, x):
        return F.relu(F.dropout(self.fc1(x), 0.7, training=self.training))

    def drop(self, x):
        return x


class PoolsAfterTheConvolution(Head):
    """A convolution 1 x 1 and an average change places, as long as the ReLU comes after both."""

    def maps(self, x):
        return F.relu(self.pool(self.conv(x)))


RIGHT["5.3"] = [Head, InOneSequential, DropsBeforeTheRelu, PoolsAfterTheConvolution]


class NoReluAfterConvolution(Head):
    def maps(self, x):
        return self.conv(self.pool(x))


WRONG["5.3"] = [
    (variant(Head, side=lambda self, size: 4), r"wrong number of inputs(.|\n)*expected: 512, (.|\n)*came: +2048"),
    (variant(Head, stride=5), r"wrong number of inputs(.|\n)*expected: 512, (.|\n)*came: +128"),
    (variant(Head, pool=lambda self, x: F.max_pool2d(x, 5, 3)), "pools by maxima"),
    (NoReluAfterConvolution, "no ReLU follows the convolution"),
    (variant(Head, hidden=lambda self, x: self.fc1(x)), "no ReLU follows the first fully connected"),
    (variant(NoReluAfterConvolution, hidden=lambda self, x: self.fc1(x)), "there is no ReLU"),
    (variant(Head, drop=lambda self, x: F.dropout(x, 0.7)), "dropout does not stop there"),
    (variant(Head, drop=lambda self, x: x), "nothing is dropped"),
    (variant(Head, drop=lambda self, x: F.dropout(x, 0.3, training=self.training)), "keeps 70 % and drops 30 %"),
    (variant(Head, drop=lambda self, x: F.dropout(x, 0.5, training=self.training)), "about 70 %"),
    (
        variant(Head, drop=lambda self, x: F.dropout(x, 0.7, training=self.training, mode="downscale_in_infer")),
        "dropout scales the values in evaluation mode",
    ),
    (then(Head, F.sigmoid), "went through a sigmoid"),
    (then(Head, F.relu), "ReLU follows the last layer"),
    (variant(Head, bias=False), "is missing, such as a bias"),
    (
        variant(Head, __init__=lambda self, in_channels, size, num_classes=1: Head.__init__(self, in_channels, size)),
        r"\[1024, 3\](.|\n)*came: .*\[1024, 1\]",
    ),
    (then(Head, lambda y: y.squeeze(-1)), r"one row of logits per image(.|\n)*expected: +a tensor of shape \[3, 1\]"),
]

test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
