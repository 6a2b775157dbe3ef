"""The old name of palm_utils.machine, which notebooks import."""

from palm_utils.machine import epoch_seed, seed_everything  # noqa: F401
