"""Where a network looks: occlusion maps, masks of parts of an eye, changes of a photograph's colours (chapter 6).

An `image` is what transform_img makes of a photograph: float32 [3, H, W] in [-1, 1], channels blue, green, red.
"""

import cv2
import numpy as np

from palm_utils.figures import as_rgb
from palm_utils.layers import evaluating
from palm_utils.messages import WrongArgument, mark

BLACK = -0.9  # a pixel that is darker in all channels is border
RADIUS = 40  # of the optic disc with its surroundings, in pixels of 224


def occlusion_map(model, image: np.ndarray, side: int = 32, stride: int = 16, batch_size: int = 10) -> np.ndarray:
    """Return how much the logit falls where a grey square covers the image, float32 [rows, columns].

    model: a paddle.nn.Layer with one logit; it is asked in evaluation mode, and left in the mode it was in. side,
    stride: of the square and from one place to the next, in pixels; the map has (H - side) // stride + 1 rows. A
    positive value: what is covered there spoke for pathologic myopia. WrongArgument where the square does not fit.
    """
    import paddle

    _, height, width = image.shape
    if not 0 < side <= min(height, width) or stride < 1:
        template = mark("a square of {side} pixels, moved by {stride}, does not fit into {height} × {width} pixels")
        raise WrongArgument(template, side=side, stride=stride, height=height, width=width)
    tops, lefts = range(0, height - side + 1, stride), range(0, width - side + 1, stride)
    images = np.stack([image] * (1 + len(tops) * len(lefts))).astype(np.float32)  # the first one is not covered
    for covered, (top, left) in zip(images[1:], ((top, left) for top in tops for left in lefts), strict=True):
        covered[:, top : top + side, left : left + side] = 0.0  # mid-grey
    with evaluating(model), paddle.no_grad():
        starts = range(0, len(images), batch_size)
        logits = [model(paddle.to_tensor(images[i : i + batch_size])).numpy().ravel() for i in starts]
    logits = np.concatenate(logits)
    return (logits[0] - logits[1:]).reshape(len(tops), len(lefts)).astype(np.float32)


def overlay(ax, image: np.ndarray, heat: np.ndarray, *, title: str = "", reach: float = 0.5):
    """Draw an image in grey with a map over it, and return what plt.colorbar takes; red: positive, blue: negative.

    heat: [rows, columns] of any size, its places evenly over the image. reach: how far the outermost places are from
    the image's border, in steps of the map: 0.5 where they tile the image, as in Grad-CAM; side / 2 / stride for an
    occlusion map, 1 with its defaults. The colour scale ends at the largest absolute value, and begins at 0 where
    nothing is negative. The stronger a value, the less of the image is seen.
    """
    height, width = image.shape[1:]
    limit = float(np.abs(heat).max()) or 1.0
    ax.imshow(as_rgb(image).mean(axis=2), cmap="gray", vmin=0, vmax=255)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    rows = (rows + 0.5) / height * (heat.shape[0] - 1 + 2 * reach) - reach
    columns = (columns + 0.5) / width * (heat.shape[1] - 1 + 2 * reach) - reach
    large = cv2.remap(heat.astype(np.float32), columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colours = {"cmap": "Reds", "vmin": 0} if heat.min() >= 0 else {"cmap": "RdBu_r", "vmin": -limit}
    drawn = ax.imshow(large, vmax=limit, alpha=0.75 * np.clip(np.abs(large) / limit, 0, 1), **colours)
    ax.set_title(title, fontsize=10)
    ax.axis("off")
    return drawn


def border_mask(image: np.ndarray) -> np.ndarray:
    """Return where the black border around the eye is, bool [H, W]."""
    dark = (image < BLACK).all(axis=0).astype(np.uint8)
    count, parts = cv2.connectedComponents(dark)
    edge = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    outside = [part for part in range(1, count) if part in edge]  # dark vessels inside do not count
    return np.isin(parts, outside)


def find_disc(image: np.ndarray) -> tuple[int, int]:
    """Return row and column of the optic disc: the round region that is brightest against its surroundings, a guess."""
    height, width = image.shape[1:]
    border = border_mask(image)
    grey = image[1:].mean(axis=0)  # green and red: the disc is yellow
    grey = np.where(border, np.median(grey[~border]) if not border.all() else 0, grey).astype(np.float32)
    scale = min(height, width) / 224
    contrast = cv2.GaussianBlur(grey, (0, 0), 8 * scale) - cv2.GaussianBlur(grey, (0, 0), 32 * scale)
    rows, columns = np.mgrid[:height, :width]
    far = np.hypot(rows - (height - 1) / 2, columns - (width - 1) / 2) > 88 * scale  # the bright rim of the eye
    row, column = np.unravel_index(np.argmax(np.where(far, -np.inf, contrast)), (height, width))
    return int(row), int(column)


def disc_mask(image: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """Return a circle around the optic disc that holds its surroundings too, bool [H, W]; see find_disc."""
    return _circle(image, *find_disc(image), radius)


def control_mask(image: np.ndarray, radius: int = RADIUS) -> np.ndarray:
    """Return such a circle on the opposite side of the image's middle, as far as needed not to overlap, bool [H, W]."""
    disc, middle = np.array(find_disc(image), float), (np.array(image.shape[1:]) - 1) / 2
    way = middle - disc
    distance = np.hypot(*way)
    way = way / distance if distance > 1 else np.array([0.0, 1.0])
    return _circle(image, *(disc + way * max(2 * distance, 2 * radius + 2)), radius)


def _circle(image: np.ndarray, row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[: image.shape[1], : image.shape[2]]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def covered(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a copy of an image in which a mask, bool [H, W], is filled with the eye's mean colour."""
    return np.where(mask, eye_colour(image)[:, None, None], image).astype(np.float32)


def eye_colour(image: np.ndarray) -> np.ndarray:
    """Return the mean of each channel over the eye, without its border: float32 [3], blue, green, red."""
    eye = ~border_mask(image)
    return image[:, eye if eye.any() else ~eye].mean(axis=1)


def greyed(image: np.ndarray) -> np.ndarray:
    """Return the photograph in grey: the mean of the three channels in each of them."""
    return np.broadcast_to(image.mean(axis=0, keepdims=True), image.shape).astype(np.float32)


def levelled(image: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return the eye with each channel moved so that the eye's mean colour is `colour`, [3]; the border stays black."""
    moved = image + (np.asarray(colour, np.float32) - eye_colour(image))[:, None, None]
    return np.where(border_mask(image), image, np.clip(moved, -1, 1)).astype(np.float32)
