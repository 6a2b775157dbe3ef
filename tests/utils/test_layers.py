import numpy as np
import paddle
import pytest
from networks import assert_same, weights

from palm_utils.layers import count_parameters, evaluating, gradient_norms, layer_rows, layer_table


class Net(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.body = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3), paddle.nn.BatchNorm2D(4), paddle.nn.ReLU())
        self.pool = paddle.nn.MaxPool2D(2, 2)
        self.fc = paddle.nn.Linear(4 * 3 * 3, 2)

    def forward(self, x):
        return self.fc(paddle.flatten(self.pool(self.body(x)), 1))


def test_the_table_follows_the_image_through_the_network_and_leaves_it_as_it_was(capsys):
    model = Net()
    before = weights(model)
    layer_table(model, [5, 3, 8, 8])
    lines = [line.split() for line in capsys.readouterr().out.replace(", ", ",").splitlines()]
    assert lines[1:] == [
        ["input", "[5,3,8,8]"],
        ["body.0", "Conv2D", "[5,4,6,6]", str(3 * 4 * 9 + 4)],
        ["body.1", "BatchNorm2D", "[5,4,6,6]", "8"],
        ["body.2", "ReLU", "[5,4,6,6]", "0"],
        ["pool", "MaxPool2D", "[5,4,3,3]", "0"],
        ["fc", "Linear", "[5,2]", str(36 * 2 + 2)],
        ["total", str(count_parameters(model))],
    ]
    assert model.training and all(p.grad is None for p in model.parameters())
    assert_same(weights(model), before)


def test_a_layer_by_itself_is_one_row(capsys):
    layer_table(paddle.nn.Linear(3, 1), [1, 3])
    assert capsys.readouterr().out.splitlines()[-2].split() == ["Linear", "[1,", "1]", "4"]


def test_a_shared_layer_is_counted_once():
    fc = paddle.nn.Linear(4, 4)
    model = paddle.nn.Sequential(("first", fc), ("again", fc))
    assert [row.parameters for row in layer_rows(model, [1, 4])] == [20, 0]
    assert count_parameters(model) == 20


def test_only_trainable_parameters_are_counted():
    model = Net()
    assert count_parameters(model) == 112 + 8 + 74  # without the batch norm's running means
    for p in model.fc.parameters():
        p.stop_gradient = True
    assert count_parameters(model) == 112 + 8


def test_gradient_norms_are_root_mean_squares_by_layer():
    model = paddle.nn.Sequential(paddle.nn.Linear(2, 1), paddle.nn.Linear(1, 1))
    model[1].weight.set_value(paddle.to_tensor([[3.0]]))
    model(paddle.to_tensor([[1.0, 2.0]])).sum().backward()
    norms = gradient_norms(model)
    # d out / d w0 = 3 * x = (3, 6)
    assert list(norms) == ["0", "1"] and norms["0"] == pytest.approx(np.sqrt((9 + 36) / 2))


def test_every_layer_gets_back_the_mode_it_was_in():
    model = Net()
    model.body[1].eval()  # a frozen batch norm
    with evaluating(model):
        assert not any(layer.training for layer in model.sublayers(include_self=True))
    assert model.training and model.fc.training and not model.body[1].training


class Block(paddle.nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv = paddle.nn.Conv2D(4, 4, 3, padding=1)
        self.inner = paddle.nn.Sequential(paddle.nn.Conv2D(4, 4, 1), paddle.nn.ReLU())

    def forward(self, x):
        return x + self.inner(self.conv(x))


def test_a_block_can_be_one_row():
    model = paddle.nn.Sequential(paddle.nn.Conv2D(3, 4, 3), Block(), Block(), paddle.nn.Flatten())
    rows = layer_rows(model, [1, 3, 8, 8], whole=(Block,))
    assert [(row.name, row.kind, row.output_shape, row.parameters, row.multiply_adds) for row in rows] == [
        ("0", "Conv2D", [1, 4, 6, 6], 112, 36 * 4 * 27),
        ("1", "Block", [1, 4, 6, 6], 148 + 20, 36 * 4 * (36 + 4)),
        ("2", "Block", [1, 4, 6, 6], 148 + 20, 36 * 4 * (36 + 4)),
        ("3", "Flatten", [1, 144], 0, 0),
    ]
    # The same sums, layer by layer.
    parts = layer_rows(model, [1, 3, 8, 8])
    assert sum(row.multiply_adds for row in parts) == sum(row.multiply_adds for row in rows)
    assert len(parts) == 8


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (paddle.nn.Conv2D(3, 8, 5, stride=2, padding=2), [1, 3, 10, 12], 5 * 6 * 8 * 3 * 25),
        (paddle.nn.Conv2D(4, 8, 3, groups=2), [1, 4, 5, 5], 3 * 3 * 8 * 2 * 9),
        (paddle.nn.Linear(7, 5), [2, 7], 2 * 5 * 7),
        (paddle.nn.BatchNorm2D(3), [1, 3, 4, 4], 0),
    ],
)
def test_multiply_adds(layer, shape, expected):
    (row,) = layer_rows(paddle.nn.Sequential(layer), shape)
    assert row.multiply_adds == expected


def test_a_network_that_calls_no_layer_has_a_table_without_rows(capsys):
    class Nothing(paddle.nn.Layer):
        def __init__(self):
            super().__init__()
            self.fc = paddle.nn.Linear(2, 1)

        def forward(self, x):
            return x

    layer_table(Nothing(), [1, 2])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["layer", "input", "total"]
