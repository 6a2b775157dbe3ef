"""The old name of palm_utils.machine."""

from palm_utils.machine import end_workers_with_this_process as end_with_this_process

__all__ = ["end_with_this_process"]
