"""Generated stand-ins for colour fundus photographs; drawings, not medical data.

What is drawn where follows textbooks' descriptions of the normal and the pathologically myopic
fundus (tessellation, peripapillary and patchy atrophy: Ohno-Matsui et al., "International
photographic classification and grading system for myopic maculopathy", Am J Ophthalmol, 2015).

A photograph under way is float32 `[3, h, w]`: red, green, blue, 1 the brightest the camera sees.
What varies slowly is computed on a coarse grid and enlarged; discs and lesions in their own window. Lengths and
positions are in pixels, x to the right and y down, for an eye whose disc lies to the left of its fovea; angles in
radians, measured from the x axis towards y.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator

from palm_utils.sample.grid import COARSE, FULL, HEIGHT, WIDTH, enlarge, ramp, rgb, window

_MIDDLE = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
_SUBPIXEL_BITS = 4
_APERTURE_RADIUS = WIDTH / 2 - 1  # cut off at the top and at the bottom, as in the originals
_APERTURE = ramp(FULL.distance(_MIDDLE), _APERTURE_RADIUS + 0.8, _APERTURE_RADIUS - 0.8)


@dataclass
class Traits:
    tessellation: float = 0.0  # 0 none .. 1 choroid fully visible
    crescent: float = 0.0  # extent of peripapillary atrophy in disc radii, 0 none
    ring: float = 0.0  # 0 crescent on the fovea's side .. 1 ring around the disc
    patches: int = 0  # of chorioretinal atrophy
    reflexes: float = 0.0  # 0 none .. 1 strong
    grey: float = 0.0  # 0 orange-red retina .. 1 grey-brown
    disc_centred: bool = False  # else the photograph is centred on the macula
    brightness: float = 1.0
    falloff: float = 0.3  # of the light towards the rim
    contrast: float = 1.0  # of the camera's tone curve, 0 linear
    blur: float = 1.0  # pixels
    haze: float = 0.0  # 0 clear .. 1 nothing to be seen


def draw_traits(kind: str, rng: Generator) -> Traits:
    """Return traits as they occur in eyes of `kind` 'N', 'H' or 'P'; the three overlap."""
    eye = Traits(
        brightness=float(np.exp(rng.normal(0, 0.085))),
        falloff=rng.uniform(0.2, 0.75),
        contrast=rng.uniform(0.7, 1.4),
        blur=0.5 + rng.gamma(1.5, 0.35),
        haze=rng.uniform(0.3, 0.6) if rng.random() < 0.05 else rng.beta(1.2, 16),
    )
    if kind == "N":
        eye.grey = rng.beta(2.8, 1.4)
        eye.tessellation = rng.beta(1, 7) if rng.random() < 0.3 else 0.0
        eye.crescent = rng.uniform(0.1, 0.35) if rng.random() < 0.15 else 0.0
        eye.reflexes = rng.uniform(0.3, 1) if rng.random() < 0.3 else 0.0
        eye.disc_centred = rng.random() < 0.05
    elif kind == "H":
        eye.grey = rng.beta(1.3, 2.2)
        eye.tessellation = rng.beta(1.4, 2.4)
        eye.crescent = rng.uniform(0.15, 0.6) if rng.random() < 0.75 else 0.0
        eye.ring = rng.uniform(0, 0.3)
        eye.reflexes = rng.uniform(0.3, 1) if rng.random() < 0.2 else 0.0
        eye.disc_centred = rng.random() < 0.35
    else:
        severity = rng.beta(1.6, 1.2)
        eye.grey = rng.beta(1, 9)
        eye.tessellation = float(np.clip(0.4 + 0.5 * severity + rng.normal(0, 0.15), 0, 1))
        eye.crescent = 0.8 + 2.4 * severity * rng.uniform(0.5, 1.2)
        eye.ring = rng.beta(0.9, 1.2)
        eye.patches = int(rng.poisson(2.2 * severity))
        eye.falloff += rng.uniform(0.05, 0.35)
        eye.disc_centred = rng.random() < 0.18
    return eye


def photograph(kind: str, rng: Generator) -> tuple[np.ndarray, tuple[float, float]]:
    """Return a photograph of an eye of `kind` 'N', 'H' or 'P', uint8 `[514, 531, 3]`, and where its fovea is, (x, y).

    In OpenCV's order blue, green, red, black outside the circular aperture, the disc on the fovea's left.
    """
    eye = draw_traits(kind, rng)
    marks = _landmarks(eye, rng)
    colour = _retina_colour(eye, rng)
    network = _choroid(rng, FULL.shape, 0.3 * marks.disc + 0.7 * marks.fovea, WIDTH)

    image = _retina(eye, colour, marks, rng)
    _tessellate(image, eye, network, marks, rng)
    for spot in _atrophies(eye, marks, rng):
        _expose_sclera(image, network, spot, rng)
    _draw_disc(image, marks, rng)
    _draw_vessels(image, eye, marks, rng)
    return _develop(image, eye, colour, rng), (float(marks.fovea[0]), float(marks.fovea[1]))


class _Landmarks(NamedTuple):
    disc: np.ndarray  # centres (x, y) and the disc's radius, in pixels
    disc_radius: float
    fovea: np.ndarray


def _landmarks(eye: Traits, rng: Generator) -> _Landmarks:
    disc_radius = WIDTH * rng.uniform(0.056, 0.073)
    mean, deviation, lowest, highest = (0.48, 0.05, 0.35, 0.55) if eye.disc_centred else (0.15, 0.045, 0.04, 0.3)
    across = np.clip(rng.normal(mean, deviation), lowest, highest)
    disc = np.array([WIDTH * across, HEIGHT * rng.normal(0.48, 0.045)])
    # The fovea lies two and a half disc diameters from the disc, a little lower.
    distance = 5.3 * disc_radius * rng.uniform(0.92, 1.1)
    fovea = disc + distance * np.array([1, rng.normal(0.12, 0.05)])
    return _Landmarks(disc, disc_radius, fovea)


def _retina_colour(eye: Traits, rng: Generator) -> np.ndarray:
    orange, grey = np.array([0.53, 0.225, 0.06]), np.array([0.42, 0.375, 0.285])
    grey_share = eye.grey * (1 - 0.85 * eye.tessellation)  # where choroid shines through it is red
    warmth = rng.normal(0, 0.045)  # towards yellow or towards red
    return (orange + (grey - orange) * grey_share) * (1 + warmth * np.array([-0.4, 1, 0.6]))


def _retina(eye: Traits, colour: np.ndarray, marks: _Landmarks, rng: Generator) -> np.ndarray:
    """Return the retina with macula and nerve fibres, without vessels: float32 `[3, h, w]`."""
    tint = COARSE.noise(rng, 3)
    depth = rng.uniform(0.4, 0.7) * (1 - 0.5 * eye.tessellation)
    macula = 0.55 * COARSE.bell(marks.fovea, 2.1 * marks.disc_radius)
    macula += 0.45 * COARSE.bell(marks.fovea, 0.8 * marks.disc_radius)
    # Nerve fibres shine above and below the disc, where they are thickest.
    sheen = COARSE.bell(marks.disc, marks.disc_radius, (2.6, 4.5))
    sheen *= rng.uniform(0.03, 0.18) * (0.4 + eye.grey)
    grain = 1 + 0.03 * FULL.noise(rng, WIDTH / 2.2) + 0.025 * FULL.noise(rng, WIDTH / 8)
    if eye.reflexes:
        sheen += _reflexes(eye, marks.fovea, rng)
    coarse = rgb(colour) * (1 + rgb((0.04, 0.08, 0.12)) * tint) * (1 - depth * macula) + rgb((1, 1, 0.7)) * sheen
    return np.stack([enlarge(plane) for plane in coarse]) * grain


def _reflexes(eye: Traits, fovea: np.ndarray, rng: Generator) -> np.ndarray:
    """Return the silvery sheen of a young retina, on the coarse grid: broken arcs around the macula."""
    radius = rng.uniform(0.09, 0.14) * WIDTH
    reach = COARSE.distance(fovea, (1.15, 1)) + 12 * COARSE.noise(rng, 9)
    band = np.exp(-(((reach - radius) / rng.uniform(6, 14)) ** 2))
    arcs = ramp(COARSE.noise(rng, 6) + 0.4 * COARSE.noise(rng, 60), -0.2, 1.4)
    glints = ramp(COARSE.noise(rng, 7), 0.7, 1.8) * ramp(COARSE.noise(rng, 50), 0, 1.5)
    return eye.reflexes * (0.35 * band * arcs + 0.12 * glints)


def _tessellate(image: np.ndarray, eye: Traits, network: np.ndarray, marks: _Landmarks, rng: Generator) -> None:
    """Let the choroid's vessels shine through where the pigment is thin."""
    where = np.clip(0.75 + 0.45 * COARSE.noise(rng, 4), 0.05, 1.25)
    where *= 1 - 0.5 * COARSE.bell(marks.fovea, 0.13 * WIDTH)
    visible = enlarge((0.05 + 0.9 * eye.tessellation) * where) * (network - 0.5)
    image *= 1 + rgb((1.35, 1.2, 0.7)) * visible


