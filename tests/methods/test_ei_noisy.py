"""What REI and SIAM ask for where the noise is known."""

from __future__ import annotations

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

SIDE, SIGMA, EXCESS = 32, 0.5, 0.5
DRAWS = 40


class Shrinks(nn.Module):
    """Returns a whole measurement, times a factor."""

    def __init__(self, image: float) -> None:
        super().__init__()
        self.image = image
        self.factor = nn.Parameter(torch.ones(()))
        self.seen: list[Tensor] = []

    def forward(self, y: Tensor, physics: Physics) -> Tensor:
        self.seen.append(y)
        return self.factor * y / self.image


def noisy_images(count: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    clean = torch.rand(count, 1, SIDE, SIDE, generator=generator)
    return clean + SIGMA * torch.randn(clean.shape, generator=generator)


def prepared(y: Tensor, *, known: bool, **options: Any) -> EITrainee:
    physics = Inpainting(np.ones((SIDE, SIDE)))
    given: dict[str, Any] = {"device": "cpu", "start": "inverse", "width": 2, "iterations": 1}
    method: EI = (
        REI(physics, REIOptions(**given, alpha=0.0, **options), noise=Gaussian(SIGMA))
        if known
        else EI(physics, EIOptions(**given, alpha=0.0, beta=0.0, **options))
    )
    return cast(EITrainee, method._trainee(method._prepare(y[:, 0].numpy(), None)))


def slope(trainee: EITrainee, y: Tensor) -> tuple[float, Shrinks]:
    """Return the mean derivative of the loss by the factor, at 1."""
    model = Shrinks(trainee.problem.units.image)
    part = Part(y, trainee.problem.physics)
    for draw in range(DRAWS):
        generator = torch.Generator().manual_seed(draw)
        loss = trainee.loss(cast(Any, model), part, generator, scoring=False)
        loss.backward()  # type: ignore[no-untyped-call]
    assert model.factor.grad is not None
    return float(model.factor.grad) / DRAWS, model


@pytest.mark.parametrize("recorrupt", [EXCESS, 0.0])
def test_noise_is_not_asked_for_although_all_of_it_was_seen(recorrupt: float) -> None:
    """With other noise, and with Stein's estimate, the loss is that against clean images."""
    y = noisy_images()
    trainee = prepared(y, known=True, split=0.0, recorrupt=recorrupt)
    found, _ = slope(trainee, y)
    unit = trainee.problem.units.measured**2
    # The derivative of E|(f - 1) x + f n|^2 at f = 1, n with the variance that the network saw.
    expected = 2 * (1 + recorrupt**2) * SIGMA**2 / unit
    assert found == pytest.approx(expected, rel=0.1)
    quiet, _ = slope(prepared(y, known=False, split=0.0), y)
    assert abs(quiet) < 0.02 * expected


def test_what_was_shown_is_asked_for_with_other_noise() -> None:
    y = noisy_images()
    with_copies = prepared(y, known=True, split=0.25)
    found, model = slope(with_copies, y)
    hidden = model.seen[0] == 0
    assert 0.2 < float(hidden.float().mean()) < 0.3
    added = (model.seen[0] - y)[~hidden]
    assert float(added.std()) == pytest.approx(EXCESS * SIGMA, rel=0.05)
    without, _ = slope(prepared(y, known=True, split=0.25, recorrupt=0.0), y)
    assert found > without + 0.5 * SIGMA**2 / with_copies.problem.units.measured**2


def test_the_score_sees_the_measurement_as_it_is() -> None:
    y = noisy_images()
    trainee = prepared(y, known=True, split=0.25)
    model = Shrinks(trainee.problem.units.image)
    part = Part(y, trainee.problem.physics)
    trainee.loss(cast(Any, model), part, torch.Generator().manual_seed(0), scoring=True)
    seen = model.seen[0]
    assert torch.equal(seen[seen != 0], y[seen != 0])
