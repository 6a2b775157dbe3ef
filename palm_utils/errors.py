"""The old name of palm_utils.messages, which notebooks import."""

from palm_utils.messages import *  # noqa: F403
