"""How each chapter's network is trained: arguments of the tutorial's training, and of a better one."""

import json
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from palm_utils.messages import mark, tr
from palm_utils.readers import Augment, brightness, compose, flip, rotate

AUGMENTATIONS = {"flip": flip, "brightness": brightness, "rotate": rotate}
AUGMENTATIONS["rotate and zoom"] = partial(rotate, zoom=0.2)


class _Stored:
    def to_dict(self) -> dict:
        """Return the arguments as JSON gives them back."""
        return json.loads(json.dumps(asdict(self)))


@dataclass(frozen=True)
class Recipe(_Stored):
    """Arguments of one way to train with train_pm.

    optimizer: "Momentum" (momentum 0.9) or "Adam"; weight_decay: coefficient of the L2 penalty; schedule: "constant",
    or "cosine" from learning_rate to 0 at the end of the last epoch; warmup_epochs: epochs of linear increase from 0
    before that; augment: names in AUGMENTATIONS, applied in order; average: decay of a mean of the weights, or 0;
    smoothing: label smoothing, such as 0.1 for training with 0.05 and 0.95 instead of 0 and 1.
    """

    optimizer: str
    learning_rate: float
    weight_decay: float = 0.0
    epochs: int = 5
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    augment: tuple[str, ...] = ()
    average: float = 0.0
    smoothing: float = 0.0

    def to_dict(self) -> dict:
        return {name: its for name, its in super().to_dict().items() if its or name not in ("average", "smoothing")}

    def averaged(self, model):
        """Return what is trained in the place of a network: itself, or the network with its running mean."""
        from palm_course.averaging import Averaged

        return Averaged(model, self.average) if self.average else model

    def make_optimizer(self, model, steps_per_epoch: int):
        """Return the optimizer of the model's parameters, with its schedule over all epochs."""
        import paddle

        options = {"Momentum": {"momentum": 0.9}, "Adam": {}}[self.optimizer]
        options |= {"parameters": model.parameters(), "weight_decay": self.weight_decay or None}
        return getattr(paddle.optimizer, self.optimizer)(self._schedule(steps_per_epoch), **options)

    def learning_rates(self, steps_per_epoch: int) -> list[float]:
        """Return the learning rate of every step of a run."""
        rate, steps = self._schedule(steps_per_epoch), self.epochs * steps_per_epoch
        if isinstance(rate, float):
            return [rate] * steps
        seen = []
        for _ in range(steps):
            seen.append(rate())
            rate.step()
        return seen

    def make_augment(self) -> Augment | None:
        """Return the function for train_pm's `augment`, None for a recipe without augmentation."""
        return compose(*(AUGMENTATIONS[name] for name in self.augment)) if self.augment else None

    def __str__(self) -> str:
        ways = {
            ("constant", True): mark("{start:g} after {warmup:g} epoch(s) of warm-up"),
            ("cosine", False): mark("{start:g}, then down to 0 along a cosine"),
            ("cosine", True): mark("{start:g} after {warmup:g} epoch(s) of warm-up, then down to 0 along a cosine"),
        }
        way, start = (self.schedule, self.warmup_epochs > 0), self.learning_rate
        rate = tr(ways[way], start=start, warmup=self.warmup_epochs) if way in ways else f"{start:g}"
        augment = " + ".join(self.augment) or tr("none")
        told = {"decay": self.weight_decay, "epochs": self.epochs, "augment": augment}
        rest = tr("weight decay {decay:g}, {epochs} epochs, augmentation: {augment}", **told)
        mean = f", label smoothing {self.smoothing:g}" if self.smoothing else ""
        mean += f", weights averaged with decay {self.average:g}" if self.average else ""
        return tr("{optimizer}, learning rate {rate},", optimizer=self.optimizer, rate=rate) + f"\n{rest}{mean}"

    def _schedule(self, steps_per_epoch: int):
        from paddle.optimizer import lr

        steps, warmup = self.epochs * steps_per_epoch, round(self.warmup_epochs * steps_per_epoch)
        cosine, rate = {"constant": False, "cosine": True}[self.schedule], self.learning_rate
        after = lr.CosineAnnealingDecay(rate, T_max=max(1, steps - warmup)) if cosine else rate
        return lr.LinearWarmup(after, warmup, 0.0, rate) if warmup else after


@dataclass(frozen=True)
class CifarRecipe(_Stored):
    """Arguments of one way to train with paddle.Model, by Momentum.

    warmup: share of all steps in which the learning rate rises in a line from a fifth of learning_rate to it, before it
    falls in a line to 7 % of it; None: it stays constant. held_out: training pictures kept for validation. normalised:
    pixels with mean 0 and deviation 1, not 0...255. average: decay of a mean of the weights, or 0. mirrored: pictures
    are classified with their mirror images. width, network: of chapter 7's WhitenedResNet, and what of it is used.
    """

    learning_rate: float
    weight_decay: float
    epochs: int
    batch_size: int
    momentum: float = 0.9
    nesterov: bool = False
    warmup: float | None = None
    label_smoothing: float = 0.0
    held_out: int = 0
    normalised: bool = False
    augment: tuple[str, ...] = ()
    average: float = 0.0
    mirrored: bool = False
    width: int | None = None
    network: tuple[str, ...] = ()

    def make_optimizer(self, network, steps: int):
        """Return Momentum for a network, its schedule laid over `steps` steps."""
        import paddle

        options = {"momentum": self.momentum, "use_nesterov": self.nesterov, "weight_decay": self.weight_decay}
        return paddle.optimizer.Momentum(self.schedule(steps), parameters=network.parameters(), **options)

    def schedule(self, steps: int):
        """Return the learning rate: a number, or a paddle scheduler that takes a step after every batch."""
        if self.warmup is None:
            return self.learning_rate
        from paddle.optimizer.lr import LambdaDecay

        corners = [0, max(1, round(self.warmup * steps)), max(2, steps)]
        return LambdaDecay(self.learning_rate, lambda step: float(np.interp(step, corners, [0.2, 1, 0.07])))

    def __str__(self) -> str:
        rise = f" (reached in {self.warmup:.0%} of the steps, then down to 7% of it in a line)" if self.warmup else ""
        parts = [
            f"Momentum {self.momentum:g}{' (Nesterov)' * self.nesterov}, learning rate {self.learning_rate:g}{rise}",
            f"weight decay {self.weight_decay:g}",
            self.label_smoothing and f"label smoothing {self.label_smoothing:g}",
            "normalised" if self.normalised else "pixels 0...255",
            *self.network,
            *self.augment,
            self.average and f"weights averaged with decay {self.average:g}",
            self.mirrored and "classified with their mirror images",
            self.held_out and f"{self.held_out:,} training pictures held out",
            f"batches of {self.batch_size}, {self.epochs} epochs",
        ]
        return ", ".join(filter(None, parts))


