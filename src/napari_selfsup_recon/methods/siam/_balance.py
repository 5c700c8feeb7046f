"""How much the terms of the twins may count."""

from __future__ import annotations

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

_EVERY = 10
_REMEMBER = 0.5


class Balance:
    """Holds the gradient of an auxiliary loss below a share of that of the main one.

    A null twin that knows next to nothing of an image, as behind a scan whose wedges leave out all
    that is bright, would otherwise have the network for itself: its error is a hundred times
    larger than what there is to gain elsewhere.

    Parameters
    ----------
    most
        The share.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._calls = 0
        self._ratio = 0.0

    def weight(self, model: nn.Module, main: Tensor, other: Tensor) -> float:
        """Return what to multiply ``other`` with, at most 1; looks at every tenth call."""
        if self._calls % _EVERY == 0:
            ratio = _length(model, other) / max(_length(model, main), torch.finfo().tiny)
            first = self._calls == 0
            self._ratio += (ratio - self._ratio) * (1.0 if first else 1 - _REMEMBER)
        self._calls += 1
        return min(1.0, self._most / self._ratio) if self._ratio > 0 else 1.0

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint has to keep."""
        return {"calls": self._calls, "ratio": self._ratio}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self._calls, self._ratio = state["calls"], state["ratio"]


def _length(model: nn.Module, loss: Tensor) -> float:
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    slopes = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
    squares = [float(slope.square().sum()) for slope in slopes if slope is not None]
    return sqrt(sum(squares))
