"""The words of diagrams: Chinese in a Chinese kernel, if the machine has a font for them, and else English."""

from collections.abc import Callable
from functools import lru_cache, wraps

from matplotlib import font_manager, rc_context, rcParams

from palm_utils.messages import CHINESE, current, mark, tr

# Of Windows, macOS and Linux. Those of Noto CJK have the same characters; some programs see only the file's first one.
FONTS = ("Microsoft YaHei", "SimHei", "PingFang SC", "Heiti SC", "Hiragino Sans GB", "Noto Sans CJK SC")
FONTS += ("Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Noto Sans CJK JP")

# What chapters write into diagrams, listed here for the catalogue of translations.
_OF_CHAPTERS = (
    mark("1 LeNet\ndigits"), mark("2 readers\nand scores"), mark("3 AlexNet\nReLU, dropout,\naugmentation"),
    mark("4 VGG\nstacked 3 × 3"), mark("5 GoogLeNet\nbranches, 1 × 1"), mark("6 ResNet\nshortcuts,\nbatch norm"),
    mark("8 comparison\nand screening"), mark("What builds on what"), mark("pool, 1×1, fc, fc"),
    mark("A plain block and a residual block"), mark("batch norm"), mark("batch norm, ReLU"),
    mark("Basic block, bottleneck block, bottleneck block with projection"), mark("3×3, 128, stride 2"),
    mark("1×1, 512, stride 2"), mark("ResNet-50: 16 blocks and their shortcuts"), mark("stride 2"), mark("before"),
    mark("max-pool 3×3"), mark("stage 1"), mark("stage 2"), mark("stage 3"), mark("stage 4"), mark("after"),
    mark("global\naverage pool"),
)  # fmt: skip


def word(english: str, /, **values: object) -> str:
    """Return a text of a diagram, filled with `values`; one that is not known as a whole is translated by lines."""
    if not _fonts():
        return english.format(**values) if values else english
    text = tr(english, **values)
    return "\n".join(map(tr, text.split("\n"))) if text == english else text


def worded(draw: Callable) -> Callable:
    """Let what a function draws have the characters of its `word`s: a second font has those that the first lacks."""

    @wraps(draw)
    def drawing(*args, **options):
        with rc_context({"font.family": [*rcParams["font.family"], *_fonts()]}):
            return draw(*args, **options)

    return drawing


def _fonts() -> tuple[str, ...]:
    return _chinese() if current() == CHINESE else ()


@lru_cache
def _chinese() -> tuple[str, ...]:
    """Return the first font of FONTS that is there; () where there is none."""
    for name in FONTS:
        try:
            file = font_manager.findfont(name, fallback_to_default=False)
        except ValueError:
            continue
        if font_manager.get_font(file).get_char_index(ord("层")):
            return (name,)
    return ()
