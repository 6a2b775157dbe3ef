"""Faster ways on a CPU instead of some of PaddlePaddle's functions (chapter 8 tells why). Read it last.

`machine.start` calls `use`. The environment variable PALM_CPU=plain turns everything off. Each measure has its reason:

kernels     PaddlePaddle multiplies by Intel's MKL of 2019, which takes its fast paths on Intel's processors only.
            MKL_DEBUG_CPU_TYPE names another: 7 is AVX-512, 5 is AVX2. MKL up to 2020.0 heeds it.
memory      glibc gives a layer's buffers back to the system and fetches them again for the next, page by page.
            `mallopt` tells it to keep them, for a quarter more memory.
bias        PaddlePaddle adds a convolution's bias as [1, C, 1, 1], by a slow loop. As [C, 1, 1] it has a fast one.
pooling     The backward of max-pooling looks for the maximum of each window again. With `return_mask=True` it knows
            where it was, and is four to seven times faster.
small maps  PaddlePaddle multiplies one image after another. Where the output has only a few places, the matrices are
            too thin for that; all images of the batch are multiplied at once.
validation  PaddlePaddle's threads share only matrix products. `predict` computes up to four batches at once instead.

`kernels`, `small maps` and `validation` change the last digits, as another processor does; the others change no bit.
The layers stay PaddlePaddle's: the functions that they call are wrapped, and called as they are wherever a measure does
not apply. `Replicas` does for training what `validation` does for `predict`; it changes figures: it must be asked for.
"""

from __future__ import annotations  # the doctor has to run on any Python

import copy
import ctypes
import os
import platform
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from pathlib import Path

import numpy as np

from palm_utils.messages import CourseError

MKL_VARIABLE, AVX2, AVX512 = "MKL_DEBUG_CPU_TYPE", "5", "7"
_AVX512_FLAGS = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
_FIRST_TRIED, _FIRST_UNTRIED = (2, 6), (3, 4)  # versions of PaddlePaddle whose functions are known to be these
# Small maps: one product for the batch is faster with at most these output places, at least these weights.
_MOST_PLACES, _FEWEST_WEIGHTS = 4, 2**16

MEASURES = ("kernels", "memory", "bias", "pooling", "small maps", "validation")
_in_use: dict[str, str] = {}  # each measure: what is on, or why it is off


def use() -> dict[str, str]:
    """Put the measures in place that this machine and this PaddlePaddle allow; return what is on, or why it is off.

    Call it before the first multiplication: MKL reads its variable then. A second call changes nothing. Raises
    CourseError for a value of PALM_CPU that is not known.
    """
    if _in_use:
        return _in_use
    asked = os.environ.get("PALM_CPU", "").strip()
    if asked not in ("", "plain"):
        raise CourseError("PALM_CPU is {value!r}; it can be plain: PaddlePaddle as it comes", value=asked)
    _in_use.update(dict.fromkeys(MEASURES, "off (PALM_CPU=plain)"))
    if not asked:
        _in_use.update(dict.fromkeys(MEASURES, _wrap_functions()), kernels=_choose_kernels(), memory=_keep_memory())
    return _in_use


def _choose_kernels() -> str:
    if os.environ.get(MKL_VARIABLE):
        return f"{MKL_VARIABLE}={os.environ[MKL_VARIABLE]}"
    # PF_AVX512F_INSTRUCTIONS_AVAILABLE
    avx512 = platform.system() == "Windows" and bool(ctypes.windll.kernel32.IsProcessorFeaturePresent(41))
    found = kernels_for(cpuinfo(), os.environ.get("PROCESSOR_IDENTIFIER", ""), avx512)
    if found is None:
        return "PaddlePaddle's choice"
    os.environ[MKL_VARIABLE] = found
    return {AVX2: "AVX2", AVX512: "AVX-512"}[found]


def kernels_for(text: str, identifier: str = "", avx512: bool = False) -> str | None:
    """Return the value of MKL_DEBUG_CPU_TYPE that suits a processor, None for MKL's own choice (Intel and unknown).

    text: /proc/cpuinfo of Linux. identifier: PROCESSOR_IDENTIFIER of Windows, "AMD64 Family 25 Model 33 Stepping 2,
    AuthenticAMD" for instance; avx512: whether Windows says that AVX-512 is there. Without it 7 ends the process.
    """
    if re.search(r"^vendor_id\s*:\s*AuthenticAMD\s*$", text, re.MULTILINE):
        listed = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
        flags = set(listed.group(1).split()) if listed else set()
        if flags >= _AVX512_FLAGS:
            return AVX512
        return AVX2 if flags >= {"avx2", "fma"} else None
    family = re.match(r"AMD64 Family (\d+) .*AuthenticAMD", identifier)
    if family is None or int(family.group(1)) < 23:  # the first family in which every processor has AVX2
        return None
    return AVX512 if avx512 else AVX2


def cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _keep_memory() -> str:
    if platform.libc_ver()[0] != "glibc":
        return "off (not glibc)"
    libc = ctypes.CDLL(None)
    libc.mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large buffer
    libc.mallopt(-1, -1)  # M_TRIM_THRESHOLD: nothing is given back
    libc.mallopt(-8, 1)  # M_ARENA_MAX: all threads take from the same
    libc.mallopt(-2, 64 << 20)  # M_TOP_PAD: what is fetched is fetched in 64 MB
    return "on"


def _wrap_functions() -> str:
    """Wrap the two functions of PaddlePaddle that nn.Conv2D and nn.MaxPool2D call."""
    import paddle
    import paddle.nn.functional as F
    from paddle.nn.functional import conv, pooling

    if not _FIRST_TRIED <= tuple(map(int, re.findall(r"\d+", paddle.__version__)[:2])) < _FIRST_UNTRIED:
        return f"off (not tried with PaddlePaddle {paddle.__version__})"
    conv._conv_nd = _faster_conv(conv._conv_nd)
    F.max_pool2d = pooling.max_pool2d = _faster_max_pool(pooling.max_pool2d)
    return "on"


def _applies(x, data_format: str) -> bool:
    """Whether the fast way applies: computed at once (not traced for export), on a CPU, in [N, C, H, W], float32."""
    import paddle

    is_usual = data_format == "NCHW" and x.ndim == 4 and x.dtype == paddle.float32
    return is_usual and paddle.in_dynamic_mode() and x.place.is_cpu_place()


def _faster_conv(plain):
    """Return `paddle.nn.functional.conv._conv_nd` with the measures `bias` and `small maps`."""

    @wraps(plain)
    def _conv_nd(
        x, weight, bias=None, stride=1, padding=0, padding_algorithm=None, dilation=1, groups=1, data_format="NCHW",
        channel_dim=1, op_type="conv2d", *more, **named,
    ):  # fmt: skip
        rest = (stride, padding, padding_algorithm, dilation, groups, data_format, channel_dim, op_type, *more)
        if op_type not in ("conv2d", "depthwise_conv2d") or not _applies(x, data_format):
            return plain(x, weight, bias, *rest, **named)
        size = _small_map(x, weight, *rest[:5])
        result = _convolve_at_once(x, weight, *rest[:2], *size) if size else plain(x, weight, None, *rest, **named)
        return result if bias is None else result + bias.reshape([-1, 1, 1])

    return _conv_nd


