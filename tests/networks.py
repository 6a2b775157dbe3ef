"""Networks and optimizers small enough for a test, and how to compare them."""

import numpy as np
import paddle

from palm_utils.machine import seed_everything


class Tiny(paddle.nn.Layer):
    """A network small enough for a test, with what makes runs differ: dropout and batch norm."""

    def __init__(self, num_classes=1):
        super().__init__()
        self.pool = paddle.nn.AdaptiveAvgPool2D(4)
        self.norm = paddle.nn.BatchNorm2D(3)
        self.drop = paddle.nn.Dropout(0.2)
        self.fc = paddle.nn.Linear(48, num_classes)

    def forward(self, x):
        return self.fc(self.drop(paddle.flatten(self.norm(self.pool(x)), 1)))


class Constant(paddle.nn.Layer):
    """Answers the same logit whatever it sees."""

    def __init__(self, logit):
        super().__init__()
        self.logit = self.create_parameter([1], default_initializer=paddle.nn.initializer.Constant(logit))

    def forward(self, x):
        return paddle.ones([x.shape[0], 1]) * self.logit


def momentum(model, learning_rate=0.01):
    return paddle.optimizer.Momentum(learning_rate, 0.9, parameters=model.parameters())


def momentum_that_breaks(model, after):
    """Momentum for a Tiny whose weights are no numbers from the end of this step on, counted from 1."""

    class Breaks(paddle.optimizer.Momentum):
        steps = 0

        def step(self):
            super().step()
            self.steps += 1
            if self.steps == after:
                model.fc.weight.set_value(paddle.full([48, 1], float("nan")))

    return Breaks(0.01, parameters=model.parameters())


def adam_with_schedule(model):
    schedule = paddle.optimizer.lr.CosineAnnealingDecay(0.01, T_max=12)
    return paddle.optimizer.Adam(schedule, parameters=model.parameters())


def fresh(make_optimizer=momentum, network=Tiny, seed=4):
    """A new network, the same for the same seed, and its optimizer."""
    seed_everything(seed)
    model = network()
    return model, make_optimizer(model)


def figures(history):
    """The rows of a history without what no two runs share."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history.to_dict()["epochs"]]


def weights(model):
    return {key: value.numpy() for key, value in model.state_dict().items()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key)
