"""The tutorial's way of reading and training, in our own words, to be compared with.

Its steps are those of the course's section 2: every photograph is read and decoded again in every epoch, on one
thread, one after another, between the training steps; validation computes its figures with the layers' own
operations and keeps the graph for gradients that nobody asks for; parameters and optimizer state are saved after
each epoch.
"""

import csv
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

Batches = Iterator[tuple[np.ndarray, np.ndarray]]


def transform_img(img: np.ndarray) -> np.ndarray:
    """Turn a photograph, uint8 [H, W, 3], into float32 [3, 224, 224] in [-1, 1]."""
    img = cv2.resize(img, (224, 224))
    img = np.transpose(img, (2, 0, 1)).astype("float32")
    return img / 255.0 * 2.0 - 1.0


def data_loader(datadir: str | Path, batch_size: int = 10, mode: str = "train") -> Callable[[], Batches]:
    """Return a reader of the photographs in a folder, labelled by the first letter of their names."""

    def reader() -> Batches:
        files = list(Path(datadir).iterdir())
        if mode == "train":
            random.shuffle(files)
        yield from _batches(((file, int(file.name[0] == "P")) for file in files), batch_size)

    return reader


def valid_data_loader(datadir: str | Path, csvfile: str | Path, batch_size: int = 10) -> Callable[[], Batches]:
    """Return a reader of the photographs that a label table names."""

    def reader() -> Batches:
        with open(csvfile, encoding="utf-8") as f:
            rows = list(csv.DictReader(f))
        yield from _batches(((Path(datadir, row["imgName"]), int(row["Label"])) for row in rows), batch_size)

    return reader


def _batches(pairs: Iterator[tuple[Path, int]], batch_size: int) -> Batches:
    images, labels = [], []
    for file, label in pairs:
        images.append(transform_img(cv2.imread(str(file))))
        labels.append(label)
        if len(images) == batch_size:
            yield np.array(images), np.array(labels, "float32").reshape(-1, 1)
            images, labels = [], []
    if images:
        yield np.array(images), np.array(labels, "float32").reshape(-1, 1)


def train_epoch(model, optimizer, train_loader: Callable, valid_loader: Callable, folder: Path) -> tuple[float, float]:
    """Train one epoch, validate, save; return the last training loss and the validation accuracy."""
    import paddle
    import paddle.nn.functional as F

    model.train()
    for batch_id, (images, labels) in enumerate(train_loader()):
        logits = model(paddle.to_tensor(images))
        loss = F.binary_cross_entropy_with_logits(logits, paddle.to_tensor(labels)).mean()
        if batch_id % 20 == 0:
            print(f"batch_id: {batch_id}, loss is: {float(loss):.4f}")
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
    last = float(loss)

    model.eval()
    accuracies, losses = [], []
    for images, labels in valid_loader():
        logits, truth = model(paddle.to_tensor(images)), paddle.to_tensor(labels)
        positive = F.sigmoid(logits)
        losses.append(F.binary_cross_entropy_with_logits(logits, truth).numpy())
        both = paddle.concat([1 - positive, positive], axis=1)
        accuracies.append(paddle.metric.accuracy(both, truth.astype("int64")).numpy())
    print(f"[validation] accuracy/loss: {np.mean(accuracies):.4f}/{np.mean(losses):.4f}")

    paddle.save(model.state_dict(), str(folder / "palm.pdparams"))
    paddle.save(optimizer.state_dict(), str(folder / "palm.pdopt"))
    return last, float(np.mean(accuracies))
