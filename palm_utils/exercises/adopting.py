"""Imported by the process that copies itself for each notebook (see judging), and by nothing else.

It makes that process adopt what its copies leave behind: a daemon of a student's, which would else belong to nobody.
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
