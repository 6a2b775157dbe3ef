"""A network's training step in PaddlePaddle, in one process or in several that share each batch."""

import json
import os
from pathlib import Path

import numpy as np

from benchmarks.batches import NUM_DIGITS, make_batch, timed
from palm_course import chapters as notebooks
from palm_course.results.recipes import Recipe
from palm_course.results.train import launch


def run(
    network: str, recipe: dict, batch_size: int, warm_up: int, steps: int, number: int, folder: str
) -> dict[str, list[float] | int]:
    """Return the seconds of each training step of all images of a batch, and the trainable parameters.

    recipe: a Recipe of palm_course.results.recipes as a dict; number: of processes; folder: an empty one, to hand
    over the result.
    """
    argument = {
        "network": network, "recipe": recipe, "batch_size": batch_size, "warm_up": warm_up, "steps": steps,
        "result": str(Path(folder, "steps.json")),
    }  # fmt: skip
    if number == 1:
        measure(**argument)
    else:
        launch(
            ["benchmarks.steps_paddle:measure", json.dumps(argument), os.devnull],
            number,
            program=("-m", "benchmarks.call"),
        )
    return json.loads(Path(argument["result"]).read_text(encoding="utf-8"))


def measure(**argument) -> None:
    """Train in each of the processes; the first stores the result. argument: as `run` makes it."""
    import paddle
    import paddle.nn.functional as F
    from paddle import distributed

    rank, number = distributed.get_rank(), distributed.get_world_size()
    if number > 1:
        distributed.init_parallel_env()
    chapter, _, name = argument["network"].partition(":")
    network = getattr(notebooks.definitions(notebooks.find(chapter)[0]), name)
    paddle.seed(0)
    digits = chapter.startswith("01")
    model = network(num_classes=NUM_DIGITS) if digits else network()
    model.train()
    recipe = Recipe(**{**argument["recipe"], "augment": ()})
    optimizer = recipe.make_optimizer(model, argument["steps"])
    parallel = paddle.DataParallel(model) if number > 1 else model  # averages the gradients
    images, labels = make_batch(argument["network"], argument["batch_size"])
    images, labels = images[rank::number], labels[rank::number]
    loss_of = F.cross_entropy if digits else F.binary_cross_entropy_with_logits

    def step() -> float:
        loss = loss_of(parallel(paddle.to_tensor(images)), paddle.to_tensor(labels))
        value = float(loss)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        return value

    if number > 1:
        distributed.barrier()  # one may have been slower to start
    seconds = timed(step, argument["warm_up"], argument["steps"])
    trainable = [p for p in model.parameters() if not p.stop_gradient]
    result = {
        "seconds": seconds,
        "parameters": int(sum(np.prod(p.shape) for p in trainable)),
        "tensors": len(trainable),
    }
    if rank == 0:
        Path(argument["result"]).write_text(json.dumps(result), encoding="utf-8")
