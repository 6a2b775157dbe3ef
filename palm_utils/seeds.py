"""The old name of palm_utils.machine; older notebooks import it."""

from palm_utils.machine import epoch_seed, seed_everything  # noqa: F401
