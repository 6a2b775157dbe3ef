import random

import cv2
import numpy as np
import pytest

from palm_utils.messages import DataError, DataNotFound
from palm_utils.readers import data_loader, transform_img, valid_data_loader
from palm_utils.seeds import seed_everything


def loaders(palm_folder, **options):
    train = data_loader(str(palm_folder / "PALM-Training400"), **options)
    valid = valid_data_loader(str(palm_folder / "PALM-Validation400"), str(palm_folder / "labels.csv"), **options)
    return train, valid


def names_in_order(reader, seed):
    """Which file each image of one epoch came from, told by comparing pixels."""
    known = {transform_img(cv2.imread(str(f))).tobytes(): f.name for f in reader.files}
    seed_everything(seed)
    return [known[image.tobytes()] for images, _ in reader() for image in images]


# --- transform_img


def test_transform_img_gives_channels_first_floats_between_minus_one_and_one():
    img = np.zeros((50, 80, 3), np.uint8)
    img[..., 2] = 255
    out = transform_img(img)
    assert out.shape == (3, 224, 224) and out.dtype == np.float32
    assert np.all(out[0] == -1) and np.all(out[1] == -1) and np.all(out[2] == 1)


def test_transform_img_matches_the_formula_of_the_tutorial():
    img = np.random.default_rng(1).integers(0, 256, (301, 211, 3), np.uint8)
    expected = cv2.resize(img, (224, 224)).transpose(2, 0, 1).astype("float32") / 255.0 * 2.0 - 1.0
    np.testing.assert_array_equal(transform_img(img), expected)


def test_transform_img_leaves_its_input_alone():
    img = np.random.default_rng(1).integers(0, 256, (224, 224, 3), np.uint8)
    before = img.copy()
    transform_img(img)
    np.testing.assert_array_equal(img, before)


@pytest.mark.parametrize("img", [None, np.zeros((5, 5)), np.zeros((5, 5, 4), np.uint8), np.zeros((0, 5, 3), np.uint8)])
def test_transform_img_refuses_what_is_no_colour_image(img):
    with pytest.raises(ValueError, match=r"height, width, 3"):
        transform_img(img)


def test_the_none_of_a_failed_imread_is_named():
    with pytest.raises(ValueError, match=r"cv2\.imread returns None"):
        transform_img(None)


# --- what the readers yield


def test_batches_have_the_shapes_and_types_of_the_course(palm_folder):
    train, valid = loaders(palm_folder, batch_size=5)
    for reader, sizes in ((train, [5, 5, 2]), (valid, [5, 2])):
        batches = list(reader())
        assert [images.shape for images, _ in batches] == [(n, 3, 224, 224) for n in sizes]
        assert [labels.shape for _, labels in batches] == [(n, 1) for n in sizes]
        assert all(a.dtype == np.float32 for batch in batches for a in batch)
        assert len(reader) == len(batches)


def test_defaults_are_those_of_the_course(palm_folder):
    train, valid = loaders(palm_folder)
    assert [len(labels) for _, labels in train()] == [10, 2]
    assert [len(labels) for _, labels in valid()] == [7]


def test_training_labels_come_from_the_first_letter(palm_folder):
    reader = data_loader(palm_folder / "PALM-Training400", 12, "eval")
    ((_, labels),) = list(reader())
    assert [f.name[0] for f in reader.files] == sorted("PPPPPPNNNNHH")
    assert labels.ravel().tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]


def test_validation_follows_the_order_of_the_table(palm_folder):
    table = palm_folder / "labels.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *reversed(rows)]))
    reader = valid_data_loader(palm_folder / "PALM-Validation400", table)
    assert [f.name for f in reader.files] == [f"V{i:04}.jpg" for i in range(7, 0, -1)]
    assert names_in_order(reader, 0) == [f.name for f in reader.files]


def test_a_reader_can_be_read_again(palm_folder):
    reader = data_loader(palm_folder / "PALM-Training400", mode="eval")
    first, second = list(reader()), list(reader())
    for (a, b), (c, d) in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


# --- order


def test_training_shuffles_anew_in_every_epoch_and_evaluation_does_not(palm_folder):
    train = data_loader(palm_folder / "PALM-Training400", 4, "train")
    known = {transform_img(cv2.imread(str(f))).tobytes(): f.name for f in train.files}
    seed_everything(3)
    epochs = [[known[i.tobytes()] for images, _ in train() for i in images] for _ in range(2)]
    assert epochs[0] != epochs[1]
    assert sorted(epochs[0]) == sorted(epochs[1]) == [f.name for f in train.files]
    evaluated = data_loader(palm_folder / "PALM-Training400", 4, "eval")
    assert names_in_order(evaluated, 3) == [f.name for f in evaluated.files]


