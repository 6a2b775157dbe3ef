"""What each piece of chapter 7's recipe gives: it is trained whole, and without one piece at a time.

    python tools/cifar.py improved --seeds 1 2
    python tools/cifar.py without-whitening --seeds 0 1 2
    python tools/cifar.py long --seeds 0 1 2 --test
    python tools/cifar.py improved --check 0.6 0.74    # two epochs on what pictures there are; nothing is stored

Networks and callbacks are the chapter's. Accuracies are of 5,000 training pictures that no network was trained on;
--test asks the test pictures, too, and is for a recipe that has been chosen. `results/07_highlevel_api_cifar10` keeps
each run, which is not trained again.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial

import numpy as np
import paddle
import paddle.nn.functional as F

from palm_course import chapters
from palm_course.averaging import Averaged
from palm_course.results import stored
from palm_course.results.recipes import WITHOUT, CifarRecipe
from palm_course.results.stored import CifarRun
from palm_utils import datasets, highlevel, machine
from palm_utils.highlevel import Batches, Logbook
from palm_utils.messages import CourseError


def make_network(chapter, recipe: CifarRecipe, pictures: np.ndarray) -> paddle.nn.Layer:
    """Return the chapter's network as a recipe has it; pictures: normalised, for the whitening filters."""

    class Unwhitened(chapter.SmallResNet):
        def forward(self, x):
            return super().forward(x) / 9  # as WhitenedResNet has it

    if "whitened" in recipe.network:
        network = chapter.WhitenedResNet(chapter.whitening_filters(pictures), width=recipe.width)
    else:
        network = Unwhitened(width=recipe.width)
    if "quick start" in recipe.network:
        chapter.quick_start(network)
    return Averaged(network, recipe.average)


def train(recipe: CifarRecipe, seed: int, images: np.ndarray, labels: np.ndarray):
    """Return the trained network, its History, and the pictures that were held out; as the chapter trains."""
    order = np.random.RandomState(0).permutation(len(images))
    held_out, rest = np.split(order, [recipe.held_out])
    alternating = "alternating flips" in recipe.augment
    shift = partial(highlevel.crop_and_flip, padding=2, border="reflect", flip=0 if alternating else 0.5)
    batches = Batches(images[rest], labels[rest], recipe.batch_size, shuffle=True, augment=shift)
    steps = recipe.epochs * len(batches)
    machine.seed_everything(seed)
    chapter = chapters.definitions(chapters.find("07")[0])
    network = make_network(chapter, recipe, highlevel.normalise(batches.images[:5000]))

    def loss(logits, truth):
        if not network.training:
            return F.cross_entropy(logits, truth)
        wanted = F.label_smooth(F.one_hot(truth.flatten(), 10), epsilon=recipe.label_smoothing)
        return F.cross_entropy(logits, wanted, soft_label=True)

    model, aside = paddle.Model(network), Batches(images[held_out], labels[held_out], 500)
    model.prepare(recipe.make_optimizer(network, steps), loss, paddle.metric.Accuracy(topk=(1, 5)))
    with tempfile.TemporaryDirectory() as folder:
        logbook = Logbook(folder, seed=seed)
        left = logbook.start(model, batches, epochs=recipe.epochs, resume=False, how=recipe)
        callbacks = [logbook, *([chapter.AlternateFlips(batches, logbook)] if alternating else [])]
        model.fit(batches, aside, epochs=left, callbacks=callbacks, verbose=0)
    network.eval()
    return network, logbook.history, aside


def share(network, images: np.ndarray, labels: np.ndarray, *, mirrored: bool) -> float:
    """Return the share of pictures that are classified rightly, alone or together with their mirror images."""
    views = [images, images[..., ::-1]] if mirrored else [images]
    with paddle.no_grad():
        logits = [[network(x).numpy() for x, _ in Batches(view, labels, 500)] for view in views]
    return float(np.mean(sum(map(np.concatenate, logits)).argmax(1) == labels))


def check(recipe: CifarRecipe, images: np.ndarray, labels: np.ndarray, low: float, high: float) -> int:
    network, _, aside = train(recipe, 0, images, labels)
    found = share(network, aside.images, aside.labels, mirrored=True)
    print(f"{found:.4f} of {len(aside.labels):,} held-out pictures after {recipe.epochs} epochs on {len(images):,}")
    print(f"it should be {low} to {high}:", "right" if low <= found <= high else "WRONG")
    return int(not low <= found <= high)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=["improved", "long", *WITHOUT])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--test", action="store_true", help="ask the test pictures, too")
    told = "fail unless two epochs bring the share of the held-out pictures between these"
    parser.add_argument("--check", type=float, nargs=2, metavar=("LOW", "HIGH"), help=told)
    args = parser.parse_args(argv)
    data = datasets.cifar10()
    if not data.is_real:
        raise CourseError("Results are measured on the real CIFAR-10, and only the sample is here (data/README.md)")
    machine.start(1)
    print(data)
    images, labels, *test = pictures(data)
    if args.check:
        return check(
            replace(CifarRun.of("WhitenedResNet", args.recipe).arguments, epochs=2), images, labels, *args.check
        )
    for seed in args.seeds:
        run = CifarRun.of("WhitenedResNet", args.recipe, seed)
        known = run.load()
        if known is None or (args.test and "test_accuracy" not in known.about):
            started = time.process_time()
            network, history, aside = train(run.arguments, seed, images, labels)
            history.about["mirrored"] = share(network, aside.images, aside.labels, mirrored=True)
            history.about["as_trained"] = share(network.network, aside.images, aside.labels, mirrored=False)
            if args.test:
                history.about["test_accuracy"] = share(network, *test, mirrored=True)
                history.about["test_plain"] = share(network, *test, mirrored=False)
            history.about["processor_minutes"] = round((time.process_time() - started) / 60, 1)
            stored.store(run, history, None, data)
        about, last = run.load().about, run.load().last["valid_accuracy"]
        shares = {
            name: about[name] for name in ("mirrored", "as_trained", "test_accuracy", "test_plain") if name in about
        }
        print(
            args.recipe,
            seed,
            f"held out: {last:.4f}",
            *(f"{name} {value:.4f}" for name, value in shares.items()),
            flush=True,
        )
    return 0


def pictures(data) -> list[np.ndarray]:
    from paddle.vision.datasets import Cifar10

    paddle.vision.set_image_backend("cv2")
    return [array for mode in ("train", "test") for array in highlevel.as_arrays(Cifar10(data.data_file, mode=mode))]


if __name__ == "__main__":
    sys.exit(main())