# By chapter and network. The tutorial's recipes are stated in its text; for chapter 7 it asks for 50 epochs and
# prints a run that stops in the fourth.
TUTORIAL = {
    "01_lenet_mnist:LeNet": Recipe("Momentum", 0.001),
    "01_lenet_mnist:LeNetAsDescribed": Recipe("Momentum", 0.001),
    "02_ichallenge_pm:LeNet": Recipe("Momentum", 0.001),
    "02_ichallenge_pm:LeNetReLU": Recipe("Momentum", 0.001),
    "03_alexnet:AlexNet": Recipe("Adam", 0.001),
    "04_vgg:VGG": Recipe("Momentum", 0.001),
    "05_googlenet:GoogLeNet": Recipe("Momentum", 0.001, weight_decay=0.001),
    "06_resnet:ResNet": Recipe("Momentum", 0.001, weight_decay=0.001),
    "07_highlevel_api_cifar10:resnet50": CifarRecipe(0.01, 1e-4, epochs=4, batch_size=64),
}
# At most 2.5 times the epochs of the tutorial. Each was the best of the candidates compared in results/CHAPTER/choice,
# measured on the validation photographs once per seed.
_PHOTOS = ("flip", "brightness", "rotate")
STEADY = {
    "02_ichallenge_pm:LeNetReLU": Recipe("Adam", 3e-3, epochs=10, schedule="cosine", warmup_epochs=1, augment=_PHOTOS),
    "03_alexnet:AlexNet": Recipe("Adam", 1e-4, epochs=10, schedule="cosine", augment=("flip", "brightness")),
    "04_vgg:VGG": Recipe("Adam", 1e-4, epochs=10, schedule="cosine", warmup_epochs=1, augment=_PHOTOS),
    "05_googlenet:GoogLeNet": Recipe("Adam", 3e-4, epochs=12, schedule="cosine", warmup_epochs=1, augment=_PHOTOS),
    "06_resnet:ResNet": Recipe("Adam", 1e-3, epochs=12, schedule="cosine", warmup_epochs=1, augment=_PHOTOS),
}
# Scaled to minutes on one core from K. Jordan: 94% on CIFAR-10 in 3.29 seconds on a single GPU. arXiv 2404.00498, 2024.
_WAY = {"momentum": 0.85, "nesterov": True, "warmup": 0.2, "label_smoothing": 0.2, "held_out": 5000, "normalised": True}
_WAY |= {"augment": ("shift", "alternating flips"), "average": 0.98, "mirrored": True, "width": 16}
_SHORT = CifarRecipe(0.375, 1.33e-3, 4, 256, **_WAY, network=("whitened", "quick start"))
IMPROVED = {"07_highlevel_api_cifar10:WhitenedResNet": _SHORT}
LONG = {"07_highlevel_api_cifar10:WhitenedResNet": replace(_SHORT, epochs=16, width=40)}
EYES = {next(iter(IMPROVED)): CifarRecipe(0.03, 1e-4, epochs=8, batch_size=20, normalised=True)}  # of 32 x 32 pixels
# Recipes with one ingredient left out, or as the tutorial has it.
_ALEXNET = STEADY["03_alexnet:AlexNet"]
_LEFT_OUT = {
    "constant-rate": replace(_ALEXNET, schedule="constant"),
    "high-rate": replace(_ALEXNET, learning_rate=1e-3),
    "no-augmentation": replace(_ALEXNET, augment=()),
    "half-as-long": replace(_ALEXNET, epochs=5),
}
LEFT_OUT = {name: {"03_alexnet:AlexNet": recipe} for name, recipe in _LEFT_OUT.items()}
_WITHOUT = {
    "whitening": {"network": ("quick start",)},
    "quick-start": {"network": ("whitened",)},
    "schedule": {"warmup": None, "learning_rate": 0.1},
    "smoothing": {"label_smoothing": 0.0},
    "alternation": {"augment": ("shift", "flip")},
}
WITHOUT = {f"without-{name}": {next(iter(IMPROVED)): replace(_SHORT, **its)} for name, its in _WITHOUT.items()}
BOTH = ("tutorial", "steady")  # recipes for photographs
RECIPES = {"tutorial": TUTORIAL, "steady": STEADY, "improved": IMPROVED, "long": LONG, "eyes": EYES}
