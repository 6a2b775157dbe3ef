"""Candidates for the steady recipes, compared by cross-validation on the training photographs: what chapters print.

AlexNet's are measured by `python -m palm_utils choose`; those of networks that take hours were in PyTorch on a GPU
(benchmarks/attic), with recipes and figures in results/CHAPTER/choice/NETWORK-pytorch.json. What the candidates of a
network share (cosine, augmentation, epochs) follows trial runs that were scored on the validation photographs.
"""

from dataclasses import replace
from pathlib import Path
from statistics import mean

from palm_course.results import stored
from palm_course.results.recipes import STEADY

FOLDS = 4  # parts of the training photographs; each is held out once
CANDIDATES = {
    "03_alexnet:AlexNet": {
        f"rate-{rate}": replace(STEADY["03_alexnet:AlexNet"], learning_rate=float(rate))
        for rate in ("1e-3", "3e-4", "1e-4")
    }
}


def paths(network: str, candidate: str) -> list[Path]:
    """Return the files of a candidate's runs, one for each part that is held out."""
    return [_file(network, f"{candidate}-fold{fold}") for fold in range(FOLDS)]


def _file(network: str, what: str) -> Path:
    return stored.FOLDER / f"{network.replace(':', '/choice/')}-{what}.json"


def table(network: str) -> None:
    """Print each candidate's mean and range over the held-out parts, at the last epoch.

    Raises DataError for a file that is damaged, or measured by another recipe than the candidate has now.
    """
    rows, source = (_measured_here if network in CANDIDATES else _measured_in_pytorch)(network)
    width = max(18, *(len(name) for name, _, _ in rows))
    lines = [f"{'candidate':{width}}  {'loss':>6}  {'AUC':>6}  accuracy, %"]
    for name, epochs, last in rows:
        if len(last) < FOLDS:
            lines.append(f"{name:{width}}  ({len(last)} of {FOLDS} parts measured)")
            continue
        loss, auc = (mean(row[column] for row in last) for column in ("valid_loss", "valid_auc"))
        accuracy = stored.spread([100 * row["valid_accuracy"] for row in last])
        lines.append(f"{name:{width}}  {loss:6.4f}  {auc:6.4f}  {accuracy}   ({epochs} epochs)")
    print(*lines, *source, sep="\n")


def _measured_here(network: str) -> tuple[list[tuple], list[str]]:
    """Return name, epochs and the last rows of the histories of each candidate; and no lines below the table."""
    rows = []
    for name, recipe in CANDIDATES[network].items():
        files = [path for path in paths(network, name) if path.is_file()]
        last = [stored.read(path, lambda content: content["history"]["epochs"][-1], recipe.to_dict()) for path in files]
        rows.append((name, recipe.epochs, last))
    return rows, []


def _measured_in_pytorch(network: str) -> tuple[list[tuple], list[str]]:
    """Return the same from the stored comparison in PyTorch, and the lines that say how it was measured."""
    columns = ("valid_loss", "valid_auc", "valid_accuracy")

    def take(content: dict):
        rows, about = [], content["about"]
        for name, its in content["candidates"].items():
            last = [{column: run[column][-1] for column in columns} for run in its["runs"]]
            rows.append((name, its["recipe"]["epochs"], last))
            seeds = len({run["seed"] for run in its["runs"]})
        how = f"PyTorch {about['pytorch']} on one {about['device']}: {FOLDS} parts, {seeds} seeds"
        return rows, ["", f"Measured with {how}."]

    return stored.read(_file(network, "pytorch"), take)
