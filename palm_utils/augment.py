"""Random changes to training photographs that leave the diagnosis as it is.

Each function takes and returns what a reader yields for one photograph, float32 [3, H, W] in [-1, 1]
with black at -1, leaves its input alone, and draws from numpy's global generator, which train_pm seeds
anew in every epoch.
"""

from collections.abc import Callable

import cv2
import numpy as np

Augment = Callable[[np.ndarray], np.ndarray]


def flip(image: np.ndarray) -> np.ndarray:
    """Mirror left and right in half of the cases: a left eye looks like a mirrored right one."""
    return image[:, :, ::-1].copy() if np.random.rand() < 0.5 else image


def brightness(image: np.ndarray, strength: float = 0.2) -> np.ndarray:
    """Multiply all pixels by one factor between 1 - strength and 1 + strength; black stays black."""
    factor = np.random.uniform(1 - strength, 1 + strength)
    return np.clip((image + 1.0) * np.float32(factor) - 1.0, -1.0, 1.0).astype(np.float32)


def rotate(image: np.ndarray, degrees: float = 20.0) -> np.ndarray:
    """Turn the photograph about its centre by up to `degrees` either way; corners turn black."""
    _, height, width = image.shape
    angle = np.random.uniform(-degrees, degrees)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    turned = cv2.warpAffine(image.transpose(1, 2, 0), matrix, (width, height), borderValue=(-1.0, -1.0, -1.0))
    return np.ascontiguousarray(turned.transpose(2, 0, 1))


def compose(*steps: Augment) -> Augment:
    """Return one function that takes the steps in order."""

    def augment(image: np.ndarray) -> np.ndarray:
        for step in steps:
            image = step(image)
        return image

    return augment
