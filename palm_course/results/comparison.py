"""The networks of the iChallenge-PM chapters side by side, from their stored results: what chapter 8 shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from palm_course.results import stored as results
from palm_course.results.recipes import RECIPES
from palm_utils import checkpoints, layers
from palm_utils.datasets import PalmData
from palm_utils.messages import CourseError
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


@dataclass(frozen=True)
class Row:
    """What is stored of one network and one recipe.

    accuracies: validation accuracy in per cent at the last epoch, one for each seed, empty where nothing
    is stored; auc: mean over the seeds; seconds: the fastest epoch of all runs, nan where there is none
    (on a machine that does other things as well, the fastest tells most about the network); claim: the
    tutorial's, in per cent, None where it makes none.
    """

    network: str
    title: str
    recipe: str
    epochs: int
    accuracies: tuple[float, ...]
    auc: float
    seconds: float
    claim: float | None


@dataclass(frozen=True)
class Cost:
    """Trainable parameters of a network, and the multiply-adds that one photograph needs."""

    parameters: int
    multiply_adds: int


def rows(networks: Sequence[str] = tuple(NETWORKS)) -> list[Row]:
    """Return a row for each network and each recipe that it has, measured or not.

    Raises DataError for a stored result that is damaged or belongs to another recipe.
    """
    found = []
    for network in networks:
        title, claim = NETWORKS[network]
        for recipe in (name for name in RECIPES if network in RECIPES[name]):
            histories = list(results.load(network, recipe).values())
            last = [history.last for history in histories]
            found.append(
                Row(
                    network,
                    title,
                    recipe,
                    RECIPES[recipe][network].epochs,
                    tuple(100 * row["valid_accuracy"] for row in last),
                    mean(row["valid_auc"] for row in last) if last else float("nan"),
                    min((s for history in histories for s in history["seconds"]), default=float("nan")),
                    claim,
                )
            )
    return found


def cost(network: str) -> Cost:
    """Return what a network of the chapters costs on one photograph, float32 [1, 3, 224, 224]."""
    from palm_course.results.train import find_network

    model = find_network(network)[1]()
    of_layers = layers.layer_rows(model, [1, 3, 224, 224])
    return Cost(layers.count_parameters(model), sum(row.multiply_adds for row in of_layers))


def table(compared: Sequence[Row], costs: dict[str, Cost]) -> None:
    """Print the rows, each network's cost at its first one."""
    print(table_text(compared, costs))


def table_text(compared: Sequence[Row], costs: dict[str, Cost]) -> str:
    """Return the table as text; what is not stored is a gap that says so."""
    lines = [
        f"{'':11}  {'':8}  {'params':>7}  {'mult-adds':>9}  {'s an':>5}  {'':6}  {'':5}  {'accuracy, %':14}",
        f"{'network':11}  {'recipe':8}  {'million':>7}  {'billion':>9}  {'epoch':>5}  epochs  seeds  {'mean ± sd':14}"
        f"  {'AUC':>6}  claim",
    ]
    seen = set()
    for row in compared:
        size = " " * 18
        if row.network in costs and row.network not in seen:
            its = costs[row.network]
            size = f"{its.parameters / 1e6:7.1f}  {its.multiply_adds / 1e9:9.2f}"
        seen.add(row.network)
        start = f"{row.title:11}  {row.recipe:8}  {size}"
        claim = "-" if row.claim is None else f"{row.claim:.0f} %"
        if not row.accuracies:
            lines.append(f"{start}      -  {row.epochs:6}      -  {'not measured':14}  {'-':>6}  {claim:>5}")
            continue
        reached = results.spread(list(row.accuracies)).partition(" (")[0]
        seeds = len(row.accuracies)
        lines.append(
            f"{start}  {row.seconds:5.0f}  {row.epochs:6}  {seeds:5}  {reached:14}  {row.auc:6.4f}  {claim:>5}"
        )
    return "\n".join(lines)


def answers(networks: Sequence[str] = tuple(NETWORKS)) -> dict[str, Scores]:
    """Return what each network answered to the validation photographs, in the order of their table.

    By title, such as "AlexNet, steady": of the steady recipe where it is stored, else of the
    tutorial's, and of the lowest seed. A network without stored answers is left out; so are all where
    the labels are not stored.
    """
    labels, found = results.valid_labels(), {}
    if labels is None:
        return {}
    for network in networks:
        for recipe in ("steady", "tutorial"):
            stored = results.valid_logits(network, recipe) if network in RECIPES[recipe] else {}
            if stored:
                found[f"{NETWORKS[network][0]}, {recipe}"] = score(next(iter(stored.values())), labels)
                break
    return found


def on_test_photographs(network: str, parameters: str | Path, data: PalmData) -> Scores:
    """Return how a network with saved parameters scores on the test photographs of the open release.

    Raises CourseError where `data` has no test photographs, and for parameters of another network.
    """
    from palm_course.results.train import find_network
    from palm_utils.training import predict

    if data.test_dir is None or data.test_csv is None:
        raise CourseError(f"{data.root} has no test photographs; data/README.md says which release has them")
    model = find_network(network)[1]()
    checkpoints.load_parameters(model, parameters)
    return predict(model, valid_data_loader(data.test_dir, data.test_csv))
