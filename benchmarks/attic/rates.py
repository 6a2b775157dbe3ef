"""The learning rates of palm_course.results.recipes, without PaddlePaddle."""

import math


def rate_at(recipe: dict, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step, counted from 0: linear warm-up, then constant or along a cosine to 0."""
    total, warmup = recipe["epochs"] * steps_per_epoch, round(recipe["warmup_epochs"] * steps_per_epoch)
    if step < warmup:
        return recipe["learning_rate"] * step / warmup
    if recipe["schedule"] == "constant":
        return recipe["learning_rate"]
    return recipe["learning_rate"] * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2
