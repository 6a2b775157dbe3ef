"""What each piece of a recipe for CIFAR-10 gives: the recipe is measured whole, and without one piece at a time.

    python tools/cifar.py short --seeds 0 1 2
    python tools/cifar.py short --without whitening --seeds 0 1 2
    python tools/cifar.py long --seeds 0 1 2 --test
    python tools/cifar.py short --check 0.6 0.74       # two epochs on what pictures there are; nothing is stored

The network is chapter 7's SmallResNet behind a whitening layer. Accuracies are of 5,000 training pictures that no
network was trained on; --test asks the test pictures, too, and is for a recipe that has been chosen.
`results/07_highlevel_api_cifar10/pieces` keeps each run; what is there already is not trained again. Source of the
pieces: K. Jordan, 94% on CIFAR-10 in 3.29 seconds on a single GPU, arXiv 2404.00498.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace

import numpy as np
import paddle
import paddle.nn.functional as F

from palm_course.averaging import Averaged
from palm_course.results import stored
from palm_utils import datasets, highlevel, machine
from palm_utils.highlevel import Batches, Logbook
from palm_utils.messages import CourseError


@dataclass(frozen=True)
class Pieces:
    """A recipe. width: channels after the first layer; average: decay of the mean of the weights, 0 for none."""

    epochs: int
    width: int
    whitening: bool = True
    identity: bool = True
    norms: bool = True
    gelu: bool = True
    schedule: bool = True
    smoothing: float = 0.2
    alternating: bool = True
    average: float = 0.98
    learning_rate: float = 0.375
    weight_decay: float = 1.33e-3
    momentum: float = 0.85
    batch_size: int = 256
    held_out: int = 5000


RECIPES = {"short": Pieces(epochs=4, width=16), "long": Pieces(epochs=16, width=40)}
WITHOUT = {
    "whitening": {"whitening": False},
    "identity": {"identity": False},
    "norms": {"norms": False},
    "gelu": {"gelu": False},
    "schedule": {"schedule": False, "learning_rate": 0.1},
    "smoothing": {"smoothing": 0.0},
    "alternating": {"alternating": False},
}


def whitening_filters(pictures: np.ndarray) -> np.ndarray:
    """Return float32 [24, 3, 2, 2] from normalised float32 [N, 3, H, W]: filters whose outputs do not vary together.

    They are the eigenvectors of the covariance of all patches of 2 x 2 pixels, each divided by the deviation of the
    patches along it, and the same twelve with the other sign.
    """
    patches = np.lib.stride_tricks.sliding_window_view(pictures, (2, 2), axis=(2, 3))
    patches = patches.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    variances, directions = np.linalg.eigh(np.cov(patches, rowvar=False))
    filters = (directions / np.sqrt(variances + 5e-4)).T.reshape(12, 3, 2, 2)
    return np.concatenate([filters, -filters]).astype(np.float32)


class ConvNorm(paddle.nn.Layer):
    """A 3 x 3 convolution that begins as far as it can as the identity, and a batch norm that soon forgets."""

    def __init__(self, num_channels: int, num_filters: int, recipe: Pieces):
        super().__init__()
        self.conv = paddle.nn.Conv2D(num_channels, num_filters, 3, padding=1, bias_attr=False)
        if recipe.identity:
            weight, same = self.conv.weight.numpy(), range(min(num_channels, num_filters))
            weight[same] = 0
            weight[same, same, 1, 1] = 1
            self.conv.weight.set_value(weight)
        fast = {"momentum": 0.6, "weight_attr": False, "bias_attr": paddle.ParamAttr(learning_rate=64.0)}
        self.norm = paddle.nn.BatchNorm2D(num_filters, **(fast if recipe.norms else {}))

    def forward(self, x):
        return self.norm(self.conv(x))


class Block(paddle.nn.Layer):
    """Two ConvNorm, and the shortcut around both."""

    def __init__(self, channels: int, recipe: Pieces):
        super().__init__()
        self.conv0, self.conv1 = ConvNorm(channels, channels, recipe), ConvNorm(channels, channels, recipe)
        self.activation = paddle.nn.GELU() if recipe.gelu else paddle.nn.ReLU()

    def forward(self, x):
        return self.activation(x + self.conv1(self.activation(self.conv0(x))))


class WhitenedResNet(paddle.nn.Layer):
    """pictures: normalised, for the whitening filters."""

    def __init__(self, recipe: Pieces, pictures: np.ndarray):
        super().__init__()
        activation, width = paddle.nn.GELU if recipe.gelu else paddle.nn.ReLU, recipe.width
        layers = []
        if recipe.whitening:
            fixed = paddle.nn.initializer.Assign(whitening_filters(pictures))
            layers = [paddle.nn.Conv2D(3, 24, 2, weight_attr=paddle.ParamAttr(initializer=fixed, trainable=False))]
            layers += [activation()]
        layers += [ConvNorm(24 if recipe.whitening else 3, width, recipe), activation()]
        for channels in (width, 2 * width, 4 * width):
            layers += [paddle.nn.MaxPool2D(2, 2), ConvNorm(channels, 2 * channels, recipe), activation()]
            layers += [Block(2 * channels, recipe)]
        self.body = paddle.nn.Sequential(*layers, paddle.nn.AdaptiveMaxPool2D(1), paddle.nn.Flatten())
        self.fc = paddle.nn.Linear(8 * width, 10)

    def forward(self, x):
        return self.fc(self.body(x)) / 9


class AlternateFlips(paddle.callbacks.Callback):
    """Mirror a random half of the pictures in the first epoch, the other half in the second, and so on."""

    def __init__(self, batches: Batches, seed: int):
        super().__init__()
        first = np.random.RandomState(seed).random((len(batches.images), 1, 1, 1)) < 0.5
        self.batches = batches
        self.views = [np.where(half, batches.images[..., ::-1], batches.images) for half in (first, ~first)]

    def on_epoch_begin(self, epoch=None, logs=None):
        self.batches.images = self.views[epoch % 2]


def train(recipe: Pieces, seed: int, images: np.ndarray, labels: np.ndarray):
    """Return the trained network, its History, and the pictures and labels that were held out."""
    order = np.random.RandomState(0).permutation(len(images))
    held_out, rest = np.split(order, [recipe.held_out])

    def augment(pictures):
        return highlevel.crop_and_flip(pictures, 2, border="reflect", flip=0 if recipe.alternating else 0.5)

    batches = Batches(images[rest], labels[rest], recipe.batch_size, shuffle=True, augment=augment)
    steps = recipe.epochs * len(batches)
    machine.seed_everything(seed)
    network = WhitenedResNet(recipe, highlevel.normalise(images[rest[:5000]]))
    if recipe.average:
        network = Averaged(network, recipe.average)

    def loss(logits, truth):
        if not network.training:
            return F.cross_entropy(logits, truth)
        wanted = F.label_smooth(F.one_hot(truth.flatten(), 10), epsilon=recipe.smoothing)
        return F.cross_entropy(logits, wanted, soft_label=True)

    rates = np.interp(np.arange(steps + 1), [0, round(0.2 * steps), steps], [0.2, 1, 0.07])
    if not recipe.schedule:
        rates[:] = 1
    rate = paddle.optimizer.lr.LambdaDecay(recipe.learning_rate, lambda step: rates[min(step, steps)])
    learning = [p for p in network.parameters() if not p.stop_gradient]
    optimizer = paddle.optimizer.Momentum(rate, recipe.momentum, learning, True, weight_decay=recipe.weight_decay)
    model, aside = paddle.Model(network), Batches(images[held_out], labels[held_out], 500)
    model.prepare(optimizer, loss, paddle.metric.Accuracy())
    with tempfile.TemporaryDirectory() as folder:
        logbook = Logbook(folder, seed=seed)
        callbacks = [logbook, *([AlternateFlips(batches, seed)] if recipe.alternating else [])]
        left = logbook.start(model, batches, epochs=recipe.epochs, resume=False, how=recipe)
        model.fit(batches, aside, epochs=left, callbacks=callbacks, verbose=0)
    network.eval()
    return network, logbook.history, aside


def shares(network, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return the shares of pictures that are classified rightly, alone and together with their mirror images."""
    found = []
    for view in (images, images[..., ::-1]):
        with paddle.no_grad():
            found.append(np.concatenate([network(x).numpy() for x, _ in Batches(view, labels, 500)]))
    return {name: float(np.mean(z.argmax(1) == labels)) for name, z in (("plain", found[0]), ("mirrored", sum(found)))}


