"""Preparing the next batch while the present one is used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


def loaded_ahead(load: Callable[[Item], Loaded], items: Iterable[Item], ahead: int = 1) -> Iterator[Loaded]:
    """Yield load(item) of each item in order, the next `ahead` of them being loaded in as many threads meanwhile.

    What `load` raises is raised here, at that item's turn. The threads end with the generator, whether it
    was used up, closed or left.
    """
    waiting: deque[Future[Loaded]] = deque()
    pool = ThreadPoolExecutor(ahead, thread_name_prefix="palm-prefetch")
    try:
        for item in items:
            waiting.append(pool.submit(load, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
