"""How each chapter's network is trained: the tutorial's recipe, and a steadier one.

A recipe is nothing but arguments: of an optimizer, of its learning-rate schedule, and of train_pm.
"""

from dataclasses import asdict, dataclass, replace

from palm_utils.augment import Augment, brightness, compose, flip, rotate
from palm_utils.messages import CourseError

AUGMENTATIONS = {"flip": flip, "brightness": brightness, "rotate": rotate}


@dataclass(frozen=True)
class Recipe:
    """Arguments of one way to train.

    optimizer: "Momentum" (momentum 0.9) or "Adam"; weight_decay: coefficient of the L2 penalty;
    schedule: "constant", or "cosine" from learning_rate to 0 at the end of the last epoch;
    warmup_epochs: epochs of linear increase from 0 before that; augment: names in AUGMENTATIONS,
    applied in order.
    """

    optimizer: str
    learning_rate: float
    weight_decay: float = 0.0
    epochs: int = 5
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    augment: tuple[str, ...] = ()

    def make_optimizer(self, model, steps_per_epoch: int):
        """Return the optimizer of the model's parameters, with its schedule over all epochs."""
        import paddle

        rate = self._schedule(steps_per_epoch)
        options = {"parameters": model.parameters(), "weight_decay": self.weight_decay or None}
        if self.optimizer == "Momentum":
            return paddle.optimizer.Momentum(rate, momentum=0.9, **options)
        if self.optimizer == "Adam":
            return paddle.optimizer.Adam(rate, **options)
        raise CourseError(f"optimizer is {self.optimizer!r}; a recipe knows 'Momentum' and 'Adam'")

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
        if not self.augment:
            return None
        return compose(*(AUGMENTATIONS[name] for name in self.augment))

    def to_dict(self) -> dict:
        return asdict(self)

    def __str__(self) -> str:
        rate = f"learning rate {self.learning_rate:g}"
        if self.warmup_epochs:
            rate = f"{rate} after {self.warmup_epochs:g} epoch(s) of warm-up"
        if self.schedule == "cosine":
            rate = f"{rate}, then down to 0 along a cosine"
        rest = f"weight decay {self.weight_decay:g}, {self.epochs} epochs"
        return f"{self.optimizer}, {rate},\n{rest}, augmentation: {' + '.join(self.augment) or 'none'}"

    def _schedule(self, steps_per_epoch: int):
        from paddle.optimizer import lr

        total, warmup = self.epochs * steps_per_epoch, round(self.warmup_epochs * steps_per_epoch)
        if self.schedule == "constant":
            rate = self.learning_rate
        elif self.schedule == "cosine":
            rate = lr.CosineAnnealingDecay(self.learning_rate, T_max=total - warmup)
        else:
            raise CourseError(f"schedule is {self.schedule!r}; a recipe knows 'constant' and 'cosine'")
        return lr.LinearWarmup(rate, warmup, 0.0, self.learning_rate) if warmup else rate


_PHOTOS = ("flip", "brightness", "rotate")

# By chapter and network. The tutorial's are stated in its text.
TUTORIAL = {
    "01_lenet_mnist:LeNet": Recipe("Momentum", 0.001),
    "01_lenet_mnist:LeNetAsDescribed": Recipe("Momentum", 0.001),
    "02_ichallenge_pm:LeNet": Recipe("Momentum", 0.001),
    "02_ichallenge_pm:LeNetReLU": Recipe("Momentum", 0.001),
    "03_alexnet:AlexNet": Recipe("Adam", 0.001),
    "04_vgg:VGG": Recipe("Momentum", 0.001),
    "05_googlenet:GoogLeNet": Recipe("Momentum", 0.001, weight_decay=0.001),
    "06_resnet:ResNet": Recipe("Momentum", 0.001, weight_decay=0.001),
}

