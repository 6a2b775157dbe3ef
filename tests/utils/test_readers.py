"""Readers of photographs: their batches, their order, augmentation, and one clear error for each bad input."""

import random

import cv2
import numpy as np
import pytest

from palm_utils import augment
from palm_utils.messages import DataError, DataNotFound
from palm_utils.readers import data_loader, transform_img, valid_data_loader
from palm_utils.seeds import seed_everything


@pytest.fixture
def folder(palm_folder):
    return palm_folder / "PALM-Training400"


@pytest.fixture
def valid(palm_folder):
    """Make the reader of the validation photographs."""

    def make(*arguments, table=palm_folder / "labels.csv"):
        return valid_data_loader(str(palm_folder / "PALM-Validation400"), str(table), *arguments)

    return make


def names_in_order(reader, seed=None):
    """Which file each image of one epoch came from, told by comparing pixels."""
    known = {transform_img(cv2.imread(str(f))).tobytes(): f.name for f in reader.files}
    if seed is not None:
        seed_everything(seed)
    return [known[image.tobytes()] for images, _ in reader() for image in images]


@pytest.mark.parametrize("shape", [(301, 211, 3), (224, 224, 3), (40_000, 1, 3), (1, 40_000, 3)])
@pytest.mark.parametrize("view", [np.array, np.asfortranarray, lambda x: x[::-1, :, ::-1], lambda x: x[::2, ::2]])
def test_transform_img_matches_the_formula_of_the_tutorial_and_leaves_its_input_alone(shape, view):
    img = view(np.random.default_rng(1).integers(0, 256, shape, np.uint8))
    img.setflags(write=False)
    before = img.copy()
    expected = cv2.resize(before, (224, 224)).transpose(2, 0, 1).astype("float32") / 255.0 * 2.0 - 1.0
    found = transform_img(img)
    assert found.shape == (3, 224, 224) and found.dtype == np.float32 and found.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(img, before)


@pytest.mark.parametrize("img", [None, np.zeros((5, 5)), np.zeros((5, 5, 4), np.uint8), np.zeros((0, 5, 3), np.uint8)])
def test_transform_img_refuses_what_is_no_colour_image(img):
    with pytest.raises(ValueError, match="height, width, 3") as caught:
        transform_img(img)
    assert img is not None or "cv2.imread returns None" in str(caught.value)


def test_batches_have_the_shapes_and_types_of_the_course(folder, valid):
    for reader, sizes in (
        (data_loader(str(folder), batch_size=5), [5, 5, 2]),
        (valid(5), [5, 2]),
        (data_loader(folder), [10, 2]),
        (valid(), [7]),
    ):
        batches = list(reader())
        assert [images.shape for images, _ in batches] == [(n, 3, 224, 224) for n in sizes]
        assert [labels.shape for _, labels in batches] == [(n, 1) for n in sizes]
        assert all(a.dtype == np.float32 for batch in batches for a in batch)
        assert len(reader) == len(batches)


def test_training_labels_come_from_the_first_letter(folder):
    reader = data_loader(folder, 12, "eval")
    for _ in range(2):  # a reader can be read again
        ((_, labels),) = list(reader())
        assert [f.name[0] for f in reader.files] == sorted("PPPPPPNNNNHH")
        assert labels.ravel().tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]


def test_validation_follows_the_order_of_the_table(palm_folder, valid):
    table = palm_folder / "labels.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows)]))
    reader = valid()
    assert names_in_order(reader) == [f.name for f in reader.files] == [f"V{i:04}.jpg" for i in range(7, 0, -1)]


def test_training_shuffles_anew_in_every_epoch_and_evaluation_does_not(folder):
    train, evaluated = data_loader(folder, 4, "train"), data_loader(folder, 4, "eval")
    first, second = names_in_order(train, 3), names_in_order(train)
    in_order = [f.name for f in train.files]
    assert first != second and sorted(first) == sorted(second) == in_order
    assert names_in_order(evaluated) == names_in_order(evaluated) == in_order


def test_the_order_depends_on_the_seed_alone(folder, monkeypatch):
    expected = names_in_order(data_loader(folder), 7)
    assert names_in_order(data_loader(folder), 8) != expected
    listing = type(folder).iterdir
    # Another machine lists the same folder in another order.
    monkeypatch.setattr(type(folder), "iterdir", lambda self: random.Random(5).sample(k := list(listing(self)), len(k)))
    assert names_in_order(data_loader(folder), 7) == expected