def _small_map(x, weight, stride, padding, algorithm, dilation, groups) -> tuple[int, int] | None:
    """Return (height, width) of a convolution's output where it has few places, None for any other convolution."""
    if groups != 1 or algorithm != "EXPLICIT" or len(padding) != 2 or list(dilation) != [1, 1]:
        return None
    sizes = zip(x.shape[2:], weight.shape[2:], stride, padding, strict=True)
    height, width = ((size + 2 * p - k) // s + 1 for size, k, s, p in sizes)
    return (height, width) if weight.size >= _FEWEST_WEIGHTS and 0 < height * width <= _MOST_PLACES else None


def _convolve_at_once(x, weight, stride, padding, height, width):
    """Return the convolution of all images by one product: x [N, C, H, W], weight [D, C, k, l] -> [N, D, h, w]."""
    import paddle
    import paddle.nn.functional as F

    images, kernel = x.shape[0], weight.shape[2:]
    if kernel == [1, 1] and list(padding) == [0, 0]:
        patches = (x[:, :, :: stride[0], :: stride[1]] if list(stride) != [1, 1] else x).flatten(2)
    else:
        patches = F.unfold(x, kernel, list(stride), list(padding))
    patches = patches.transpose([0, 2, 1]).reshape([images * height * width, -1])  # [N h w, C k l]
    result = paddle.matmul(patches, weight.flatten(1), transpose_y=True)  # [N h w, D]
    return result.reshape([images, height * width, -1]).transpose([0, 2, 1]).reshape([images, -1, height, width])


def _faster_max_pool(plain):
    """Return `paddle.nn.functional.max_pool2d` with the measure `pooling`."""

    @wraps(plain)
    def max_pool2d(
        x, kernel_size, stride=None, padding=0, return_mask=False, ceil_mode=False, data_format="NCHW", name=None
    ):
        import paddle

        recorded = not x.stop_gradient and paddle.is_grad_enabled()
        if recorded and not (return_mask or ceil_mode) and isinstance(padding, int) and _applies(x, data_format):
            return plain(x, kernel_size, stride, padding, True, ceil_mode, data_format, name)[0]
        return plain(x, kernel_size, stride, padding, return_mask, ceil_mode, data_format, name)

    return max_pool2d


_here = threading.local()  # .random: the numbers that a replica's dropout draws from


@contextmanager
def sharing(workers: int, threads: int) -> Iterator[None]:
    """Divide PaddlePaddle's `threads` among `workers` threads of Python in a `with` block."""
    import paddle

    paddle.base.core.set_num_threads(max(1, threads // workers))
    try:
        yield
    finally:
        paddle.base.core.set_num_threads(threads)


def batches_at_once(model, threads: int) -> int:
    """Return how many batches `predict` computes at once: up to 4; 1 if static, built for GPUs or switched off."""
    import paddle

    static = (paddle.jit.TranslatedLayer, paddle.jit.dy2static.program_translator.StaticFunction)
    is_static = any(
        isinstance(part, static) for layer in model.sublayers(include_self=True) for part in (layer, layer.forward)
    )
    usable = use()["validation"] == "on" and not is_static and not paddle.is_compiled_with_cuda()
    return min(4, threads) if usable else 1


class Replicas:
    """A network as `number` copies that share its parameters; each takes a part of a batch, on cores of its own.

    Called with images, it returns their logits; the backward from there runs in the copies and adds their gradients in
    a fixed order, so that a run can be repeated. Batch norm sees a part of the batch only, which changes figures.
    threads: as many as PaddlePaddle has. Raises CourseError for a layer whose random numbers cannot be kept apart.
    """

    def __init__(self, model, number: int, threads: int):
        import paddle

        for layer in model.sublayers():
            if isinstance(layer, paddle.nn.Dropout2D | paddle.nn.Dropout3D | paddle.nn.AlphaDropout):
                kind = type(layer).__name__
                raise CourseError(
                    "a run with replicas could not be repeated: {layer} is random in its own way", layer=kind
                )
        _wrap_dropout()
        self.models = [model, *(copy.deepcopy(model) for _ in range(number - 1))]
        self.threads, self._pool = threads, ThreadPoolExecutor(number, thread_name_prefix="palm-replica")

    def start_epoch(self, seed: int) -> None:
        """Seed dropout; let all copies have the network's parameters and start from its running statistics."""
        self.random = [np.random.default_rng([seed, rank]) for rank in range(len(self.models))]
        for other in self.models[1:]:
            other.train()
            for own, copied in zip(self.models[0].state_dict().values(), other.state_dict().values(), strict=True):
                if own.stop_gradient:
                    copied.set_value(own)
                else:
                    own._share_buffer_to(copied)

    def end_epoch(self) -> None:
        """Give the network the mean of the running statistics that its copies have seen."""
        for own, *others in zip(*(model.state_dict().values() for model in self.models), strict=True):
            if own.stop_gradient and any((own != other).any() for other in others):  # not what is frozen
                own.set_value(sum(others, own) / len(self.models))

    def __call__(self, images):
        import paddle

        number = min(len(self.models), len(images))
        ends = [len(images) * rank // number for rank in range(number + 1)]

        def forward(rank: int):
            _here.random = self.random[rank]
            return self.models[rank](images[ends[rank] : ends[rank + 1]])

        with sharing(number, self.threads):
            parts = list(self._pool.map(forward, range(number)))
        logits = paddle.concat([part.detach() for part in parts])
        logits.stop_gradient = False
        logits.register_hook(lambda gradient: self._backward(parts, gradient))
        return logits

    def _backward(self, parts: list, gradient) -> None:
        import paddle

        gradients = paddle.split(gradient, [len(part) for part in parts])
        with sharing(len(parts), self.threads):
            list(self._pool.map(lambda part, gradient: part.backward(gradient), parts, gradients))
        with paddle.no_grad():
            for own, *others in zip(*(model.parameters() for model in self.models), strict=True):
                for copied in others:
                    if copied.grad is not None:
                        own.grad.add_(copied.grad)
                        copied.clear_gradient(False)


def _wrap_dropout() -> None:
    """Let dropout draw from the replica that it runs in; PaddlePaddle has one generator for all threads."""
    import paddle.nn.functional as F
    from paddle import _C_ops

    plain = F.dropout
    if hasattr(plain, "of_replicas"):
        return

    def dropout(x, p=0.5, axis=None, training=True, mode="upscale_in_train", **named):
        random = getattr(_here, "random", None)
        if random is None or axis is not None or not training or p == 0:
            return plain(x, p=p, axis=axis, training=training, mode=mode, **named)
        return _C_ops.dropout(x, None, p, False, mode, int(random.integers(1, 2**31)), True)

    dropout.of_replicas = True
    F.dropout = dropout
