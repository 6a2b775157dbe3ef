"""What is said where a training cannot be saved: a full disk, a folder that cannot be written to."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palm_utils.files import is_disk_full, shortage
from palm_utils.history import History
from palm_utils.messages import CourseError, tr


class NotSaved(CourseError):
    """A training cannot be saved. What was saved before is there still.

    `history` has all epochs that were trained, the last of which could not be saved; None before the first.
    """

    def __init__(self, message: str, history: History | None = None):
        super().__init__(message)
        self.history = history


def not_saved(folder: Path, error: OSError, history: dict | None = None, *, earlier: bool = False) -> NotSaved:
    """Return the error to raise.

    history: as `History.to_dict` has it, once an epoch has been trained; earlier: whether something was saved before.
    """
    sentences = [
        tr("Training cannot be saved in {folder} ({reason}).", folder=folder.absolute(), reason=error.strerror or error)
    ]
    if is_disk_full(error):
        sentences.append(tr("Make room on that disk, or name a folder on another (folder=, save_dir= or --folder)."))
    else:
        sentences.append(tr("Make that folder writable, or name another (folder=, save_dir= or --folder)."))
    if earlier:
        sentences.append(tr("What was saved before is still there, and resume=True goes on from it."))
    if history is None:
        return NotSaved(" ".join(sentences))
    sentences.append(
        tr(
            "The epoch that has just ended is in the model, and its figures are in this error's .history; "
            "paddle.save(model.state_dict(), FILE) keeps its parameters elsewhere."
        )
    )
    return NotSaved(" ".join(sentences), History.from_dict(history))


@contextmanager
def saying_what_to_do(folder: Path, history: dict | None = None, *, earlier: bool = False) -> Iterator[None]:
    """Turn an OSError in the block into `not_saved`."""
    try:
        yield
    except OSError as error:
        raise not_saved(folder, error, history, earlier=earlier) from None


def refuse_full_disk(folder: Path, model) -> None:
    """Raise NotSaved where not even the parameters of the last and of the best epoch would fit on the disk.

    model: None for one whose size is not known.
    """
    if model is None:
        return
    size = sum(value.size * value.element_size() for value in model.state_dict().values())
    if lacking := shortage(folder, 2 * size):
        raise not_saved(folder, OSError(errno.ENOSPC, lacking))
