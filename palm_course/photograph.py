"""A photograph from anywhere, cut to the eye, and what a network says of it: `python -m palm_utils predict`.

Chapter 8 explains it. What it says is the exercise of a course and no diagnosis.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from palm_utils import machine
from palm_utils.messages import CourseError, DataError, mark, tr
from palm_utils.metrics import sigmoid
from palm_utils.readers import read_image, transform_img

# What the 800 labelled photographs keep to with room to spare: chapter 8 shows how far they reach.
DARKEST_MIDDLE, BRIGHTEST_CORNERS, LEAST_REDNESS = 12.0, 0.15, 0.37


def crop(img: np.ndarray) -> np.ndarray:
    """Cut a photograph to the square around the bright disc of the eye; uint8 [H, W, 3] -> uint8 [S, S, 3].

    The disc is the largest region that is brighter than a tenth of the photograph's bright parts. Where the camera cut
    it off at the top and bottom, black fills the square. Raises DataError where nothing is bright.
    """
    brightness = cv2.blur(img.max(axis=2), (3, 3))
    bright = brightness > max(8.0, 0.1 * np.percentile(brightness, 99))
    count, _, boxes, _ = cv2.connectedComponentsWithStats(bright.astype(np.uint8))
    if count < 2:
        raise DataError("This photograph is black: there is no eye to be found in it")
    left, top, width, height, _ = boxes[1 + np.argmax(boxes[1:, cv2.CC_STAT_AREA])]
    side = max(width, height)
    square = np.zeros((side, side, 3), np.uint8)
    down, across = (side - height) // 2, (side - width) // 2
    square[down : down + height, across : across + width] = img[top : top + height, left : left + width]
    return square


class Looks(NamedTuple):
    """Three numbers by which a fundus photograph can be told from most other pictures.

    middle: mean brightness of the middle, 0 to 255. corners: brightness of the corners, which the disc leaves black, as
    a share of that. redness: share of red in the colour of the middle, a third in a grey picture.
    """

    middle: float
    corners: float
    redness: float

    @property
    def is_fundus(self) -> bool:
        """Whether all three are as in the photographs that the networks have learned from, or nearly."""
        bright = self.middle >= DARKEST_MIDDLE
        return bright and self.corners <= BRIGHTEST_CORNERS and self.redness >= LEAST_REDNESS


def looks(img: np.ndarray) -> Looks:
    """Measure a photograph, uint8 [H, W, 3] blue first, that has been cut to the eye."""
    small = cv2.resize(img, (112, 112), interpolation=cv2.INTER_AREA).astype(np.float64)
    rows, columns = np.mgrid[:112, :112] - 55.5
    away = np.hypot(rows, columns)  # from the middle; the disc reaches as far as 56
    blue, green, red = small[away < 40].mean(axis=0)
    middle = (blue + green + red) / 3
    return Looks(middle, float(small[away > 74].mean() / max(middle, 1)), red / max(blue + green + red, 1))


def read(file: str | Path) -> tuple[np.ndarray, Looks]:
    """Return a photograph cut to the eye, uint8 [S, S, 3], and how it looks; errors as read_image and crop."""
    img = crop(read_image(file))
    return img, looks(img)


def logit(model, img: np.ndarray) -> float:
    """Return a network's logit for a photograph, uint8 [H, W, 3], in evaluation mode."""
    import paddle

    from palm_utils.layers import evaluating

    with evaluating(model), paddle.no_grad():
        return model(paddle.to_tensor(transform_img(img)[None])).item()


def show(model, img: np.ndarray, *, title: str, stride: int = 16):
    """Draw a photograph, and beside it where covering it changes the logit; return the Figure. Takes some seconds."""
    import matplotlib.pyplot as plt

    from palm_course import explain
    from palm_utils.figures import as_rgb

    image = transform_img(img)
    heat = explain.occlusion_map(model, image, side=32, stride=stride)
    fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3.4))
    left.imshow(as_rgb(image))
    left.axis("off")
    left.set_title(f"probability of PM {sigmoid(logit(model, img)):.2f}", fontsize=10)
    drawn = explain.overlay(right, image, heat, title="occlusion map", reach=16 / stride)
    fig.colorbar(drawn, ax=right, shrink=0.8)
    fig.suptitle(title)
    return fig


def warning(found: Looks) -> str:
    """Return what is to be said of a picture that does not look like a fundus photograph, "" of one that does."""
    if found.is_fundus:
        return ""
    template = mark(
        "This does not look like a fundus photograph (brightness of the middle {middle:.0f}, of the corners "
        "{corners:.2f} of that, redness {redness:.2f}): the network's answer means nothing."
    )
    return tr(template, **found._asdict())


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = tr("Say what a trained network makes of photographs of the fundus. This is no diagnosis.")
    parser.add_argument("files", nargs="+", metavar=tr("FILE"), type=Path)
    parser.add_argument("--network", metavar=tr("CHAPTER:NETWORK"), default="06_resnet:ResNet")
    kept = tr("its trained parameters, palm.pdparams of a training (default: the kept weights of the steady recipe)")
    parser.add_argument("--params", metavar=tr("FILE"), type=Path, help=kept)
    parser.add_argument("--maps", metavar=tr("FOLDER"), type=Path, help=tr("draw where it looks, a picture a file"))


def run(args: argparse.Namespace) -> int:
    import matplotlib.pyplot as plt

    model, failed = _model(args), 0
    for file in args.files:
        try:
            img, found = read(file)
        except CourseError as error:
            print(f"{file}: {error}")
            failed += 1
            continue
        chance = sigmoid(logit(model, img))
        print(tr("{file}: probability of pathologic myopia {chance:.2f}", file=file, chance=chance))
        if said := warning(found):
            print("  " + said)
        if args.maps:
            args.maps.mkdir(parents=True, exist_ok=True)
            same = [other for other in args.files if other.stem == file.stem]  # a/left.jpg and b/left.jpg
            picture = args.maps / f"{f'{same.index(file) + 1}-' if len(same) > 1 else ''}{file.stem}.map.png"
            fig = show(model, img, title=file.name)
            fig.savefig(picture, dpi=120)
            plt.close(fig)
            print("  " + tr("where it looks: {picture}", picture=picture))
    print(tr("This is an exercise and no diagnosis: only a doctor can tell whether an eye is ill."))
    return int(failed > 0)


def _model(args: argparse.Namespace):
    """Return the network that the options name, with its trained parameters."""
    from palm_course.results import train, weights
    from palm_utils.checkpoints import load_parameters

    machine.use_device(None)
    chapter, network = train.find_network(args.network)
    if args.params is None:
        return weights.load(f"{chapter}:{network.__name__}")
    model = network()
    load_parameters(model, args.params)
    return model
