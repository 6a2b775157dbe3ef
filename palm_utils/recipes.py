"""The old name of palm_course.results.recipes; older notebooks import it."""

from palm_course.results.recipes import *  # noqa: F403
