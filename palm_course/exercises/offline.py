"""Taking the network from the process that runs a student's code, where Linux lets an ordinary user do so."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

# From <linux/sched.h>.
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000


def leave_network() -> bool:
    """Put this process, and what it starts from now on, into a network of its own that leads nowhere.

    Returns whether that was done: it takes Linux with user namespaces, which some containers forbid, and a
    process without other threads, such as a copy by fork. What is open stays open, and files stay the caller's.
    """
    with suppress(OSError, AttributeError, TypeError):  # no such function outside of Linux
        unshare = ctypes.CDLL(None).unshare
        if unshare(_NEW_NETWORK) == 0:  # root needs nothing more
            return True
        user, group = os.getuid(), os.getgid()
        if unshare(_NEW_USER | _NEW_NETWORK) == 0:
            _keep_names(user, group)
            return True
    return False


def _keep_names(user: int, group: int) -> None:
    """Call the user and the group in the new namespace what they are outside, in the place of "nobody"."""
    own = Path("/proc/self")
    with suppress(OSError):  # their rights are the same either way
        (own / "setgroups").write_text("deny")
        (own / "uid_map").write_text(f"{user} {user} 1")
        (own / "gid_map").write_text(f"{group} {group} 1")
