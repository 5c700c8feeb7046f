"""One SSI training: what the loop steps and scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.losses.censored import censored_huber
from napari_selfsup_recon.losses.robust import masked_mean
from napari_selfsup_recon.losses.variation import total_variation
from napari_selfsup_recon.methods.ssi._crops import Crop
from napari_selfsup_recon.methods.ssi._problem import Problem, Views
from napari_selfsup_recon.methods.ssi._symmetry import Orientation
from napari_selfsup_recon.methods.ssi.options import SSIOptions
from napari_selfsup_recon.training.device import autocast
from napari_selfsup_recon.training.micro import MicroBatch
from napari_selfsup_recon.training.noise_facts import NoiseFacts
from napari_selfsup_recon.training.schedule import warm_cosine
from napari_selfsup_recon.training.trainee import Trainee, Work

_SCORING_WINDOWS = {2: 16, 3: 8}
_CLIP = 1.0
_OUTLIER = 8.0


class SSITrainee(Trainee):
    r"""Minimise the error of the re-blurred answer on hidden pixels.

    .. math:: \min_\theta \; \mathbb{E}_M \frac{1}{|M|} \sum_{i \in M}
              \ell\big( (A f_\theta(\tilde y_M))_i, y_i \big)
              + \frac{\lambda}{\sigma} \, \text{TV}(f_\theta(\tilde y_M))

    where :math:`\tilde y_M` is the measurement with the pixels M filled from their neighbours, A
    the physics and :math:`\ell` the censored Huber (or squared) loss: J-invariance of Kobayashi et
    al. 2020, normalised by the number of hidden pixels.
    """

    def __init__(
        self,
        problem: Problem,
        options: SSIOptions,
        *,
        build: Callable[[int], nn.Module],
        turns: list[Orientation],
        noise: NoiseFacts,
        gain: float,
    ) -> None:
        self.problem = problem
        self.options = options
        self._build = build
        self._turns = turns
        self._noise = noise
        self._gain = gain
        self._robust = options.loss == "robust" or (options.loss == "auto" and not noise.coarse)
        voxels = 1
        for n in problem.canvas.size:
            voxels *= n
        self.micro = MicroBatch(options.batch, voxels, problem.device, options.micro_batch)
        self._windows: list[Crop] = problem.scoring(_SCORING_WINDOWS[len(problem.canvas.size)])

    def begin(self, attempt: int) -> None:
        """Make a fresh network and optimiser; each attempt is half as fast as the one before."""
        self._attempt = attempt
        self.model = self._build(attempt)
        self._rate = self.options.learning_rate * 0.5**attempt
        self._optimiser = torch.optim.Adam(
            self.model.parameters(), lr=self._rate, betas=(0.9, 0.99)
        )

    def step(self, index: int) -> Work:
        """Accumulate the gradient over the micro-batches and move the weights."""
        options = self.options
        generator = torch_generator(options.seed, self._attempt, index)
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * warm_cosine(index, options.steps)
        self._optimiser.zero_grad(set_to_none=True)
        total, left = 0.0, options.batch
        while left:
            count = min(self.micro.size, left)
            self.micro.begin()
            views = self.problem.training(count, generator)
            turn = self._turns[int(torch.randint(len(self._turns), (1,), generator=generator))]
            loss = self._loss(self.model, views, turn) * (count / options.batch)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
            self.micro.end()
            left -= count
            if left:
                yield
        nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        self._optimiser.step()
        return total

    @torch.no_grad()
    def score(self, model: nn.Module, *, report: bool = False) -> Work:
        """Return the mean loss on held-out pixels of fixed windows."""
        total = torch.zeros((), dtype=torch.float64)
        count = 0
        for window in self._windows:
            views = self.problem.held_out([window], report=report)
            n = int(views.asked.sum())
            total += float(self._loss(model, views, None)) * n
            count += n
            yield
        return float(total) / max(1, count)

    @torch.no_grad()
    def trivial_score(self) -> float:
        """Return the score of the median, everywhere."""
        views = [self.problem.held_out([window]) for window in self._windows]
        values = torch.cat([view.target[view.asked] for view in views])
        sigma = torch.cat([view.sigma[view.asked] for view in views])
        if not len(values):
            return float("inf")
        middle = values.median() if self._robust else values.mean()
        return float(self._capped(middle.expand_as(values), values, sigma).mean())

    def state(self) -> dict[str, Any]:
        """Return the optimiser's state and the size of the micro-batches."""
        return {"optimiser": self._optimiser.state_dict(), "micro": self.micro.size}

    def load_state(self, state: dict[str, Any]) -> None:
        """Put a state back."""
        self._optimiser.load_state_dict(state["optimiser"])
        self.micro.size = state["micro"]

    def _loss(self, model: nn.Module, views: Views, turn: Orientation | None) -> Tensor:
        seen = views.seen if views.start is None else torch.cat([views.seen, views.start], dim=1)
        seen = seen if turn is None else turn.apply(seen)
        with autocast(seen.device, self.options.precision):
            image = model(seen)
        image = image.float() if turn is None else turn.undo(image.float())
        if views.start is None or views.expected is None:
            predicted = views.physics.A(image) / self._gain
        else:
            predicted = views.expected + views.physics.A(image - views.start) / self._gain
        if not model.training:
            return masked_mean(self._capped(predicted, views.target, views.sigma), views.asked)
        loss = masked_mean(self._penalty(predicted, views.target, views.sigma), views.asked)
        if self.options.smoothness:
            loss = loss + self.options.smoothness / self._noise.sigma * total_variation(image)
        return loss

    def _penalty(self, mean: Tensor, y: Tensor, sigma: Tensor) -> Tensor:
        if not self._robust:
            return ((mean - y) / sigma).square() / 2
        noise = self._noise
        return censored_huber(mean, y, sigma=sigma, low=noise.clipped_low, high=noise.clipped_high)

    def _capped(self, mean: Tensor, y: Tensor, sigma: Tensor) -> Tensor:
        """Return the penalty for scores: single outliers must not decide."""
        penalty = self._penalty(mean, y, sigma)
        return penalty.clamp_max(_OUTLIER) if self._robust else penalty
