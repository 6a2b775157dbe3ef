"""One optimizer step, in full or mixed precision, and the losses of an epoch's steps.

Nothing here waits for a GPU but `Losses.read` (and PaddlePaddle's GradScaler, which looks at each step whether
the gradients have overflowed).
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from palm_utils import distributed, prefetch
from palm_utils.messages import CourseError, tr


class Precision:
    """How numbers are computed: all in float32; with amp, on a GPU, convolutions and the like in float16 (level O1).

    With amp the loss is scaled, so that small gradients do not vanish, and a step whose gradients overflow is
    left out and the scale lowered. Raises CourseError for amp on anything but a GPU.
    """

    def __init__(self, amp: bool):
        import paddle

        refuse_amp(amp, "gpu" if prefetch.on_gpu() else "cpu")
        self._scaler = paddle.amp.GradScaler() if amp else None

    def computing(self) -> AbstractContextManager:
        """Return the context in which a network and its loss are computed."""
        import paddle

        return nullcontext() if self._scaler is None else paddle.amp.auto_cast(level="O1")

    def step(self, loss, optimizer) -> None:
        """Change the parameters by the gradients of a loss."""
        if self._scaler is None:
            loss.backward()
            optimizer.step()
        else:
            self._scaler.scale(loss).backward()
            self._scaler.step(optimizer)
            self._scaler.update()
        optimizer.clear_grad()

    def state(self) -> dict:
        """Return what a resumed run needs and JSON can hold: the scale and its counters; nothing without amp."""
        state = {} if self._scaler is None else self._scaler.state_dict()
        return {key: value.tolist() if hasattr(value, "tolist") else value for key, value in state.items()}

    def load(self, state: dict) -> None:
        """Go on from what `state` returned; a run that was begun without amp has nothing to go on from."""
        if self._scaler is not None and state:
            self._scaler.load_state_dict(state)


def refuse_amp(amp: bool, device: str) -> None:
    """Raise CourseError where mixed precision is asked for and the device is no GPU."""
    if amp and not device.startswith("gpu"):
        raise CourseError(
            tr(
                "Mixed precision (amp) needs a GPU, and this training is on the {device}. Leave amp out to train in "
                "float32; `python -m palm_utils doctor` shows what PaddlePaddle sees.",
                device=device,
            )
        )


class Losses:
    """The losses of an epoch's batches, left on the device until they are read.

    check(loss, batch): called with each loss that is read, and the batch's number; may raise.
    Of several processes each adds the loss of its part of the batch; what is read is the mean over them.
    """

    def __init__(self, check: Callable[[float, int], None]):
        self._check = check
        self._unread, self._images = [], []
        self._total, self._seen = 0, 0

    def add(self, loss, images: int) -> None:
        """Note a batch's loss, a tensor [], and its number of images."""
        self._unread.append(loss.detach())
        self._images.append(images)

    def read(self) -> float:
        """Wait for the losses added since the last time, check them, and return the last (nan if there are none)."""
        unread, self._unread = self._unread, []
        value = math.nan
        for batch, value in enumerate(distributed.means(unread) if unread else [], len(self._images) - len(unread)):
            self._check(value, batch)
            self._total += value * self._images[batch]
            self._seen += self._images[batch]
        return value

    @property
    def mean(self) -> float:
        """The mean over the images of the batches that were read; raises ValueError where there are none."""
        if not self._seen:
            raise ValueError(
                "train_loader yields no batches; a reader is a function that yields them each time it is called"
            )
        return self._total / self._seen
