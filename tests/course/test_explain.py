"""Where a network looks: the occlusion map, the masks of an eye and the changes of its colours."""

import matplotlib.pyplot as plt
import numpy as np
import paddle
import pytest

from palm_course import explain, shortcuts
from palm_utils.messages import WrongArgument


@pytest.fixture
def eye():
    """A dark red eye with a bright disc of radius 12 at row 100, column 60, on black."""
    rows, columns = np.mgrid[:224, :224]
    image = np.full([3, 224, 224], -1, np.float32)
    image[:, np.hypot(rows - 112, columns - 112) < 108] = np.array([-0.8, -0.5, 0.0])[:, None]
    image[:, np.hypot(rows - 100, columns - 60) < 12] = np.array([-0.2, 0.6, 0.9])[:, None]
    return image


class SumOfOnePlace(paddle.nn.Layer):
    """Looks at nothing but one pixel of the first channel; what batch norm does shows in its mode."""

    def forward(self, x):
        return x[:, 0, 20:21, 50] * (100.0 if self.training else 1.0)


def test_the_occlusion_map_falls_where_the_network_looks_and_leaves_its_mode():
    model, image = SumOfOnePlace(), np.full([3, 64, 80], 0.5, np.float32)
    heat = explain.occlusion_map(model, image, side=16, stride=16, batch_size=3)
    expected = np.zeros([4, 5])
    expected[1, 3] = 0.5
    np.testing.assert_allclose(heat, expected, atol=1e-6)
    assert heat.dtype == np.float32 and model.training and image.min() == 0.5
    with pytest.raises(WrongArgument):
        explain.occlusion_map(model, image, side=65)


def test_disc_and_control_circle_are_of_one_size_and_apart(eye):
    row, column = explain.find_disc(eye)
    assert abs(row - 100) <= 3 and abs(column - 60) <= 3
    disc, control = explain.disc_mask(eye, 30), explain.control_mask(eye, 30)
    assert disc[100, 60] and not (disc & control).any() and disc.sum() == pytest.approx(control.sum(), rel=0.03)
    border = explain.border_mask(eye)
    assert border[0, 0] and not border[112, 112] and border.mean() == pytest.approx(0.27, abs=0.02)


def test_covered_greyed_and_levelled_eyes(eye):
    disc = explain.disc_mask(eye)
    hidden = explain.covered(eye, disc)
    np.testing.assert_allclose(hidden[:, 100, 60], explain.eye_colour(eye), rtol=1e-5)
    assert np.array_equal(hidden[:, ~disc], eye[:, ~disc])
    grey = explain.greyed(eye)
    assert np.array_equal(grey[0], grey[2]) and grey.shape == eye.shape
    level = explain.levelled(eye, [-0.6, -0.4, -0.1])
    np.testing.assert_allclose(explain.eye_colour(level), [-0.6, -0.4, -0.1], atol=1e-3)
    assert level[0, 0, 0] == -1


def test_a_map_and_a_network_are_drawn(eye):
    drawn = explain.overlay(plt.figure().gca(), eye, np.array([[1.0, -2.0], [0.0, 0.5]]))
    assert drawn.get_clim() == (-2, 2)
    assert explain.overlay(plt.figure().gca(), eye, np.zeros([7, 7])).get_clim() == (0, 1)
    figure = shortcuts.network([("stage 1", ["a", "b"], [False, True])], title="two")
    assert [text.get_text() for text in figure.axes[0].texts].count("+") == 2
    plt.close("all")