def test_augmentation_changes_training_images_only(folder):
    def mirror(image):
        return image[:, :, ::-1]

    ((plain, _),) = data_loader(folder, 12, "eval")()
    ((changed, _),) = data_loader(folder, 12, "train", augment=mirror)()
    assert {i.tobytes() for i in changed} == {np.ascontiguousarray(mirror(i)).tobytes() for i in plain}
    ((untouched, _),) = data_loader(folder, 12, "eval", augment=mirror)()
    np.testing.assert_array_equal(untouched, plain)


def test_a_folder_or_table_that_is_missing_or_empty(palm_folder, tmp_path, valid):
    with pytest.raises(DataNotFound, match=r"nowhere: no such folder.*palm_utils data"):
        data_loader(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no photographs in this folder"):
        data_loader(palm_folder)
    with pytest.raises(DataNotFound, match=r"absent\.csv"):
        valid(table=palm_folder / "absent.csv")


def test_the_nested_folder_of_ai_studio_is_understood(palm_folder, folder, valid):
    for place in (folder, palm_folder / "PALM-Validation400"):
        moved = place.rename(palm_folder / "moved")
        place.mkdir()
        moved.rename(place / place.name)
    assert len(data_loader(folder).files) == 12
    assert [images.shape for images, _ in valid()()] == [(7, 3, 224, 224)]


def test_a_name_that_tells_no_label(folder):
    (folder / "V0001.jpg").write_bytes((folder / "P0001.jpg").read_bytes())
    with pytest.raises(DataError, match=r"V0001\.jpg.*starts with H, N or P"):
        data_loader(folder)


@pytest.mark.parametrize("size", [0, -1, 2.5, "10", True, None])
def test_a_batch_size_or_a_mode_that_is_none(folder, valid, size):
    with pytest.raises(ValueError, match="batch_size is"):
        data_loader(folder, size)
    with pytest.raises(ValueError, match=r"mode is 'Train'.*'train'"):
        data_loader(folder, 10, "Train")
    with pytest.raises(ValueError, match=r"mode is 'train'.*'valid'"):
        valid(10, "train")


def test_an_unusable_label_table(palm_folder, valid):
    """All that can be wrong with one: tests/course/test_getting_tables.py."""
    (palm_folder / "labels.csv").write_text("ID,imgName,Label\n1,V0001.jpg,1\n2,V0002.jpg,x\n")
    with pytest.raises(DataError, match=r"labels\.csv line 3: label 'x' is not 0 or 1"):
        valid()


@pytest.fixture
def image():
    image = np.random.default_rng(0).uniform(-1, 1, (3, 20, 24)).astype(np.float32)
    image[:, :3] = -1  # black at the top, as outside the aperture
    return image


@pytest.mark.parametrize("step", [augment.flip, augment.brightness, augment.rotate])
def test_every_step_keeps_shape_type_range_and_its_input(step, image):
    before = image.copy()
    np.random.seed(0)
    outs = np.stack([step(image) for _ in range(10)])
    assert outs.shape == (10, *image.shape) and outs.dtype == np.float32
    assert outs.min() >= -1 and outs.max() <= 1 and not np.array_equal(outs, np.stack([image] * 10))
    np.testing.assert_array_equal(image, before)


def test_flip_mirrors_the_width_in_about_half_of_the_cases(image):
    np.random.seed(0)
    outs = [augment.flip(image) for _ in range(200)]
    mirrored = sum(np.array_equal(out, image[:, :, ::-1]) for out in outs)
    assert mirrored + sum(np.array_equal(out, image) for out in outs) == 200 and 70 < mirrored < 130


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


def test_a_rotation_may_zoom_and_draws_nothing_for_it_otherwise():
    image = np.full((3, 41, 41), -1, np.float32)
    image[:, 10:31, 10:31] = 1
    np.random.seed(0)
    inside = [(augment.rotate(image, 0, zoom=0.2)[0] > 0).sum() / 21**2 for _ in range(50)]
    assert 0.8**2 - 0.1 < min(inside) < 0.8 and 1.2 < max(inside) < 1.2**2 + 0.1
    np.random.seed(0)
    augment.rotate(image, 20)
    drawn = np.random.uniform()
    np.random.seed(0)
    np.random.uniform()
    assert drawn == np.random.uniform()


def test_steps_compose_in_order_and_depend_on_the_seed_alone(image):
    both = augment.compose(lambda x: x + 1, lambda x: x * 2)
    np.testing.assert_array_equal(both(image), (image + 1) * 2)
    steps = augment.compose(augment.flip, augment.brightness, augment.rotate)

    def changed(seed):
        np.random.seed(seed)
        return steps(image)

    np.testing.assert_array_equal(changed(5), changed(5))
    assert not np.array_equal(changed(5), changed(6))
