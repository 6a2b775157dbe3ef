"""Room on the disk: asked for before something large is written, and named when it runs out."""

import errno
import shutil
from pathlib import Path

from palm_utils.messages import tr


def shortage(folder: Path, size: int) -> str | None:
    """A sentence if the disk that holds the existing `folder` has fewer than `size` bytes free, else None."""
    free = shutil.disk_usage(folder).free
    if size <= free:
        return None
    return tr("the disk has {free:,.0f} MB free, but {size:,.0f} MB are needed", free=free / 1e6, size=size / 1e6)


def is_disk_full(error: OSError) -> bool:
    """Whether `error` says that the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
