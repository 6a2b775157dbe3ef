"""A network's training step in PyTorch; runs in the environment that benchmarks/requirements.txt makes."""

import torch
import torch.nn.functional as F

from benchmarks.batches import make_batch, timed
from benchmarks.torch_networks import NETWORKS


def run(network: str, recipe: dict, batch_size: int, warm_up: int, steps: int, threads: int) -> dict:
    """Return the seconds of each training step, the parameters, and PyTorch's version.

    recipe: palm_course.results.recipes.Recipe as a dict; of it optimizer, learning_rate and weight_decay are used.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = NETWORKS[network]().train()
    settings = {"lr": recipe["learning_rate"], "weight_decay": recipe["weight_decay"]}
    if recipe["optimizer"] == "Adam":
        optimizer = torch.optim.Adam(model.parameters(), **settings)
    else:
        optimizer = torch.optim.SGD(model.parameters(), momentum=0.9, **settings)
    images, labels = make_batch(network, batch_size)
    loss_of = F.cross_entropy if labels.ndim == 1 else F.binary_cross_entropy_with_logits

    def step() -> float:
        loss = loss_of(model(torch.from_numpy(images)), torch.from_numpy(labels))
        value = loss.item()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return value

    seconds = timed(step, warm_up, steps)
    return {
        "seconds": seconds,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tensors": len(list(model.parameters())),
        "version": torch.__version__,
    }
