"""Trained networks of the course, for who wants the figures that follow a training and has no hours for it.

`python -m palm_utils results 06_resnet:ResNet --recipe steady --seeds 0 --weights` writes their parameters into
`weights/` of the data folder. They are not in git: one network takes up to 500 MB.
"""

from pathlib import Path

from palm_course.results.stored import Run
from palm_utils.checkpoints import load_parameters
from palm_utils.datasets import data_folder
from palm_utils.messages import DataNotFound


def path(run: Run) -> Path:
    """Return where a run's trained parameters are, or would be."""
    return data_folder() / "weights" / f"{run.path.parent.name}-{run.path.stem}.pdparams"


def load(network: str, recipe: str = "steady", seed: int = 0):
    """Return the trained network ("06_resnet:ResNet"), ready to predict; DataNotFound where it has to be trained."""
    from palm_course.results.train import find_network

    file = path(Run(network, recipe, seed))
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