def check(recipe: Pieces, images: np.ndarray, labels: np.ndarray, low: float, high: float) -> int:
    network, _, aside = train(recipe, 0, images, labels)
    share = shares(network, aside.images, aside.labels)["mirrored"]
    print(f"{share:.4f} of {len(aside.labels):,} held-out pictures after {recipe.epochs} epochs on {len(images):,}")
    print(f"it should be {low} to {high}:", "right" if low <= share <= high else "WRONG")
    return int(not low <= share <= high)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--without", choices=WITHOUT)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--test", action="store_true", help="ask the test pictures, too")
    told = "fail unless two epochs bring the share of the held-out pictures between these"
    parser.add_argument("--check", type=float, nargs=2, metavar=("LOW", "HIGH"), help=told)
    args = parser.parse_args(argv)
    data = datasets.cifar10()
    if not data.is_real:
        raise CourseError("Results are measured on the real CIFAR-10, and only the sample is here (data/README.md)")
    machine.use_threads(1)
    print(data)
    images, labels, *test = pictures(data)
    recipe = replace(RECIPES[args.recipe], **WITHOUT.get(args.without, {}))
    if args.check:
        return check(replace(recipe, epochs=2), images, labels, *args.check)
    name = args.recipe + (f"-without-{args.without}" if args.without else "")
    for seed in args.seeds:
        path = stored.FOLDER / "07_highlevel_api_cifar10" / "pieces" / f"{name}-seed{seed}.json"
        known = path.is_file() and stored.read(path, lambda content: content["shares"], asdict(recipe))
        if not known or (args.test and "test" not in known):
            started = time.process_time()
            network, history, aside = train(recipe, seed, images, labels)
            found = {"held out": shares(network, aside.images, aside.labels)}
            if recipe.average:
                found["held out, without averaging"] = shares(network.network, aside.images, aside.labels)
            if args.test:
                found["test"] = shares(network, *test)
            about = {"recipe": asdict(recipe), "seed": seed, "data": {"name": data.title, **data.counts()}}
            minutes = {"processor_minutes": round((time.process_time() - started) / 60, 1)}
            stored.write(path, {**about, "shares": found, **minutes, "history": history.to_dict()})
        print(name, seed, stored.read(path, lambda content: content["shares"]), flush=True)
    return 0


def pictures(data) -> list[np.ndarray]:
    from paddle.vision.datasets import Cifar10

    paddle.vision.set_image_backend("cv2")
    return [array for mode in ("train", "test") for array in highlevel.as_arrays(Cifar10(data.data_file, mode=mode))]


if __name__ == "__main__":
    sys.exit(main())
