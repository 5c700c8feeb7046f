"""Running average of the weights: what is scored, kept and used."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn


class AveragedModel:
    r"""Exponential moving average of a network's weights.

    .. math:: \bar\theta \leftarrow d_t \bar\theta + (1 - d_t) \theta, \qquad
              d_t = \min(d, (1 + t) / (10 + t))

    The decay grows with the step, so that the first weights are forgotten quickly.
    """

    def __init__(self, model: nn.Module, decay: float = 0.99) -> None:
        self.module = deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards ``model`` after step number ``step`` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for mean, value in zip(self.module.parameters(), model.parameters(), strict=True):
            mean.lerp_(value.detach(), 1 - decay)
        for kept, new in zip(self.module.buffers(), model.buffers(), strict=True):
            kept.copy_(new)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the averaged weights."""
        return {name: value.clone() for name, value in self.module.state_dict().items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Put weights in."""
        self.module.load_state_dict(dict(weights))
