"""The old name of palm_course.results.train; older scripts import it."""

from palm_course.results.train import *  # noqa: F403
