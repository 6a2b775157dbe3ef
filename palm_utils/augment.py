"""The old name of a part of palm_utils.readers; older notebooks import it."""

from palm_utils.readers import Augment, brightness, compose, flip, rotate  # noqa: F401
