"""The optimisers and steps of ISCL as published."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl._losses import (
    PUBLISHED,
    Players,
    critics_loss,
    extractor_loss,
    generators_loss,
)
from napari_selfsup_recon.networks.iscl import BatchInstanceNorm, Critic, Extractor, Generator
from napari_selfsup_recon.training.lookahead import Lookahead

_RATE, _LAST_RATE = 1e-4, 1e-7
_EPSILON = 1e-7


def published_players(generator: torch.Generator) -> Players:
    """Return the five networks with first weights drawn from ``generator``."""
    return Players(
        Generator(generator),
        Generator(generator),
        Extractor(generator),
        Critic(generator),
        Critic(generator),
    )


def learning_rate(step: int, steps: int) -> float:
    """Return the rate of step number ``step`` (from 0): a line from 1e-4 to 1e-7."""
    done = step / steps
    return _RATE * (1 - done) + _LAST_RATE * done


class PublishedSteps:
    """One batch: a step of the critics, one of both generators, one of the extractor.

    Rectified Adam for each (Liu et al. 2020); critics and extractor with Lookahead. The published
    code averages the generators' weights over the last steps but never uses the average.

    Parameters
    ----------
    players
        The networks; they are moved.
    steps
        Of the run: the rate falls along a line to its end.
    """

    def __init__(self, players: Players, steps: int) -> None:
        self.players = players
        self._steps = steps
        self._groups = [players.critics, players.generators, players.extractors]
        self._optimisers = [
            torch.optim.RAdam(group, lr=_RATE, betas=(0.9, 0.999), eps=_EPSILON)
            for group in self._groups
        ]
        self._followers = [Lookahead(players.critics), None, Lookahead(players.extractors)]
        self._norms = [m for m in players.modules() if isinstance(m, BatchInstanceNorm)]

    def step(self, index: int, x: Tensor, y: Tensor) -> list[float]:
        """Do step number ``index`` (from 0) on patches in [-1, 1]; returns the three losses."""
        generator = torch_generator("transplant", index)
        return [
            self._move(0, index, critics_loss(self.players, x, y, PUBLISHED, generator)),
            self._move(1, index, generators_loss(self.players, x, y, PUBLISHED, generator)),
            self._move(2, index, extractor_loss(self.players, x, y, PUBLISHED)),
        ]

    def state(self) -> dict[str, Any]:
        """Return the state of optimisers and followers."""
        return {
            "optimisers": [optimiser.state_dict() for optimiser in self._optimisers],
            "followers": [f.state() if f else None for f in self._followers],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Put a state back."""
        for optimiser, saved in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        for follower, saved in zip(self._followers, state["followers"], strict=True):
            if follower is not None:
                follower.load_state(saved)

    def _move(self, which: int, index: int, loss: Tensor) -> float:
        """Move one group of weights against its gradient; others get none."""
        group, optimiser = self._groups[which], self._optimisers[which]
        gradients = torch.autograd.grad(loss, group)
        for weight, gradient in zip(group, gradients, strict=True):
            weight.grad = gradient
        for parameters in optimiser.param_groups:
            parameters["lr"] = learning_rate(index, self._steps)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        for norm in self._norms:
            norm.clip()
        if (follower := self._followers[which]) is not None:
            follower.update()
        return float(loss.detach())


@torch.no_grad()
def published_answer(denoiser: nn.Module, extractor: nn.Module, x: Tensor) -> Tensor:
    r"""Return :math:`\frac12 F(x) + \frac12 (x - H(x))`, cut to [-1, 1]."""
    answer: Tensor = (0.5 * denoiser(x) + 0.5 * (x - extractor(x))).clamp(-1, 1)
    return answer
