"""The old name of palm_utils.machine, which notebooks import."""

import numpy as np

from palm_utils.machine import epoch_seed, seed_everything

__all__ = ["epoch_seed", "seed_everything", "seed_process"]


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
