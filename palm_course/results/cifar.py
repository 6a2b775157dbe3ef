"""How chapter 7's networks are trained, and the results kept of it.

`results/07_highlevel_api_cifar10/SmallResNet-improved-seed0.json` has the form of the other chapters'
results (see palm_course.results.stored); valid_accuracy is that of the test pictures for the tutorial's recipe,
as in the tutorial, and of held-out training pictures for the improved one, whose accuracy on the test
pictures is in history.about.
"""

import json
import os
from dataclasses import asdict, dataclass, field

from palm_course.results import stored as results
from palm_course.results.stored import Run, store
from palm_utils.datasets import CifarData
from palm_utils.history import History
from palm_utils.messages import CourseError, DataError
from palm_utils.training import from_environment

__all__ = ["IMPROVED", "TUTORIAL", "CifarRecipe", "CifarRun", "epochs_here"]

CHAPTER = "07_highlevel_api_cifar10"


@dataclass(frozen=True)
class CifarRecipe:
    """Arguments of one way to train with paddle.Model.

    weight_decay: coefficient of the L2 penalty. warmup: share of all steps in which the learning rate rises
    from a 25th of learning_rate to it, before it falls to 0 along a cosine; None: it stays constant.
    label_smoothing: share of each label that is spread over all classes. held_out: training pictures that
    are kept for validation. normalised: pixels with mean 0 and deviation 1 instead of 0...255.
    small_first: share of the epochs, the first ones, in which small_side x small_side pixels of each picture are
    shown. mirrored: each picture is classified together with its mirror image.
    """

    learning_rate: float
    weight_decay: float
    epochs: int
    batch_size: int
    nesterov: bool = False
    warmup: float | None = None
    label_smoothing: float = 0.0
    held_out: int = 0
    normalised: bool = False
    augment: tuple[str, ...] = field(default=())
    small_first: float = 0.0
    small_side: int = 24
    mirrored: bool = False

    def small_epochs(self, epochs: int) -> int:
        """Return how many of a run's epochs show a part of each picture; never all of them."""
        return int(self.small_first * epochs)

    def make_optimizer(self, network, steps: int):
        """Return Momentum (0.9) for a network, its schedule laid over `steps` steps."""
        import paddle

        return paddle.optimizer.Momentum(
            self.schedule(steps),
            momentum=0.9,
            use_nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            parameters=network.parameters(),
        )

    def schedule(self, steps: int):
        """Return the learning rate: a number, or a paddle scheduler that takes a step after every batch."""
        from paddle.optimizer import lr

        if self.warmup is None:
            return self.learning_rate
        rising = max(1, round(self.warmup * steps))
        falling = lr.CosineAnnealingDecay(self.learning_rate, T_max=max(1, steps - rising))
        return lr.LinearWarmup(falling, rising, self.learning_rate / 25, self.learning_rate)

    def to_dict(self) -> dict:
        return asdict(self)

    def __str__(self) -> str:
        rate = f"learning rate {self.learning_rate:g}"
        if self.warmup is not None:
            rate = f"{rate} after {self.warmup:.0%} of the steps, then down to 0 along a cosine"
        parts = [f"Momentum{' (Nesterov)' if self.nesterov else ''}, {rate}", f"weight decay {self.weight_decay:g}"]
        parts += [f"label smoothing {self.label_smoothing:g}"] if self.label_smoothing else []
        parts += ["normalised" if self.normalised else "pixels 0...255", *self.augment]
        side = f"{self.small_side} × {self.small_side}"
        parts += [f"{side} pixels of each picture in the first {self.small_first:.0%}"] if self.small_first else []
        parts += ["classified with their mirror images"] if self.mirrored else []
        parts += [f"{self.held_out:,} training pictures held out"] if self.held_out else []
        return ", ".join([*parts, f"batches of {self.batch_size}, {self.epochs} epochs"])


# The tutorial asks for 50 epochs and prints a run that stops in the fourth.
TUTORIAL = CifarRecipe(0.01, 1e-4, epochs=4, batch_size=64)
IMPROVED = CifarRecipe(
    0.1,
    5e-4,
    epochs=11,
    batch_size=128,
    nesterov=True,
    warmup=0.2,
    label_smoothing=0.1,
    held_out=5000,
    normalised=True,
    augment=("crop", "flip"),
    small_first=0.65,
    mirrored=True,
)


def epochs_here(recipe: CifarRecipe, data: CifarData, device: str, *, on_gpu: int | None = None) -> int:
    """Return how many epochs a training of chapter 7 takes on this machine.

    The environment variable PALM_EPOCHS decides where it is set. Otherwise: `on_gpu` (by default the recipe's)
    on a GPU; on a CPU the recipe's with the sample and for results that are kept, and 1 with the real pictures,
    where an epoch takes many minutes.
    """
    if "PALM_EPOCHS" in os.environ:
        return from_environment(None, None)[0]
    if device.startswith("gpu"):
        return on_gpu or recipe.epochs
    return 1 if data.is_real and not results.are_kept() else recipe.epochs


# By the name of the network in the chapter and the name of the recipe.
RECIPES = {("resnet50", "tutorial"): TUTORIAL, ("SmallResNet", "improved"): IMPROVED}


@dataclass(frozen=True)
class CifarRun(Run):
    """One training of chapter 7 that is kept: CifarRun.of("SmallResNet", "improved", seed)."""

    @classmethod
    def of(cls, network: str, recipe: str, seed: int = 0) -> "CifarRun":
        return cls(f"{CHAPTER}:{network}", recipe, seed)

    @property
    def arguments(self) -> CifarRecipe:
        key = (self.network.partition(":")[2], self.recipe)
        if key not in RECIPES:
            known = ", ".join(f"{network} {recipe}" for network, recipe in RECIPES)
            raise CourseError(f"There is no {self.recipe} recipe of {self.network}; chapter 7 has {known}")
        return RECIPES[key]

    def load(self) -> History | None:
        """Return the stored history, None where there is none.

        Raises DataError for a damaged file, and for one that was measured by another recipe.
        """
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            used = {key: value for key, value in content["recipe"].items() if key != "name"}
            history = History.from_dict(content["history"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{self.path}: not a stored result ({error!r}). Remove it, and measure it again."
            ) from error
        if used != json.loads(json.dumps(self.arguments.to_dict())):
            raise DataError(
                f"{self.path}: measured by another recipe, {used}, than {self.recipe} is now. Remove the file, and "
                "measure it again: make course CH=07"
            )
        return history

    def keep(self, history: History, data: CifarData) -> None:
        """Print the last accuracy beside the stored one; store it first where PALM_KEEP_RESULTS is set."""
        if results.are_kept():
            store(self, history, None, data)
        here = f"{self.network.partition(':')[2]}, {self.recipe}: {_line(history)}"
        known = self.load()
        print(f"{here}; stored, on the real pictures: {_line(known)}" if known else f"{here}; no result is stored")


def _line(history: History) -> str:
    test = history.about.get("test_accuracy")
    line = f"{history.last['valid_accuracy']:.4f} after {len(history)} epochs"
    return line if test is None else f"{line}, test {test:.4f}"
