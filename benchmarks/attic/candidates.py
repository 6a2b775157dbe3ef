"""The recipes that choose_torch compares."""

from dataclasses import replace

from palm_course.results.recipes import STEADY, TUTORIAL, Recipe


def _candidates(steady: Recipe, momentum: dict[str, float], adam: dict[str, float], decay: float) -> dict[str, Recipe]:
    """Return the steady recipe with other optimizers and learning rates, by name."""
    with_momentum = replace(steady, optimizer="Momentum", weight_decay=decay)
    found = {f"momentum-{name}": replace(with_momentum, learning_rate=rate) for name, rate in momentum.items()}
    return found | {f"adam-{name}": replace(steady, learning_rate=rate) for name, rate in adam.items()}


_, _, _VGG, _GOOGLENET, _RESNET = STEADY.values()
CANDIDATES = {
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
