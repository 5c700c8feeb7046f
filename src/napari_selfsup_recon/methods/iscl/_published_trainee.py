"""One training of the published players, exactly in the published steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl._losses import Players
from napari_selfsup_recon.methods.iscl._problem import Problem
from napari_selfsup_recon.methods.iscl._published import PublishedSteps
from napari_selfsup_recon.methods.iscl.options import ISCLOptions
from napari_selfsup_recon.training.trainee import Trainee, Work

#: Side of the crops and crops in a step, as published.
SIDE, BATCH = 64, 64


class PublishedTrainee(Trainee):
    """The three steps of the paper on crops in [-1, 1].

    Parameters
    ----------
    problem
        The data, without neighbours.
    options
        Of the method.
    build
        Makes the players of an attempt.
    span, middle
        Values are ``inside * span + middle``.
    batch
        Crops in a step.
    """

    def __init__(
        self,
        problem: Problem,
        options: ISCLOptions,
        *,
        build: Callable[[int], Players],
        span: float,
        middle: float,
        batch: int = BATCH,
    ) -> None:
        self.problem, self.options = problem, options
        self._build, self._batch = build, batch
        self._span, self._middle = span, middle

    def begin(self, attempt: int) -> None:
        """Make fresh players."""
        self._attempt = attempt
        self.model = self.players = self._build(attempt)
        self._steps = PublishedSteps(self.players, self.options.steps)

    def step(self, index: int) -> Work:
        """Do the three steps on one batch; returns the sum of their losses."""
        options = self.options
        generator = torch_generator(options.seed, self._attempt, index)
        batches = []
        for domain in (self.problem.noisy, self.problem.clean):
            places = [domain.draw(generator, options.foreground) for _ in range(self._batch)]
            batches.append(self._inside(torch.stack([domain.at(place, 0) for place in places])))
        yield
        return sum(self._steps.step(index, *batches))

    @torch.no_grad()
    def score(self, model: nn.Module, *, report: bool = False) -> Work:
        """Return the error of the mean of both branches on held-out pairs."""
        assert isinstance(model, Players)
        pairs = self.problem.report if report else self.problem.choose
        total = 0.0
        for noisy, clean in zip(pairs.noisy, pairs.clean, strict=True):
            x = self._inside(noisy[None])
            answer = 0.5 * model.denoiser(x) + 0.5 * (x - model.extractor(x))
            found = answer.clamp(-1, 1) * self._span + self._middle
            total += float((found - clean).square().mean())
            yield
        return total / len(pairs.clean)

    def share(self, model: Players) -> Work:
        """Return one half, as published."""
        yield
        return 0.5

    def trivial_score(self) -> float:
        """Return infinity: as published, nothing is begun again."""
        return float("inf")

    def state(self) -> dict[str, Any]:
        """Return the state of optimisers and followers."""
        return self._steps.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Put a state back."""
        self._steps.load_state(state)

    def _inside(self, x: Tensor) -> Tensor:
        return (x - self._middle) / self._span