# At most two and a half times the tutorial's epochs. Each is the best of its candidates below, and is measured
# on the validation photographs once per seed (`python -m palm_utils results`). What the candidates have in common,
# cosine, augmentation and number of epochs, follows trial runs in another framework that were scored on the
# validation photographs.
STEADY = {
    "03_alexnet:AlexNet": Recipe("Adam", 1e-4, epochs=10, schedule="cosine", augment=("flip", "brightness")),
    "04_vgg:VGG": Recipe("Adam", 1e-4, epochs=10, schedule="cosine", warmup_epochs=1, augment=_PHOTOS),
    "05_googlenet:GoogLeNet": Recipe("Adam", 3e-4, epochs=12, schedule="cosine", warmup_epochs=1, augment=_PHOTOS),
    "06_resnet:ResNet": Recipe("Adam", 1e-3, epochs=12, schedule="cosine", warmup_epochs=1, augment=_PHOTOS),
}


def _candidates(steady: Recipe, momentum: dict[str, float], adam: dict[str, float], decay: float) -> dict[str, Recipe]:
    """Return the steady recipe with other optimizers and learning rates, by name."""
    with_momentum = replace(steady, optimizer="Momentum", weight_decay=decay)
    found = {f"momentum-{name}": replace(with_momentum, learning_rate=rate) for name, rate in momentum.items()}
    return found | {f"adam-{name}": replace(steady, learning_rate=rate) for name, rate in adam.items()}


# What is compared by cross-validation on the training photographs: AlexNet's by `python -m palm_utils choose`, the
# others', which take hours so, in PyTorch on a GPU by `python -m benchmarks.choose_torch`. Each of FOLDS parts is held
# out once.
FOLDS = 4
_ALEXNET, _VGG, _GOOGLENET, _RESNET = STEADY.values()
CANDIDATES = {
    "03_alexnet:AlexNet": {
        "rate-1e-3": replace(_ALEXNET, learning_rate=1e-3),
        "rate-3e-4": replace(_ALEXNET, learning_rate=3e-4),
        "rate-1e-4": _ALEXNET,
    },
    "04_vgg:VGG": {
        "tutorial": TUTORIAL["04_vgg:VGG"],
        **_candidates(
            _VGG, {"1e-3": 1e-3, "2e-3": 2e-3, "4e-3": 4e-3}, {"1e-5": 1e-5, "3e-5": 3e-5, "1e-4": 1e-4}, decay=5e-4
        ),
        "adam-3e-5-6-epochs": replace(_VGG, learning_rate=3e-5, epochs=6),
        "adam-1e-4-6-epochs": replace(_VGG, epochs=6),
    },
    "05_googlenet:GoogLeNet": {
        "tutorial": TUTORIAL["05_googlenet:GoogLeNet"],
        "momentum-1e-3": replace(_GOOGLENET, optimizer="Momentum", learning_rate=1e-3, weight_decay=1e-3),
        **{
            f"momentum-{name}-warm-3": replace(
                _GOOGLENET, optimizer="Momentum", learning_rate=rate, weight_decay=1e-3, warmup_epochs=3
            )
            for name, rate in (("2e-3", 2e-3), ("4e-3", 4e-3))
        },
        "adam-1e-4": replace(_GOOGLENET, learning_rate=1e-4),
        "adam-3e-4": _GOOGLENET,
        "adam-1e-4-8-epochs": replace(_GOOGLENET, learning_rate=1e-4, epochs=8),
        "adam-3e-4-8-epochs": replace(_GOOGLENET, epochs=8),
    },
    "06_resnet:ResNet": {
        "tutorial": TUTORIAL["06_resnet:ResNet"],
        **_candidates(
            _RESNET, {"1e-3": 1e-3, "2e-3": 2e-3, "5e-3": 5e-3}, {"1e-4": 1e-4, "3e-4": 3e-4, "1e-3": 1e-3}, decay=1e-4
        ),
    },
}
RECIPES = {"tutorial": TUTORIAL, "steady": STEADY}
