"""What EI and REI ask of measurements that were made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_selfsup_recon.methods import EI, REI, EIOptions, REIOptions
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods.ei._trainee import EITrainee
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.inpainting import Inpainting
from napari_selfsup_recon.physics.noise import Gaussian
from napari_selfsup_recon.physics.parallel_beam import ParallelBeam

SIDE = 16
SEED = 3


class Reads(nn.Module):
    """Returns a whole measurement as the image, times a factor."""

    def __init__(self, image: float, factor: float = 1.0) -> None:
        super().__init__()
        self.image = image
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, y: Tensor, physics: Physics) -> Tensor:
        return self.factor * y / self.image


class Knows(nn.Module):
    """Returns the same image whatever is measured, and remembers with what."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = nn.Parameter(x)
        self.seen: list[Physics] = []

    def forward(self, y: Tensor, physics: Physics) -> Tensor:
        self.seen.append(physics)
        return self.x.expand(len(y), -1, -1, -1)


def images(count: int = 7) -> Tensor:
    return torch.rand(count, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def prepared(physics: Physics, y: Tensor, *, noisy: bool = False, **options: Any) -> EITrainee:
    given: dict[str, Any] = {"device": "cpu", "start": "inverse", "width": 2, "iterations": 1}
    method: EI = (
        REI(physics, REIOptions(**given, **options), noise=Gaussian(1e-12))
        if noisy
        else EI(physics, EIOptions(**given, **options))
    )
    problem = method._prepare(y.numpy() if y.shape[1] > 1 else y[:, 0].numpy(), None)
    return cast(EITrainee, method._trainee(problem))


def made_up(trainee: EITrainee, *given: Any) -> float:
    return float(trainee._made_up(*given).detach())


def draw() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


@pytest.mark.parametrize("noisy", [False, True])
def test_a_perfect_network_has_nothing_to_learn_from_what_is_made_up(noisy: bool) -> None:
    x = images()
    physics = Inpainting(np.ones((SIDE, SIDE)))
    trainee = prepared(physics, x, noisy=noisy, transform="shift", beta=1.0)
    model: Any = Reads(trainee.problem.units.image)
    part = Part(x[:2], physics)
    hidden = torch.zeros(1, 1, SIDE, SIDE)
    hidden[..., ::4] = 1
    guess = x[:2] / trainee.problem.units.image
    assert made_up(trainee, model, part, guess, hidden, draw()) < 1e-10
    wrong: Any = Reads(trainee.problem.units.image, 0.9)
    assert made_up(trainee, wrong, part, guess, hidden, draw()) > 1e-3


def test_the_weights_add_the_two_terms() -> None:
    x = images()
    physics = Inpainting(np.ones((SIDE, SIDE)))
    part = Part(x[:2], physics)
    losses = {}
    for alpha, beta in ((1.0, 0.0), (0.0, 1.0), (2.0, 3.0), (0.0, 0.0)):
        trainee = prepared(physics, x, transform="shift", alpha=alpha, beta=beta)
        model: Any = Reads(trainee.problem.units.image, 0.8)
        guess = x[:2] / trainee.problem.units.image
        losses[alpha, beta] = made_up(trainee, model, part, guess, None, draw())
    assert losses[0.0, 0.0] == 0
    assert losses[1.0, 0.0] > 1e-3
    assert losses[0.0, 1.0] > 1e-3
    total = 2 * losses[1.0, 0.0] + 3 * losses[0.0, 1.0]
    assert losses[2.0, 3.0] == pytest.approx(total, rel=1e-5)


def test_where_there_is_noise_only_hidden_values_are_asked_for() -> None:
    """The image was made of the values that were shown, with their noise."""
    x = images()
    physics = Inpainting(np.ones((SIDE, SIDE)))
    trainee = prepared(physics, x, noisy=True, transform="shift", alpha=0.0, beta=1.0)
    model: Any = Reads(trainee.problem.units.image, 0.8)
    hidden = torch.zeros(1, 1, SIDE, SIDE)
    hidden[..., ::4] = 1
    part = Part(x[:2], physics)
    guess = x[:2] / trainee.problem.units.image

    def loss(y: Tensor) -> float:
        return made_up(trainee, model, replace(part, y=y), guess, hidden, draw())

    before = loss(part.y)
    assert loss(part.y + 5 * (1 - hidden)) == pytest.approx(before, rel=1e-6)
    assert abs(loss(part.y + 5 * hidden) - before) > 1


def test_of_a_scan_the_instrument_is_turned_and_the_object_stays() -> None:
    x = images()
    physics = ParallelBeam((SIDE, SIDE), np.arange(8) * np.pi / 8)
    y = physics.A(x)
    trainee = prepared(physics, y)
    truth = x[:1] / trainee.problem.units.image
    model: Any = Knows(truth)
    part = Part(y[:1], physics)
    angles = set()
    for seed in range(12):
        generator = torch.Generator().manual_seed(seed)
        hidden = torch.zeros(1, 1, 8, 1)
        assert made_up(trainee, model, part, truth, hidden, generator) < 1e-9
        angles.add(round(float(cast(Any, model.seen[-1]).angles[0]), 6))
    assert len(angles) > 3


def test_no_gradient_passes_the_image_that_is_moved() -> None:
    x = images()
    physics = Inpainting(np.ones((SIDE, SIDE)))
    trainee = prepared(physics, x, transform="shift")
    model: Any = Reads(trainee.problem.units.image, 0.8)
    guess = (x[:2] / trainee.problem.units.image).requires_grad_()
    loss = trainee._made_up(model, Part(x[:2], physics), guess, None, draw())
    loss.backward()  # type: ignore[no-untyped-call]
    assert guess.grad is None
    assert float(model.factor.grad.abs()) > 0
