"""One training: what the loop steps and scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from math import isfinite, prod
from typing import Any

import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.losses.consistency import consistency
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods._recon.options import NetworkOptions
from napari_selfsup_recon.training.micro import MicroBatch
from napari_selfsup_recon.training.schedule import warm_cosine
from napari_selfsup_recon.training.trainee import Trainee, Work

_CLIP = 3.0
_REMEMBER = 0.95


class ReconstructionTrainee(Trainee):
    """Minimise a loss of measurements; score it on what is held out.

    Parameters
    ----------
    problem
        The data.
    options
        Of the method.
    build
        Makes the network of an attempt.
    passes
        Of the network in a step; decides the size of micro-batches.

    Attributes
    ----------
    looks
        Random draws in which each held-out slice is scored.
    """

    looks = 2

    def __init__(
        self,
        problem: Problem,
        options: NetworkOptions,
        *,
        build: Callable[[int], nn.Module],
        passes: int,
    ) -> None:
        self.problem = problem
        self.options = options
        self._build = build
        rounds = options.iterations if options.network == "unrolled" else 4
        # The measure of a piece is one pass of a network of width 32.
        work = prod(problem.whole.image_shape) * passes * rounds * options.width // 32
        work *= options.slab
        size = min(options.batch, len(problem.train))
        self.batch = size
        self.micro = MicroBatch(size, max(1, work), problem.y.device, options.micro_batch)

    @abstractmethod
    def loss(
        self, model: Reconstructor, part: Part, generator: torch.Generator, *, scoring: bool
    ) -> Tensor:
        """Return the loss of some measurements; ``generator`` draws all that is random."""

    def begin(self, attempt: int) -> None:
        """Make a fresh network and optimiser; each attempt is half as fast as the one before."""
        self._attempt = attempt
        self.model = self._build(attempt)
        self._rate = self.options.learning_rate * 0.5**attempt
        self._length = 0.0
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
        items = self.problem.batch(self.batch, generator)
        total = 0.0
        while items:
            now, items = items[: self.micro.size], items[self.micro.size :]
            self.micro.begin()
            assert isinstance(self.model, Reconstructor)
            loss = self.loss(self.model, self.problem.part(now), generator, scoring=False)
            loss = loss * (len(now) / self.batch)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
            self.micro.end()
            if items:
                yield
        self._clip()
        self._optimiser.step()
        return total

    def _clip(self) -> None:
        """Hold back gradients that are much longer than those before."""
        limit = _CLIP * self._length if self._length else float("inf")
        length = float(nn.utils.clip_grad_norm_(self.model.parameters(), limit))
        if isfinite(length):
            usual = min(length, limit)
            self._length += (usual - self._length) * (1 - _REMEMBER if self._length else 1)

    @torch.no_grad()
    def score(self, model: nn.Module, *, report: bool = False) -> Work:
        """Return the loss of held-out slices, or the error of held-out entries.

        The random draws of a slice are the same at every look.
        """
        assert isinstance(model, Reconstructor)
        problem = self.problem
        total, count = 0.0, 0
        for item in problem.report if report else problem.choose:
            part = problem.part([item])
            if problem.asked is not None:
                total += self._missed(model(part.y, part.physics), item, report=report)
                count += 1
                yield
                continue
            for look in range(self.looks):
                generator = torch_generator(self.options.seed, "score", item, look)
                total += float(self.loss(model, part, generator, scoring=True))
                count += 1
                yield
        return total / count

    @torch.no_grad()
    def trivial_score(self) -> float:
        """Return what the mean of all images would score."""
        problem, units = self.problem, self.problem.units
        total = 0.0
        for item in problem.choose:
            part = problem.part([item])
            if part.clean is not None:
                total += float(part.clean.var())
                continue
            whole = problem.whole if problem.whole.items is None else problem.whole.at([item])
            y = problem.y[item : item + 1]
            flat = torch.ones_like(whole.A_dagger(y)) * whole.A_dagger(y).mean()
            if problem.asked is not None:
                total += self._missed(flat / units.image, item, report=False)
            else:
                weight = whole.observed(y)
                total += float(consistency(whole.A(flat), y, weight=weight)) / units.measured**2
        return total / len(problem.choose)

    def state(self) -> dict[str, Any]:
        """Return the optimiser's state, the size of micro-batches and the usual gradient."""
        return {
            "optimiser": self._optimiser.state_dict(),
            "micro": self.micro.size,
            "length": self._length,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Put a state back."""
        self._optimiser.load_state_dict(state["optimiser"])
        self.micro.size = state["micro"]
        self._length = state["length"]

    def _missed(self, x: Tensor, item: int, *, report: bool) -> float:
        """Return the mean square error of held-out entries of one measurement."""
        problem, units = self.problem, self.problem.units
        assert problem.asked is not None
        asked = problem.asked[int(report)]
        whole = problem.whole if problem.whole.items is None else problem.whole.at([item])
        y = problem.y[item : item + 1]
        error = (whole.A(x * units.image) - y) / units.measured
        return float((error.square() * asked).sum() / asked.expand_as(error).sum())
