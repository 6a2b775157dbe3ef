"""Compare candidate recipes by cross-validation in PyTorch, on a GPU, where a run takes seconds.

What `python -m palm_utils choose` does in PaddlePaddle, with the networks of torch_networks, PaddlePaddle's
initial weights, and the same parts of the training photographs; the validation photographs are not read. The
winner is then measured in PaddlePaddle (`python -m palm_utils results`). Runs where PyTorch, scikit-learn and
OpenCV are, without PaddlePaddle; on a CPU it takes days:

    python -m benchmarks.attic.choose_torch PHOTOGRAPHS [CHAPTER:NETWORK ...] [--workers 8]

PHOTOGRAPHS: the folder PALM-Training400. Writes results/CHAPTER/choice/NETWORK-pytorch.json, which
palm_course.results.candidates reads; what stands there of the same recipe is not measured again.
"""

import argparse
import json
import math
import multiprocessing
import platform
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from torch import nn

from benchmarks.attic.candidates import CANDIDATES
from benchmarks.attic.rates import rate_at
from benchmarks.torch_networks import NETWORKS
from palm_course.results.candidates import FOLDS

RESULTS = Path(__file__).resolve().parents[2] / "results"
BATCH = 10
SEEDS = (0, 1)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def read(folder: Path) -> tuple[np.ndarray, list[str]]:
    """Return photographs, uint8 [N, 3, 224, 224] in OpenCV's channel order, and the first letters of their names."""
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".jpg" and file.name[0] in "HNP")
    images = [cv2.resize(cv2.imread(str(file)), (224, 224)).transpose(2, 0, 1) for file in files]
    return np.stack(images), [file.name[0] for file in files]


def initialise(model: nn.Module, network: str) -> None:
    """Draw weights from PaddlePaddle's default distributions; chapter 6 has its own for the last layer."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.normal_(layer.weight, 0.0, math.sqrt(2 / layer.weight[0].numel()))
        elif isinstance(layer, nn.Linear):
            limit = math.sqrt(6 / (layer.in_features + layer.out_features))
            if network == "06_resnet:ResNet":
                limit = 1 / math.sqrt(layer.in_features)
            nn.init.uniform_(layer.weight, -limit, limit)
        if getattr(layer, "bias", None) is not None:
            nn.init.zeros_(layer.bias)


def augmented(images: torch.Tensor, names: list[str]) -> torch.Tensor:
    """Do what palm_utils.readers does, to a batch [B, 3, H, W] in [-1, 1] at once."""
    count, device = len(images), images.device
    if "flip" in names:
        mirrored = torch.rand(count, 1, 1, 1, device=device) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    if "brightness" in names:
        factor = torch.empty(count, 1, 1, 1, device=device).uniform_(0.8, 1.2)
        images = ((images + 1) * factor - 1).clamp(-1, 1)
    if "rotate" in names:
        angle = torch.empty(count, device=device).uniform_(-math.pi / 9, math.pi / 9)
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        matrix = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
        grid = F.affine_grid(matrix, list(images.shape), align_corners=True)
        images = F.grid_sample(images + 1, grid, align_corners=True) - 1  # corners turn black, which is -1
    return images


def train(network: str, recipe: dict, images, labels, held_out, held_out_labels, seed: int) -> dict:
    """Train and return what the held-out part says after each epoch, in columns: loss, accuracy, AUC."""
    torch.manual_seed(seed)
    model = NETWORKS[network]()
    initialise(model, network)
    model.to(images.device)
    settings = {"lr": recipe["learning_rate"], "weight_decay": recipe["weight_decay"]}
    if recipe["optimizer"] == "Adam":
        optimizer = torch.optim.Adam(model.parameters(), **settings)
    else:
        optimizer = torch.optim.SGD(model.parameters(), momentum=0.9, **settings)
    per_epoch = -(-len(images) // BATCH)
    columns = {"valid_loss": [], "valid_accuracy": [], "valid_auc": []}
    for epoch in range(recipe["epochs"]):
        model.train()
        for number, batch in enumerate(torch.randperm(len(images), device=images.device).split(BATCH)):
            for group in optimizer.param_groups:
                group["lr"] = rate_at(recipe, epoch * per_epoch + number, per_epoch)
            logits = model(augmented(images[batch], recipe["augment"]))
            F.binary_cross_entropy_with_logits(logits, labels[batch]).backward()
            optimizer.step()
            optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            logits = torch.cat([model(part) for part in held_out.split(50)])
            loss = F.binary_cross_entropy_with_logits(logits, held_out_labels).item()
        logits, truth = logits.cpu().numpy().ravel(), held_out_labels.cpu().numpy().ravel()
        accuracy = float(((logits >= 0) == (truth == 1)).mean())
        auc = float(roc_auc_score(truth, logits)) if np.isfinite(logits).all() else 0.5
        for column, value in zip(columns.values(), (loss, accuracy, auc), strict=True):
            column.append(round(value, 6))
    return columns


def work(tasks, done, folder: Path) -> None:
    """Take tasks (network, candidate, recipe, fold, seed) until None comes; put what each gave."""
    images, letters = read(folder)
    images = torch.from_numpy(images).to(DEVICE).float() / 255 * 2 - 1
    labels = torch.tensor([[float(letter == "P")] for letter in letters], device=DEVICE)
    parts = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(letters, letters))
    for network, candidate, recipe, fold, seed in iter(tasks.get, None):
        rest, held_out = (torch.from_numpy(part).to(DEVICE) for part in parts[fold])
        arguments = images[rest], labels[rest], images[held_out], labels[held_out], seed
        done.put((network, candidate, fold, seed, train(network, recipe, *arguments)))


def _path(network: str) -> Path:
    chapter, _, name = network.partition(":")
    return RESULTS / chapter / "choice" / f"{name}-pytorch.json"


def _known(network: str) -> dict:
    """Return what was measured of a network before, or the beginning of it."""
    path = _path(network)
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else f"{platform.machine()} CPU"
    about = {"pytorch": torch.__version__, "device": device, "tf32": DEVICE == "cuda"}
    return {"network": network, "about": about, "candidates": {}}


def _done(found: dict, name: str, recipe: dict) -> set[tuple[int, int]]:
    """Return the (fold, seed) of a candidate's runs that are there; those of another recipe are thrown away."""
    candidate = found["candidates"].get(name)
    if candidate is None or candidate["recipe"] != recipe:
        candidate = found["candidates"][name] = {"recipe": recipe, "runs": []}
    return {(run["fold"], run["seed"]) for run in candidate["runs"]}


