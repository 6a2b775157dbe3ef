"""The networks of the iChallenge-PM chapters side by side, from their stored results: what chapter 8 shows."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from palm_course.results import stored
from palm_course.results.recipes import RECIPES
from palm_utils import checkpoints, layers
from palm_utils.datasets import PalmData
from palm_utils.messages import tr
from palm_utils.metrics import Scores, score
from palm_utils.readers import valid_data_loader

# Title, and the validation accuracy in per cent that the tutorial claims (its sections 2 to 8).
NETWORKS: dict[str, tuple[str, float | None]] = {
    "02_ichallenge_pm:LeNet": ("LeNet", None),
    "02_ichallenge_pm:LeNetReLU": ("LeNet, ReLU", None),
    "03_alexnet:AlexNet": ("AlexNet", 94.0),
    "04_vgg:VGG": ("VGG-16", 94.0),
    "05_googlenet:GoogLeNet": ("GoogLeNet", 95.0),
    "06_resnet:ResNet": ("ResNet-50", 96.0),
}


class Row(NamedTuple):
    network: str
    title: str
    recipe: str
    epochs: int
    accuracies: tuple[float, ...]  # on validation, in per cent, at the last epoch, one for each seed; () before any run
    auc: float  # mean over the seeds
    claim: float | None  # the tutorial's, in per cent


class Cost(NamedTuple):
    """Trainable parameters of a network, and the multiply-adds that one photograph needs."""

    parameters: int
    multiply_adds: int


def rows(networks: Sequence[str] = tuple(NETWORKS)) -> list[Row]:
    """Return a row for each network and each recipe that it has, measured or not; DataError as `stored.load`."""
    found = []
    for network in networks:
        title, claim = NETWORKS[network]
        for recipe in (name for name in RECIPES if network in RECIPES[name]):
            histories = stored.load(network, recipe).values()
            accuracies = tuple(100 * history.last["valid_accuracy"] for history in histories)
            auc = mean(history.last["valid_auc"] for history in histories) if histories else float("nan")
            epochs = RECIPES[recipe][network].epochs
            found.append(Row(network, title, recipe, epochs, accuracies, auc, claim))
    return found


def cost(network: str) -> Cost:
    """Return what a network of the chapters costs on one photograph, float32 [1, 3, 224, 224]."""
    from palm_course.results.train import find_network

    model = find_network(network)[1]()
    of_layers = layers.layer_rows(model, [1, 3, 224, 224])
    return Cost(layers.count_parameters(model), sum(row.multiply_adds for row in of_layers))


def table(compared: Sequence[Row], costs: dict[str, Cost]) -> None:
    """Print the rows, each network's cost at its first one; what is not stored is a gap that says so."""
    print(tr("                        params  mult-adds                         accuracy, %,"))
    print(tr("network      recipe    million    billion  epochs  claim     AUC  run by run"))
    left = dict(costs)
    for row in compared:
        its = left.pop(row.network, None)
        size = (f"{its.parameters / 1e6:.1f}", f"{its.multiply_adds / 1e9:.2f}") if its else ("", "")
        claim = "-" if row.claim is None else f"{row.claim:.0f} %"
        start = f"{row.title:11}  {row.recipe:8}  {size[0]:>7}  {size[1]:>9}  {row.epochs:6}  {claim:>5}"
        reached = " ".join(f"{accuracy:.1f}" for accuracy in row.accuracies)
        print(f"{start}  {row.auc:.4f}  {reached}" if reached else tr("{start}       -  not measured", start=start))


def steady() -> dict[str, dict[int, Scores]]:
    """Return how each stored run of a steady recipe scores on the validation photographs, by title and seed."""
    found, labels = {}, stored.valid_labels()
    for network in (network for network in NETWORKS if network in RECIPES["steady"]):
        if logits := stored.valid_logits(network, "steady"):
            found[NETWORKS[network][0]] = {seed: score(its, labels) for seed, its in logits.items()}
    return found


def answers(networks: Sequence[str] = tuple(NETWORKS)) -> dict[str, Scores]:
    """Return what each network answered to the validation photographs, by title, such as "AlexNet, steady".

    Of the steady recipe where it is stored, else of the tutorial's, and of the lowest seed.
    """
    found = {}
    for network in networks:
        for recipe in (name for name in ("steady", "tutorial") if network in RECIPES[name]):
            if logits := stored.valid_logits(network, recipe):
                first = next(iter(logits.values()))
                found[f"{NETWORKS[network][0]}, {recipe}"] = score(first, stored.valid_labels())
                break
    return found


def on_test_photographs(network: str, parameters: str | Path, data: PalmData) -> Scores:
    """Return how a network with saved parameters scores on the test photographs of the open release."""
    from palm_course.results.train import find_network
    from palm_utils.training import predict

    model = find_network(network)[1]()
    checkpoints.load_parameters(model, parameters)
    return predict(model, valid_data_loader(data.test_dir, data.test_csv))
