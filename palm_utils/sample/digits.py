"""MNIST-like digits: the small scans that come with scikit-learn, enlarged and varied.

Source of the originals: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998, as shipped in `sklearn.datasets.load_digits`.
"""

import gzip
import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

SIDE = 28  # pixels, as in MNIST
_SOURCE_SIDE = 8
_TEST_ORIGINALS = 300


def make_digits(folder: Path, train: int, test: int, seed: int) -> None:
    """Write `train` + `test` digits, from other originals, to `folder` as MNIST's four gzipped IDX files."""
    from sklearn.datasets import load_digits  # who only asks whether a folder is the sample need not wait for it

    originals, labels = load_digits(return_X_y=True)
    originals = originals.reshape(-1, _SOURCE_SIDE, _SOURCE_SIDE).astype(np.float32) / 16
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = {"train": (order[_TEST_ORIGINALS:], train), "t10k": (order[:_TEST_ORIGINALS], test)}
    for stream, (prefix, (chosen, count)) in enumerate(parts.items(), 1):
        images, digits = _vary(originals[chosen], labels[chosen], count, np.random.default_rng((seed, stream)))
        for name, header, values in (
            ("images-idx3", struct.pack(">IIII", 2051, count, SIDE, SIDE), images),
            ("labels-idx1", struct.pack(">II", 2049, count), digits),
        ):
            # Without a time stamp the same digits give the same file.
            content = gzip.compress(header + values.tobytes(), compresslevel=4, mtime=0)
            (folder / f"{prefix}-{name}-ubyte.gz").write_bytes(content)


def _vary(originals: np.ndarray, labels: np.ndarray, count: int, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 `[count, 28, 28]` warped copies of the originals and their uint8 labels `[count]`."""
    # Every digit equally often (to within one), in random order.
    pools = [rng.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    picks = rng.permutation([pools[i % 10][(i // 10) % len(pools[i % 10])] for i in range(count)])
    # The matrices that lead from a pixel of the enlarged digit back to the scan.
    angle, shear = rng.normal(0, 0.12, count), rng.normal(0, 0.12, count)
    scale = rng.uniform(2.4, 2.85, (count, 2))  # MNIST's digits fill about 20 of the 28 pixels
    turn = np.moveaxis([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], 2, 0)
    lean = np.moveaxis([[np.ones(count), shear], [np.zeros(count), np.ones(count)]], 2, 0)
    back = np.linalg.inv(turn @ lean * scale[:, None, :])
    # The centre of mass goes to about the middle, as MNIST has it.
    middle = (SIDE - 1) / 2 + rng.normal(0, 0.4, (count, 2))
    total, side = originals.sum((1, 2)), np.arange(_SOURCE_SIDE)
    centres = np.stack([originals.sum(1) @ side / total, originals.sum(2) @ side / total], 1)
    offset = centres[picks] - (back @ middle[..., None])[..., 0]
    ripple = rng.normal(0, 0.6, (count, 4, 4, 2)).astype(np.float32)
    # Ink fainter than the threshold is dropped, so that heavy scans get thinner strokes.
    threshold = rng.normal(0.42, 0.05, count) + originals.mean((1, 2))[picks] - 0.3

    columns, rows = np.meshgrid(*2 * [np.arange(SIDE, dtype=np.float32)])
    grid = np.stack([columns, rows], 2)
    images = np.empty((count, SIDE, SIDE), np.uint8)
    for i, pick in enumerate(picks):
        bent = grid + cv2.resize(ripple[i], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        source = cv2.transform(bent, np.column_stack([back[i], offset[i]]))
        warped = cv2.remap(originals[pick], source, None, cv2.INTER_CUBIC)
        # The enlarged scan is soft; a steep ramp around the threshold gives strokes their edges.
        images[i] = np.clip((warped - threshold[i]) * 816 + 25, 0, 255)
    return images, labels[picks].astype(np.uint8)
