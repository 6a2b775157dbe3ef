"""The old name of palm_course.results.recipes, which notebooks import."""

from palm_course.results.recipes import *  # noqa: F403
