"""The losses and steps of ISCL as published."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.losses.adversarial import critic_loss, persuasion_loss
from napari_selfsup_recon.methods.iscl._losses import (
    PUBLISHED,
    Players,
    Weights,
    critics_loss,
    extractor_loss,
    generators_loss,
)
from napari_selfsup_recon.methods.iscl._published import (
    PublishedSteps,
    learning_rate,
    published_answer,
    published_players,
)
from napari_selfsup_recon.methods.iscl._transplant import transplanted


class Scale(nn.Module):
    """A network of one weight."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


def toys(f: float, g: float, h: float, dx: float = 0.0, dy: float = 0.0) -> Players:
    return Players(Scale(f), Scale(g), Scale(h), Scale(dx), Scale(dy))


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    return torch.rand(4, 1, 8, 8, generator=draw) * 2 - 1, torch.rand(
        4, 1, 8, 8, generator=draw
    ) * 2 - 1


def now() -> torch.Generator:
    return torch_generator(0)


def test_the_identity_is_a_zero_of_all_but_the_critics(pair: tuple[Tensor, Tensor]) -> None:
    x, y = pair
    players = toys(1.0, 1.0, 0.0)
    for weights in (PUBLISHED, Weights(identity=2.0, decorrelate=True)):
        assert float(generators_loss(players, x, y, weights, now()).detach()) == 0.0
        assert float(extractor_loss(players, x, y, weights).detach()) == 0.0


def test_the_losses_are_those_of_the_paper(pair: tuple[Tensor, Tensor]) -> None:
    x, y = pair
    f, g, h, dx, dy = 0.8, 1.1, 0.3, 0.5, -0.4
    players = toys(f, g, h, dx, dy)

    def mean(value: Tensor) -> float:
        return float(value.abs().mean())

    def above(value: Tensor) -> float:
        return float(value.clamp_min(0).mean())

    cycle = mean(x - g * f * x) + mean(y - f * g * y)
    bypass = mean(f * x - (x - h * x)) + mean(y - f * (y + h * x))
    adversarial = -float((dx * g * y).mean()) - float((dy * f * x).mean())
    found = float(generators_loss(players, x, y, PUBLISHED, now()).detach())
    assert found == pytest.approx(adversarial + 30 * (cycle + bypass), rel=1e-5)

    pseudo, of_made = mean(h * x - (x - f * x)), mean((g * y - y) - h * g * y)
    found = float(extractor_loss(players, x, y, PUBLISHED).detach())
    assert found == pytest.approx(pseudo + of_made, rel=1e-5)

    noisy = above(1 - dx * x) + above(dx * g * y) + above(dx * (y + h * x))
    clean = above(1 - dy * y) + above(dy * f * x) + above(dy * (x - h * x))
    found = float(critics_loss(players, x, y, PUBLISHED, now()).detach())
    assert found == pytest.approx(noisy + clean, rel=1e-5)


def test_the_hinge_of_the_textbook_has_a_margin_for_fakes() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-2.0, 0.5])
    assert float(critic_loss(real, [fake])) == pytest.approx((0 + 0.5 + 0 + 1.5) / 2)
    assert float(critic_loss(real, [fake], fake_margin=0.0)) == pytest.approx((0.5 + 0.5) / 2)
    assert float(persuasion_loss(fake, real)) == pytest.approx(-(-0.75 + 1.25))


LOSSES: dict[str, Callable[[Players, Tensor, Tensor], Tensor]] = {
    "critics": lambda p, x, y: critics_loss(p, x, y, PUBLISHED, now()),
    "generators": lambda p, x, y: generators_loss(p, x, y, PUBLISHED, now()),
    "extractors": lambda p, x, y: extractor_loss(p, x, y, PUBLISHED),
}


@pytest.mark.parametrize("name", ["critics", "extractors"])
def test_a_loss_has_gradients_for_its_own_networks_alone(
    name: str, pair: tuple[Tensor, Tensor]
) -> None:
    players = toys(0.8, 1.1, 0.3, 0.5, -0.4)
    LOSSES[name](players, *pair).backward()
    own = {id(p) for p in getattr(players, name)}
    for weight in players.parameters():
        assert (weight.grad is not None) == (id(weight) in own)


def test_generators_are_told_through_the_critics_but_not_by_the_extractor(
    pair: tuple[Tensor, Tensor],
) -> None:
    players = toys(0.8, 1.1, 0.3, 0.5, -0.4)
    LOSSES["generators"](players, *pair).backward()
    assert players.extractor.weight.grad is None
    with_critics = players.denoiser.weight.grad.clone()
    deaf = toys(0.8, 1.1, 0.3)
    LOSSES["generators"](deaf, *pair).backward()
    assert not torch.equal(with_critics, deaf.denoiser.weight.grad)


def test_each_step_moves_its_own_networks_alone() -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.rand(2, 1, 64, 64, generator=draw) * 2 - 1 for _ in range(2))
    players = published_players(torch.Generator().manual_seed(1))
    run = PublishedSteps(players, steps=10)
    groups = ("critics", "generators", "extractors")
    for which, name in enumerate(groups):
        before = {n: p.detach().clone() for n, p in players.named_parameters()}
        run._move(which, 0, LOSSES[name](players, x, y))
        own = {id(p) for p in getattr(players, name)}
        for key, weight in players.named_parameters():
            moved = not torch.equal(weight.detach(), before[key])
            if id(weight) not in own:
                assert not moved, key
        changed = [not torch.equal(p.detach(), before[k]) for k, p in players.named_parameters()]
        assert sum(changed) > 5
    losses = run.step(1, x, y)
    assert len(losses) == 3
    assert all(torch.isfinite(torch.tensor(losses)))
    rho = [p for n, p in players.named_parameters() if n.endswith("rho")]
    assert all(bool(((p >= 0) & (p <= 1)).all()) for p in rho)
    answer = published_answer(players.denoiser, players.extractor, x)
    assert answer.shape == x.shape
    assert float(answer.abs().max()) <= 1


def test_the_rate_is_a_line() -> None:
    assert learning_rate(0, 100) == pytest.approx(1e-4)
    assert learning_rate(50, 100) == pytest.approx(0.5 * (1e-4 + 1e-7))
    assert learning_rate(100, 100) == pytest.approx(1e-7)


def test_transplanted_noise_keeps_its_values_but_not_its_place() -> None:
    noise = torch.randn(3, 1, 6, 10, generator=torch.Generator().manual_seed(0))
    assert transplanted(noise, False, now()) is noise
    moved = transplanted(noise, True, now())
    assert not torch.equal(moved, noise)
    for one, other in zip(noise, moved, strict=True):
        assert torch.equal(one.flatten().sort().values, other.flatten().sort().values)
    assert torch.equal(moved, transplanted(noise, True, now()))