class _Atrophy(NamedTuple):
    """A spot where retina and choroid are gone, so that the white sclera shows; lengths in pixels."""

    centre: np.ndarray
    radius: float
    stretch: tuple[float, float]
    raggedness: float
    opacity: float


def _atrophies(eye: Traits, marks: _Landmarks, rng: Generator) -> list[_Atrophy]:
    spots = []
    for _ in range(eye.patches):
        centre = np.clip(marks.fovea + rng.normal(0, 0.15 * WIDTH, 2), 0, (WIDTH - 1, HEIGHT - 1))
        radius = WIDTH * (0.02 + 0.13 * rng.beta(1.2, 2))
        spots.append(_Atrophy(centre, radius, (rng.uniform(0.8, 1.4), 1), 0.22, rng.uniform(0.55, 1)))
    if eye.crescent:
        # The disc's outline grown, and moved towards the fovea unless it is a ring.
        growth = marks.disc_radius * eye.crescent
        centre = marks.disc + growth * np.array([0.75 * (1 - eye.ring), rng.normal(0, 0.2)])
        radius = marks.disc_radius + growth * (0.3 + 0.5 * eye.ring)
        opacity = rng.uniform(0.6, 0.95) * min(1, 0.5 + eye.crescent)
        spots.append(_Atrophy(centre, radius, (1, rng.uniform(1.05, 1.35)), 0.09, opacity))
    return spots


