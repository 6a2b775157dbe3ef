"""Drawings for chapter 5: Inception modules, GoogLeNet with its auxiliary heads, and one number per module as dots."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from palm_course.diagrams import flow
from palm_course.words import word, worded
from palm_utils.figures import BLUE, GREEN, GREY, INK, ORANGE, RED
from palm_utils.layers import LayerRow
from palm_utils.messages import mark

_COLORS = {"Conv2D": BLUE, "Inception": RED, "Linear": GREEN, "MaxPool2D": ORANGE, "AdaptiveAvgPool2D": ORANGE}
_X = (1.15, 3.05, 4.95, 6.85)  # of the four branches, in inches from the left


@worded
def both(c0: int, c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int, side: int) -> Figure:
    """Draw a naive Inception module (a) above the real one (b), with shapes and multiply-adds for one photograph.

    c0 … c4: channels, as for the chapter's Inception; side: height and width of the maps.
    """
    boxes, arrows = {}, []

    def box(name: str, x: float, y: float, what: str, channels: int, work: int = 0, kind: str = "Conv2D") -> int:
        lines = [word(what), f"{channels}×{side}×{side}", *([f"{work * side**2 / 1e6:.0f} M"] if work else [])]
        boxes[name] = (x, y, "\n".join(lines), kind)
        return work

    def ends(name: str, y: float, work: int, channels: int, above: Sequence[str], below: Sequence[str]) -> None:
        box(f"{name} in", 4.0, y, mark("from the layer before"), c0, kind="")
        box(f"{name} out", 4.0, y - (3.3 if name == "a" else 4.65), mark("concatenate"), channels, work, "concat")
        arrows.extend((f"{name} in", f"{name}{start}") for start in above)
        arrows.extend((f"{name}{end}", f"{name} out") for end in below)

    work = box("a1", _X[0], 8.2, mark("1×1 conv"), c1, c0 * c1)
    work += box("a2", _X[1], 8.2, mark("3×3 conv"), c2[1], 9 * c0 * c2[1])
    work += box("a3", _X[2], 8.2, mark("5×5 conv"), c3[1], 25 * c0 * c3[1])
    box("a4", _X[3], 8.2, mark("3×3 pool"), c0, kind="MaxPool2D")
    ends("a", 9.8, work, c1 + c2[1] + c3[1] + c0, "1234", "1234")

    work = box("b1", 0.85, 3.1, "1×1 conv", c1, c0 * c1)
    for i, kernel, (reduced, out) in ((2, 3, c2), (3, 5, c3)):
        work += box(f"b{i}r", _X[i - 1], 3.55, "1×1 conv", reduced, c0 * reduced)
        work += box(f"b{i}", _X[i - 1], 2.15, f"{kernel}×{kernel} conv", out, kernel**2 * reduced * out)
    box("b4r", _X[3], 3.55, "3×3 pool", c0, kind="MaxPool2D")
    work += box("b4", _X[3], 2.15, "1×1 conv", c4, c0 * c4)
    arrows += [(f"b{i}r", f"b{i}") for i in (2, 3, 4)]
    ends("b", 5.0, work, c1 + c2[1] + c3[1] + c4, ("1", "2r", "3r", "4r"), "1234")

    fig = flow(boxes, arrows, title=mark("M: million multiply-adds for one photograph"), size=(8.0, 10.2))
    fig.axes[0].set_ylim(-0.2, 10.3)
    for text, y in ((mark("(a) naive"), 9.8), (mark("(b) real"), 5.0)):
        fig.axes[0].text(0.1, y, word(text), fontsize=13, weight="bold", va="center")
    return fig


@worded
def whole(rows: Sequence[LayerRow], heads: dict[str, str], *, title: str) -> Figure:
    """Draw the layers of GoogLeNet, a new line of boxes after pool2, pool3 and pool4.

    rows: of `layers.layer_rows(model, …, whole=(Inception,))`; heads: texts of the auxiliary heads, by the name of the
    layer whose output they get, such as {"block4_1": "softmax1"}.
    """
    lines: list[list[LayerRow]] = [[]]
    for row in rows:
        lines[-1].append(row)
        if row.name in ("pool2", "pool3", "pool4"):
            lines.append([])
    high, wide, gap = 1.15, 1.12, 0.3
    width = max(map(len, lines)) * (wide + gap) + 0.4
    fig, ax = plt.subplots(figsize=(width, high * (len(lines) + 1) + 0.3))
    y = 0.0
    for line in lines:
        for i, row in enumerate(line):
            x = 0.35 + i * (wide + gap)
            _box(ax, x, y, wide, f"{_short(row.name)}\n{'×'.join(map(str, _shape(row)))}", _COLORS[row.kind])
            _arrow(ax, (x - gap, y), (x, y))
            if row.name in heads:
                _box(ax, x - 0.1, y - 1.05, wide + 0.2, word(heads[row.name]), GREEN, "--")
                _arrow(ax, (x + wide / 2, y - 0.33), (x + wide / 2, y - 0.72))
        y -= high * (1.9 if any(row.name in heads for row in line) else 1.0)
    ax.set(xlim=(0, width), ylim=(y + 0.5, 0.6), aspect="equal")
    ax.set_title(title, fontsize=11)
    ax.axis("off")
    return fig


def dots(panels: dict[str, dict[str, dict[str, float]]], *, xlabel: str) -> Figure:
    """Draw one positive number per module and network, on a logarithmic axis, one panel above the other.

    panels: by the panel's title, then by network, then by module from the input on.
    """
    fig, axes = plt.subplots(len(panels), 1, figsize=(7.5, 3.0 * len(panels)), sharex=True, squeeze=False)
    for ax, (title, networks) in zip(axes[:, 0], panels.items(), strict=True):
        for color, marker, (name, values) in zip((RED, GREEN, BLUE), "os^", networks.items(), strict=False):
            ax.plot(np.arange(len(values)), list(values.values()), marker, color=color, label=name, markersize=7)
            ax.set_xticks(range(len(values)), list(values))
        ax.set(title=title, yscale="log")
        ax.margins(y=0.12)
    axes[-1, 0].set_xlabel(xlabel)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig


def _short(name: str) -> str:
    """Return a name for figures: block3_1 is 3a, as in the paper."""
    if name.startswith("block"):
        return f"{name[5]}{'abcde'[int(name[7]) - 1]}"
    return {"pool5": word("global avg"), "conv2_1": "conv2.1", "conv2_2": "conv2.2"}.get(name, name)


def _shape(row: LayerRow) -> list[int]:
    return [n for n in row.output_shape[1:] if n > 1] or [1]


def _box(ax, x: float, y: float, wide: float, text: str, color: str, line: str = "-") -> None:
    for look in ({"facecolor": color, "alpha": 0.18, "linewidth": 0}, {"fill": False, "edgecolor": color}):
        look = {"boxstyle": "round,pad=0,rounding_size=0.08", "linewidth": 1.2, "linestyle": line} | look
        ax.add_patch(FancyBboxPatch((x, y - 0.33), wide, 0.66, **look))
    ax.text(x + wide / 2, y, text, ha="center", va="center", fontsize=9.5, linespacing=1.2, color=INK)


def _arrow(ax, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", xy=end, xytext=start, arrowprops=style)
