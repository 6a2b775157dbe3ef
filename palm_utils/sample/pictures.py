"""CIFAR-like pictures: ten kinds of silhouette in varied colour, pose and surroundings."""

import gzip
import io
import itertools
import pickle
import tarfile
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from palm_utils.sample.grid import Grid

Part = tuple[str, np.ndarray]

_DRAWINGS = Path(__file__).with_name("silhouettes.txt")  # which says at its beginning how it is read
SIDE = 32  # pixels, as in CIFAR-10
_GRID = Grid(0, 0, SIDE, SIDE)
_DRAWN_SIDE = 64  # drawn larger and averaged down, so that edges are as soft as a photograph's
_SUBPIXEL_BITS = 4
_TRAINING_FILES = 5


def make_pictures(path: Path, train: int, test: int, seed: int) -> None:
    """Write `train` + `test` pictures to `path` as CIFAR-10's archive of pickled batches, with its members and keys.

    `data` is uint8 `[n, 3072]`, three 32 x 32 planes in the order red, green, blue; `labels` is a list of ints 0 to 9.
    """
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as f, tarfile.open(fileobj=f, mode="w") as tar:
        splits = [("train", "data_batch_{}", "training", train, _TRAINING_FILES)]
        splits += [("test", "test_batch", "testing", test, 1)]
        for stream, (split, member, label, count, files) in enumerate(splits, 1):
            rng = np.random.default_rng((seed, stream))
            labels = rng.permutation(np.arange(count) % len(CLASS_NAMES))  # every class equally often
            images = np.stack([draw(CLASS_NAMES[label], rng).transpose(2, 0, 1).reshape(-1) for label in labels])
            for k, part in enumerate(np.array_split(np.arange(count), files), 1):
                batch = {
                    b"batch_label": f"{label} batch {k} of {files}".encode(),
                    b"labels": labels[part].tolist(),
                    b"data": images[part],
                    b"filenames": [f"{split}_{n:05d}.png".encode() for n in part],
                }
                _add(tar, member.format(k), batch)
        names = [name.encode() for name in CLASS_NAMES]
        meta = {b"num_cases_per_batch": train // _TRAINING_FILES, b"label_names": names, b"num_vis": 3072}
        _add(tar, "batches.meta", meta)


def _add(tar: tarfile.TarFile, name: str, content: dict) -> None:
    # By NumPy 1's name for its inner package, as in CIFAR-10's own files: both majors know it, 1 knows no other.
    raw = pickle.dumps(content, protocol=2).replace(b"cnumpy._core.", b"cnumpy.core.")
    info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")  # its time stamp is 0
    info.size = len(raw)
    tar.addfile(info, io.BytesIO(raw))


def draw(name: str, rng: Generator) -> np.ndarray:
    """Return one picture of class `name`: uint8 `[32, 32, 3]`, RGB."""
    canvas = _background(rng)
    views = SILHOUETTES[name]
    view = views[rng.integers(len(views))]
    points = np.concatenate([outline for _, outline in view]) - 0.5
    points += rng.normal(0, 0.009, points.shape)
    matrix, offset = _pose(rng)
    points = np.round((points @ matrix.T + offset) * 2**_SUBPIXEL_BITS).astype(np.int32)
    colours, ends = _colours(rng), np.cumsum([len(outline) for _, outline in view])
    for (tone, _), outline in zip(view, np.split(points, ends[:-1]), strict=True):
        cv2.fillPoly(canvas, [outline], colours[tone], cv2.LINE_8, _SUBPIXEL_BITS)
    picture = cv2.resize(canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    # Light falls from one side; then the camera's noise.
    across, down = rng.normal(0, 0.18, 2)
    ramp = np.linspace(-1, 1, SIDE, dtype=np.float32)
    picture *= (1 + across * ramp[None, :] + down * ramp[:, None])[..., None]
    picture += _GRID.noise(rng, 9)[..., None] * rng.uniform(0, 14)
    picture += rng.standard_normal(picture.shape, np.float32) * rng.uniform(2, 9)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _pose(rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2 x 2 matrix and the offset that place a unit-square outline on the canvas."""
    size = _DRAWN_SIDE * rng.uniform(0.62, 1.0)
    angle = np.deg2rad(rng.normal(0, 9))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.diag([rng.choice([-1, 1]) * rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.15)])
    shear = np.array([[1, rng.normal(0, 0.08)], [0, 1]])
    offset = _DRAWN_SIDE * (0.5 + rng.uniform(-0.1, 0.1, 2))
    return turn @ shear @ stretch * size, offset


def _colours(rng: Generator) -> dict[str, list[float]]:
    body = _colour(rng.uniform(0, 180), 220 * rng.beta(1, 1.3), rng.uniform(60, 245))
    near_black, near_white = rng.uniform(5, 50), rng.uniform(205, 250)
    shade = body * rng.uniform(0.55, 0.8)
    return {"body": body.tolist(), "shade": shade.tolist(), "dark": 3 * [near_black], "light": 3 * [near_white]}


def _background(rng: Generator) -> np.ndarray:
    """Return a canvas, uint8 `[64, 64, 3]`: sky and ground in any colours, with blotches."""
    top, bottom = (_colour(rng.uniform(0, 180), rng.uniform(0, 130), rng.uniform(60, 230)) for _ in range(2))
    horizon = rng.uniform(0.3, 1.1)
    softness = rng.uniform(0.02, 0.4)
    rows = np.linspace(0, 1, SIDE, dtype=np.float32)
    mix = (1 / (1 + np.exp(-(rows - horizon) / softness)))[:, None, None]
    small = np.broadcast_to(top + (bottom - top) * mix, (SIDE, SIDE, 3)) + _GRID.noise(rng, 6)[..., None] * 22
    small = np.clip(small, 0, 255).astype(np.uint8)
    return cv2.resize(small, (_DRAWN_SIDE, _DRAWN_SIDE), interpolation=cv2.INTER_LINEAR)


def _colour(hue: float, saturation: float, value: float) -> np.ndarray:
    """Return float64 RGB 0..255 from OpenCV's HSV: hue 0..180, saturation and value 0..255."""
    hsv = np.array([[[hue, saturation, value]]], np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(float)


def _parts(line: str) -> list[Part]:
    """Return the parts, with float32 outlines `[n, 2]`, that a line of the drawings stands for."""
    head, _, places = line.partition(":")
    tone, *sizes = head.split()
    numbers = [float(size) for size in sizes]
    outlines = [np.array([point.split(",") for point in outline.split()], float) for outline in places.split("|")]
    if tone == "legs":
        top, bottom, width = numbers
        corners = [(-width, top), (width, top), (0.7 * width, bottom), (-0.7 * width, bottom)]
        outlines = [[(x + dx, y) for dx, y in corners] for (x,) in outlines[0]]
    elif sizes:
        rx, ry, angle = [*numbers, 0][:3]
        t = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        u, v = rx * np.cos(t), ry * np.sin(t)
        outlines = [np.stack([x + c * u - s * v, y + s * u + c * v], 1) for x, y in outlines[0]]
    tones = itertools.cycle(("body", "shade") if tone == "legs" else (tone,))
    return [(tone, np.array(outline, np.float32)) for tone, outline in zip(tones, outlines, strict=False)]


SILHOUETTES: dict[str, list[list[Part]]] = {}
_view: list[Part] = []
for _line in _DRAWINGS.read_text(encoding="utf-8").splitlines():
    if _line.startswith(" "):
        _view += _parts(_line)
    elif not _line.startswith("#"):
        _view = []
        SILHOUETTES.setdefault(_line.partition(":")[0], []).append(_view)
CLASS_NAMES = tuple(SILHOUETTES)
