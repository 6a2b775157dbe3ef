"""PaddlePaddle, imported when it is first used: that takes seconds."""

import operator
from typing import Any


class _Later:
    def __init__(self, inside: str = "") -> None:
        self._inside = inside

    def __getattr__(self, name: str) -> Any:
        import paddle

        return operator.attrgetter(self._inside + name)(paddle)


paddle, F = _Later(), _Later("nn.functional.")
