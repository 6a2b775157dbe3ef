"""Keeping PaddlePaddle's native log out of a notebook where it has nothing to say to a student."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def native_warnings_hidden() -> Iterator[None]:
    """Drop what C++ code writes to the process's stderr in the block; Python's warnings and errors still show.

    PaddlePaddle 3.3.1 logs "static graph(PIR) not support input out tensor" when it exports a network with an
    addition. Its log level can only be set before it is loaded.
    """
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
