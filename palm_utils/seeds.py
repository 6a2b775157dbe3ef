"""One call for the three random generators that a training run draws from."""

import random

import numpy as np


def seed_everything(seed: int) -> None:
    """Seed `random` (order of the files), numpy (shuffling, augmentation) and PaddlePaddle (weights, dropout)."""
    import paddle

    random.seed(seed)
    np.random.seed(seed % 2**32)
    paddle.seed(seed)


def epoch_seed(seed: int, epoch: int) -> int:
    """Return the seed of one epoch of a run: what epoch 3 draws does not depend on epochs 0 to 2.

    That lets a resumed run go on exactly where an uninterrupted one would be.
    """
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
