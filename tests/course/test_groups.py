"""Photographs that belong together: found by their pixels and numbers, and never split."""

import cv2
import numpy as np
import pytest

from palm_course import groups
from palm_course.results import candidates
from palm_utils.readers import data_loader


@pytest.fixture
def folder(tmp_path):
    """Photographs of noise: P0003 is P0001 again, P0002 nearly N0001 mirrored, H0008 nearly H0007."""
    rng = np.random.default_rng(0)
    names = ["H0001", "H0005", "H0007", "H0009", *(f"N{n:04d}" for n in range(1, 14, 2)), "P0001", "P0009", "P0011"]
    images = {name: rng.integers(0, 200, (32, 32, 3), np.uint8) for name in names}
    images |= {"P0003": images["P0001"], "P0002": images["N0001"][:, ::-1] + 3, "H0008": images["H0007"] + 3}
    for name, image in images.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    return tmp_path


def named(files, pairs):
    return {frozenset(files[i].stem for i in pair) for pair in pairs}


def test_copies_look_alikes_and_neighbours_by_number_are_found(folder):
    files = sorted(folder.glob("*.png"))
    distance = groups.distances(groups.small_pictures(files))
    assert np.allclose(distance, distance.T) and np.isinf(np.diag(distance)).all()
    assert named(files, groups.identical(files)) == {frozenset({"P0001", "P0003"})}
    alike = {frozenset({"P0001", "P0003"}), frozenset({"P0002", "N0001"}), frozenset({"H0007", "H0008"})}
    assert named(files, groups.likely_pairs(distance)) == alike
    numbered = groups.numbered_pairs([file.name for file in files], distance)
    assert frozenset({"H0007", "H0008"}) in named(files, numbered)
    assert groups.joined(5, [(3, 4), (0, 3)]).tolist() == [0, 1, 2, 0, 0]
    assert len(groups.joined(0, [])) == 0 == len(groups.likely_pairs(np.full((2, 2), np.inf)))


def test_grouped_folds_keep_them_together(folder):
    files = sorted(folder.glob("*.png"))
    group = dict(zip(files, groups.of_files(files), strict=True))
    held_out = []
    for train, valid in candidates.folds(data_loader(folder), grouped=True):
        assert not {group[file] for file in train.files} & {group[file] for file in valid.files}
        held_out += valid.files
    assert sorted(held_out) == files
