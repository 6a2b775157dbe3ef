"""What both frameworks' training steps of the row `steps` have in common: the batch, and how steps are timed."""

import math
import time
from collections.abc import Callable

import numpy as np

NUM_CLASSES = 10  # digits, or pictures of CIFAR-10


def shape_of(network: str) -> tuple[int, int, int]:
    """Return the shape of one image, [C, H, W], that a chapter's network takes."""
    return {"01": (1, 28, 28), "07": (3, 32, 32)}.get(network[:2], (3, 224, 224))


def make_batch(network: str, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images, float32 [B, C, H, W] in [-1, 1], and labels: float32 [B, 1] of eyes, else int64 [B]."""
    rng = np.random.default_rng(0)
    images = rng.uniform(-1, 1, (batch_size, *shape_of(network))).astype(np.float32)
    if network.startswith(("01", "07")):
        return images, rng.integers(0, NUM_CLASSES, batch_size)
    return images, rng.integers(0, 2, (batch_size, 1)).astype(np.float32)


def timed(step: Callable[[], float], warm_up: int, steps: int) -> list[float]:
    """Return the seconds of each of `steps` calls, after `warm_up` others; raises ValueError for a loss not finite.

    step: takes one training step and returns its loss, which makes it wait for the result.
    """
    seconds = []
    for _ in range(warm_up + steps):
        started = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - started)
        if not math.isfinite(loss):
            raise ValueError(f"the loss is {loss} after {len(seconds)} steps")
    return seconds[warm_up:]
