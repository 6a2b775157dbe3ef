"""Trained networks of the course, for those who want the figures after a training without the hours that it takes.

`python -m palm_utils results 06_resnet:ResNet --recipe steady --seeds 0 --weights` writes their parameters into
`weights/` of the data folder. They are not in git: one network takes up to 540 MB. weights.json says from where they
can be downloaded: "url", the address of a release in which the files lie, and the sha256 of each. Without an address
nothing is downloaded.
"""

import json
from pathlib import Path

from palm_course.getting.download import Remote, download
from palm_course.results import stored
from palm_course.results.stored import Run
from palm_utils.checkpoints import load_parameters
from palm_utils.datasets import data_folder
from palm_utils.history import History
from palm_utils.messages import DataNotFound

RELEASE = Path(__file__).with_suffix(".json")


def path(run: Run) -> Path:
    """Return where a run's trained parameters are, or would be."""
    return data_folder() / "weights" / f"{run.path.parent.name}-{run.path.stem}.pdparams"


def load(network: str, recipe: str = "steady", seed: int = 0):
    """Return the trained network ("06_resnet:ResNet"), ready to predict.

    Its parameters are downloaded where weights.json names them. Raises DataNotFound where the network has to be
    trained, DownloadError where the server does not give the file.
    """
    from palm_course.results.train import find_network

    file, release = path(Run(network, recipe, seed)), json.loads(RELEASE.read_text(encoding="utf-8"))
    if not file.is_file() and release["url"] and file.name in release["sha256"]:
        download([Remote(f"{release['url']}/{file.name}", file, "sha256", release["sha256"][file.name])])
    if not file.is_file():
        raise DataNotFound(
            "No trained weights of {network} here ({file}). Train them (for about an hour on a CPU): python -m "
            "palm_utils results {network} --recipe {recipe} --seeds {seed} --weights",
            network=network,
            file=file,
            recipe=recipe,
            seed=seed,
        )
    model = find_network(network)[1]()
    load_parameters(model, file)
    model.eval()
    return model


def trained(network: str, recipe: str = "tutorial", seed: int = 0) -> tuple:
    """Return the trained network and the stored History of its training: what a chapter's training cell makes."""
    return load(network, recipe, seed), stored.load(network, recipe).get(seed, History())
