"""The old name of palm_course.results.train, which scripts import."""

from palm_course.results.train import *  # noqa: F403
