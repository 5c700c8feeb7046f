"""Weights that follow an optimiser slowly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class Lookahead:
    r"""Every k steps of an optimiser, go a part of the way and start again from there.

    .. math:: \phi \leftarrow \phi + \alpha (\theta - \phi), \qquad \theta \leftarrow \phi
              \qquad \text{every } k \text{ steps}

    Zhang, Lucas, Hinton and Ba, NeurIPS 2019.

    Parameters
    ----------
    parameters
        :math:`\theta`, what the optimiser moves.
    every
        k.
    part
        :math:`\alpha`.
    """

    def __init__(self, parameters: Iterable[Tensor], *, every: int = 6, part: float = 0.5) -> None:
        self._fast = list(parameters)
        self._slow = [p.detach().clone() for p in self._fast]
        self._every, self._part = every, part
        self.count = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take note of one step of the optimiser."""
        self.count += 1
        if self.count % self._every:
            return
        for slow, fast in zip(self._slow, self._fast, strict=True):
            slow.lerp_(fast, self._part)
            fast.copy_(slow)

    def state(self) -> dict[str, Any]:
        """Return what :meth:`load_state` needs."""
        return {"count": self.count, "slow": list(self._slow)}

    @torch.no_grad()
    def load_state(self, state: dict[str, Any]) -> None:
        """Put a state back."""
        self.count = state["count"]
        for slow, value in zip(self._slow, state["slow"], strict=True):
            slow.copy_(value)