def _expose_sclera(image: np.ndarray, network: np.ndarray, spot: _Atrophy, rng: Generator) -> None:
    grid = window(spot.centre, 1.8 * spot.radius * max(spot.stretch))
    size = grid.shape[1]
    reach = grid.distance(spot.centre, spot.stretch) / spot.radius
    reach += spot.raggedness * grid.noise(rng, 5) + 0.3 * spot.raggedness * grid.noise(rng, 14)
    alpha = spot.opacity * ramp(reach, 1.06, 0.94)
    # What is left of the choroid tints the sclera; pigment clumps, most of all towards the rim.
    left = network[grid.window] * rng.uniform(0.3, 0.9) + 0.08 * grid.noise(rng, size / 12)
    clumps = 0.8 * grid.noise(rng, size / 3) + grid.noise(rng, size / 11) + 0.7 * ramp(reach, 0.5, 1.0)
    pigment = ramp(clumps, rng.uniform(0.4, 1.5), 3.2) * rng.uniform(0.6, 1.0)
    warm, light = rng.beta(1.6, 1), rng.uniform(0.8, 1.1)
    sclera = light * np.array([1.0, 0.92 - 0.16 * warm, 0.70 - 0.45 * warm])
    colour = rgb(sclera) * (1 - rgb((0.22, 0.50, 0.65)) * left)
    colour += (rgb((0.26, 0.13, 0.04)) - colour) * pigment
    area = image[grid.window]
    area += (colour - area) * alpha


