"""One training of the repaired players: what the loop steps and scores."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.losses.adversarial import critic_loss, persuasion_loss
from napari_selfsup_recon.methods.iscl._answer import Answer, best_share
from napari_selfsup_recon.methods.iscl._bank import take_noise, transplant
from napari_selfsup_recon.methods.iscl._losses import Players
from napari_selfsup_recon.methods.iscl._noise_model import Spoiler
from napari_selfsup_recon.methods.iscl._problem import Pairs, Problem, field_size
from napari_selfsup_recon.methods.iscl._slices import plane_axis, planes
from napari_selfsup_recon.methods.iscl._windows import Windows
from napari_selfsup_recon.methods.iscl.options import ISCLOptions
from napari_selfsup_recon.methods.ssi._symmetry import Orientation, orientations
from napari_selfsup_recon.training.device import autocast
from napari_selfsup_recon.training.micro import MicroBatch
from napari_selfsup_recon.training.schedule import warm_cosine
from napari_selfsup_recon.training.trainee import Trainee, Work, copied

_CLIP = 1.0
_CRITIC_RATE = 2e-4
_RENEWALS = 4
_SCORED_AT_ONCE = 4
# Of a slice of a block, as against one that 2D networks answer for.
_VOLUME_WORK = 8


class ISCLTrainee(Trainee):
    r"""F and H learn from clean images with noise on them; critics may judge what they make.

    .. math:: \|F(\hat x) - y\|^2 + \|H(\hat x) - (\hat x - y)\|^2
              + \lambda_a \|F(x) - (x - H(x))\|^2 - \lambda_c (E\,D_Y(F(x)) + E\,D_X(G(y)))

    :math:`\hat x` is G(y, z) or, after the warm-up, half of the time the clean image with noise
    that F and H took from noisy images.

    Parameters
    ----------
    problem
        The data.
    options
        Of the method.
    build
        Makes the players of an attempt.
    """

    def __init__(
        self, problem: Problem, options: ISCLOptions, *, build: Callable[[int], Players]
    ) -> None:
        self.problem, self.options = problem, options
        self._build = build
        self.device = problem.clean.stacks.device
        side = problem.clean.side
        # Both networks in one piece: one and a half passes of the wider one.
        slices = _VOLUME_WORK * problem.depth or 2 * problem.reach + 3
        work = side * side * slices * options.width // 32
        self.micro = MicroBatch(options.crops, max(1, work), self.device, options.micro_batch)
        self._turns = orientations(3 if problem.depth else 2)

    def begin(self, attempt: int) -> None:
        """Make fresh players and optimisers; each attempt is half as fast as the one before."""
        self._attempt = attempt
        self.model = self.players = self._build(attempt)
        self._slower = 0.5**attempt
        players = self.players
        self._movers = torch.optim.Adam(
            [
                {"params": [*players.denoiser.parameters(), *players.extractor.parameters()]},
                {"params": list(players.spoiler.parameters())},
            ],
            lr=self.options.learning_rate,
            betas=(0.9, 0.99),
        )
        self._judges = torch.optim.Adam(players.critics, lr=_CRITIC_RATE, betas=(0.5, 0.9))
        self._bank: Tensor | None = None
        self._index = 0
        problem = self.problem
        self._windows: Windows | None = None
        if problem.evening is not None:
            self._windows = Windows(
                problem.clean,
                problem.evening,
                side=field_size(problem.clean, problem.noisy),
                foreground=self.options.foreground,
                draw=(self.options.seed, attempt),
                turned=self._turned,
            )

    @property
    def _warm(self) -> int:
        """Steps with modelled noise alone."""
        return round(self.options.warm_up * self.options.steps)

    def step(self, index: int) -> Work:
        """Move F and H, after the warm-up also with what they took and with what critics say."""
        options, self._index = self.options, index
        generator = torch_generator(options.seed, self._attempt, index)
        rate = options.learning_rate * self._slower * warm_cosine(index, options.steps)
        for group, part in zip(self._movers.param_groups, (1.0, 0.5), strict=True):
            group["lr"] = rate * part
        later = index >= self._warm
        renewal = max(1, (options.steps - self._warm) // _RENEWALS)
        if later and (self._bank is None or (index - self._warm) % renewal == 0):
            answer = Answer.of(self.players)
            self._bank = yield from take_noise(answer, self.problem, options.seed + index)
        self._movers.zero_grad(set_to_none=True)
        total, left = 0.0, options.crops
        while left:
            count = min(self.micro.size, left)
            self.micro.begin()
            pairs = self._pairs(count, generator)
            loss = self._loss(pairs) * (count / options.crops)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
            self.micro.end()
            left -= count
            yield
        if later and (options.agreement or options.persuasion):
            yield from self._on_noisy(index, generator)
        for group in self._movers.param_groups:
            nn.utils.clip_grad_norm_(group["params"], _CLIP)
        self._movers.step()
        return total

    @torch.no_grad()
    def score(self, model: nn.Module, *, report: bool = False) -> Work:
        """Return the error on held-out clean crops with fixed noise, both branches mixed."""
        assert isinstance(model, Players)
        share = yield from self.share(model)
        pairs = self.problem.report if report else self.problem.choose
        one, other = yield from self._branches(model, pairs)
        return float((share * one + (1 - share) * other - pairs.clean).square().mean())

    def share(self, model: Players) -> Work:
        """Return the share of F at which the mixture is best for the pairs that choose."""
        one, other = yield from self._branches(model, self.problem.choose)
        return best_share(one, other, self.problem.choose.clean)

    @torch.no_grad()
    def trivial_score(self) -> float:
        """Return the error of a constant or of the noisy image, whichever is less."""
        return self.problem.choose.trivial

    def state(self) -> dict[str, Any]:
        """Return the optimisers' state, the size of micro-batches and the noise that was taken."""
        return {
            "movers": self._movers.state_dict(),
            "judges": self._judges.state_dict(),
            "micro": self.micro.size,
            "bank": self._bank,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Put a state back."""
        self._movers.load_state_dict(state["movers"])
        self._judges.load_state_dict(state["judges"])
        self.micro.size = state["micro"]
        bank = copied(state["bank"])
        self._bank = None if bank is None else bank.to(self.device)

    @torch.no_grad()
    def _branches(
        self, model: Players, pairs: Pairs
    ) -> Generator[None, None, tuple[Tensor, Tensor]]:
        found = []
        for part in torch.split(pairs.noisy, _SCORED_AT_ONCE):
            found.append(Answer.of(model).branches(part))
            yield
        one, other = zip(*found, strict=True)
        return torch.cat(one), torch.cat(other)

    def _pairs(self, count: int, generator: torch.Generator) -> Pairs:
        """Draw clean crops and put noise on them."""
        problem, options = self.problem, self.options
        noisy, clean = self._made(count, generator)
        if self._bank is not None:
            taken = transplant(self._bank, clean, problem.model, generator)
            noisy = _chosen(0.5, taken, noisy, generator)
        noisy = _chosen(options.identity, clean, noisy, generator)
        return Pairs(noisy, problem.asked(clean))

    def _made(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw clean crops, and put noise of the model on them."""
        problem, spoiler = self.problem, self.players.spoiler
        if self._windows is not None:
            assert isinstance(spoiler, Spoiler)
            one = self._windows.pair
            drawn = [one(self._index, problem.reach, spoiler, generator) for _ in range(count)]
            noisy, clean = (torch.stack(crops) for crops in zip(*drawn, strict=True))
            return noisy, clean
        crops = []
        for _ in range(count):
            place = problem.clean.draw(generator, self.options.foreground)
            crops.append(self._turned(problem.seen(problem.clean, place), generator))
        clean = torch.stack(crops)
        with torch.no_grad():
            return spoiler(clean, generator), clean

    def _turned(self, stack: Tensor, generator: torch.Generator) -> Tensor:
        if not self.options.turn:
            return stack
        turn: Orientation = self._turns[
            int(torch.randint(len(self._turns), (1,), generator=generator))
        ]
        return turn.apply(stack)

    def _loss(self, pairs: Pairs) -> Tensor:
        with autocast(self.device, self.options.precision):
            one, other = Answer.of(self.players).branches(pairs.noisy)
        return (one.float() - pairs.clean).square().mean() + (
            other.float() - pairs.clean
        ).square().mean()

    def _on_noisy(self, index: int, generator: torch.Generator) -> Work:
        """Add the gradients of what is asked of noisy images, and move the critics."""
        problem, options, players = self.problem, self.options, self.players
        count = max(1, options.crops // 4)
        places = [problem.noisy.draw(generator, options.foreground) for _ in range(count)]
        noisy = torch.stack([problem.seen(problem.noisy, place) for place in places])
        # By the end the two answer each for themselves.
        left = 1 - (index - self._warm) / max(1, options.steps - self._warm)
        one, other = Answer.of(players).branches(noisy)
        loss = options.agreement * left * (one - other).square().mean()
        if options.persuasion:
            clean = torch.stack(
                [
                    self._turned(
                        problem.seen(
                            problem.clean, problem.clean.draw(generator, options.foreground)
                        ),
                        generator,
                    )
                    for _ in range(count)
                ]
            )
            made = players.spoiler(clean, generator)
            axis = plane_axis(options.critic_planes, problem.depth, generator)
            self._judge(noisy, clean, one.detach(), other.detach(), made.detach(), generator, axis)
            yield
            for weight in players.critics:
                weight.requires_grad_(False)
            loss = loss + options.persuasion * persuasion_loss(
                players.clean_critic(planes(one, axis)),
                players.noisy_critic(planes(problem.asked(made), axis)),
            )
        loss.backward()  # type: ignore[no-untyped-call]
        for weight in players.critics:
            weight.requires_grad_(True)
        yield
        return 0.0

    def _judge(
        self,
        noisy: Tensor,
        clean: Tensor,
        one: Tensor,
        other: Tensor,
        made: Tensor,
        generator: torch.Generator,
        axis: int = 1,
    ) -> None:
        """Move the critics: real slices against those that both branches and G made."""
        players, problem = self.players, self.problem
        assert self._bank is not None
        taken = transplant(self._bank, clean, problem.model, generator)
        loss = critic_loss(
            players.noisy_critic(planes(problem.asked(noisy), axis)),
            [players.noisy_critic(planes(problem.asked(fake), axis)) for fake in (made, taken)],
        ) + critic_loss(
            players.clean_critic(planes(problem.asked(clean), axis)),
            [players.clean_critic(planes(fake, axis)) for fake in (one, other)],
        )
        self._judges.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._judges.step()


def _chosen(share: float, one: Tensor, other: Tensor, generator: torch.Generator) -> Tensor:
    """Return each item of ``one`` with the given probability, else that of ``other``."""
    draw = torch.rand(len(one), generator=generator).to(one.device)
    return torch.where((draw < share)[:, None, None, None], one, other)
