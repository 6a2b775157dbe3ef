"""Coordinates and smooth fields on a photograph's pixels: (x, y) to the right and down; arrays are float32 `[h, w]`."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.random import Generator

WIDTH, HEIGHT = 531, 514  # pixels; a quarter of the originals' 2124 x 2056
_COARSE_STEP = 4


class Grid:
    """A rectangle of pixels: all of them, or one for every square of `step` by `step`."""

    def __init__(self, left: int, top: int, right: int, bottom: int, step: int = 1):
        self.window = ..., slice(top, bottom), slice(left, right)  # of an array `[h, w]` or `[n, h, w]`
        middle = (step - 1) / 2
        self.x = (np.arange(left, right, step) + middle).astype(np.float32)[None, :]
        self.y = (np.arange(top, bottom, step) + middle).astype(np.float32)[:, None]
        self.shape = self.y.size, self.x.size

    def distance(self, centre: Sequence[float], stretch: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
        """Return the distance to `centre`, `stretch`ed along x and y."""
        dx = (self.x - float(centre[0])) / float(stretch[0])
        dy = (self.y - float(centre[1])) / float(stretch[1])
        return np.sqrt(dx * dx + dy * dy)

    def bell(self, centre: Sequence[float], radius: float, stretch: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
        """Return 1 at `centre` falling to 1/e at `radius`."""
        return np.exp(-((self.distance(centre, stretch) / float(radius)) ** 2))

    def noise(self, rng: Generator, cells: float) -> np.ndarray:
        """Return smooth noise, about standard normal, with `cells` features across."""
        across = max(2, round(cells))
        down = max(2, round(cells * self.shape[0] / self.shape[1]))
        coarse = rng.standard_normal((down, across), np.float32)
        return cv2.resize(coarse, self.shape[::-1], interpolation=cv2.INTER_CUBIC)


FULL = Grid(0, 0, WIDTH, HEIGHT)
COARSE = Grid(0, 0, WIDTH, HEIGHT, step=_COARSE_STEP)  # for what varies slowly; reaches just over the edge


def enlarge(coarse: np.ndarray) -> np.ndarray:
    """Return an array on COARSE interpolated to FULL."""
    size = COARSE.shape[1] * _COARSE_STEP, COARSE.shape[0] * _COARSE_STEP
    return cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)[:HEIGHT, :WIDTH]


def window(centre: Sequence[float], reach: float) -> Grid:
    """Return the square of `reach` around `centre`, a point in the photograph, cut at its edges."""
    left, top = (max(0, int(c - reach)) for c in centre)
    return Grid(left, top, min(WIDTH, int(centre[0] + reach) + 1), min(HEIGHT, int(centre[1] + reach) + 1))


def rgb(values: Sequence[float]) -> np.ndarray:
    """Return three values, of red, green and blue, as float32 `[3, 1, 1]`."""
    return np.array(values, np.float32)[:, None, None]


def ramp(values: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return 0 before `start`, 1 after `end` (which may be the smaller), a smooth ramp between."""
    t = np.clip((values - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)
