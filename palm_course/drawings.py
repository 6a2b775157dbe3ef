"""Drawings of chapter 1 with the numbers in them: convolution, channels, pooling, activations, gradient descent."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.lib.stride_tricks import sliding_window_view

from palm_course.words import word, worded
from palm_utils.figures import BLUE, GREEN, GREY, INK, ORANGE, RED
from palm_utils.messages import CourseError

_TINTS = (BLUE, ORANGE, GREEN, RED)  # of the regions of a pooling


@worded
def convolution(
    image: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0, *, at: tuple[int, int] = (0, 0)
) -> Figure:
    """Draw a convolution: the image, the kernel, the map of sums; one place and its sum are marked.

    image: [H, W], kernel: [k, k], few small numbers each. padding: zeros added at each side, drawn in grey. at: row and
    column, from 0, of the marked number of the map. Raises CourseError where the kernel is larger than the image.
    """
    padded, size = np.pad(np.asarray(image), padding), len(kernel)
    sums = convolve(image, kernel, stride, padding)
    top, left = (stride * place for place in at)
    patch = padded[top : top + size, left : left + size]
    apart = len(padded[0]) + 1.4
    beyond = apart + size + 1.4
    fig, ax = _canvas(beyond + len(sums[0]), len(padded) + 1)
    edge = np.pad(np.ones(np.shape(image)), padding)
    _numbers(ax, padded, (0, 0), lambda row, column: "#C9DDEC" if edge[row, column] else "#E3E3E3")
    middle = (len(padded) - size) / 2
    _numbers(ax, kernel, (apart, middle), lambda row, column: _signed(kernel[row][column]))
    down = (len(padded) - len(sums)) / 2
    _numbers(ax, sums, (beyond, down), lambda row, column: "#F3F3F3")
    _frame(ax, left, top, size, size)
    _frame(ax, beyond + at[1], down + at[0], 1, 1)
    for x, sign in ((apart - 0.7, "∗"), (beyond - 0.7, "=")):
        ax.text(x, len(padded) / 2, sign, ha="center", va="center", fontsize=18)
    sized = word("image") if padding == 0 else word("image with zeros around it")
    for x, name, of in ((0, sized, padded), (apart, word("kernel"), kernel), (beyond, word("map"), sums)):
        ax.text(x + len(of[0]) / 2, -0.35, f"{name}\n{len(of)} × {len(of[0])}", ha="center", va="bottom")
    terms = " + ".join(f"{_factor(w)}·{_factor(v)}" for v, w in zip(patch.flat, np.ravel(kernel), strict=True))
    told = f"{terms} = {_text(sums[at])}"
    ax.text((beyond + len(sums[0])) / 2, len(padded) + 0.55, told, ha="center", va="center", fontsize=9.5, color=RED)
    ax.set_title(word("stride {stride}, padding {padding}", stride=stride, padding=padding), pad=14)
    return fig


def convolve(image: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0) -> np.ndarray:
    """Return the map of a kernel [k, k] over an image [H, W], as a network computes it: without turning the kernel."""
    kernel, padded = np.asarray(kernel), np.pad(np.asarray(image), padding)
    if any(small < size for small, size in zip(padded.shape, kernel.shape, strict=True)):
        raise CourseError("The kernel is larger than the image with its padding.")
    windows = sliding_window_view(padded, kernel.shape)[::stride, ::stride]
    return np.einsum("ijuv,uv->ij", windows, kernel)


@worded
def channels(image: np.ndarray, kernels: np.ndarray) -> Figure:
    """Draw how kernels [K, C, k, k] make K maps of an image [C, H, W].

    A row for each channel, a column for each kernel; under it stands its map, the sum over the channels.
    """
    image, kernels = np.asarray(image), np.asarray(kernels)
    side, size = image.shape[1], kernels.shape[2]
    out = side - size + 1
    step, down = max(size, out) + 1.6, side + 0.9
    fig, ax = _canvas(side + 1.6 + step * len(kernels), down * len(image) + out + 0.6)
    for channel, plane in enumerate(image):
        top = channel * down
        _numbers(ax, plane, (0, top), lambda row, column: "#C9DDEC")
        name = word("channel {number}", number=channel)
        ax.text(-0.3, top + side / 2, name, ha="right", va="center", rotation=90)
        for k, kernel in enumerate(kernels):
            x, y, layer = side + 1.6 + k * step + (step - 1.6 - size) / 2, top + (side - size) / 2, kernel[channel]
            _numbers(ax, layer, (x, y), lambda row, column, layer=layer: _signed(layer[row, column]))
            sign = "+" if channel + 1 < len(image) else "="
            ax.text(x + size / 2, top + side + 0.35, sign, ha="center", va="center", fontsize=16)
    for k, kernel in enumerate(kernels):
        sums = sum(convolve(plane, layer) for plane, layer in zip(image, kernel, strict=True))
        x = side + 1.6 + k * step + (step - 1.6 - out) / 2
        _numbers(ax, sums, (x, down * len(image)), lambda row, column: "#F3F3F3")
        ax.text(x + out / 2, -0.35, word("kernel {number}", number=k), ha="center", va="bottom")
        name = word("map {number}", number=k)
        ax.text(x + out / 2, down * len(image) + out + 0.15, name, ha="center", va="top")
    ax.text(side / 2, -0.35, word("image"), ha="center", va="bottom")
    return fig


def pooling(image: np.ndarray, size: int = 2, stride: int = 2) -> Figure:
    """Draw max-pooling of an image [H, W] by regions of size × size; each region and its maximum have one colour."""
    image = np.asarray(image)
    kept = sliding_window_view(image, (size, size))[::stride, ::stride].max(axis=(2, 3))
    tints = [
        [f"{_TINTS[(row * len(kept[0]) + column) % 4]}55" for column in range(len(kept[0]))] for row in range(len(kept))
    ]
    apart = len(image[0]) + 2.4
    fig, ax = _canvas(apart + len(kept[0]), len(image) + 0.6)

    def tint(row, column):
        row, column = row // stride, column // stride
        return tints[row][column] if row < len(kept) and column < len(kept[0]) else "#E3E3E3"

    down = (len(image) - len(kept)) / 2
    _numbers(ax, image, (0, 0), tint)
    _numbers(ax, kept, (apart, down), lambda row, column: tints[row][column])
    ax.text(apart - 1.2, len(image) / 2, "max\n→", ha="center", va="center", fontsize=14)
    for x, y, of in ((0, 0, image), (apart, down, kept)):
        ax.text(x + len(of[0]) / 2, y - 0.35, f"{len(of)} × {len(of[0])}", ha="center", va="bottom")
    return fig


def activations() -> Figure:
    """Draw sigmoid, tanh and ReLU between -6 and 6, each with its slope."""
    x = np.linspace(-6, 6, 601)
    sigmoid, tanh = 1 / (1 + np.exp(-x)), np.tanh(x)
    curves = {
        "sigmoid": (sigmoid, sigmoid * (1 - sigmoid)),
        "tanh": (tanh, 1 - tanh**2),
        "ReLU": (np.maximum(x, 0), (x > 0) * 1.0),
    }
    fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True)
    for ax, (name, (value, slope)) in zip(axes, curves.items(), strict=True):
        ax.plot(x, value, color=BLUE, linewidth=2, label="value")
        ax.plot(x, slope, "--", color=RED, linewidth=2, label="slope")
        ax.set(title=f"{name}: slope at most {slope.max():.2g}", xlabel="input", ylim=(-1.3, 2.3))
    axes[0].set_ylabel("value, slope")
    axes[0].legend(loc="upper left")
    return fig


def descent(rates: Sequence[float], steps: int = 8) -> Figure:
    """Draw gradient descent on the loss (w - 3)² from w = 0, a panel for each learning rate."""
    fig, axes = plt.subplots(1, len(rates), figsize=(9, 3.2), sharey=True)
    w = np.linspace(-2.6, 8.6, 200)
    for ax, rate in zip(axes, rates, strict=True):
        path = [0.0]
        for _ in range(steps):
            path.append(path[-1] - rate * 2 * (path[-1] - 3))
        path = np.array(path)
        ax.plot(w, (w - 3) ** 2, color=GREY)
        ax.plot(path, (path - 3) ** 2, "o-", color=RED, linewidth=1, markersize=5, clip_on=True)
        ax.set(title=f"learning rate {rate:g}", xlabel="parameter w", xlim=(-2.6, 8.6), ylim=(-2, 30))
    axes[0].set_ylabel("loss (w − 3)²")
    return fig


@worded
def kernel_and_map(image: np.ndarray, kernel: np.ndarray) -> Figure:
    """Draw an image [H, W], a kernel [k, k] with its numbers, and the kernel's map: red positive, blue negative."""
    sums = convolve(image, kernel)
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(8, 3))
    left.imshow(image, cmap="gray")
    limit = max(float(np.abs(kernel).max()), 1e-9)
    middle.imshow(kernel, cmap="RdBu_r", vmin=-1.6 * limit, vmax=1.6 * limit)
    for (row, column), value in np.ndenumerate(kernel):
        middle.text(column, row, _text(value), ha="center", va="center", fontsize=13)
    limit = max(float(np.abs(sums).max()), 1e-9)
    drawn = right.imshow(sums, cmap="RdBu_r", vmin=-limit, vmax=limit)
    fig.colorbar(drawn, ax=right, shrink=0.8)
    for ax, name, of in ((left, word("image"), image), (middle, word("kernel"), kernel), (right, word("map"), sums)):
        ax.set_title(f"{name} {len(of)} × {len(of[0])}")
        ax.axis("off")
    return fig


