"""The old name of palm_course.claims, which notebooks import."""

from palm_course.claims import *  # noqa: F403
