"""Where the eyes lie in the space of a network's last features: `python -m palm_course.results.features`.

It takes the trained weights that `python -m palm_utils results 06_resnet:ResNet --recipe steady --seeds 0 --weights`
leaves, lets the network see all 800 labelled photographs, and stores the first principal components of what its last
layer is given. Chapter 8 draws them.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from palm_course.results import stored
from palm_utils.files import replacing
from palm_utils.messages import DataNotFound

_COMPONENTS = 50


class Features(NamedTuple):
    """One row for each labelled photograph, those of the training set first.

    names: file names [N]; kinds [N]: "N", "H" or "P" by the file's name, "V" for validation; labels: int64 [N];
    components: float32 [N, 50], the first principal components of the last layer's input; explained: float32 [50],
    their shares of the variance.
    """

    names: np.ndarray
    kinds: np.ndarray
    labels: np.ndarray
    components: np.ndarray
    explained: np.ndarray

    @property
    def is_training(self) -> np.ndarray:
        """Tell of each photograph, bool [N], whether the network was trained with it."""
        return self.kinds != "V"


def path(network: str, recipe: str, seed: int) -> Path:
    run = stored.Run(network, recipe, seed)
    return run.path.with_name(f"features-{run.path.stem}.npz")


def read(network: str = "06_resnet:ResNet", recipe: str = "steady", seed: int = 0) -> Features:
    """Return the stored features; DataNotFound where none are."""
    file = path(network, recipe, seed)
    if not file.is_file():
        told = {"network": network, "recipe": recipe, "seed": seed}
        raise DataNotFound("No features of {network}, {recipe} recipe, seed {seed}, are stored in results/.", **told)
    with np.load(file) as arrays:
        return Features(**{name: arrays[name] for name in Features._fields})


def inputs_of_last_layer(model, loader) -> np.ndarray:
    """Return what the network's last `Linear` is given for each photograph of a reader, float32 [N, features]."""
    import paddle

    last, seen = [layer for layer in model.sublayers() if isinstance(layer, paddle.nn.Linear)][-1], []
    hook = last.register_forward_pre_hook(lambda _, given: seen.append(given[0].numpy()))
    model.eval()
    try:
        with paddle.no_grad():
            for images, _ in loader():
                model(paddle.to_tensor(images))
    finally:
        hook.remove()
    return np.concatenate(seen)


def make(network: str = "06_resnet:ResNet", recipe: str = "steady", seed: int = 0) -> Path:
    """Compute and store the features of the labelled photographs; return the file. DataNotFound without the weights."""
    from sklearn.decomposition import PCA

    from palm_course.results import measure, weights
    from palm_utils.readers import data_loader, valid_data_loader

    data, model = measure.real_photographs(), weights.load(network, recipe, seed)
    loaders = [data_loader(data.DATADIR, mode="eval"), valid_data_loader(data.DATADIR2, data.CSVFILE)]
    inputs = np.concatenate([inputs_of_last_layer(model, loader) for loader in loaders])
    pca = PCA(min(_COMPONENTS, *inputs.shape), random_state=0)
    components = pca.fit_transform(inputs)
    names = [Path(file).name for loader in loaders for file in loader.files]
    kinds = [name[0].upper() for name in names]
    found = Features(
        np.array(names),
        np.array(kinds),
        np.array([label for loader in loaders for label in loader.labels]),
        components.astype(np.float32),
        pca.explained_variance_ratio_.astype(np.float32),
    )
    with replacing(path(network, recipe, seed)) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **found._asdict())
    return path(network, recipe, seed)


if __name__ == "__main__":
    print(make())
