"""Photographs of the originals' size, 2124 x 2056, drawn: the generated sample's eyes, enlarged, with a camera's grain.

Several photographs show the same eye, each with its grain in another place: no two files are the same, and
an eye takes longer to draw than a photograph to store.
"""

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from palm_utils import machine
from palm_utils.datasets import HEADER, LABELS, TRAINING, VALIDATION, PalmData
from palm_utils.sample import fundus
from palm_utils.sample.grid import HEIGHT, WIDTH

FULL_SIZE = (2056, 2124)  # height, width of the originals
SAMPLE_SIZE = (HEIGHT, WIDTH)  # a quarter of it
_KINDS = "PNPNPNPNPH"
_EYES = 40
_GRAIN = 2.0  # standard deviation, of 255
_QUALITY = 90


def make(folder: Path, training: int, validation: int, size: tuple[int, int] = FULL_SIZE) -> PalmData:
    """Draw photographs in iChallenge-PM's layout, JPEGs of `size` (height, width), and return where they are."""
    names = [f"{TRAINING}/{_KINDS[i % len(_KINDS)]}{i + 1:04d}.jpg" for i in range(training)]
    names += [f"{VALIDATION}/V{i + 1:04d}.jpg" for i in range(validation)]
    for part in (TRAINING, VALIDATION):
        (folder / part).mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(0).normal(0, _GRAIN, size).round().astype(np.int16)
    eyes = min(_EYES, len(names))
    with ThreadPoolExecutor(machine.thread_count()) as pool:
        drawn = list(pool.map(lambda i: _eye(_KINDS[i % len(_KINDS)], i), range(eyes)))
        list(pool.map(lambda i: _store(folder / names[i], drawn[i % eyes], grain, i), range(len(names))))
    with open(folder / LABELS, "w", newline="", encoding="utf-8") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(HEADER)
        for i in range(validation):
            eye = (training + i) % eyes
            table.writerow([i + 1, f"V{i + 1:04d}.jpg", int(_KINDS[eye % len(_KINDS)] == "P"), 0, 0])
    return PalmData(folder, "sample")


def mean_bytes(folder: Path) -> float:
    """Return the mean size of the photographs in a folder."""
    return float(np.mean([file.stat().st_size for file in folder.glob("*.jpg")]))


def _eye(kind: str, number: int) -> np.ndarray:
    return fundus.photograph(kind, np.random.default_rng((2019, number)))[0]


def _store(path: Path, eye: np.ndarray, grain: np.ndarray, number: int) -> None:
    enlarged = cv2.resize(eye, grain.shape[::-1], interpolation=cv2.INTER_CUBIC)
    shifted = np.roll(grain, (37 * number, 101 * number), axis=(0, 1))
    image = cv2.add(enlarged, cv2.merge([shifted] * 3), dtype=cv2.CV_8U)
    path.write_bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())