def test_the_order_depends_on_the_seed_alone(palm_folder, monkeypatch):
    folder = palm_folder / "PALM-Training400"
    expected = names_in_order(data_loader(folder), 7)
    assert names_in_order(data_loader(folder), 8) != expected
    listing = type(folder).iterdir
    # Another machine lists the same folder in another order.
    monkeypatch.setattr(type(folder), "iterdir", lambda self: random.Random(5).sample(k := list(listing(self)), len(k)))
    assert names_in_order(data_loader(folder), 7) == expected


# --- augmentation


def test_augmentation_changes_training_images_only(palm_folder):
    def flip(image):
        return image[:, :, ::-1]

    folder = palm_folder / "PALM-Training400"
    plain = data_loader(folder, 12, "eval")
    originals = {f.name: transform_img(cv2.imread(str(f))) for f in plain.files}
    seed_everything(0)
    ((flipped, _),) = list(data_loader(folder, 12, "train", augment=flip)())
    assert {i.tobytes() for i in flipped} == {np.ascontiguousarray(flip(i)).tobytes() for i in originals.values()}
    ((untouched, _),) = list(data_loader(folder, 12, "eval", augment=flip)())
    np.testing.assert_array_equal(untouched[0], originals[plain.files[0].name])


# --- bad input: one clear error each


def test_missing_folder(tmp_path):
    with pytest.raises(DataNotFound, match=r"nowhere: no such folder.*palm_utils data"):
        data_loader(tmp_path / "nowhere")


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no photographs in this folder"):
        data_loader(tmp_path)


def test_other_files_in_the_folder_are_passed_over(palm_folder):
    folder = palm_folder / "PALM-Training400"
    (folder / "._P0001.jpg").write_bytes(b"\0\5\26\7")
    (folder / "Thumbs.db").write_bytes(b"")
    (folder / "notes.txt").write_text("x")
    assert len(data_loader(folder).files) == 12


def test_the_nested_folder_of_ai_studio_is_understood(palm_folder):
    for name in ("PALM-Training400", "PALM-Validation400"):
        outer = palm_folder / "outer" / name
        outer.mkdir(parents=True)
        (palm_folder / name).rename(outer / name)
    assert len(data_loader(palm_folder / "outer" / "PALM-Training400").files) == 12
    valid = valid_data_loader(palm_folder / "outer" / "PALM-Validation400", palm_folder / "labels.csv")
    assert [images.shape for images, _ in valid()] == [(7, 3, 224, 224)]


def test_a_name_that_tells_no_label(palm_folder):
    folder = palm_folder / "PALM-Training400"
    (folder / "V0001.jpg").write_bytes((folder / "P0001.jpg").read_bytes())
    with pytest.raises(DataError, match=r"V0001\.jpg.*starts with H, N or P"):
        data_loader(folder)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_an_unreadable_photograph_is_named(palm_folder, content):
    (palm_folder / "PALM-Training400" / "N0007.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"N0007\.jpg: not a readable image \(\d+ bytes\)"):
        list(data_loader(palm_folder / "PALM-Training400", mode="eval")())


@pytest.mark.parametrize("size", [0, -1, 2.5, "10", True, None])
def test_batch_size_must_be_a_positive_whole_number(palm_folder, size):
    with pytest.raises(ValueError, match="batch_size is"):
        data_loader(palm_folder / "PALM-Training400", size)


def test_unknown_mode(palm_folder):
    with pytest.raises(ValueError, match=r"mode is 'Train'.*'train'"):
        data_loader(palm_folder / "PALM-Training400", 10, "Train")
    with pytest.raises(ValueError, match=r"mode is 'train'.*'valid'"):
        valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv", 10, "train")


def test_missing_label_table(palm_folder):
    with pytest.raises(DataNotFound, match=r"absent\.csv"):
        valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "absent.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"labels\.csv"),
        ("ID,imgName\n1,V0001.jpg\n", "Label"),
        ("ID,imgName,Label\n1,V0001.jpg,1\n2,V0002.jpg,x\n", r"line 3: label 'x' is not 0 or 1"),
        ("ID,imgName,Label\n1,V0001.jpg,2\n", r"line 2: label '2' is not 0 or 1"),
        ("ID,imgName,Label\n", r"labels\.csv"),
    ],
)
def test_unusable_label_tables(palm_folder, text, message):
    (palm_folder / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv")


def test_a_photograph_in_the_table_that_is_not_there(palm_folder):
    (palm_folder / "PALM-Validation400" / "V0003.jpg").unlink()
    with pytest.raises(DataNotFound, match=r"labels\.csv line 4: V0003\.jpg is not in"):
        valid_data_loader(palm_folder / "PALM-Validation400", palm_folder / "labels.csv")
