"""Which photographs belong together? Copies, look-alikes, neighbours by number; groups that a split keeps whole.

iChallenge-PM names no patients. What these functions find is likely by looks, not known. Chapter 2 builds on them, and
the folds of cross-validation can: `python -m palm_utils choose`.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from palm_utils.readers import read_image

Pair = tuple[int, int]  # positions of two photographs in their list, the smaller one first


def small_pictures(files: Sequence[Path], side: int = 32) -> np.ndarray:
    """Return each photograph, made smaller by averaging: float32 [N, side, side, 3], blue first, 0 to 255.

    Raises DataNotFound or DataError for a photograph that cannot be read.
    """
    shrunk = [cv2.resize(read_image(file), (side, side), interpolation=cv2.INTER_AREA) for file in files]
    return np.array(shrunk, np.float32).reshape(-1, side, side, 3)


def identical(files: Sequence[Path]) -> list[Pair]:
    """Return each copy with the first photograph of the same pixels, compared by SHA-256, whatever their names."""
    first: dict[tuple, int] = {}
    pairs = []
    for i, file in enumerate(files):
        image = read_image(file)
        same = first.setdefault((image.shape, hashlib.sha256(image.tobytes()).digest()), i)
        pairs += [(same, i)] if same != i else []
    return pairs


def distances(pictures: np.ndarray) -> np.ndarray:
    """Return how far each two pictures differ, float64 [N, N]: root mean square over their pixels, in levels of 255.

    A picture is compared with the other one and with its mirror image; the smaller number counts. The diagonal is
    infinite: nothing is its own neighbour.
    """
    rows = pictures.reshape(len(pictures), -1).astype(np.float64)
    mirrored = pictures[:, :, ::-1].reshape(len(pictures), -1).astype(np.float64)
    squares = (rows**2).mean(axis=1)
    both = [squares[:, None] + squares - 2 * rows @ other.T / rows.shape[1] for other in (rows, mirrored)]
    found = np.sqrt(np.maximum(np.minimum(both[0], (both[1] + both[1].T) / 2), 0.0))
    np.fill_diagonal(found, np.inf)
    return found


def likely_pairs(distance: np.ndarray, ratio: float = 0.85) -> list[Pair]:
    """Return the pairs of pictures that stand out, the clearest first.

    Two stand out when each is the other's nearest, and to both the second nearest is at least 1 / `ratio` times as far.
    """
    if len(distance) < 3:
        return []
    order = np.argsort(distance, axis=1, kind="stable")
    rows = np.arange(len(distance))
    first, second = distance[rows, order[:, 0]], distance[rows, order[:, 1]]
    shares = np.divide(first, second, out=np.ones_like(first), where=second > 0)
    found = []
    for i, j in enumerate(order[:, 0]):
        if i < j and order[j, 0] == i and max(shares[i], shares[j]) <= ratio:
            found.append((max(shares[i], shares[j]), (i, int(j))))
    return [pair for _, pair in sorted(found)]


def numbered_pairs(names: Sequence[str], distance: np.ndarray) -> list[Pair]:
    """Return the pairs of one letter and following numbers (P0006, P0007) of which one is the nearest to the other."""
    places = {(name[0], int(name[1:5])): i for i, name in enumerate(names) if name[1:5].isdigit()}
    nearest = distance.argmin(axis=1)
    found = []
    for (letter, number), i in places.items():
        j = places.get((letter, number + 1))
        if j is not None and (nearest[i] == j or nearest[j] == i):
            found.append((min(i, j), max(i, j)))
    return sorted(found)


def joined(count: int, pairs: Iterable[Pair]) -> np.ndarray:
    """Return the group of each of `count` photographs, int64 [count]; a chain of pairs makes one group.

    Groups are numbered 0, 1, …, in no particular order.
    """
    group = np.arange(count)
    for i, j in pairs:
        group[group == group[j]] = group[i]
    return np.unique(group, return_inverse=True)[1] if count else group


def of_files(files: Sequence[Path]) -> np.ndarray:
    """Return the groups of photographs of one folder for a split, int64 [N]: copies, look-alikes, numbered pairs."""
    distance = distances(small_pictures(files))
    pairs = identical(files) + likely_pairs(distance) + numbered_pairs([file.name for file in files], distance)
    return joined(len(files), pairs)
