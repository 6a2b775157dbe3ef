import numpy as np
import pytest

from palm_utils import augment


@pytest.fixture
def image():
    image = np.random.default_rng(0).uniform(-1, 1, (3, 20, 24)).astype(np.float32)
    image[:, :3] = -1  # black at the top, as outside the aperture
    return image


@pytest.mark.parametrize("step", [augment.flip, augment.brightness, augment.rotate])
def test_every_step_keeps_shape_type_range_and_its_input(step, image):
    before = image.copy()
    np.random.seed(0)
    changed = 0
    for _ in range(10):
        out = step(image)
        assert out.shape == image.shape and out.dtype == np.float32
        assert out.min() >= -1 and out.max() <= 1
        changed += not np.array_equal(out, image)
    assert changed > 0
    np.testing.assert_array_equal(image, before)


def test_flip_mirrors_the_width_in_about_half_of_the_cases(image):
    np.random.seed(0)
    outs = [augment.flip(image) for _ in range(200)]
    mirrored = [np.array_equal(out, image[:, :, ::-1]) for out in outs]
    assert all(m or np.array_equal(out, image) for m, out in zip(mirrored, outs, strict=True))
    assert 70 < sum(mirrored) < 130


def test_brightness_keeps_black_black_and_scales_the_rest(image):
    np.random.seed(1)
    out = augment.brightness(image, 0.2)
    assert np.all(out[:, :3] == -1)
    inside = (out > -1) & (out < 1)
    factors = (out[inside] + 1) / (image[inside] + 1)
    assert np.ptp(factors) < 1e-3 and 0.8 <= factors[0] <= 1.2


def test_rotation_turns_about_the_centre_and_fills_with_black(monkeypatch):
    image = np.full((3, 21, 21), -1, np.float32)
    image[:, 10, 18] = 1  # right of the centre
    monkeypatch.setattr(np.random, "uniform", lambda low, high: 90.0)
    out = augment.rotate(image, 90)
    assert np.unravel_index(out[0].argmax(), (21, 21)) == (2, 10)  # counter-clockwise: now above it
    assert out[0].max() > 0.9 and out.min() == -1


def test_steps_compose_in_order_and_depend_on_the_seed_alone(image):
    both = augment.compose(lambda x: x + 1, lambda x: x * 2)
    np.testing.assert_array_equal(both(image), (image + 1) * 2)
    steps = augment.compose(augment.flip, augment.brightness, augment.rotate)
    outs = []
    for seed in (5, 5, 6):
        np.random.seed(seed)
        outs.append(steps(image))
    np.testing.assert_array_equal(outs[0], outs[1])
    assert not np.array_equal(outs[0], outs[2])
