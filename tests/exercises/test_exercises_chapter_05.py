"""Exercises of chapter 5: right answers written in several ways pass; in wrong ones the fault is named."""

from functools import partial

import paddle
from exercise_verdicts import answer_tests, assert_right, fixed, then, variant

nn = paddle.nn
F = paddle.nn.functional

RIGHT, WRONG = {}, {}


def work(c0, c1, c2, c3, c4, r, **change):
    """Add the multiply-adds of the six layers at one place; the options make the usual mistakes."""
    it = {"kernel": 25, "ratio": 4, "reductions": 1, "first": 1, "last": 1} | change
    three, five = it["ratio"] * r, r
    reductions = it["reductions"] * c0 * (three + five)
    return it["first"] * c0 * c1 + reductions + 9 * three * c2 + it["kernel"] * five * c3 + it["last"] * c0 * c4


def search(**change):
    def answer(*channels_and_budget):
        *channels, budget = channels_and_budget
        r = 0
        while work(*channels, r + 1, **change) <= budget:
            r += 1
        return r

    return answer


def solved(c0, c1, c2, c3, c4, budget):
    return max(0, int((budget - c0 * (c1 + c4)) / (5 * c0 + 36 * c2 + 25 * c3)))


RIGHT["5.1"] = [search(), solved]
WRONG["5.1"] = [
    (lambda c0, c1, c2, c3, c4, b: max(0, -((c0 * (c1 + c4) - b) // (5 * c0 + 36 * c2 + 25 * c3))), "rounded up"),
    (search(reductions=0), "cost something too"),
    (search(kernel=9), "you count 3 × 3"),
    (search(kernel=5), "you count 5"),
    (search(ratio=1), "4 . r channels"),
    (search(last=0), "behind the pooling is missing"),
    (search(first=0), "the 1 × 1 branch is missing"),
    (search(first=0, last=0), "and the layer behind the pooling are missing"),
    (lambda *a: max(1, solved(*a)), "at least 1"),
    (lambda *a: search()(*a[:-1], a[-1] - 1), "exactly the budget"),
    (lambda c0, c1, c2, c3, c4, b: int((b - c0 * (c1 + c4)) / (5 * c0 + 36 * c2 + 25 * c3)), r"came: +-1"),
    (lambda c0, c1, c2, c3, c4, b: (b - c0 * (c1 + c4)) // (5 * c0 + 36 * c2 + 25 * c3), "should not be negative"),
]


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


InFloat16 = then(Module, lambda y: y.astype("float16"))
RIGHT["5.2"] = [Module, OneReluAtTheEnd, OldBatchNormInAnotherOrderOfLayers, InFloat16]


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
    (variant(Module, pool=lambda self, x: x), "not those of the four branches"),
    (variant(Module, norm=partial(nn.BatchNorm2D, momentum=0.1)), r"defaults(.|\n)*came: +momentum=0\.1"),
    (variant(Module, join=lambda self, branches: branches), "not one tensor of the shape"),
    (AlwaysBatch, "in evaluation mode it uses the batch's mean and variance"),
    (AlwaysRunning, "in training mode it uses the running mean and variance"),
    (fixed(Module, 192, 64, (96, 128), (16, 32), 32), r"parameters are not those(.|\n)*\[64, 192, 1, 1\]"),
    (variant(Module, forward=lambda self, x: Module.forward(self, F.relu_(x))), "changes its input"),
]


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


RIGHT["5.3"] = [
    Head,
    InOneSequential,
    variant(Head, hidden=lambda self, x: F.relu(Head.drop(self, self.fc1(x))), drop=lambda self, x: x),
    # A convolution 1 x 1 and an average change places, as long as the ReLU comes after both.
    variant(Head, maps=lambda self, x: F.relu(self.pool(self.conv(x)))),
]


class DropsTheLogits(Head):
    def forward(self, x):
        return self.drop(self.fc2(self.hidden(paddle.flatten(self.maps(x), 1))))


NoReluAfterConvolution = variant(Head, maps=lambda self, x: self.conv(self.pool(x)))
WRONG["5.3"] = [
    (variant(Head, side=lambda self, size: 4), r"wrong number of inputs(.|\n)*expected: 512, (.|\n)*came: +2048"),
    (variant(Head, stride=5), r"wrong number of inputs(.|\n)*expected: 512, (.|\n)*came: +128"),
    (variant(Head, pool=lambda self, x: F.max_pool2d(x, 5, 3)), "pools by maxima"),
    (NoReluAfterConvolution, "no ReLU follows the convolution"),
    (variant(Head, hidden=lambda self, x: self.fc1(x)), "no ReLU follows the first fully connected"),
    (variant(NoReluAfterConvolution, hidden=lambda self, x: self.fc1(x)), "there is no ReLU"),
    (variant(Head, drop=lambda self, x: F.dropout(x, 0.7)), "dropout does not stop there"),
    (variant(Head, drop=lambda self, x: x), "nothing is dropped"),
    (DropsTheLogits, "dropout follows the last layer"),
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

AFTER_THE_STEM = ("block3_1", "block3_2", "pool3", "block4_1", "block4_2", "block4_3", "block4_4", "block4_5", "pool4")
AFTER_THE_STEM += ("block5_1", "block5_2")


class WithHeads(nn.Layer):
    """A right GoogLeNetWithHeads with the places where the wrong ones below differ."""

    taps, way = ("block4_1", "block4_4"), AFTER_THE_STEM
    stem_relu = F.relu

    def __init__(self, network, head1, head2):
        super().__init__()
        self.network, self.heads = network, nn.LayerList([head1, head2])

    def forward(self, x):
        n, relu, seen = self.network, type(self).stem_relu, {}
        x = n.pool2(relu(n.conv2_2(relu(n.conv2_1(n.pool1(relu(n.conv1(x))))))))
        for name in self.way:
            x = seen[name] = getattr(n, name)(x)
        heads = zip(self.heads, self.taps, strict=True) if self.training else []
        return self.join([n.fc(paddle.flatten(n.pool5(x), 1)), *(head(seen[tap]) for head, tap in heads)])

    def join(self, logits):
        return paddle.concat(logits, axis=1)


class ByHooks(nn.Layer):
    """Leaves the way through the network to a function, and listens with hooks."""

    def __init__(self, network, head1, head2):
        super().__init__()
        self.network, self.head1, self.head2, self.kept = network, head1, head2, []
        for layer, head in ((network.block4_1, head1), (network.block4_4, head2)):
            layer.register_forward_post_hook(lambda layer, x, y, head=head: self.keep(head, y))

    def keep(self, head, y):
        if self.training:
            self.kept.append(head(y))

    def forward(self, x):
        self.kept = []
        n = self.network
        x = n.pool2(F.relu(n.conv2_2(F.relu(n.conv2_1(n.pool1(F.relu(n.conv1(x))))))))
        x = n.pool3(n.block3_2(n.block3_1(x)))
        x = n.block4_5(n.block4_4(n.block4_3(n.block4_2(n.block4_1(x)))))
        x = n.pool5(n.block5_2(n.block5_1(n.pool4(x))))
        return paddle.concat([n.fc(x.flatten(1)), *self.kept], axis=1)


class InAPlainList(WithHeads):
    def __init__(self, network, head1, head2):
        nn.Layer.__init__(self)
        self.network, self.heads = network, (head1, head2)


class OwnLayer(WithHeads):
    def __init__(self, *parts):
        super().__init__(*parts)
        self.more = nn.Linear(1, 1)


class AlwaysAll(WithHeads):
    def forward(self, x):
        mode, self.training = self.training, True
        logits = super().forward(x)
        self.training = mode
        return logits if mode else logits[:, :1]


class CallsTheNetwork(ByHooks):
    def forward(self, x):
        self.kept = []
        own = self.network(x) if self.training else self.network.fc(self.network.features(x))
        return paddle.concat([own, *self.kept], axis=1)


class CutOff(ByHooks):
    def keep(self, head, y):
        super().keep(head, y.detach())


RIGHT["5.4"] = [WithHeads, ByHooks, CallsTheNetwork]
WRONG["5.4"] = [
    (InAPlainList, "would not be trained"),
    (OwnLayer, "parameters of its own"),
    (AlwaysAll, "computed in evaluation mode too"),
    (variant(WithHeads, join=lambda self, logits: logits), "three logits for each photograph, as one tensor"),
    (variant(WithHeads, join=lambda self, z: paddle.concat(z * 3, 1)[:, :3]), "the network's own logit alone"),
    (variant(WithHeads, join=lambda self, logits: paddle.concat(logits[::-1], 1)), "the logits are not those"),
    (variant(WithHeads, join=lambda self, z: paddle.concat(z[1:] + z[:1], 1)), "in another order"),
    (
        variant(WithHeads, join=lambda _, z: paddle.concat([z[0], *(0.3 * y for y in z[1:])], 1)),
        "their losses that get",
    ),
    (variant(WithHeads, join=lambda self, z: F.sigmoid(paddle.concat(z, 1))), "through a sigmoid"),
    (variant(WithHeads, stem_relu=lambda x: x), "no ReLU follows conv1"),
    (lambda *parts: None, "a class derived from"),
    (variant(WithHeads, way=tuple(name for name in AFTER_THE_STEM if name != "pool4")), "the logits are not those"),
    (variant(WithHeads, taps=("block4_2", "block4_4")), "the logits are not those"),
    (variant(WithHeads, forward=nn.Layer.forward), "it has no method `forward`"),
    (CutOff, "no gradient flows from the heads"),
]


def test_a_check_draws_no_number_of_the_student_s():
    paddle.seed(7)
    expected = paddle.rand([1]).item()
    paddle.seed(7)
    assert_right("5.4", WithHeads)
    assert paddle.rand([1]).item() == expected


test_right_answers, test_wrong_answers = answer_tests(RIGHT, WRONG)