def _canvas(width: float, height: float) -> tuple:
    """Return a figure and its axes for drawing cells of size 1, y downwards, at most 9 inches wide."""
    scale = min(0.5, 9 / (width + 1))
    fig, ax = plt.subplots(figsize=((width + 1) * scale, (height + 1.7) * scale))
    ax.set(xlim=(-0.9, width + 0.1), ylim=(height, -1.7), aspect="equal")
    ax.axis("off")
    return fig, ax


def _numbers(ax, numbers, corner: tuple[float, float], color) -> None:
    """Draw a grid of numbers with its upper left corner at (x, y); color(row, column): of a cell."""
    for (row, column), value in np.ndenumerate(np.asarray(numbers)):
        place = (corner[0] + column, corner[1] + row)
        ax.add_patch(Rectangle(place, 1, 1, facecolor=color(row, column), edgecolor="white", linewidth=1.2))
        ax.text(place[0] + 0.5, place[1] + 0.5, _text(value), ha="center", va="center", color=INK)


def _frame(ax, x: float, y: float, width: float, height: float) -> None:
    ax.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=RED, linewidth=2.5, zorder=3))


def _text(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _factor(value: float) -> str:
    return f"({_text(value)})" if value < 0 else _text(value)


def _signed(value: float) -> str:
    """Return the colour of a weight: red positive, blue negative, as in the chapter's pictures of kernels."""
    return f"{RED}66" if value > 0 else f"{BLUE}66" if value < 0 else "#F3F3F3"
