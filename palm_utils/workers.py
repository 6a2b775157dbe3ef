"""Ending the processes that read batches for a kernel when the kernel is killed."""

import multiprocessing
import os
import sys
import threading
from contextlib import suppress
from multiprocessing import connection, util


def end_with_this_process() -> None:
    """Let processes that multiprocessing forks from now on end when this one has ended, however that came.

    A worker of PaddlePaddle's DataLoader means to look every five seconds whether it is still needed, but waits for
    its next batch without end (2.6 to 3.3: Queue.get's first argument is not the time). Those of a kernel that was
    killed, by hand or because the memory ran out, would stay with all that they hold.
    """
    if not _asked:
        util.register_after_fork(_watch, _Watch.begin)
        _asked.append(True)


class _Watch:
    """What multiprocessing keeps a reference to."""

    def begin(self) -> None:
        threading.Thread(target=self.end_with_parent, daemon=True).start()

    @staticmethod
    def end_with_parent() -> None:
        connection.wait([multiprocessing.parent_process().sentinel])
        with suppress(Exception):
            sys.modules["paddle.base.core"]._cleanup_mmap_fds()  # shared memory, which would outlive all processes
        os._exit(1)


_watch, _asked = _Watch(), []
