"""Exercise 4.3: the reference passes, so do other right ways; wrong answers are named."""

from itertools import pairwise

import pytest
from exercise_verdicts import assert_right, assert_wrong, reference

paddle = pytest.importorskip("paddle")
F = paddle.nn.functional
nn = paddle.nn


def test_reference_solution_passes():
    assert_right("4.3", reference("4.3", {"paddle": paddle}))


def make(
    plan,
    in_channels=3,
    *,
    conv=lambda before, after: nn.Conv2D(before, after, 3, padding=1),
    activation=nn.ReLU,
    pool=lambda: nn.MaxPool2D(2, 2),
    wrap=nn.Sequential,
):
    """Build the plan with the places where the wrong answers below differ."""
    layers = []
    for step in plan:
        if step == "M":
            layers.append(pool())
        else:
            layers += [conv(in_channels, step), activation()]
            in_channels = step
    return wrap(*layers)


class Features(nn.Layer):
    """Works the plan off in forward, with functions for everything that has no weights."""

    def __init__(self, plan, in_channels=3):
        super().__init__()
        self.plan = plan
        widths = [in_channels, *(step for step in plan if step != "M")]
        self.convs = nn.LayerList([nn.Conv2D(b, a, 3, padding=1) for b, a in pairwise(widths)])

    def forward(self, x):
        convs = iter(self.convs)
        for step in self.plan:
            x = F.max_pool2d(x, 2) if step == "M" else F.relu(next(convs)(x))
        return x


def pooled_before_the_relu(plan, in_channels=3):
    """A max-pooling and a ReLU may change places."""
    layers = []
    for position, step in enumerate(plan):
        if step == "M":
            continue
        layers.append(nn.Conv2D(in_channels, step, 3, padding="SAME"))
        in_channels = step
        following = plan[position + 1 :]
        while following and following[0] == "M":
            layers.append(nn.MaxPool2D(2))
            following = following[1:]
        layers.append(nn.ReLU())
    leading = [nn.MaxPool2D(2)] if plan[0] == "M" else []
    return nn.Sequential(*leading, *layers)


def nested_blocks(plan, in_channels=3):
    blocks, block = [], []
    for step in [*plan, None]:
        if step in ("M", None):
            if step == "M":
                block.append(nn.MaxPool2D(2, 2))
            blocks.append(nn.Sequential(*block))
            block = []
        else:
            block.append(nn.Sequential(nn.Conv2D(in_channels, step, 3, 1, 1), nn.ReLU()))
            in_channels = step
    return nn.Sequential(*blocks)


@pytest.mark.parametrize("answer", [make, Features, pooled_before_the_relu, nested_blocks])
def test_features_in_other_right_ways(answer):
    assert_right("4.3", answer)


class HiddenInAList(nn.Layer):
    def __init__(self, plan, in_channels=3):
        super().__init__()
        self.layers = [make(plan, in_channels)]

    def forward(self, x):
        return self.layers[0](x)


class DropsTheGradient(Features):
    def forward(self, x):
        return paddle.to_tensor(super().forward(x).numpy())


class ForwardUnwritten(Features):
    def forward(self, x):
        raise NotImplementedError


def without_last_relu(plan, in_channels=3):
    layers = list(make(plan, in_channels))
    last = max(i for i, layer in enumerate(layers) if isinstance(layer, nn.ReLU))
    return nn.Sequential(*layers[:last], *layers[last + 1 :])


def relu_once_a_block(plan, in_channels=3):
    layers = list(make(plan, in_channels))
    following = [*layers[1:], nn.MaxPool2D(2)]
    return nn.Sequential(
        *(
            layer
            for layer, after in zip(layers, following, strict=True)
            if not (isinstance(layer, nn.ReLU) and isinstance(after, nn.Conv2D))
        )
    )


def input_channels_forgotten(plan, in_channels=3):
    layers = []
    for step in plan:
        layers += [nn.MaxPool2D(2)] if step == "M" else [nn.Conv2D(in_channels, step, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


def without_leading_pooling(plan, in_channels=3):
    return make(plan[1:] if plan[0] == "M" else plan, in_channels)


def batch_normed(before, after):
    return nn.Sequential(nn.Conv2D(before, after, 3, padding=1), nn.BatchNorm2D(after))


def emptying_its_input(plan, in_channels=3):
    done = []
    while plan:
        done.append(plan.pop(0))
    return make(done, in_channels)


class PoolsLast(Features):
    """All poolings behind all convolutions: right shape, wrong values."""

    def forward(self, x):
        for conv in self.convs:
            x = F.relu(conv(x))
        for step in self.plan:
            x = F.max_pool2d(x, 2) if step == "M" else x
        return x


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda plan, in_channels=3: make(plan, in_channels, wrap=lambda *layers: list(layers)), "list of layers"),
        (HiddenInAList, "no parameters that a Layer can find"),
        (
            lambda plan, in_channels=3: make(plan, in_channels, conv=lambda b, a: nn.Conv2D(b, a, 3)),
            "maps are too small(.|\n)*padding=1",
        ),
        (
            lambda plan, in_channels=3: make(plan, in_channels, pool=lambda: nn.MaxPool2D(2, 1)),
            "maps are too large: not every pooling",
        ),
        (
            lambda plan, in_channels=3: make(plan, in_channels, conv=lambda b, a: nn.Conv2D(b, a, 5, padding=2)),
            "kernels are not 3 × 3",
        ),
        (
            lambda plan, in_channels=3: make(
                plan, in_channels, conv=lambda b, a: nn.Conv2D(b, a, 3, padding=1, bias_attr=False)
            ),
            "biases are missing",
        ),
        (lambda plan, in_channels=3: make(plan, in_channels, activation=nn.Identity), "ReLUs are missing"),
        (lambda plan, in_channels=3: make(plan, in_channels, activation=nn.Sigmoid), "not a ReLU"),
        (lambda plan, in_channels=3: make(plan, in_channels, activation=nn.LeakyReLU), "not a ReLU"),
        (without_last_relu, "after the last convolution is missing"),
        (relu_once_a_block, "one belongs after every convolution"),
        (lambda plan, in_channels=3: make(plan, in_channels, pool=lambda: nn.AvgPool2D(2, 2)), "by averages"),
        (lambda plan, in_channels=3: make(plan, in_channels, conv=batch_normed), "parameters beside"),
        (input_channels_forgotten, "channels do not follow the plan"),
        (lambda plan, in_channels=3: make(plan), r"channels do not follow(.|\n)*in_channels=2(.|\n)*\[6, 2, 3, 3\]"),
        (without_leading_pooling, "maps are too large: not every pooling"),
        (lambda plan, in_channels=3: make([8, "M", 16, 16, "M"]), "it has 3 convolutions|channels do not follow"),
        (PoolsLast, "not those of the plan's layers"),
        (DropsTheGradient, "gradient does not reach convs.0.weight"),
        (ForwardUnwritten, "still to be written: line .* of forward"),
        (emptying_its_input, "changes its input"),
        (lambda plan, in_channels=3: print(make(plan, in_channels)), "returns nothing"),
        (lambda plan: make(plan), "cannot be called this way"),
    ],
)
def test_features_wrong(answer, words):
    assert_wrong("4.3", answer, words)