def _store(network: str, found: dict) -> None:
    """Write a file with one line a run."""
    lines = [json.dumps({key: found[key] for key in ("network", "about")}, indent=1)[:-2] + ',\n "candidates": {']
    for number, (name, candidate) in enumerate(found["candidates"].items()):
        lines.append(f'  {json.dumps(name)}: {{"recipe": {json.dumps(candidate["recipe"])}, "runs": [')
        lines.append(",\n".join(f"   {json.dumps(run)}" for run in candidate["runs"]))
        lines.append("  ]}" + ("," if number + 1 < len(found["candidates"]) else ""))
    path = _path(network)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, " }", "}", ""]), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("photographs", type=Path)
    parser.add_argument("networks", nargs="*", default=["04_vgg:VGG", "05_googlenet:GoogLeNet", "06_resnet:ResNet"])
    parser.add_argument("--workers", type=int, default=8)
    args = parser.parse_args()
    found = {network: _known(network) for network in args.networks}
    planned = []
    for seed in SEEDS:
        for network in args.networks:
            for name, recipe in CANDIDATES[network].items():
                as_stored = json.loads(json.dumps(recipe.to_dict()))
                done = _done(found[network], name, as_stored)
                planned += [(network, name, as_stored, fold, seed) for fold in range(FOLDS) if (fold, seed) not in done]
    context = multiprocessing.get_context("spawn")
    tasks, done = context.Queue(), context.Queue()
    for task in planned + [None] * args.workers:
        tasks.put(task)
    workers = [context.Process(target=work, args=(tasks, done, args.photographs)) for _ in range(args.workers)]
    for worker in workers:
        worker.start()
    for number in range(len(planned)):
        network, name, fold, seed, columns = done.get()
        runs = found[network]["candidates"][name]["runs"]
        runs.append({"fold": fold, "seed": seed, **columns})
        runs.sort(key=lambda run: (run["seed"], run["fold"]))
        _store(network, found[network])
        last = ", ".join(f"{column} {values[-1]:.4f}" for column, values in columns.items())
        print(f"{number + 1} of {len(planned)}: {network}, {name}, fold {fold}, seed {seed}: {last}", flush=True)
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
