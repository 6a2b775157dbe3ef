"""Imported by the process that is copied for each new one (multiprocessing's forkserver), and by nothing else.

It makes that process adopt what its copies leave behind: a daemon of a student's, which would else belong to nobody
(see exercises.orphans). A program has one such process, which imports what the first to need it names: everybody
names this module.
"""

import contextlib
import ctypes
import sys
import warnings

_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>

if sys.platform.startswith("linux"):
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # multiprocessing does not expect children that it has not made.
    warnings.filterwarnings("ignore", message="forkserver:")
