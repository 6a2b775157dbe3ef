"""The old name of palm_utils.machine."""

from palm_utils.machine import thread_count as count
from palm_utils.machine import threads_in_use as in_use
from palm_utils.machine import use_threads as use

__all__ = ["count", "in_use", "use"]
