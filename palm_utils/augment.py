"""An older name of part of `palm_utils.readers`, for notebooks that use it."""

from palm_utils.readers import Augment, brightness, compose, flip, rotate  # noqa: F401
