"""Blood vessels of the generated photographs: the branching retinal tree and the choroid's network.

Lengths and positions are in pixels, x to the right and y down, for an eye whose disc lies to the
left of its fovea; angles in radians, measured from the x axis towards y.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

_SUBPIXEL_BITS = 4


@dataclass
class Vessels:
    """`n` vessels: centre lines `[n, points, 2]`, headings and widths `[n, points]`."""

    lines: np.ndarray
    headings: np.ndarray
    widths: np.ndarray


def grow(rng: Generator, start: np.ndarray, *course: np.ndarray, wobble: float, points: int = 14) -> Vessels:
    """Return vessels that leave `start` `[n, 2]`; `course`, each `[n]`: heading, length, bend on the way and width.

    `wobble` is the size of their random turns (radians); `width` is that at the start, 0.4 of it is
    left at the end.
    """
    heading, length, bend, width = course
    t = np.linspace(0, 1, points)
    turns = np.zeros((len(start), points))
    for cycles in (0.7, 1.6, 3.4):
        phase = rng.uniform(0, 2 * np.pi, (len(start), 1))
        amount = rng.normal(0, wobble / cycles**0.7, (len(start), 1))
        turns += amount * (np.sin(2 * np.pi * cycles * t + phase) - np.sin(phase))
    headings = heading[:, None] + bend[:, None] * t + turns
    moves = np.stack([np.cos(headings), np.sin(headings)], 2) * (length / (points - 1))[:, None, None]
    lines = start[:, None, :] + np.cumsum(moves, 1) - moves[:, :1]
    return Vessels(lines, headings, width[:, None] * (1 - 0.6 * t))


def branch(rng: Generator, parents: Vessels, per_parent: int, length: float) -> Vessels:
    """Return `per_parent` side vessels of each parent, on alternating sides, shorter towards its end."""
    n, points = parents.widths.shape
    t = 0.1 + 0.85 * (np.arange(per_parent) + rng.uniform(0.1, 0.9, (n, per_parent))) / per_parent
    index = (t * (points - 1)).astype(int).ravel()
    parent = np.repeat(np.arange(n), per_parent)
    side = (rng.choice([-1.0, 1.0], (n, 1)) * (-1.0) ** np.arange(per_parent)).ravel()
    heading = parents.headings[parent, index] + side * rng.uniform(0.4, 1.0, len(index))
    lengths = length * rng.uniform(0.5, 1.2, len(index)) * (1.1 - 0.6 * index / points)
    bend = -side * rng.uniform(-0.3, 0.9, len(index))
    width = parents.widths[parent, index] * rng.uniform(0.45, 0.7, len(index))
    return grow(rng, parents.lines[parent, index], heading, lengths, bend, width, wobble=0.2)


def draw(canvas: np.ndarray, vessels: Vessels, values: Iterable[float]) -> None:
    """Fill the vessels' tapering outlines in `canvas` (uint8 `[h, w]`) with `values` (one each)."""
    normals = np.stack([-np.sin(vessels.headings), np.cos(vessels.headings)], 2)
    half = np.maximum(vessels.widths, 1.0)[..., None] / 2
    left, right = vessels.lines + normals * half, vessels.lines - normals * half
    outlines = np.round(np.concatenate([left, right[:, ::-1]], 1) * 2**_SUBPIXEL_BITS).astype(np.int32)
    for outline, value in zip(outlines, values, strict=True):
        cv2.fillPoly(canvas, [outline], float(value), cv2.LINE_AA, _SUBPIXEL_BITS)


def retinal_tree(
    rng: Generator, shape: tuple[int, int], disc: np.ndarray, disc_radius: float, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return where arteries and veins run: two float32 `[h, w]` arrays, 0 none to 1 full.

    `disc` is the point they leave from; `unit`, the photograph's width, is the measure of all lengths.
    """
    layers = []
    for width in (0.0075, 0.0105):  # arteries are thinner than veins
        # The temporal arcades, above and below the macula, then the two nasal trunks.
        start = disc + rng.normal(0, 0.2 * disc_radius, (4, 2))
        heading = np.array([-1.3, 1.3, -2.2, 2.2]) + rng.normal(0, 0.1, 4)
        bend = np.array([1.85, -1.85, 0.3, -0.3]) + rng.normal(0, 0.15, 4)
        length = unit * np.array([1.0, 1.0, 0.6, 0.6]) * rng.uniform(0.85, 1.1, 4)
        widths = unit * width * np.array([1, 1, 0.8, 0.8]) * rng.uniform(0.8, 1.15, 4)
        trunks = grow(rng, start, heading, length, bend, widths, wobble=0.07, points=28)

        n = rng.integers(3, 6)
        start, heading = disc + rng.normal(0, 0.2 * disc_radius, (n, 2)), rng.uniform(-0.9, 0.9, n)
        length, bend = unit * rng.uniform(0.15, 0.33, n), rng.normal(0, 0.4, n)
        widths = unit * 0.35 * width * rng.uniform(0.7, 1.2, n)
        to_macula = grow(rng, start, heading, length, bend, widths, wobble=0.2)
        second = branch(rng, trunks, 5, 0.33 * unit)
        third = branch(rng, second, 3, 0.15 * unit)

        canvas = np.zeros(shape, np.uint8)
        for vessels in (third, to_macula, second, trunks):
            # A vessel thinner than a pixel is drawn a pixel wide and paler.
            draw(canvas, vessels, 255 * np.clip(vessels.widths[:, 0] / (0.006 * unit), 0.3, 1))
        layers.append(canvas.astype(np.float32) / 255)
    return layers[0], layers[1]


def choroid(rng: Generator, shape: tuple[int, int], centre: np.ndarray, unit: float) -> np.ndarray:
    """Return the choroid's vessels, float32 `[h, w]` in 0..1: a web that runs roughly away from `centre`."""
    height, width = (side // 2 for side in shape)  # soft anyway: half the size is enough
    n = 600
    start = rng.uniform([-0.15 * width, -0.15 * height], [1.05 * width, 1.15 * height], (n, 2))
    outwards = start - centre / 2
    heading = np.arctan2(outwards[:, 1], outwards[:, 0]) + rng.normal(0, 0.5, n)
    length, bend = unit / 2 * rng.uniform(0.15, 0.45, n), rng.normal(0, 0.5, n)
    web = grow(rng, start, heading, length, bend, unit / 2 * rng.uniform(0.005, 0.013, n), wobble=0.35, points=20)
    # They come up from the depth and sink again: pointed at both ends.
    web.widths *= np.sin(np.linspace(0.05, np.pi - 0.05, web.widths.shape[1])) ** 0.7
    canvas = np.zeros((height, width), np.uint8)
    draw(canvas, web, rng.uniform(90, 255, n))
    canvas = cv2.GaussianBlur(canvas, (0, 0), 1.0)
    return cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