def _draw_disc(image: np.ndarray, marks: _Landmarks, rng: Generator) -> None:
    radius = marks.disc_radius
    grid = window(marks.disc, 1.4 * radius)
    reach = grid.distance(marks.disc, (rng.uniform(0.84, 0.95), 1.06)) / radius + 0.03 * grid.noise(rng, 5)
    rim = 0.92 * ramp(reach, 1.1, 0.88)
    cup_centre = marks.disc + radius * np.array([rng.uniform(0.05, 0.3), rng.normal(0, 0.08)])
    cup = ramp(grid.distance(cup_centre) / (radius * rng.uniform(0.45, 0.7)), 1.3, 0.3) * rng.uniform(0.6, 1)
    light, warm = rng.uniform(0.85, 1.05), rng.uniform(0, 1)
    area = image[grid.window]
    area += (rgb(light * np.array([0.92, 0.52 - 0.1 * warm, 0.34 - 0.16 * warm])) - area) * rim
    area += (rgb(light * np.array([1.1, 0.98 - 0.15 * warm, 0.78 - 0.3 * warm])) - area) * cup


def _draw_vessels(image: np.ndarray, eye: Traits, marks: _Landmarks, rng: Generator) -> None:
    arteries, veins = _retinal_tree(rng, FULL.shape, marks.disc, marks.disc_radius, WIDTH)
    # None in the foveal avascular zone; paler where they are seen against a web of choroid.
    strength = rng.uniform(0.7, 1.1) * (1 - 0.3 * eye.tessellation)
    seen = enlarge(strength * ramp(COARSE.distance(marks.fovea) / marks.disc_radius, 0.5, 1.6))
    image *= (1 - rgb((0.10, 0.40, 0.34)) * (arteries * seen)) * (1 - rgb((0.30, 0.55, 0.46)) * (veins * seen))


def _develop(image: np.ndarray, eye: Traits, colour: np.ndarray, rng: Generator) -> np.ndarray:
    """Return what the camera makes of it: uneven light, haze, blur, aperture, noise; uint8 B, G, R."""
    lit = _MIDDLE + rng.normal(0, 0.12 * WIDTH, 2)
    light = 1.15 - 0.75 * eye.falloff * (COARSE.distance(lit) / _APERTURE_RADIUS) ** 2
    light = eye.brightness * np.clip(light * (1 + 0.05 * COARSE.noise(rng, 3)), 0.12, None)

    # Scattered light: everywhere when the media are cloudy, greenish on one side of the rim.
    direction = rng.uniform(0, 2 * np.pi)
    side = (COARSE.x - _MIDDLE[0]) * np.cos(direction) + (COARSE.y - _MIDDLE[1]) * np.sin(direction)
    side = (side / _APERTURE_RADIUS).astype(np.float32)
    rim = ramp(COARSE.distance(_MIDDLE) / _APERTURE_RADIUS, 0.62, 1.02)
    rim *= np.clip(0.4 + 0.8 * side, 0, 1) * rng.uniform(0.05, 0.75)
    haze_colour = colour + (np.array([0.50, 0.40, 0.27]) - colour) * rng.uniform(0.0, 0.5)
    scattered = light * eye.haze * rgb(haze_colour) * (1 - rim)
    scattered += rgb(eye.brightness * np.array([0.28, 0.34, 0.27])) * rim

    passed = enlarge(light * (1 - eye.haze) * (1 - rim))
    noise = rng.standard_normal(FULL.shape, np.float32) * (rng.uniform(1, 3.5) * _APERTURE)
    planes = []
    for channel in (2, 1, 0):
        plane = cv2.convertScaleAbs(image[channel] * passed + enlarge(scattered[channel]), alpha=255)
        plane = cv2.GaussianBlur(plane, (0, 0), eye.blur * (1 + 3 * eye.haze))
        planes.append(cv2.add(cv2.multiply(plane, _APERTURE, dtype=cv2.CV_32F), noise, dtype=cv2.CV_8U))
    # The camera deepens the shadows and keeps the brightest parts.
    tones = 1.12**eye.contrast * np.linspace(0, 1, 256) ** (1 + 0.35 * eye.contrast)
    return cv2.LUT(cv2.merge(planes), np.round(255 * np.clip(tones, 0, 1)).astype(np.uint8))


# blood vessels ----------------------------------------------------------------------------------


