"""Training on several threads: copies of a network that share its parameters, each with a part of every batch.

PaddlePaddle's own threads share each multiplication and leave everything between two multiplications to one core. A
replica takes its images through the whole network on one core, and the gradients are added afterwards, in order, so
that a run can be repeated. Batch norm sees a part of the batch only, which changes figures: `train_pm(replicas=2)`
asks for it.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from palm_utils.messages import CourseError

_here = threading.local()  # .random: the numbers that a replica's dropout draws from


class Replicas:
    """A network as `number` copies. Raises CourseError for layers whose randomness cannot be kept apart."""

    def __init__(self, model, number: int, seed: int):
        import paddle

        for layer in model.sublayers():
            if isinstance(layer, paddle.nn.Dropout2D | paddle.nn.Dropout3D | paddle.nn.AlphaDropout):
                raise CourseError(
                    "replicas={number}: {layer} draws from one generator for all replicas, so that a run could not "
                    "be repeated. Train without replicas.",
                    number=number,
                    layer=type(layer).__name__,
                )
        _wrap_dropout()
        self.models = [model, *(copy.deepcopy(model) for _ in range(number - 1))]
        self.random = [np.random.default_rng([seed, rank]) for rank in range(number)]
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="palm-replica")
        self.share()

    def share(self) -> None:
        """Let the copies' parameters be the network's; batch norm's running statistics start from the network's."""
        for other in self.models[1:]:
            other.train()
            for own, copied in zip(self.models[0].state_dict().values(), other.state_dict().values(), strict=True):
                if own.stop_gradient:
                    copied.set_value(own)
                else:
                    own._share_buffer_to(copied)

    def backward(self, loss_of: Callable, images: np.ndarray, labels: np.ndarray) -> float:
        """Add the gradients of a batch to the network's; return the loss, a mean over images.

        loss_of(logits, labels): the mean loss of a part. images [N, C, H, W], labels [N, ...].
        """
        import paddle

        number = len(self.models)

        def part(rank: int) -> float:
            _here.random = self.random[rank]
            x, y = paddle.to_tensor(images[rank::number]), paddle.to_tensor(labels[rank::number])
            loss = loss_of(self.models[rank](x), y) * (len(x) / len(images))
            loss.backward()
            return float(loss)

        losses = list(self._pool.map(part, range(min(number, len(images)))))
        with paddle.no_grad():
            for own, *others in zip(*(model.parameters() for model in self.models), strict=True):
                for copied in others:
                    if copied.grad is not None:
                        own.grad.add_(copied.grad)
                        copied.clear_gradient(False)
        return sum(losses)

    def gather(self) -> None:
        """Give the network the mean of the running statistics that its copies have seen."""
        for own, *others in zip(*(model.state_dict().values() for model in self.models), strict=True):
            if own.stop_gradient:
                own.set_value(sum(others, own) / len(self.models))
        self.share()


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
        seed = int(random.integers(1, 2**31))
        return _C_ops.dropout(x, None, p, False, mode, seed, True)

    dropout.of_replicas = True
    F.dropout = dropout
