"""Bringing batches to the device that PaddlePaddle computes on."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, nullcontext
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def first(batches: Iterable[Item], limit: int) -> Iterator[Item]:
    """Yield the first batches; ended, it closes the generator that they come from."""
    with closing(batches) if isinstance(batches, Generator) else nullcontext():
        yield from islice(batches, limit)


def on_gpu() -> bool:
    """Tell whether PaddlePaddle computes on a GPU at present."""
    import paddle

    return paddle.device.get_device().startswith("gpu")


def on_device(batches: Iterable[tuple]) -> Iterator[tuple]:
    """Yield each batch of arrays as tensors on the device that PaddlePaddle computes on.

    For a GPU, PaddlePaddle's DataLoader reads ahead in a thread, puts the next batches into pinned memory and
    copies them while the GPU computes. What `batches` raises is raised here, at its turn.
    """
    import paddle

    if not on_gpu():
        for batch in batches:
            yield tuple(paddle.to_tensor(array) for array in batch)
        return
    raised, left = [], []

    class Stream(paddle.io.IterableDataset):
        def __iter__(self):
            try:
                for batch in batches:
                    if left:
                        return
                    yield batch
            except Exception as error:  # the loader would only say that there was one
                raised.append(error)
            finally:
                if isinstance(batches, Generator):
                    batches.close()

    loaded = iter(paddle.io.DataLoader(Stream(), batch_size=None, num_workers=0))
    try:
        for batch in loaded:
            yield tuple(batch)
    except GeneratorExit:
        left.append(True)
        for _ in loaded:  # what it has read ahead; its thread would wait for ever to hand it over
            pass
        raise
    if raised:
        raise raised[0]
