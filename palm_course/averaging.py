"""A running mean of a network's weights: what the last steps of a training have in common, without their noise."""

import copy

import paddle


class Averaged(paddle.nn.Layer):
    """Trains `network`, and is evaluated with `mean`, whose parameters and running statistics follow the network's.

    Each step moves the mean towards the network by 1 - decay, in the first steps by more, so that the random start is
    soon forgotten. decay: 0.98 averages over about the last 50 steps. The optimizer gets this layer's parameters.
    Source: B. Polyak, A. Juditsky: Acceleration of stochastic approximation by averaging. 1992.
    """

    def __init__(self, network: paddle.nn.Layer, decay: float):
        super().__init__()
        self.network, self.mean, self.decay = network, copy.deepcopy(network), decay
        for parameter in self.mean.parameters():
            parameter.stop_gradient = True
        self.register_buffer("steps", paddle.zeros([1]))
        self._behind = False  # whether a step has been made, or is being made, that the mean has not followed

    def forward(self, x):
        if not self.training:
            return self.mean(x)
        self._follow()  # the step before this batch
        self._behind = True
        return self.network(x)

    def eval(self):
        self._follow()  # the last step
        return super().eval()

    @paddle.no_grad()
    def _follow(self) -> None:
        if self._behind:
            self._behind, self.steps = False, self.steps + 1
            pace = 1 - min(self.decay, self.steps.item() / (self.steps.item() + 9))
            for mean, now in zip(self.mean.state_dict().values(), self.network.state_dict().values(), strict=True):
                mean.lerp_(now, paddle.to_tensor(pace, mean.dtype))
