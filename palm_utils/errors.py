"""The old name of palm_utils.messages; older notebooks import it."""

from palm_utils.messages import *  # noqa: F403