class _Vessels(NamedTuple):
    """`n` vessels: centre lines `[n, points, 2]`, headings and widths `[n, points]`."""

    lines: np.ndarray
    headings: np.ndarray
    widths: np.ndarray


def _grow(rng: Generator, start: np.ndarray, *course: np.ndarray, wobble: float, points: int = 14) -> _Vessels:
    """Return vessels that leave `start` `[n, 2]`; `course`, each `[n]`: heading, length, bend on the way and width.

    `wobble` is the size of their random turns (radians); `width` is that at the start, 0.4 of it is left at the end.
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
    return _Vessels(lines, headings, width[:, None] * (1 - 0.6 * t))


def _branch(rng: Generator, parents: _Vessels, per_parent: int, length: float) -> _Vessels:
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
    return _grow(rng, parents.lines[parent, index], heading, lengths, bend, width, wobble=0.2)


def _draw(canvas: np.ndarray, vessels: _Vessels, values: Iterable[float]) -> None:
    """Fill the vessels' tapering outlines in `canvas` (uint8 `[h, w]`) with `values` (one each)."""
    normals = np.stack([-np.sin(vessels.headings), np.cos(vessels.headings)], 2)
    half = np.maximum(vessels.widths, 1.0)[..., None] / 2
    left, right = vessels.lines + normals * half, vessels.lines - normals * half
    outlines = np.round(np.concatenate([left, right[:, ::-1]], 1) * 2**_SUBPIXEL_BITS).astype(np.int32)
    for outline, value in zip(outlines, values, strict=True):
        cv2.fillPoly(canvas, [outline], float(value), cv2.LINE_AA, _SUBPIXEL_BITS)


def _retinal_tree(
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
        trunks = _grow(rng, start, heading, length, bend, widths, wobble=0.07, points=28)

        n = rng.integers(3, 6)
        start, heading = disc + rng.normal(0, 0.2 * disc_radius, (n, 2)), rng.uniform(-0.9, 0.9, n)
        length, bend = unit * rng.uniform(0.15, 0.33, n), rng.normal(0, 0.4, n)
        widths = unit * 0.35 * width * rng.uniform(0.7, 1.2, n)
        to_macula = _grow(rng, start, heading, length, bend, widths, wobble=0.2)
        second = _branch(rng, trunks, 5, 0.33 * unit)
        third = _branch(rng, second, 3, 0.15 * unit)

        canvas = np.zeros(shape, np.uint8)
        for vessels in (third, to_macula, second, trunks):
            # A vessel thinner than a pixel is drawn a pixel wide and paler.
            _draw(canvas, vessels, 255 * np.clip(vessels.widths[:, 0] / (0.006 * unit), 0.3, 1))
        layers.append(canvas.astype(np.float32) / 255)
    return layers[0], layers[1]


def _choroid(rng: Generator, shape: tuple[int, int], centre: np.ndarray, unit: float) -> np.ndarray:
    """Return the choroid's vessels, float32 `[h, w]` in 0..1: a web that runs roughly away from `centre`."""
    height, width = (side // 2 for side in shape)  # soft anyway: half the size is enough
    n = 600
    start = rng.uniform([-0.15 * width, -0.15 * height], [1.05 * width, 1.15 * height], (n, 2))
    outwards = start - centre / 2
    heading = np.arctan2(outwards[:, 1], outwards[:, 0]) + rng.normal(0, 0.5, n)
    length, bend = unit / 2 * rng.uniform(0.15, 0.45, n), rng.normal(0, 0.5, n)
    web = _grow(rng, start, heading, length, bend, unit / 2 * rng.uniform(0.005, 0.013, n), wobble=0.35, points=20)
    # They come up from the depth and sink again: pointed at both ends.
    web.widths[:] *= np.sin(np.linspace(0.05, np.pi - 0.05, web.widths.shape[1])) ** 0.7
    canvas = np.zeros((height, width), np.uint8)
    _draw(canvas, web, rng.uniform(90, 255, n))
    canvas = cv2.GaussianBlur(canvas, (0, 0), 1.0)
    return cv2.resize(canvas, shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
