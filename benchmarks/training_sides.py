"""`python -m benchmarks.training_sides SIDE ARGUMENTS`: a training that waits before each epoch until it is told to go.

It reads "go" from its standard input, line by line, and answers each with the seconds that the epoch took; first of
all it says "ready". What the training prints goes to the standard error.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import tutorial
from palm_course.results.recipes import RECIPES
from palm_course.results.train import find_network, train
from palm_utils.datasets import PalmData
from palm_utils.readers import Reader, data_loader, valid_data_loader


class Gate:
    """Where a training waits before its epochs, and by which they are timed."""

    def __init__(self, read: Callable[[], str], say: Callable[[str], None]):
        self._read, self._say, self._started = read, say, None

    def wait(self) -> None:
        """End the epoch that is under way, and return when the next may begin."""
        self.end()
        if self._read().strip() != "go":
            sys.exit("nobody waits for this training any more")
        self._started = time.perf_counter()

    def end(self) -> None:
        self._say("ready" if self._started is None else repr(time.perf_counter() - self._started))


class Waiting:
    """A reader that waits at the gate at the beginning of each epoch."""

    def __init__(self, reader: Reader, gate: Gate):
        self.reader, self.gate, self.batch_size = reader, gate, reader.batch_size

    def __len__(self) -> int:
        return len(self.reader)

    def __call__(self):
        self.gate.wait()
        return self.reader()


def course(gate: Gate, data: PalmData, network: str, recipe: str, batch_size: int, epochs: int, folder: str) -> None:
    """Train as the chapter does."""
    loaders = data_loader(data.DATADIR, batch_size), valid_data_loader(data.DATADIR2, data.CSVFILE, batch_size)
    chosen = replace(RECIPES["tutorial"][recipe], epochs=epochs)
    train(find_network(network)[1], chosen, Waiting(loaders[0], gate), loaders[1], 0, Path(folder), progress=False)
    gate.end()


def tutorials(gate: Gate, data: PalmData, network: str, recipe: str, batch_size: int, epochs: int, folder: str) -> None:
    """Train the same network with the same hyper-parameters by the tutorial's loop."""
    import paddle

    paddle.seed(0)
    model = find_network(network)[1]()
    optimizer = RECIPES["tutorial"][recipe].make_optimizer(model, 1)
    train_loader = tutorial.data_loader(data.DATADIR, batch_size)
    valid_loader = tutorial.valid_data_loader(data.DATADIR2, data.CSVFILE, batch_size)
    for _ in range(epochs):
        gate.wait()
        tutorial.train_epoch(model, optimizer, train_loader, valid_loader, Path(folder))
    gate.end()


SIDES = {"course": course, "tutorial": tutorials}


def main(side: str, arguments: str) -> None:
    # The answers go to the real standard output; what libraries write there, also from C++, does not.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    given = json.loads(arguments)
    data = PalmData(Path(given.pop("data")), "sample")
    SIDES[side](Gate(sys.stdin.readline, lambda text: print(text, file=answers, flush=True)), data, **given)


if __name__ == "__main__":
    main(*sys.argv[1:])
