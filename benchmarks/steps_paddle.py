"""A network's training step in PaddlePaddle, by one network or by replicas that share each batch."""

import numpy as np
import paddle
import paddle.nn.functional as F

from benchmarks.batches import NUM_CLASSES, make_batch, timed
from palm_course import chapters as notebooks
from palm_course.results.recipes import Recipe
from palm_utils import cpu, machine

try:
    import resource
except ImportError:  # Windows
    resource = None


def run(network: str, recipe: dict, batch_size: int, warm_up: int, steps: int, replicas: int = 1) -> dict:
    """Return the seconds of each training step, the trainable parameters, peak memory (MB) and page faults a step.

    recipe: a Recipe of palm_course.results.recipes as a dict.
    """
    machine.seed_everything(0)
    chapter, _, name = network.partition(":")
    eyes = not chapter.startswith(("01", "07"))
    defined = notebooks.definitions(notebooks.find(chapter)[0])
    make = getattr(defined, name, None) or getattr(paddle.vision.models, name)
    model = make() if eyes else make(num_classes=NUM_CLASSES)
    model.train()
    optimizer = Recipe(**{**recipe, "augment": ()}).make_optimizer(model, steps)
    images, labels = make_batch(network, batch_size)
    loss_of = F.binary_cross_entropy_with_logits if eyes else F.cross_entropy
    parallel = model
    if replicas > 1:
        parallel = cpu.Replicas(model, replicas, machine.threads_in_use())
        parallel.start_epoch(0)
    faults = []

    def step() -> float:
        loss = loss_of(parallel(paddle.to_tensor(images)), paddle.to_tensor(labels))
        value = float(loss)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt if resource else 0)
        return value

    seconds = timed(step, warm_up, steps)
    trainable = [p for p in model.parameters() if not p.stop_gradient]
    return {
        "seconds": seconds,
        "parameters": int(sum(np.prod(p.shape) for p in trainable)),
        "tensors": len(trainable),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 if resource else None,
        "faults": float(np.median(np.diff(faults[warm_up - 1 :]))),
    }
