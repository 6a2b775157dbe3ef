"""The old name of palm_course.claims; older notebooks import it."""

from palm_course.claims import *  # noqa: F403
