"""Seeding the three random generators that a training run draws from."""

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


def seed_process(seed: int, rank: int) -> None:
    """Seed one of several processes that train together: the same order of files, augmentation and dropout apart.

    The first, rank 0, is seeded as a single process would be.
    """
    seed_everything(seed)
    if rank:
        import paddle

        own = epoch_seed(seed, rank)
        np.random.seed(own)
        paddle.seed(own)
