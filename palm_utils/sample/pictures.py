"""CIFAR-like pictures: ten kinds of silhouette in varied colour, pose and surroundings.

A silhouette's outlines lie in a unit square, x right, y down. Each thing has one or two views; a view is a list of
parts, drawn in order; a part is a tone and an outline. Tones: 'body' and 'shade' are the picture's own colour and a
darker kind of it, 'dark' and 'light' nearly black and nearly white.
"""

import gzip
import io
import itertools
import pickle
import re
import tarfile
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from palm_utils.sample.grid import Grid

Part = tuple[str, np.ndarray]

# In the order of CIFAR-10's labels 0 to 9. A line without indent begins a view, the indented ones are its parts:
#   TONE: corners x,y of an outline | of another       TONE RX RY [ANGLE]: centres x,y of ellipses, turned by degrees
#   legs TOP BOTTOM WIDTH: x of each leg of an animal; every other one is on the far side, hence in the shade
_DRAWINGS = """
airplane: from the side
  shade: .44,.48 .56,.48 .42,.22 .35,.22
  body: .05,.47 .12,.42 .75,.43 .97,.40 .97,.47 .80,.57 .14,.57 | .80,.45 .97,.42 .99,.22 .91,.22
  shade: .40,.52 .58,.52 .74,.76 .64,.76
  dark: .09,.46 .13,.43 .17,.43 .17,.47
airplane: from below
  body: .47,.10 .50,.04 .53,.10 .55,.90 .50,.95 .45,.90
  body: .46,.36 .54,.36 .97,.60 .97,.67 .54,.57 .46,.57 .03,.67
  shade: .46,.80 .54,.80 .71,.92 .71,.96 .29,.96 .29,.92
  shade .03 .06: .28,.54 .72,.54
automobile: from the side
  body: .24,.48 .34,.30 .66,.30 .80,.48
  dark: .30,.47 .37,.34 .49,.34 .49,.47 | .52,.47 .52,.34 .64,.34 .73,.47
  body: .04,.52 .12,.46 .88,.47 .96,.54 .96,.67 .04,.67
  dark .095 .095: .24,.67 .76,.67
  light .04 .04: .24,.67 .76,.67
automobile: from the front
  body: .24,.42 .33,.22 .67,.22 .76,.42
  dark: .29,.42 .36,.26 .64,.26 .71,.42 | .16,.68 .30,.68 .30,.82 .16,.82 | .70,.68 .84,.68 .84,.82 .70,.82
  body: .13,.48 .20,.41 .80,.41 .87,.48 .87,.72 .13,.72
  shade: .32,.54 .68,.54 .66,.64 .34,.64
  light .055 .045: .22,.55 .78,.55
bird: perched
  dark: .46,.68 .49,.68 .49,.92 .45,.92 | .55,.68 .58,.68 .58,.92 .54,.92
  shade: .66,.52 .98,.74 .92,.82 .58,.68
  body .25 .16 28: .52,.55
  body .12 .12: .30,.31
  dark: .20,.28 .06,.34 .20,.36
  shade: .42,.46 .68,.54 .84,.72 .54,.62
  dark .025 .025: .27,.29
bird: in flight
  body: .46,.46 .30,.22 .02,.16 .14,.34 .42,.62
  shade: .54,.46 .70,.22 .98,.16 .86,.34 .58,.62
  body .09 .20: .50,.56
  body .065 .075: .50,.33
  body: .45,.70 .55,.70 .63,.92 .37,.92
  dark: .48,.28 .52,.28 .50,.18
cat: sitting
  shade: .68,.86 .88,.80 .90,.52 .96,.52 .96,.86 .80,.95 .66,.95
  body .23 .25: .50,.72
  body: .27,.30 .27,.05 .46,.18 | .73,.30 .73,.05 .54,.18
  body .25 .20: .50,.33
  light .09 .06: .50,.42
  dark .035 .045: .40,.31 .60,.31
  dark: .47,.38 .53,.38 .50,.42
  shade .07 .05: .41,.91 .59,.91
cat: the face
  body: .12,.48 .10,.05 .42,.22 | .88,.48 .90,.05 .58,.22
  shade: .17,.34 .16,.14 .31,.22 | .83,.34 .84,.14 .69,.22
  body .40 .36: .50,.54
  light .18 .14: .50,.70
  dark .06 .075: .34,.48 .66,.48
  dark: .44,.61 .56,.61 .50,.68
deer
  legs .60 .96 .025: .40 .47 .76 .83
  body .27 .12: .60,.56
  body: .36,.60 .24,.36 .33,.30 .48,.48
  body .13 .06 -18: .22,.34
  shade: .30,.30 .42,.25 .34,.34
  dark: .27,.29 .25,.16 .12,.05 .14,.04 .27,.12 .29,.02 .31,.03
  dark: .29,.30 .38,.18 .37,.05 .39,.05 .41,.13 .53,.05 .53,.08
  light .035 .06: .87,.52
dog: standing
  legs .60 .92 .05: .34 .43 .70 .79
  body: .80,.46 .95,.24 .99,.27 .87,.54 | .28,.42 .84,.44 .86,.64 .60,.68 .30,.68
  body .16 .14: .25,.34
  body: .20,.30 .03,.36 .03,.44 .22,.46
  shade: .28,.22 .40,.26 .42,.50 .31,.46
  dark .03 .03: .04,.38
  dark .022 .025: .20,.31
dog: the face, ears hanging
  body .28 .34: .50,.48
  shade .11 .28 8: .20,.48
  shade .11 .28 -8: .80,.48
  light .17 .17: .50,.68
  dark .045 .05: .39,.42 .61,.42
  dark .08 .055: .50,.60
  dark: .49,.65 .51,.65 .51,.76 .49,.76
frog
  shade .15 .10 -28: .18,.74
  shade .15 .10 28: .82,.74
  shade: .04,.86 .30,.82 .32,.90 .06,.92 | .96,.86 .70,.82 .68,.90 .94,.92
  body .31 .22: .50,.64
  body .27 .16: .50,.46
  body .10 .10: .31,.31 .69,.31
  light .065 .065: .31,.30 .69,.30
  dark .03 .045: .31,.30 .69,.30
  dark: .28,.50 .50,.545 .72,.50 .50,.57
  light .17 .09: .50,.74
horse
  legs .58 .96 .04: .34 .42 .74 .82
  dark: .84,.44 .97,.52 .99,.80 .92,.78 .86,.58
  body .30 .15: .58,.52
  body: .30,.58 .20,.24 .34,.14 .54,.42 | .34,.12 .18,.18 .02,.38 .09,.45 .32,.32 | .26,.16 .29,.03 .35,.15
  dark: .33,.10 .42,.16 .60,.41 .50,.42 .38,.26
  dark .02 .02: .22,.22
ship
  dark: .45,.40 .45,.06 .47,.06 .47,.40
  light: .28,.58 .28,.42 .72,.42 .72,.58 | .36,.43 .36,.30 .58,.30 .58,.43
  shade: .60,.43 .61,.20 .70,.20 .70,.43
  dark: .32,.47 .68,.47 .68,.50 .32,.50
  body: .02,.54 .98,.57 .86,.78 .15,.78
  shade: .12,.72 .89,.72 .86,.79 .15,.79
ship: under sail
  light: .52,.05 .52,.66 .92,.66
  shade: .48,.12 .48,.66 .14,.66
  dark: .49,.04 .51,.04 .51,.72 .49,.72
  body: .08,.70 .94,.70 .80,.86 .22,.86
truck
  body: .30,.20 .97,.20 .97,.66 .30,.66
  shade: .30,.60 .97,.60 .97,.70 .30,.70
  light: .04,.50 .11,.32 .28,.32 .28,.70 .03,.70
  dark: .08,.48 .13,.36 .24,.36 .24,.48
  dark .085 .085: .16,.72 .64,.72 .84,.72
  light .03 .03: .16,.72 .64,.72 .84,.72
"""

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
    """Return the parts, with float32 outlines `[n, 2]`, that a line of _DRAWINGS stands for."""
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
for _view in re.split(r"\n(?! )", _DRAWINGS.strip()):
    _title, *_lines = _view.splitlines()
    SILHOUETTES.setdefault(_title.partition(":")[0], []).append([part for line in _lines for part in _parts(line)])
CLASS_NAMES = tuple(SILHOUETTES)
