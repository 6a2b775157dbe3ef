"""evaluation and predict: what a network answers, on which device, and how it scores.

`evaluation` is the tutorial's; where it was wrong, chapter 2 shows what and why.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from palm_utils import datasets, distributed, metrics
from palm_utils.checkpoints import load_parameters
from palm_utils.layers import evaluating
from palm_utils.machine import find_device, use_device  # noqa: F401 - which notebooks import from here
from palm_utils.prefetch import on_device
from palm_utils.readers import Reader, in_batches, valid_data_loader


def evaluation(
    model,
    params_file_path: str | Path,
    *,
    loader: Callable | None = None,
    batch_size: int = 10,
    threshold: float = 0.5,
) -> metrics.Scores:
    """Load parameters into a model, score it, print the scores and return them.

    loader: a reader of labelled images (data_loader(DATADIR, mode="eval") for the training folder); by
        default the validation set that palm_utils.datasets.palm() finds.
    threshold: the probability, sigmoid of the logit, from which on an image counts as pathologic.

    Raises DataNotFound or DataError when the file is missing or belongs to another network.
    """
    use_device(None)
    load_parameters(model, params_file_path)
    if loader is None:
        data = datasets.palm()
        loader = valid_data_loader(data.DATADIR2, data.CSVFILE, batch_size)
    scores = predict(model, loader, threshold=threshold)
    print(scores)
    return scores


def predict(model, loader: Callable, *, threshold: float = 0.5) -> metrics.Scores:
    """Return the Scores of a model on every image of a reader, in evaluation mode and without gradients."""
    logits, labels = _answers(model, loader)
    if not logits.size:
        raise ValueError("the reader yields no batches; a reader yields them anew each time it is called")
    return metrics.score(logits, labels, threshold)


def predict_together(model, loader: Callable) -> metrics.Scores:
    """Return what `predict` would; of several processes that train together, each looks at its share of the batches.

    What reads in another order each time, or is no Reader, is left to the first process.
    """
    rank, processes = distributed.world()
    if processes == 1:
        return predict(model, loader)
    if not isinstance(loader, Reader) or loader.shuffle or loader.augment is not None:
        return distributed.by_first(lambda: predict(model, loader))

    def share(order: list[int], batch_size: int) -> list[list[int]]:
        return in_batches(order, batch_size)[rank::processes]

    logits, _ = _answers(model, loader.split_by(share))
    number = len(loader.files)
    places = [place for batch in share(list(range(number)), loader.batch_size) for place in batch]
    return metrics.score(distributed.whole(logits, places, number), np.array(loader.labels))


def _answers(model, loader: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Return a model's logits, float64 [N], and the labels [N] of every image of a reader."""
    import paddle

    logits, labels = [], []
    with evaluating(model), paddle.no_grad():
        for images, batch_labels in on_device(loader()):
            logits.append(logits_of(model, images, batch_labels))
            labels.append(batch_labels)
    # Fetched at the end, since fetching waits for a GPU.
    fetched = ([np.ravel(tensor.numpy()) for tensor in tensors] or [np.empty(0)] for tensors in (logits, labels))
    logits, labels = map(np.concatenate, fetched)
    return logits.astype(np.float64), labels


def logits_of(model, images, labels):
    """Return a model's logits [N, 1] for N images; raises ValueError for any other shape, naming the remedy."""
    import paddle

    logits = model(images)
    if list(logits.shape) != [len(labels), 1]:
        network = model._layers if isinstance(model, paddle.DataParallel) else model
        raise ValueError(
            f"{type(network).__name__} returns shape {list(logits.shape)} for {len(labels)} images; train_pm needs "
            f"one logit an image, [{len(labels)}, 1]. Is the last layer's width (num_classes) 1?"
        )
    return logits
